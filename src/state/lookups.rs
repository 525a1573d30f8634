//! Caches what was looked up beside the audit logs: a site's cloud id, the account of a token,
//! the user of an account id. A log is complete without it: what cannot be read is looked up
//! again, and what cannot be written is only logged.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::model::time::{Timestamp, before};
use crate::model::user_profiles::UserProfile;
use crate::state::permissions::read_replaceable;

/// How long what was looked up is believed.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The folder of lookups, one file a site.
#[derive(Debug, Clone)]
pub struct LookupCache {
    folder: PathBuf,
}

/// What is known of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteLookups {
    /// Its cloud id, and the server that returned it.
    pub cloud_id: Option<CachedValue<(String, String)>>,
    /// The account of each source's credential.
    pub accounts: BTreeMap<String, CachedValue<Option<String>>>,
    /// Who is behind an account id.
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
    /// Those that are kept in the state folder `state`.
    pub fn new(state: &Path) -> LookupCache {
        LookupCache { folder: state.join("lookups") }
    }

    /// What is known of `site`.
    pub fn read(&self, site: &str) -> SiteLookups {
        let text = read_replaceable(&self.folder, &self.path(site));
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Changes what is known of `site`. Of two runs that do so at once, one may look up again.
    pub fn update(&self, site: &str, change: impl FnOnce(&mut SiteLookups)) {
        let mut facts = self.read(site);
        change(&mut facts);
        if let Err(error) = self.write(site, &facts) {
            tracing::info!(%error, site, "cannot keep what was looked up");
        }
    }

    fn write(&self, site: &str, facts: &SiteLookups) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        FileReplacement::new(&self.path(site), Durability::None)
            .write(|out| Ok(serde_json::to_writer(out, facts)?))
    }

    fn path(&self, site: &str) -> PathBuf {
        let safe = |c: char| match c {
            'a'..='z' | '0'..='9' | '.' | '-' => c,
            _ => '_',
        };
        let name: String = site.to_ascii_lowercase().chars().map(safe).collect();
        self.folder.join(format!("{name}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use std::fs;

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
        fs::write(lookups.path("a.example"), "{").unwrap();
        assert_eq!(lookups.read("a.example"), SiteLookups::default());
    }
}
