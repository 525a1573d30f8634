//! Lists what the program reads besides its arguments and its own variables, which `help.txt`
//! lists: variables of other programs, and files. The manual pages show these lists.

/// What other programs read as well, with what it is for, without a full stop.
pub const OTHER_VARIABLES: [(&str, &str); 13] = [
    ("XDG_CONFIG_HOME", "Where the configuration is, instead of ~/.config"),
    ("XDG_STATE_HOME", "Where the state folder is, instead of ~/.local/state"),
    ("TZ", "The time zone that `--tz local` means, instead of the system's"),
    ("NO_COLOR", "If it is set, nothing is coloured, unless `--color always` is given"),
    ("COLUMNS", "The width of tables that are not printed on a terminal"),
    ("VISUAL, EDITOR", "The editor that `config edit` opens"),
    ("TMPDIR", "Where temporary files are, instead of /tmp"),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY", "The proxy of sources without the key `proxy`"),
    ("NO_PROXY", "Hosts that are reached without a proxy"),
    ("CREDENTIALS_DIRECTORY", "Where systemd keeps the credentials of a unit: systemd:NAME"),
    ("NOTIFY_SOCKET, WATCHDOG_USEC", "How `follow` reports to systemd that it is alive"),
    ("AWS_*, AZURE_*, GOOGLE_*", "Access to object storage, as the tools of the clouds read it"),
    ("SOURCE_DATE_EPOCH", "The date of the pages that `man` writes, in seconds since 1970"),
];

/// The files and folders that are read or written without being named.
pub const FILES: [(&str, &str); 6] = [
    (
        "~/.config/atlaudit/config.toml",
        "The configuration, if neither --config nor ATLAUDIT_CONFIG names one; with \
         XDG_CONFIG_HOME in that folder",
    ),
    ("/etc/atlaudit/config.toml", "The configuration of users who have none of their own"),
    (
        "~/.local/state/atlaudit/",
        "Checkpoints, locks, the history of runs and the records of respond, if neither \
         --state-dir nor ATLAUDIT_STATE_DIR names a folder; with XDG_STATE_HOME in that folder",
    ),
    (
        "/dev/shm/atlaudit-UID/",
        "When requests were sent, so that all processes of a user keep one rate limit; unless \
         ATLAUDIT_QUOTA_DIR names a folder",
    ),
    ("/tmp/atlaudit-UID/", "The same, where there is no /dev/shm"),
    ("OS keyring, service atlaudit", "Keys, unless `credential` names another place"),
];
