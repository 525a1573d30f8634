//! Owns the folder that all processes of a user share their limits in, and the names of its files.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::shared_limiter::SharedLimiter;
use crate::model::record::Fingerprint;

/// Part of every file's name, so that a program that writes them otherwise uses other files.
const LAYOUT: &str = "1";

/// Where limits are shared, if they are.
#[derive(Debug, Default)]
pub struct QuotaDir {
    folder: Option<PathBuf>,
}

impl QuotaDir {
    /// Limits of this process alone.
    pub fn off() -> Self {
        QuotaDir::default()
    }

    /// Shares in the first of `folders` that is safe for `user` to use. Where none is, it warns:
    /// that is no reason to collect nothing.
    pub fn first_usable(folders: &[PathBuf], user: u32) -> Self {
        let mut refused = Vec::new();
        for folder in folders {
            match prepare(folder, user) {
                Ok(()) => {
                    let folder = Some(folder.clone());
                    return QuotaDir { folder };
                }
                Err(why) => refused.push(format!("{}: {why}", folder.display())),
            }
        }
        warn(&refused.join("; "));
        QuotaDir::off()
    }

    /// What the processes share that ask `endpoint` (a name that tells it from every other) with a
    /// credential of `account`.
    pub fn open(&self, endpoint: &str, account: Option<&str>) -> SharedLimiter {
        let Some(folder) = &self.folder else {
            return SharedLimiter::nothing();
        };
        let path = |kind: &str, name: &str| {
            let name = Fingerprint::of(format!("{LAYOUT} {kind} {name}").as_bytes());
            folder.join(format!("{kind}-{name}"))
        };
        let account = account.map(|account| path("account", account));
        SharedLimiter::open(path("endpoint", endpoint), account).unwrap_or_else(|error| {
            warn(&format!("{}: {error}", folder.display()));
            SharedLimiter::nothing()
        })
    }
}

fn warn(why: &str) {
    tracing::warn!(
        "the requests of other atlaudit processes are not counted: {why}; name a folder of your own with ATLAUDIT_QUOTA_DIR"
    );
}

/// Creates `folder`, or makes sure that nobody else can use it: it may lie where everybody writes,
/// and whoever writes into it could hold us back.
fn prepare(folder: &Path, user: u32) -> Result<(), String> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error.to_string());
        }
        _ => {}
    }
    let facts = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !facts.is_dir() {
        return Err("not a folder".to_owned());
    }
    if facts.uid() != user {
        return Err("belongs to another user".to_owned());
    }
    match facts.mode() & 0o077 {
        0 => Ok(()),
        _ => Err("others may use it, too".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_first_safe_folder_is_used_and_made_for_its_owner_only() {
        let base = tempfile::tempdir().unwrap();
        let (missing, own) = (base.path().join("no/where"), base.path().join("own"));
        for _ in 0..2 {
            let sharing = QuotaDir::first_usable(&[missing.clone(), own.clone()], me());
            assert_eq!(sharing.folder.as_deref(), Some(own.as_path()));
        }
        let mode = fs::metadata(&own).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_folder_that_is_not_ours_alone_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        fs::create_dir(path("own")).unwrap();
        fs::set_permissions(path("own"), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(prepare(&path("own"), me()), Ok(()));
        assert!(
            prepare(&path("own"), me() + 1)
                .unwrap_err()
                .contains("another user")
        );
        symlink(path("own"), path("link")).unwrap();
        fs::write(path("file"), "").unwrap();
        for name in ["link", "file"] {
            assert!(
                prepare(&path(name), me())
                    .unwrap_err()
                    .contains("not a folder")
            );
        }
        for mode in [0o770, 0o701, 0o740] {
            fs::set_permissions(path("own"), fs::Permissions::from_mode(mode)).unwrap();
            assert!(prepare(&path("own"), me()).unwrap_err().contains("others"));
        }
    }

    #[test]
    fn each_endpoint_and_account_has_a_file_whose_name_tells_nothing() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("own");
        let sharing = QuotaDir::first_usable(std::slice::from_ref(&folder), me());
        for (endpoint, account) in [
            ("acme", Some("ada@acme.example")),
            ("acme", None),
            ("site", Some("ada@acme.example")),
        ] {
            drop(sharing.open(endpoint, account));
        }
        let names = fs::read_dir(&folder).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names[0].starts_with("account-") && names[1].starts_with("endpoint-"));
        assert!(!names.concat().contains("acme"));
    }
}
