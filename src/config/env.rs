//! Captures the environment once at process start; all other code gets it as a value, so that
//! tests can supply their own.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// The configuration file, when no `--config` is given.
pub const CONFIG: &str = "ATLAUDIT_CONFIG";
/// The state directory, when no `--state-dir` is given.
pub const STATE_DIR: &str = "ATLAUDIT_STATE_DIR";
/// The organization of the one organization source.
pub const ORG_ID: &str = "ATLAUDIT_ORG_ID";
/// The API key of the one organization source.
pub const API_KEY: &str = "ATLAUDIT_API_KEY";
/// The password of the key that an export is signed with.
pub const SIGN_PASSWORD: &str = "ATLAUDIT_SIGN_PASSWORD";
/// The folder in which all processes of a user share their limits, instead of the usual one.
pub const QUOTA_DIR: &str = "ATLAUDIT_QUOTA_DIR";
/// Where systemd keeps a unit's credentials.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The process's surroundings: variables, working directory, user, terminals.
#[derive(Clone, Default)]
pub struct ProcessEnv {
    vars: HashMap<OsString, OsString>,
    cwd: PathBuf,
    /// Who runs the process: the number of the effective user.
    pub user: u32,
    /// Whether a person types on stdin.
    pub stdin_is_terminal: bool,
    /// Whether stdout is shown to a person.
    pub stdout_is_terminal: bool,
    /// Whether stderr is shown to a person.
    pub stderr_is_terminal: bool,
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
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
        }
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

    /// A variable that holds an absolute path; the XDG specification ignores relative ones.
    pub fn absolute_path(&self, name: &str) -> Option<&Path> {
        self.var_os(name).map(Path::new).filter(|path| path.is_absolute())
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
    fn debug_shows_no_value() {
        let env = ProcessEnv::with([(API_KEY, "ATATTsecret")], "/");
        assert!(!format!("{env:?}").contains("secret"));
    }
}
