//! Caches that cost little when they are lost: what was looked up beside the audit logs (a site's
//! cloud id, the account of a token, the user of an account id), and what was reported of a source.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::files::{Durability, FileReplacement, create_private_folder, ignore_missing};
use crate::model::event::UserProfile;
use crate::model::name::SourceName;
use crate::model::time::{Timestamp, before};
use crate::state::failure_streak::FailureStreak;
use crate::state::permissions::read_replaceable;

/// How long what was looked up is believed.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// In place of a site: no host is called so.
const ORGANIZATIONS: &str = "_organizations";

/// What was looked up beside the audit logs, one file a site. A log is complete without it.
#[derive(Debug, Clone)]
pub struct LookupCache {
    folder: CacheFolder,
    is_read_only: bool,
}

/// What is known of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteLookups {
    /// Its cloud id, and the server that returned it.
    pub cloud_id: Option<CachedValue<(String, String)>>,
    /// The account of each source's credential.
    pub accounts: BTreeMap<String, CachedValue<Option<String>>>,
    /// The user of an account id.
    pub users: BTreeMap<String, CachedValue<UserProfile>>,
}

/// A value that was looked up, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedValue<T> {
    at: Timestamp,
    is: T,
}

impl<T> CachedValue<T> {
    /// A value that was looked up at `at`.
    pub fn new(is: T, at: Timestamp) -> CachedValue<T> {
        CachedValue { at, is }
    }

    /// The value, unless it is too old.
    pub fn if_fresh(&self, now: Timestamp) -> Option<&T> {
        (self.at > before(now, MAX_AGE)).then_some(&self.is)
    }
}

impl LookupCache {
    /// The store in the state folder `state`.
    pub fn new(state: &Path) -> LookupCache {
        LookupCache { folder: CacheFolder::new(state, "lookups"), is_read_only: false }
    }

    /// The same, for what must leave nothing behind.
    pub fn read_only(self) -> LookupCache {
        LookupCache { is_read_only: true, ..self }
    }

    /// What is known of `site`.
    pub fn read(&self, site: &str) -> SiteLookups {
        self.folder.read(&file_name(site))
    }

    /// The users of organizations, whose ids are the same at each of their sites.
    pub fn organization_users(&self) -> BTreeMap<String, CachedValue<UserProfile>> {
        self.read(ORGANIZATIONS).users
    }

    /// Adds users of an organization that were listed at `now`.
    pub fn add_organization_users(
        &self,
        users: impl Iterator<Item = (String, UserProfile)>,
        now: Timestamp,
    ) {
        self.update(ORGANIZATIONS, |facts| {
            facts.users.retain(|_, user| user.if_fresh(now).is_some());
            facts.users.extend(users.map(|(id, user)| (id, CachedValue::new(user, now))));
        });
    }

    /// Changes what is known of `site`. Of two runs that do so at once, one may look up again.
    pub fn update(&self, site: &str, change: impl FnOnce(&mut SiteLookups)) {
        if self.is_read_only {
            return;
        }
        let mut facts = self.read(site);
        change(&mut facts);
        if let Err(error) = self.folder.write(&file_name(site), &facts) {
            tracing::info!(%error, site, "cannot keep what was looked up");
        }
    }
}

fn file_name(site: &str) -> String {
    let safe = |c: char| match c {
        'a'..='z' | '0'..='9' | '.' | '-' => c,
        _ => '_',
    };
    site.to_ascii_lowercase().chars().map(safe).collect()
}

/// What was reported of a source, one file a source, so that a run every minute does not repeat it.
/// What cannot be remembered is reported again.
#[derive(Debug, Clone)]
pub struct NoticeStore(CacheFolder);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SourceNotices {
    /// The day on which each warning was given last.
    warnings: BTreeMap<String, NaiveDate>,
    /// Its failures since it last worked.
    failures: Option<FailureStreak>,
}

impl NoticeStore {
    /// The store in the state folder `state`.
    pub fn new(state: &Path) -> NoticeStore {
        NoticeStore(CacheFolder::new(state, "notices"))
    }

    /// Whether the warning `notice` has not been given for `source` today; from now on it has.
    pub fn first_today(&self, source: &SourceName, notice: &str, today: NaiveDate) -> bool {
        let mut notices = self.read(source);
        let is_first = notices.warnings.insert(notice.to_owned(), today) != Some(today);
        if is_first && let Err(error) = self.0.write(source.as_str(), &notices) {
            tracing::info!(%error, "cannot remember that a warning was given");
        }
        is_first
    }

    /// The failures of `source` since it last worked, as far as they were reported.
    pub fn failures(&self, source: &SourceName) -> Option<FailureStreak> {
        self.read(source).failures
    }

    /// Replaces what is known of the failures of `source`.
    ///
    /// # Errors
    /// The file system's.
    pub fn set_failures(
        &self,
        source: &SourceName,
        failures: Option<&FailureStreak>,
    ) -> io::Result<()> {
        let notices = SourceNotices { failures: failures.cloned(), ..self.read(source) };
        self.0.write(source.as_str(), &notices)
    }

    fn read(&self, source: &SourceName) -> SourceNotices {
        self.0.read(source.as_str())
    }
}

/// The findings of the last check of each source's organization, so that the next one can say what
/// changed. Whoever loses them is told that nothing was checked before.
#[derive(Debug, Clone)]
pub struct PostureStore(CacheFolder);

impl PostureStore {
    /// The store in the state folder `state`.
    pub fn new(state: &Path) -> PostureStore {
        PostureStore(CacheFolder::new(state, "posture"))
    }

    /// What is kept of `source`.
    pub fn read<T: DeserializeOwned + Default>(&self, source: &SourceName) -> T {
        self.0.read(source.as_str())
    }

    /// Keeps `content` for `source`.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, source: &SourceName, content: &impl Serialize) -> io::Result<()> {
        self.0.write(source.as_str(), content)
    }
}

/// A folder of JSON files below the state folder.
#[derive(Debug, Clone)]
pub struct CacheFolder(PathBuf);

impl CacheFolder {
    /// The folder `name` in the state folder `state`.
    pub fn new(state: &Path, name: &str) -> CacheFolder {
        CacheFolder(state.join(name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    /// The content of the file `name`; what cannot be read is nothing.
    pub fn read<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        let text = read_replaceable(&self.0, &self.path(name));
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Removes the file `name`, if it is there.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        ignore_missing(fs::remove_file(self.path(name)))
    }

    /// Replaces the file `name`.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, name: &str, content: &impl Serialize) -> io::Result<()> {
        create_private_folder(&self.0)?;
        FileReplacement::new(&self.path(name), Durability::None)
            .write(|out| Ok(serde_json::to_writer(out, content)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    #[test]
    fn what_is_kept_reads_back_and_what_is_damaged_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let lookups = LookupCache::new(folder.path());
        assert_eq!(lookups.read("a.example"), SiteLookups::default());
        let at = parse_api_time("2026-11-20T09:30:00Z").unwrap();
        lookups.update("a.example", |facts| {
            let found = ("https://a.example/".to_owned(), "c-1".to_owned());
            facts.cloud_id = Some(CachedValue::new(found, at));
            let user = UserProfile { name: Some("Ada".to_owned()), email: None };
            facts.users.insert("u1".to_owned(), CachedValue::new(user, at));
        });
        lookups.update("a.example", |facts| {
            facts.accounts.insert("acme".to_owned(), CachedValue::new(None, at));
        });
        let facts = lookups.read("A.example");
        assert_eq!(facts.cloud_id.unwrap().if_fresh(at).unwrap().1, "c-1");
        assert_eq!(facts.users["u1"].if_fresh(at).unwrap().name.as_deref(), Some("Ada"));
        let later = parse_api_time("2026-11-28T09:30:00Z").unwrap();
        assert_eq!(facts.users["u1"].if_fresh(later), None);
        assert_eq!(facts.accounts["acme"].if_fresh(at), Some(&None));
        assert_eq!(lookups.read("b.example:80/x"), SiteLookups::default());
        fs::write(folder.path().join("lookups/a.example.json"), "{").unwrap();
        assert_eq!(lookups.read("a.example"), SiteLookups::default());
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_notice_is_given_once_a_day_and_source() {
        let state = tempfile::tempdir().unwrap();
        let notices = NoticeStore::new(state.path());
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let first = |source, notice, at| notices.first_today(source, notice, day(at));
        assert!(first(&acme, "end", "2026-11-20"));
        assert!(!first(&acme, "end", "2026-11-20"));
        assert!(first(&acme, "age", "2026-11-20") && first(&other, "end", "2026-11-20"));
        assert!(first(&acme, "end", "2026-11-21"));
        assert!(!first(&acme, "age", "2026-11-20"));
        fs::write(state.path().join("notices/acme.json"), "{").unwrap();
        assert!(first(&acme, "end", "2026-11-21"));
    }

    #[test]
    fn what_cannot_be_kept_is_given_again() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("notices"), "").unwrap();
        let notices = NoticeStore::new(state.path());
        for _ in 0..2 {
            assert!(notices.first_today(&"acme".parse().unwrap(), "end", day("2026-11-20")));
        }
    }
}
