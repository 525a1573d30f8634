//! Finds the default paths of the configuration, the state and the shared limits.

use std::path::{Path, PathBuf};

use crate::config::env::{self, ProcessEnv};
use crate::config::error::ConfigError;

/// The configuration file to read, and whether the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPath {
    /// Its path.
    pub path: PathBuf,
    /// Named by `--config` or `ATLAUDIT_CONFIG`: then it has to exist.
    pub is_explicit: bool,
}

/// Where the configuration is looked for: `--config`, `ATLAUDIT_CONFIG`, `$XDG_CONFIG_HOME/atlaudit`,
/// `~/.config/atlaudit`. `None` when there is no home directory either.
pub fn config_file(flag: Option<&Path>, env: &ProcessEnv) -> Option<ConfigPath> {
    let named = flag.or_else(|| env.var_os(env::CONFIG).map(Path::new));
    if let Some(path) = named {
        return Some(ConfigPath { path: env.at_cwd(path), is_explicit: true });
    }
    let folder = env
        .absolute_path("XDG_CONFIG_HOME")
        .map(Path::to_path_buf)
        .or_else(|| env.absolute_path("HOME").map(|home| home.join(".config")))?;
    Some(ConfigPath { path: folder.join("atlaudit/config.toml"), is_explicit: false })
}

/// Where checkpoints and locks live: `--state-dir`, `ATLAUDIT_STATE_DIR`, `$XDG_STATE_HOME/atlaudit`,
/// `~/.local/state/atlaudit`.
pub fn state_dir(flag: Option<&Path>, env: &ProcessEnv) -> Result<PathBuf, ConfigError> {
    if let Some(path) = flag.or_else(|| env.var_os(env::STATE_DIR).map(Path::new)) {
        return Ok(env.at_cwd(path));
    }
    env.absolute_path("XDG_STATE_HOME")
        .map(|state| state.join("atlaudit"))
        .or_else(|| env.absolute_path("HOME").map(|home| home.join(".local/state/atlaudit")))
        .ok_or_else(|| {
            ConfigError::new(
                "there is no place for the state: neither HOME nor XDG_STATE_HOME is set",
            )
            .hint("name a folder with `--state-dir DIR` or ATLAUDIT_STATE_DIR")
        })
}

/// Where the limits may be shared with the user's other processes, the best place first. It depends on
/// the user alone: what runs from cron and what runs in a shell have to meet there.
pub fn quota_dirs(env: &ProcessEnv) -> Vec<PathBuf> {
    if let Some(path) = env.var_os(env::QUOTA_DIR) {
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
        let place =
            |flag: Option<&str>, env: &ProcessEnv| config_file(flag.map(Path::new), env).unwrap();
        assert_eq!(place(Some("/f.toml"), &env).path, Path::new("/f.toml"));
        assert_eq!(place(None, &env).path, Path::new("/work/env.toml"));
        assert!(place(None, &env).is_explicit);
        assert_eq!(state_dir(Some(Path::new("s")), &env).unwrap(), Path::new("/work/s"));
        assert_eq!(state_dir(None, &env).unwrap(), Path::new("/env"));
    }

    #[test]
    fn xdg_folders_count_only_when_absolute() {
        let env = ProcessEnv::with(
            [("XDG_CONFIG_HOME", "rel"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")],
            "/",
        );
        let place = config_file(None, &env).unwrap();
        assert_eq!(place.path, Path::new("/h/.config/atlaudit/config.toml"));
        assert!(!place.is_explicit);
        assert_eq!(state_dir(None, &env).unwrap(), Path::new("/x/atlaudit"));
    }

    #[test]
    fn without_a_home_the_state_needs_a_flag() {
        let env = ProcessEnv::default();
        assert_eq!(config_file(None, &env), None);
        let error = state_dir(None, &env).unwrap_err();
        assert!(error.hint_text().unwrap().contains("--state-dir"));
    }
}
