//! Captures the environment once at process start, and finds the default paths in it. All other
//! code gets it as a value, so that tests can supply their own.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::error::{ConfigError, HintedError};
use crate::crash;
use crate::model::text::printable;
use crate::model::user_zone::UserZone;

/// The configuration file, when no `--config` is given.
pub const CONFIG: &str = "ATLAUDIT_CONFIG";
/// The state directory, when no `--state-dir` is given.
pub const STATE_DIR: &str = "ATLAUDIT_STATE_DIR";
/// The time zone of typed and shown times, when no `--tz` is given.
pub const TIME_ZONE: &str = "ATLAUDIT_TZ";
/// The organization of the one organization source.
pub const ORG_ID: &str = "ATLAUDIT_ORG_ID";
/// The API key of the one organization source.
pub const API_KEY: &str = "ATLAUDIT_API_KEY";
/// The password of the key that an export is signed with.
pub const SIGN_PASSWORD: &str = "ATLAUDIT_SIGN_PASSWORD";
/// The folder in which all processes of a user share their limits, instead of the usual one.
pub const QUOTA_DIR: &str = "ATLAUDIT_QUOTA_DIR";
/// The device and the number of the socket that systemd connects a unit's outputs to the journal
/// with.
pub const JOURNAL_STREAM: &str = "JOURNAL_STREAM";
/// Where systemd keeps a unit's credentials.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The configuration file in a folder of configurations.
const CONFIG_FILE: &str = "atlaudit/config.toml";

/// The width of a table that no terminal shows, in columns.
const DEFAULT_WIDTH: usize = 160;

/// The process's surroundings: variables, working directory, user, terminals.
#[derive(Clone, Default)]
pub struct ProcessEnv {
    vars: HashMap<OsString, OsString>,
    cwd: PathBuf,
    /// Who runs the process: the number of the effective user.
    pub user: u32,
    /// The name of the system's time zone, as far as the system has one.
    pub system_zone: Option<String>,
    /// Whether a person types on stdin.
    pub stdin_is_terminal: bool,
    /// Whether stdout is shown to a person.
    pub stdout_is_terminal: bool,
    /// Whether stderr is shown to a person.
    pub stderr_is_terminal: bool,
    /// The columns of the terminal that stdout is.
    pub stdout_columns: Option<usize>,
    /// The device and the number of the file that stderr is.
    pub stderr_file: Option<(u64, u64)>,
}

/// The home folder, for values that are read before the environment is: flags.
pub fn home_folder() -> Option<String> {
    std::env::var("HOME").ok().filter(|home| home.starts_with('/'))
}

impl ProcessEnv {
    /// Looks at the real process. Call it once, in `main`.
    #[expect(clippy::disallowed_methods, reason = "asks only whether they are terminals")]
    pub fn capture() -> ProcessEnv {
        ProcessEnv {
            vars: std::env::vars_os().collect(),
            // Without a working directory (it was removed) relative paths fail on their own, with
            // the path in the message; that is no reason to refuse absolute ones.
            cwd: std::env::current_dir().unwrap_or_default(),
            user: rustix::process::geteuid().as_raw(),
            system_zone: iana_time_zone::get_timezone().ok(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdout_columns: rustix::termios::tcgetwinsize(std::io::stdout())
                .ok()
                .map(|size| usize::from(size.ws_col)),
            stderr_file: std::io::stderr()
                .as_fd()
                .try_clone_to_owned()
                .and_then(|stderr| File::from(stderr).metadata())
                .map(|facts| (facts.dev(), facts.ino()))
                .ok(),
        }
    }

    /// Whether stderr is the systemd journal, which notes the time of each line. A unit may send
    /// it elsewhere, so the file that systemd names must be the one that is open.
    pub fn stderr_is_journal(&self) -> bool {
        let named = self.var_text(JOURNAL_STREAM).and_then(|text| {
            let (device, inode) = text.split_once(':')?;
            Some((device.parse().ok()?, inode.parse().ok()?))
        });
        named.is_some() && named == self.stderr_file
    }

    /// The width of a table: of the terminal, else what COLUMNS says, else [`DEFAULT_WIDTH`].
    pub fn table_width(&self) -> usize {
        let named = self.var_text("COLUMNS").and_then(|text| text.parse().ok());
        let mut known = [self.stdout_columns, named].into_iter().flatten();
        known.find(|width| *width > 0).unwrap_or(DEFAULT_WIDTH)
    }

    /// Made-up surroundings without a terminal.
    #[cfg(test)]
    pub fn with<K, V>(vars: impl IntoIterator<Item = (K, V)>, cwd: impl Into<PathBuf>) -> ProcessEnv
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        ProcessEnv {
            vars: vars.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            cwd: cwd.into(),
            ..ProcessEnv::default()
        }
    }

    /// A variable's value; an empty one counts as not set.
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable's value, when it is text.
    pub fn var_text(&self, name: &str) -> Option<&str> {
        self.var_os(name).and_then(OsStr::to_str)
    }

    /// The variables whose names begin with `prefix`, where name and value are text.
    pub fn vars_with_prefix(&self, prefix: &str) -> Vec<(String, String)> {
        let text = |(name, value): (&OsString, &OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        let all = self.vars.iter().filter_map(text);
        all.filter(|(name, value)| name.starts_with(prefix) && !value.is_empty()).collect()
    }

    /// A variable that holds an absolute path; the XDG specification ignores relative ones.
    pub fn absolute_path(&self, name: &str) -> Option<&Path> {
        self.var_os(name).map(Path::new).filter(|path| path.is_absolute())
    }

    /// The program `name` in the search path.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let mut folders = std::env::split_paths(self.var_os("PATH")?);
        folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
    }

    /// The working directory.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// `path` as seen from the working directory.
    pub fn at_cwd(&self, path: &Path) -> PathBuf {
        self.cwd.join(path)
    }
}

impl fmt::Debug for ProcessEnv {
    /// Values stay out: one of them may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("vars", &self.vars.len())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// Who names a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigOrigin {
    /// `--config`
    Flag,
    /// `ATLAUDIT_CONFIG`
    Variable,
    /// The user's folder of configurations.
    User,
    /// `/etc`, for every user of the machine.
    System,
}

/// A configuration file that may be read, and who names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPath {
    /// Its path.
    pub path: PathBuf,
    /// Who names it.
    pub origin: ConfigOrigin,
}

impl ConfigPath {
    /// Whether the user named it: then it has to exist.
    pub fn is_explicit(&self) -> bool {
        matches!(self.origin, ConfigOrigin::Flag | ConfigOrigin::Variable)
    }
}

/// Where the configuration is looked for, in this order: `--config`, `ATLAUDIT_CONFIG`,
/// `$XDG_CONFIG_HOME/atlaudit` or `~/.config/atlaudit`, `/etc/atlaudit`. Without a home directory
/// there is no user's file.
pub fn config_places(flag: Option<&Path>, env: &ProcessEnv) -> Vec<ConfigPath> {
    let place = |origin| move |path: PathBuf| ConfigPath { path, origin };
    let variable = env.var_os(CONFIG).map(Path::new);
    let user = user_folder(env, "XDG_CONFIG_HOME", ".config");
    [
        flag.map(|path| env.at_cwd(path)).map(place(ConfigOrigin::Flag)),
        variable.map(|path| env.at_cwd(path)).map(place(ConfigOrigin::Variable)),
        user.map(|folder| folder.join(CONFIG_FILE)).map(place(ConfigOrigin::User)),
        Some(system_folder().join(CONFIG_FILE)).map(place(ConfigOrigin::System)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where the settings of the machine are. Tests have one of their own.
pub fn system_folder() -> PathBuf {
    crash::setting("ETC").unwrap_or_else(|| "/etc".to_owned()).into()
}

/// A folder of the XDG base directories, or the usual one in the home folder.
fn user_folder(env: &ProcessEnv, variable: &str, in_home: &str) -> Option<PathBuf> {
    let named = env.absolute_path(variable).map(Path::to_path_buf);
    named.or_else(|| Some(env.absolute_path("HOME")?.join(in_home)))
}

/// Where checkpoints and locks live: `--state-dir`, `ATLAUDIT_STATE_DIR`, `state_dir` of the
/// configuration, `$XDG_STATE_HOME/atlaudit`, `~/.local/state/atlaudit`.
pub fn state_dir(
    flag: Option<&Path>,
    configured: Option<PathBuf>,
    env: &ProcessEnv,
) -> Result<PathBuf, ConfigError> {
    if let Some(path) = flag.or_else(|| env.var_os(STATE_DIR).map(Path::new)) {
        return Ok(env.at_cwd(path));
    }
    if let Some(path) = configured {
        return Ok(path);
    }
    let folder = user_folder(env, "XDG_STATE_HOME", ".local/state").ok_or_else(|| {
        ConfigError::new("there is no place for the state: neither HOME nor XDG_STATE_HOME is set")
            .hint("name a folder with `--state-dir DIR`, ATLAUDIT_STATE_DIR or the key `state_dir`")
    })?;
    Ok(folder.join("atlaudit"))
}

/// The time zone of typed and shown times: `--tz`, `ATLAUDIT_TZ`, UTC. `local` is what `TZ` names,
/// else the system's.
pub fn user_zone(flag: Option<&str>, env: &ProcessEnv) -> Result<UserZone, HintedError> {
    let (name, place) = match (flag, env.var_text(TIME_ZONE)) {
        (Some(name), _) => (name, "--tz"),
        (None, Some(name)) => (name, TIME_ZONE),
        (None, None) => return Ok(UserZone::UTC),
    };
    if name.eq_ignore_ascii_case("local") {
        return local_zone(env);
    }
    name.parse().map_err(|meant: Option<&str>| {
        let what = format!("`{place}`: there is no time zone `{}`", printable(name));
        HintedError::new(what).hint(match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "use a name such as `Europe/Berlin`, `local` or `UTC`".to_owned(),
        })
    })
}

fn local_zone(env: &ProcessEnv) -> Result<UserZone, HintedError> {
    let (name, place) = match (env.var_text("TZ"), &env.system_zone) {
        (Some(name), _) => (name, "TZ"),
        (None, Some(name)) => (name.as_str(), "the system's setting"),
        (None, None) => {
            let what = "the time zone that `local` means cannot be found out: TZ is not set, and \
                        the system names none";
            return Err(HintedError::new(what).hint("name it, such as `--tz Europe/Berlin`"));
        }
    };
    // TZ may be a file, perhaps after a colon.
    let known = name.rsplit_once("zoneinfo/").map_or(name.trim_start_matches(':'), |(_, end)| end);
    known.parse().map_err(|_| {
        let name = printable(name);
        let what =
            format!("the time zone that `local` means, `{name}` ({place}), is no name of one");
        HintedError::new(what).hint("name it, such as `--tz Europe/Berlin`")
    })
}

/// Where the limits may be shared with the user's other processes, the best place first. It depends
/// on the user alone: what runs from cron and what runs in a shell have to meet there.
pub fn quota_dirs(env: &ProcessEnv) -> Vec<PathBuf> {
    if let Some(path) = env.var_os(QUOTA_DIR) {
        return vec![env.at_cwd(Path::new(path))];
    }
    let own = format!("atlaudit-{}", env.user);
    // In memory where there is such a place: a request is noted with every one that is sent.
    ["/dev/shm", "/tmp"].map(|base| Path::new(base).join(&own)).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_not_set() {
        let env = ProcessEnv::with([("A", ""), ("B", "x")], "/work");
        assert_eq!(env.var_text("A"), None);
        assert_eq!(env.var_text("B"), Some("x"));
        assert_eq!(env.absolute_path("B"), None);
        assert_eq!(env.at_cwd(Path::new("c")), Path::new("/work/c"));
        assert_eq!(env.at_cwd(Path::new("/c")), Path::new("/c"));
    }

    #[test]
    fn stderr_is_the_journal_where_it_is_the_socket_that_systemd_names() {
        let is_journal = |named: &str, stderr_file| {
            let env = ProcessEnv::with([("JOURNAL_STREAM", named)], "/");
            ProcessEnv { stderr_file, ..env }.stderr_is_journal()
        };
        assert!(is_journal("8:4711", Some((8, 4711))));
        assert!(!is_journal("8:4711", Some((8, 4712))), "redirected");
        assert!(!is_journal("8:4711", None), "closed");
        for named in ["", "8", "8:", ":4711", "x:4711", "8:4711:1"] {
            assert!(!is_journal(named, Some((8, 4711))) && !is_journal(named, None), "{named}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let env = ProcessEnv::with([(API_KEY, "ATATTsecret")], "/");
        assert!(!format!("{env:?}").contains("secret"));
    }

    #[test]
    fn the_zone_is_the_flags_then_that_of_the_environment() {
        let zone = |flag, vars: &[(&str, &str)]| {
            let env = ProcessEnv::with(vars.iter().copied(), "/");
            user_zone(flag, &env).map(|zone| zone.to_string()).map_err(|error| error.to_string())
        };
        let tokyo = [(TIME_ZONE, "Asia/Tokyo"), ("TZ", "Europe/Rome")];
        assert_eq!(zone(None, &[("TZ", "Europe/Rome")]).as_deref(), Ok("UTC"));
        assert_eq!(zone(None, &tokyo).as_deref(), Ok("Asia/Tokyo"));
        assert_eq!(zone(Some("europe/berlin"), &tokyo).as_deref(), Ok("Europe/Berlin"));
        for name in ["Europe/Rome", ":Europe/Rome", "/usr/share/zoneinfo/Europe/Rome"] {
            assert_eq!(zone(Some("Local"), &[("TZ", name)]).as_deref(), Ok("Europe/Rome"));
        }
        assert_eq!(
            zone(Some("Berlin"), &[]).unwrap_err(),
            "`--tz`: there is no time zone `Berlin`; did you mean `Europe/Berlin`?"
        );
        let unknown = zone(None, &[(TIME_ZONE, "Middle-earth")]).unwrap_err();
        assert!(unknown.starts_with("`ATLAUDIT_TZ`: there is no time zone"), "{unknown}");
        assert!(unknown.ends_with("use a name such as `Europe/Berlin`, `local` or `UTC`"));
        for vars in [&[][..], &[("TZ", "CET-1CEST")]] {
            let error = zone(Some("local"), vars).unwrap_err();
            assert!(error.ends_with("; name it, such as `--tz Europe/Berlin`"), "{error}");
        }
        let mut env = ProcessEnv::with([("A", "")], "/");
        env.system_zone = Some("Etc/UTC".to_owned());
        assert_eq!(user_zone(Some("local"), &env).unwrap().to_string(), "Etc/UTC");
    }

    #[test]
    fn limits_are_shared_by_user_whatever_the_home() {
        let mut env = ProcessEnv::with([("HOME", "/h"), ("TMPDIR", "/t")], "/work");
        env.user = 7;
        let shared = ["/dev/shm/atlaudit-7", "/tmp/atlaudit-7"].map(PathBuf::from);
        assert_eq!(quota_dirs(&env), shared);
        let named = ProcessEnv::with([("ATLAUDIT_QUOTA_DIR", "q")], "/work");
        assert_eq!(quota_dirs(&named), [PathBuf::from("/work/q")]);
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_home() {
        let env = ProcessEnv::with(
            [("ATLAUDIT_CONFIG", "env.toml"), ("ATLAUDIT_STATE_DIR", "/env"), ("HOME", "/h")],
            "/work",
        );
        let place = |flag: Option<&str>| config_places(flag.map(Path::new), &env).swap_remove(0);
        assert_eq!(place(Some("/f.toml")).path, Path::new("/f.toml"));
        assert_eq!(place(None).path, Path::new("/work/env.toml"));
        assert!(place(None).is_explicit());
        let configured = || Some(PathBuf::from("/var/lib/atlaudit"));
        let state = |flag: Option<&str>| state_dir(flag.map(Path::new), configured(), &env);
        assert_eq!(state(Some("s")).unwrap(), Path::new("/work/s"));
        assert_eq!(state(None).unwrap(), Path::new("/env"));
        let home = ProcessEnv::with([("HOME", "/h")], "/work");
        assert_eq!(state_dir(None, configured(), &home).unwrap(), configured().unwrap());
    }

    #[test]
    fn xdg_folders_count_only_when_absolute() {
        let env = ProcessEnv::with(
            [("XDG_CONFIG_HOME", "rel"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")],
            "/",
        );
        let places = config_places(None, &env);
        let paths: Vec<_> = places.iter().map(|place| place.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["/h/.config/atlaudit/config.toml", "/etc/atlaudit/config.toml"]);
        assert!(!places.iter().any(ConfigPath::is_explicit));
        assert_eq!(state_dir(None, None, &env).unwrap(), Path::new("/x/atlaudit"));
    }

    #[test]
    fn without_a_home_the_state_needs_a_flag() {
        let env = ProcessEnv::default();
        let places = config_places(None, &env);
        assert!(places.iter().all(|place| place.origin == ConfigOrigin::System));
        let error = state_dir(None, None, &env).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--state-dir"));
    }
}
