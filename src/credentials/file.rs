//! Reads secrets from files that only their owner can read, or that a container platform guards,
//! and stores keys in such files: each is written whole or not at all.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::error::HintedError;
use crate::credentials::value;
use crate::files::{Durability, FileReplacement, create_private_folder, folder_of, sync_folder};
use crate::model::open_files;

/// The most that a file with a secret may hold: more is another file, named by mistake.
const MOST_BYTES: u64 = 64 * 1024;

/// The content of the file at `path`, unless others can read it. `if_missing` says what to do when
/// there is no such file.
pub fn read(path: &Path, if_missing: &str) -> Result<SecretString, HintedError> {
    let file = open(path, if_missing)?;
    reject_shared_access(&file, path)?;
    read_content(file, path)
}

/// The content of a file that something else guards.
pub fn read_guarded(path: &Path) -> Result<SecretString, HintedError> {
    read_content(open(path, "check the path")?, path)
}

/// Links are followed: container platforms mount secrets as links. What they lead to is checked.
fn open(path: &Path, if_missing: &str) -> Result<File, HintedError> {
    let cannot = |error: io::Error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => if_missing,
            ErrorKind::PermissionDenied => "the file has to belong to the user that runs atlaudit",
            _ => open_files::hint(&error).unwrap_or("check the path in `credential`"),
        };
        HintedError::new(format!("file `{}`: {error}", path.display())).hint(hint)
    };
    let irregular = || {
        HintedError::new(format!("file `{}`: not a regular file", path.display()))
            .hint("name a file that holds the key")
    };
    // Asked before opening as well: to open a pipe waits for its writer.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(irregular());
    }
    let file = File::open(path).map_err(cannot)?;
    match file.metadata().map_err(cannot)?.is_file() {
        true => Ok(file),
        false => Err(irregular()),
    }
}

/// Refuses a file that others can read or change, with a hint that this user can follow.
fn reject_shared_access(file: &File, path: &Path) -> Result<(), HintedError> {
    let cannot = |error: io::Error| HintedError::new(format!("file `{}`: {error}", path.display()));
    let facts = file.metadata().map_err(cannot)?;
    let mount = rustix::fs::fstatvfs(file).map_err(|error| cannot(error.into()))?;
    FileAccess {
        mode: facts.mode() & 0o777,
        owner: facts.uid(),
        user: rustix::process::geteuid().as_raw(),
        is_mounted_read_only: mount.f_flag.contains(StatVfsMountFlags::RDONLY),
    }
    .check(path)
}

/// What decides who can read or change a file.
#[derive(Debug, Clone, Copy)]
struct FileAccess {
    mode: u32,
    owner: u32,
    /// The user that this process runs as.
    user: u32,
    /// On this mount, whatever other mounts of the same file system allow.
    is_mounted_read_only: bool,
}

impl FileAccess {
    /// Accepts a file that only its owner can reach, and secrets as container platforms mount them,
    /// where the user that reads them can change neither owner nor mode:
    ///
    /// - Kubernetes with `fsGroup`: owner root, mode 0440 (0644 by default, or `defaultMode`), on a
    ///   read-only mount (kubernetes.io/docs/concepts/configuration/secret).
    /// - Docker and Podman: owner root, mode 0444, on a read-only mount
    ///   (docs.docker.com/engine/swarm/secrets).
    /// - A file that root lets one group read, as `install -o root -g atlaudit -m 640` makes it.
    ///
    /// On a read-only mount the container is the boundary: only this program runs in it.
    /// Elsewhere, root could have used mode 0600, so that only the group is accepted, and not for
    /// root itself, which needs no group to read a file.
    fn check(self, path: &Path) -> Result<(), HintedError> {
        let others = self.mode & 0o077;
        let is_of_root = self.owner == 0;
        let is_lent_to_group = others == 0o040 && self.user != 0;
        let is_mounted_secret = others & 0o022 == 0 && self.is_mounted_read_only;
        if others == 0 || (is_of_root && (is_lent_to_group || is_mounted_secret)) {
            return Ok(());
        }
        let what = format!(
            "file `{}`: others can {} it (mode {:04o}, owner {})",
            path.display(),
            if others & 0o022 == 0 { "read" } else { "change" },
            self.mode,
            self.owner,
        );
        Err(HintedError::new(what).hint(self.remedy(path)))
    }

    fn remedy(self, path: &Path) -> String {
        let (user, shown) = (self.user, shell_word(path));
        if self.is_mounted_read_only {
            return format!(
                "this mount is read-only, so set it where the file comes from: owner root and mode \
                 0440 (Kubernetes: `defaultMode: 0440` with `fsGroup`; Docker: `mode: 0440`), or \
                 owner {user} and mode 0400"
            );
        }
        match self.owner == user || user == 0 {
            true => format!("chmod 600 {shown}"),
            false => format!("as root: chown {user} {shown} && chmod 600 {shown}"),
        }
    }
}

/// A path as a shell takes it.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%=:,".contains(c);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn read_content(file: File, path: &Path) -> Result<SecretString, HintedError> {
    let mut text = String::new();
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    let text = SecretString::from(text);
    let only_key = "name a file that holds the key and nothing else";
    let (problem, hint) = match read {
        Ok(bytes) if bytes as u64 <= MOST_BYTES => return Ok(text),
        Ok(_) => ("larger than 64 KiB".to_owned(), only_key),
        Err(error) if error.kind() == ErrorKind::InvalidData => ("not text".to_owned(), only_key),
        Err(error) => (error.to_string(), "check the file and its disk"),
    };
    Err(HintedError::new(format!("file `{}`: {problem}", path.display())).hint(hint))
}

/// Checks that a key can be stored at `path`, before somebody is asked for it. A file that holds
/// something is replaced only when the configuration names it as this source's (`is_configured`).
pub(super) fn check_writable(path: &Path, is_configured: bool) -> Result<(), HintedError> {
    let refuse =
        |what: &str| HintedError::new(format!("cannot store a key in {}: {what}", path.display()));
    let facts = existing(path)?;
    if let Some(facts) = &facts {
        let user = rustix::process::geteuid().as_raw();
        if facts.len() > 0 && !is_configured {
            return Err(refuse("the file exists and holds something").hint(
                "name a new file; if it holds this source's key, set `credential` to it in the \
                 configuration",
            ));
        }
        if facts.uid() != user && user != 0 {
            return Err(refuse(&format!("it belongs to user {}", facts.uid()))
                .hint("run this as that user, or name another file"));
        }
    }
    let folder = path.ancestors().skip(1).find(|folder| folder.exists());
    let folder = folder.unwrap_or(Path::new("/"));
    let shown = folder.display();
    let folder_facts = fs::metadata(folder).map_err(|error| refuse(&error.to_string()))?;
    if !folder_facts.is_dir() {
        return Err(refuse(&format!("{shown} is not a folder")).hint("name another file"));
    }
    // In a sticky folder, such as /tmp, nobody can replace the file of another user.
    if folder_facts.mode() & 0o1002 == 0o002 {
        return Err(refuse(&format!("everybody may change {shown}"))
            .hint("name a file in a folder of your own"));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        refuse(&format!("{shown}: {error}")).hint(
            "run this as a user who may write there, or name another file; a mounted secret is \
             replaced where it comes from",
        )
    })
}

/// Writes `text` to the file at `path`, in place of what is there.
pub(super) fn write(path: &Path, text: &SecretString) -> Result<(), HintedError> {
    let old = existing(path)?;
    try_write(path, text, old.as_ref()).map_err(|error| {
        HintedError::new(format!("cannot store the key in {}: {error}", path.display()))
            .hint("check who owns the file and its folder, and that the disk is not full")
    })
}

fn try_write(path: &Path, text: &SecretString, old: Option<&Metadata>) -> io::Result<()> {
    create_private_folder(folder_of(path))?;
    FileReplacement::new(path, Durability::FileAndDir).write(|out| {
        let file: &File = out.get_ref();
        let mut mode = 0o600;
        if let Some(old) = old {
            // Root may replace the key of a service: its user, or the group that root lets read it,
            // reads the new one as it read the old one.
            let of_root = old.uid() == 0;
            mode = 0o400 | old.mode() & if of_root { 0o640 } else { 0o600 };
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                fchown(file, Some(old.uid()), Some(old.gid()))?;
            }
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        out.write_all(text.expose_secret().as_bytes())?;
        out.write_all(b"\n")
    })
}

/// Removes the file at `path`, if it is one that holds a key; `false` when there is none.
pub(super) fn remove(path: &Path) -> Result<bool, HintedError> {
    let shown = path.display();
    if existing(path)?.is_none() {
        return Ok(false);
    }
    let place = format!("file {shown}");
    read_guarded(path).and_then(|text| value::parse(&text, &place)).map_err(|refusal| {
        HintedError::new(format!("not removed, because it holds no key: {}", refusal.what))
            .hint("remove it yourself, if it is not needed")
    })?;
    let removed = fs::remove_file(path).and_then(|()| sync_folder(folder_of(path)));
    removed.map_err(|error| {
        HintedError::new(format!("cannot remove {shown}: {error}"))
            .hint("remove it as the user that owns its folder, or where it is mounted from")
    })?;
    Ok(true)
}

/// What is at `path`: nothing, or a regular file with one name. Links are not followed: what they
/// lead to may belong to something else, and a second name would keep the old key.
fn existing(path: &Path) -> Result<Option<Metadata>, HintedError> {
    let shown = path.display();
    let refuse = |what: &str| {
        HintedError::new(format!("{shown} {what}")).hint(
            "name the file itself, or another one; a mounted secret is replaced where it comes \
             from",
        )
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(&format!("cannot be used: {error}"))),
        Ok(facts) if facts.is_symlink() => Err(refuse("is a link")),
        Ok(facts) if !facts.is_file() => Err(refuse("is not a regular file")),
        Ok(facts) if facts.nlink() > 1 => Err(refuse("has more than one name (hard links)")),
        Ok(facts) => Ok(Some(facts)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn keep(content: &[u8], mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_private_file_is_read() {
        for mode in [0o600, 0o400] {
            let (_folder, path) = keep(b"SECRET\n", mode);
            assert_eq!(read(&path, "").unwrap().expose_secret(), "SECRET\n");
        }
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused() {
        for mode in [0o640, 0o604, 0o644, 0o620, 0o666] {
            let (_folder, path) = keep(b"SECRET", mode);
            let refusal = read(&path, "").unwrap_err();
            let expected = match mode & 0o022 {
                0 => format!("others can read it (mode {mode:04o}"),
                _ => format!("others can change it (mode {mode:04o}"),
            };
            assert!(refusal.what.contains(&expected), "{refusal}");
            assert!(refusal.hint.as_ref().unwrap().starts_with("chmod 600 "), "{refusal}");
            assert!(!refusal.to_string().contains("SECRET"));
            assert!(read_guarded(&path).is_ok());
        }
    }

    const ROOT: u32 = 0;
    const WE: u32 = 1000;
    const OTHER: u32 = 2000;

    fn refusal(
        mode: u32,
        owner: u32,
        user: u32,
        is_mounted_read_only: bool,
    ) -> Option<HintedError> {
        let access = FileAccess { mode, owner, user, is_mounted_read_only };
        access.check(Path::new("/run/keys/acme")).err()
    }

    #[test]
    fn a_private_file_is_accepted_from_every_owner_and_mount() {
        for mode in [0o600, 0o400, 0o700] {
            for (owner, user, read_only) in
                [(WE, WE, false), (ROOT, ROOT, true), (OTHER, ROOT, false)]
            {
                assert_eq!(refusal(mode, owner, user, read_only), None, "{mode:o}");
            }
        }
    }

    #[test]
    fn secrets_of_container_platforms_are_accepted() {
        // Kubernetes with fsGroup, and by default.
        for mode in [0o440, 0o640, 0o644, 0o444, 0o755] {
            assert_eq!(refusal(mode, ROOT, WE, true), None, "{mode:o}");
            // A container that runs as root.
            assert_eq!(refusal(mode, ROOT, ROOT, true), None, "{mode:o}");
        }
        // Root lends it to a group.
        assert_eq!(refusal(0o440, ROOT, WE, false), None);
        assert_eq!(refusal(0o640, ROOT, WE, false), None);
    }

    #[test]
    fn other_files_that_others_can_reach_are_refused_with_a_hint_that_can_be_followed() {
        let chmod = "chmod 600 /run/keys/acme";
        let chown = "as root: chown 1000 /run/keys/acme && chmod 600 /run/keys/acme";
        let source = "where the file comes from";
        for (mode, owner, user, read_only, hint) in [
            (0o640, WE, WE, false, chmod),
            (0o644, WE, WE, false, chmod),
            (0o440, ROOT, ROOT, false, chmod),
            (0o644, OTHER, ROOT, false, chmod),
            (0o444, ROOT, WE, false, chown),
            (0o450, ROOT, WE, false, chown),
            (0o660, ROOT, WE, false, chown),
            (0o440, OTHER, WE, false, chown),
            (0o444, OTHER, WE, true, source),
            (0o440, WE, WE, true, source),
            (0o664, ROOT, WE, true, source),
            (0o446, ROOT, ROOT, true, source),
        ] {
            let found = refusal(mode, owner, user, read_only).unwrap();
            let text = found.hint.unwrap();
            assert!(text.contains(hint), "{mode:o} {owner} {user}: {text}");
            assert_eq!(text.starts_with("chmod"), hint == chmod, "{text}");
        }
    }

    #[test]
    fn a_path_in_a_hint_is_one_word_for_the_shell() {
        assert_eq!(shell_word(Path::new("/a/b-1.x")), "/a/b-1.x");
        assert_eq!(shell_word(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }

    #[test]
    fn only_small_regular_text_files_are_read() {
        let (folder, path) = keep(&vec![b'x'; 64 * 1024 + 1], 0o600);
        assert!(read(&path, "").unwrap_err().what.contains("64 KiB"));
        assert!(read(folder.path(), "").unwrap_err().what.contains("not a regular file"));
        assert!(read(Path::new("/dev/null"), "").unwrap_err().what.contains("not a regular file"));
        assert!(read(&folder.path().join("none"), "").unwrap_err().what.contains("No such file"));
        let (_folder, path) = keep(b"\xff\xfe", 0o600);
        assert!(read(&path, "").unwrap_err().what.contains("not text"));
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_key_is_written_for_its_owner_only_and_replaced_whole() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b/key");
        check_writable(&path, false).unwrap();
        assert!(!base.path().join("a").exists(), "checking changes nothing");
        write(&path, &secret("one")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        for (before, after) in [(0o644, 0o600), (0o400, 0o400), (0o666, 0o600)] {
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            write(&path, &secret("two")).unwrap();
            let lent = if fs::metadata(&path).unwrap().uid() == 0 { before & 0o040 } else { 0 };
            assert_eq!(mode(&path), after | lent, "{before:o}");
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn only_an_own_regular_file_is_replaced_or_removed() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        fs::write(at("notes"), "a line of notes\n").unwrap();
        fs::write(at("empty"), "").unwrap();
        symlink("notes", at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        fs::hard_link(at("notes"), at("twin")).unwrap();
        for (path, what) in [
            (at("link"), "is a link"),
            (at("dangling"), "is a link"),
            (at("twin"), "more than one name"),
            (base.path().to_owned(), "not a regular file"),
            ("/dev/null".into(), "not a regular file"),
            (at("notes/x"), "Not a directory"),
        ] {
            for refusal in [
                check_writable(&path, true).unwrap_err(),
                write(&path, &secret("k")).unwrap_err(),
                remove(&path).unwrap_err(),
            ] {
                assert!(refusal.what.contains(what), "{refusal}");
            }
        }
        fs::remove_file(at("twin")).unwrap();
        assert!(check_writable(&at("notes"), false).unwrap_err().what.contains("holds something"));
        assert!(
            check_writable(&at("notes"), true).is_ok()
                && check_writable(&at("empty"), false).is_ok()
        );
        assert!(remove(&at("notes")).unwrap_err().what.contains("holds no key"));
        assert_eq!(fs::read_to_string(at("notes")).unwrap(), "a line of notes\n");
        fs::write(at("notes"), "KEY\n").unwrap();
        assert_eq!(remove(&at("notes")), Ok(true));
        assert_eq!(remove(&at("notes")), Ok(false));
    }

    #[test]
    fn a_folder_that_everybody_may_change_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("open");
        fs::create_dir(&folder).unwrap();
        for (mode, accepted) in [(0o777, false), (0o1777, true), (0o775, true), (0o755, true)] {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                check_writable(&folder.join("new/key"), false).is_ok(),
                accepted,
                "{mode:o}"
            );
        }
    }
}
