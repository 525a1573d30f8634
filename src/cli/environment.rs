//! Lists what the program reads besides its arguments and its own variables, which `help.txt`
//! lists: variables of other programs, and files. The manual pages show these lists.

/// A name with what it means, on a manual page.
#[derive(Debug, Clone, Copy)]
pub struct NamedMeaning {
    /// The variable or the path.
    pub name: &'static str,
    /// What it is for, without a full stop.
    pub meaning: &'static str,
}

const fn entry(name: &'static str, meaning: &'static str) -> NamedMeaning {
    NamedMeaning { name, meaning }
}

/// What other programs read as well.
pub const OTHER_VARIABLES: [NamedMeaning; 13] = [
    entry("XDG_CONFIG_HOME", "Where the configuration is, instead of ~/.config"),
    entry("XDG_STATE_HOME", "Where the state folder is, instead of ~/.local/state"),
    entry("TZ", "The time zone that `--tz local` means, instead of the system's"),
    entry("NO_COLOR", "If it is set, nothing is coloured, unless `--color always` is given"),
    entry("COLUMNS", "The width of tables that are not printed on a terminal"),
    entry("VISUAL, EDITOR", "The editor that `config edit` opens"),
    entry("TMPDIR", "Where temporary files are, instead of /tmp"),
    entry("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY", "The proxy of sources without the key `proxy`"),
    entry("NO_PROXY", "Hosts that are reached without a proxy"),
    entry("CREDENTIALS_DIRECTORY", "Where systemd keeps the credentials of a unit: systemd:NAME"),
    entry("NOTIFY_SOCKET, WATCHDOG_USEC", "How `follow` reports to systemd that it is alive"),
    entry(
        "AWS_*, AZURE_*, GOOGLE_*",
        "Access to object storage, as the tools of the clouds read it",
    ),
    entry("SOURCE_DATE_EPOCH", "The date of the pages that `man` writes, in seconds since 1970"),
];

/// The files and folders that are read or written without being named.
pub const FILES: [NamedMeaning; 6] = [
    entry(
        "~/.config/atlaudit/config.toml",
        "The configuration, if neither --config nor ATLAUDIT_CONFIG names one; with \
         XDG_CONFIG_HOME in that folder",
    ),
    entry("/etc/atlaudit/config.toml", "The configuration of users who have none of their own"),
    entry(
        "~/.local/state/atlaudit/",
        "Checkpoints, locks, the history of runs and the records of respond, if neither \
         --state-dir nor ATLAUDIT_STATE_DIR names a folder; with XDG_STATE_HOME in that folder",
    ),
    entry(
        "/dev/shm/atlaudit-UID/",
        "When requests were sent, so that all processes of a user keep one rate limit; unless \
         ATLAUDIT_QUOTA_DIR names a folder",
    ),
    entry("/tmp/atlaudit-UID/", "The same, where there is no /dev/shm"),
    entry("OS keyring, service atlaudit", "Keys, unless `credential` names another place"),
];
