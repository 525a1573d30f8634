//! Stores keys in files that only their owner can read: each is written whole or not at all.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use rustix::fs::{Access, access};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::error::HintedError;
use crate::credentials::{file, value};
use crate::files::{Durability, FileReplacement, create_private_folder, folder_of, sync_folder};

/// Checks that a key can be stored at `path`, before somebody is asked for it. A file that holds
/// something is replaced only when the configuration names it as this source's (`is_configured`).
pub(super) fn check(path: &Path, is_configured: bool) -> Result<(), HintedError> {
    let refuse =
        |what: &str| HintedError::new(format!("cannot store a key in {}: {what}", path.display()));
    let facts = existing(path)?;
    if let Some(facts) = &facts {
        let user = rustix::process::geteuid().as_raw();
        if facts.len() > 0 && !is_configured {
            return Err(refuse("the file exists and holds something").hint(
                "name a new file; if it holds this source's key, set `credential` to it in the configuration",
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
        refuse(&format!("{shown}: {error}"))
            .hint("run this as a user who may write there, or name another file; a mounted secret is replaced where it comes from")
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
    file::read_guarded(path).and_then(|text| value::parse(&text, &place)).map_err(|refusal| {
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
            "name the file itself, or another one; a mounted secret is replaced where it comes from",
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
        check(&path, false).unwrap();
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
                check(&path, true).unwrap_err(),
                write(&path, &secret("k")).unwrap_err(),
                remove(&path).unwrap_err(),
            ] {
                assert!(refusal.what.contains(what), "{refusal}");
            }
        }
        fs::remove_file(at("twin")).unwrap();
        assert!(check(&at("notes"), false).unwrap_err().what.contains("holds something"));
        assert!(check(&at("notes"), true).is_ok() && check(&at("empty"), false).is_ok());
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
            assert_eq!(check(&folder.join("new/key"), false).is_ok(), accepted, "{mode:o}");
        }
    }
}
