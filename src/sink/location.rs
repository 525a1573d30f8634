//! Resolves paths to the files that they name, whether or not these exist yet.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use chrono::NaiveDateTime;

use crate::files::folder_of;
use crate::sink::path::STAMP;

/// Most links that are followed to a file that does not exist yet, as the kernel does
/// (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The length of a time in the name of a finished file.
const STAMP_LENGTH: usize = "20261121T130000.000Z".len();

/// What tells the file that a path leads to from every other file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIdentity {
    /// Its absolute path without links.
    pub path: PathBuf,
    /// Its device and inode, if it exists: it may have several names.
    pub inode: Option<(u64, u64)>,
    /// Whether it is a device or a pipe.
    pub is_special: bool,
}

impl FileIdentity {
    /// Looks at the file that `path` leads to.
    pub fn of(path: &Path) -> FileIdentity {
        let facts = fs::metadata(path).ok();
        FileIdentity {
            path: real_path(path),
            inode: facts.as_ref().map(|facts| (facts.dev(), facts.ino())),
            is_special: facts.is_some_and(|facts| !facts.is_file() && !facts.is_dir()),
        }
    }

    /// A file at `path` without links, which does not exist.
    #[cfg(test)]
    pub fn missing(path: &Path) -> FileIdentity {
        FileIdentity { path: path.to_owned(), inode: None, is_special: false }
    }
}

/// The absolute path without links that opening `path` would lead to, whether or not it exists.
pub fn real_path(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = folder_of(&path).join(target);
    }
    // The part that exists by its real name, then what is to be created in it.
    for known in path.ancestors() {
        let known = match known.as_os_str().is_empty() {
            true => Path::new("."),
            false => known,
        };
        if let Ok(real) = fs::canonicalize(known) {
            let rest = path.strip_prefix(known).unwrap_or(&path);
            return without_dots(real, rest);
        }
    }
    path
}

/// `folder` and the names of `rest` in it, which do not exist: `..` leads back over the last of
/// them.
fn without_dots(mut folder: PathBuf, rest: &Path) -> PathBuf {
    for part in rest.components() {
        match part {
            Component::Normal(name) => folder.push(name),
            Component::ParentDir => {
                folder.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    folder
}

/// Whether an output of the absolute `template` writes the file at `path` at some time, or wrote it
/// before rotation renamed it.
pub fn is_written_by(template: &Path, path: &Path) -> bool {
    let matches = |path: &Path| {
        let (template, path) = (template.as_os_str(), path.as_os_str());
        matches_template(template.as_bytes(), path.as_bytes())
    };
    matches(path) || path_before_rotation(path).is_some_and(|path| matches(&path))
}

/// The path that a file had before rotation finished it, if `path` is such a file's.
pub fn path_before_rotation(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    name.match_indices('-').find_map(|(start, _)| {
        let (stem, rest) = name.split_at_checked(start)?;
        let (stamp, ends) = rest.get(1..)?.split_at_checked(STAMP_LENGTH)?;
        NaiveDateTime::parse_from_str(stamp, STAMP).ok()?;
        Some(path.with_file_name(format!("{stem}{ends}")))
    })
}

/// Whether `path` is `template` with digits in the place of `%Y %m %d %H`.
fn matches_template(template: &[u8], path: &[u8]) -> bool {
    let (mut template, mut path) = (template, path);
    while let [first, more @ ..] = template {
        let (length, wanted): (usize, Option<u8>) = match (first, more) {
            (b'%', [b'Y', ..]) => (4, None),
            (b'%', [b'm' | b'd' | b'H', ..]) => (2, None),
            (other, _) => (1, Some(*other)),
        };
        let is_pair = wanted.is_none() || (*first == b'%' && more.first() == Some(&b'%'));
        template = more.get(usize::from(is_pair)..).unwrap_or_default();
        let Some((part, rest)) = path.split_at_checked(length) else {
            return false;
        };
        let fits = match wanted {
            Some(byte) => part == [byte],
            None => part.iter().all(u8::is_ascii_digit),
        };
        if !fits {
            return false;
        }
        path = rest;
    }
    path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use crate::sink::path::finished_path;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_real_path_of_a_file_that_need_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("there"), "").unwrap();
        for (target, name) in [
            ("sub", "folder"),
            ("there", "file"),
            ("sub/new", "dangling"),
            ("dangling", "twice"),
            ("loop", "loop"),
        ] {
            symlink(target, folder.join(name)).unwrap();
        }
        for (path, real) in [
            ("there", "there"),
            ("file", "there"),
            ("./sub/../there", "there"),
            ("folder/new", "sub/new"),
            ("dangling", "sub/new"),
            ("twice", "sub/new"),
            ("a/b/../c", "a/c"),
            ("folder/a/b", "sub/a/b"),
            ("loop", "loop"),
        ] {
            assert_eq!(real_path(&folder.join(path)), folder.join(real), "{path}");
        }
    }

    #[test]
    fn an_identity_follows_links() {
        let folder = tempfile::tempdir().unwrap();
        let [file, hard, soft, new] =
            ["file", "hard", "soft", "new"].map(|name| folder.path().join(name));
        fs::write(&file, "").unwrap();
        fs::hard_link(&file, &hard).unwrap();
        symlink(&file, &soft).unwrap();
        let of = FileIdentity::of(&file);
        assert_eq!(FileIdentity::of(&soft), of);
        assert_eq!(FileIdentity::of(&hard).inode, of.inode);
        assert_eq!(FileIdentity::of(&new).inode, None);
        assert!(FileIdentity::of(Path::new("/dev/null")).is_special);
    }

    #[test]
    fn a_template_writes_all_its_files() {
        for (template, path, is_written) in [
            ("/o/a.log", "/o/a.log", true),
            ("/o/a.log", "/o/b.log", false),
            ("/o/%Y/%m-%d-%H", "/o/2026/11-20-09", true),
            ("/o/%Y", "/o/202", false),
            ("/o/%Y", "/o/20261", false),
            ("/o/%Y", "/o/abcd", false),
            ("/o/100%%", "/o/100%", true),
            ("/o/100%%", "/o/100%%", false),
            ("/o/a.gz", "/o/a-20261120T095959.000Z.gz", true),
            ("/o/a-%d.gz", "/o/a-20-20261120T095959.000Z.gz", true),
            ("/o/a.gz", "/o/a-20261120T095959.gz", false),
            ("/o/a.gz", "/p/a-20261120T095959.000Z.gz", false),
        ] {
            let found = is_written_by(Path::new(template), Path::new(path));
            assert_eq!(found, is_written, "{template} {path}");
        }
    }

    #[test]
    fn a_finished_name_leads_back_to_the_current_one() {
        let begun = parse_api_time("2026-11-20T09:59:59.999Z").unwrap();
        for path in ["/x/acme.jsonl.gz", "/x/acme-jira.jsonl", "/x/.acme", "/x/a-"] {
            let path = Path::new(path);
            assert_eq!(path_before_rotation(&finished_path(path, begun)).as_deref(), Some(path));
            assert_eq!(path_before_rotation(path), None);
        }
    }
}
