//! Looks up the names of account ids (`resolve_users`), in batches, or takes them from the cache of
//! earlier runs. A record never waits long for it, and stays without names if it fails.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use crate::fetch::attempt_record::AttemptRecorder;
use crate::http::client::Transport;
use crate::http::exchange::send_with_retries;
use crate::http::failure::Failure;
use crate::http::limiter::RequestLimiter;
use crate::http::retry::RetryBudget;
use crate::model::event::{UserProfile, UserProfiles};
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::normalise::{self, RecordOrigin};
use crate::source::lookup;
use crate::state::caches::{CachedValue, LookupCache};
use crate::telemetry::meter::SourceMeter;

/// The longest that records wait for names.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Looks up the users of one site.
pub struct UserDirectory<T> {
    transport: T,
    limits: Arc<RequestLimiter>,
    meter: Arc<SourceMeter>,
    base_url: Url,
    origin: RecordOrigin,
    lookups: LookupCache,
    known: Mutex<UserProfiles>,
    has_failed: AtomicBool,
    attempt_recorder: Option<AttemptRecorder>,
}

impl<T: Transport> UserDirectory<T> {
    /// The directory of the site of `origin`, whose API is at `base_url`, with the users cached in
    /// `lookups`.
    pub fn new(
        (transport, limits, meter): (T, Arc<RequestLimiter>, Arc<SourceMeter>),
        base_url: Url,
        origin: RecordOrigin,
        lookups: LookupCache,
    ) -> UserDirectory<T> {
        let now = chrono::Utc::now();
        let kept = lookups.read(origin.site.as_deref().unwrap_or_default());
        let users = lookups.organization_users().into_iter().chain(kept.users);
        let fresh = users.filter_map(|(id, looked_up)| {
            let user = looked_up.if_fresh(now)?.clone();
            Some((id, user))
        });
        let known: HashMap<String, UserProfile> = fresh.collect();
        UserDirectory {
            transport,
            limits,
            meter,
            base_url,
            origin,
            lookups,
            known: Mutex::new(Arc::new(known)),
            has_failed: AtomicBool::new(false),
            attempt_recorder: None,
        }
    }

    /// The same, with every attempt recorded in `recorder`.
    pub fn with_attempt_recorder(mut self, recorder: Option<AttemptRecorder>) -> UserDirectory<T> {
        self.attempt_recorder = recorder;
        self
    }

    /// The known users, after those missing in `records` were looked up.
    pub async fn users_of(&self, records: &[Record]) -> UserProfiles {
        let unknown = self.unknown(records);
        if !unknown.is_empty() && !self.has_failed.load(Ordering::Relaxed) {
            let mut looked_up = HashMap::new();
            match tokio::time::timeout(MAX_WAIT, self.look_up(&unknown, &mut looked_up)).await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => self.give_up(&format!("{failure}; {}", failure.hint())),
                Err(_) => self.give_up("the site takes too long"),
            }
            self.learn(looked_up);
        }
        self.known()
    }

    /// Looks `ids` up, batch after batch. Unknown ids are included without a profile, so that they
    /// are not requested again.
    async fn look_up(
        &self,
        ids: &[String],
        looked_up: &mut HashMap<String, UserProfile>,
    ) -> Result<(), Failure> {
        for batch in ids.chunks(lookup::MAX_USER_IDS) {
            let found = self.request(batch).await?;
            looked_up.extend(batch.iter().map(|id| (id.clone(), UserProfile::default())));
            looked_up.extend(found);
        }
        Ok(())
    }

    /// The ids of `records` that were not looked up yet, each once.
    fn unknown(&self, records: &[Record]) -> Vec<String> {
        let (known, now) = (self.known(), Timestamp::default());
        let mut ids = BTreeSet::new();
        for record in records {
            let event = normalise::normalise(&self.origin, record, now);
            let lacking = normalise::people::ids_missing_details(&event);
            let unknown = lacking.filter(|id| !known.contains_key(*id));
            ids.extend(unknown.map(str::to_owned));
        }
        ids.into_iter().collect()
    }

    async fn request(&self, ids: &[String]) -> Result<Vec<(String, UserProfile)>, Failure> {
        let request = lookup::users_request(&self.base_url, ids);
        let retry_budget = RetryBudget::none();
        send_with_retries(
            &self.transport,
            &self.limits,
            &retry_budget,
            &self.meter,
            &request,
            lookup::read_users,
            &self.attempt_recorder,
        )
        .await
    }

    /// Caches the users found, also for later runs.
    fn learn(&self, looked_up: HashMap<String, UserProfile>) {
        if looked_up.is_empty() {
            return;
        }
        let site = self.origin.site.as_deref().unwrap_or_default();
        let now = chrono::Utc::now();
        self.lookups.update(site, |facts| {
            facts.users.retain(|_, user| user.if_fresh(now).is_some());
            let looked_up = looked_up.iter();
            let looked_up =
                looked_up.map(|(id, user)| (id.clone(), CachedValue::new(user.clone(), now)));
            facts.users.extend(looked_up);
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut known).extend(looked_up);
    }

    fn give_up(&self, why: &str) {
        self.has_failed.store(true, Ordering::Relaxed);
        tracing::warn!(
            "cannot look up users, so events are written without names that records lack: {why}"
        );
    }

    fn known(&self) -> UserProfiles {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::http::limiter::CredentialLimit;
    use crate::http::message::{Endpoint, Request, Response};
    use crate::http::message::{TransportError, TransportErrorKind};
    use crate::model::json::Document;
    use crate::model::name::SourceKind;
    use crate::source;

    /// Gives fixed responses, and counts.
    #[derive(Clone)]
    struct FakeUserSite {
        answer: Option<&'static str>,
        asked: Arc<AtomicUsize>,
    }

    impl Transport for FakeUserSite {
        async fn send(&self, _: &Request) -> Result<Response, TransportError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let Some(body) = self.answer else {
                return Err(TransportError::new(TransportErrorKind::Connect, "no"));
            };
            Ok(Response { status: 200, headers: Vec::new(), body: body.into() })
        }
    }

    fn directory(
        answer: Option<&'static str>,
        state: &std::path::Path,
    ) -> UserDirectory<FakeUserSite> {
        let site = FakeUserSite { answer, asked: Arc::default() };
        let credential = Arc::new(CredentialLimit::new(None));
        let limits = RequestLimiter::new(Endpoint::JiraUsers, None, credential, Vec::new());
        let origin = RecordOrigin {
            site: Some("acme.example".to_owned()),
            ..RecordOrigin::named("acme", SourceKind::JiraAudit)
        };
        UserDirectory::new(
            (site, Arc::new(limits), Arc::default()),
            "https://acme.example".parse().unwrap(),
            origin,
            LookupCache::new(state),
        )
    }

    fn records(ids: std::ops::Range<usize>) -> Vec<Record> {
        let record = |n| {
            let text = format!(r#"{{"summary":"User created","authorAccountId":"712020:{n}"}}"#);
            source::record_of(SourceKind::JiraAudit, Document::new(text.into()))
        };
        ids.map(record).collect()
    }

    fn asked(directory: &UserDirectory<FakeUserSite>) -> usize {
        directory.transport.asked.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_look_up_that_fails_is_not_repeated_and_holds_nothing_back() {
        let state = tempfile::tempdir().unwrap();
        let directory = directory(None, state.path());
        for _ in 0..3 {
            assert!(directory.users_of(&records(0..120)).await.is_empty());
        }
        assert_eq!(asked(&directory), 1);
    }

    #[tokio::test]
    async fn batches_are_requested_once_and_unknown_users_are_cached_too() {
        let state = tempfile::tempdir().unwrap();
        let answer = r#"{"values":[{"accountId":"712020:7","displayName":"Ada"}]}"#;
        let first = directory(Some(answer), state.path());
        for _ in 0..2 {
            let people = first.users_of(&records(0..120)).await;
            assert_eq!(people["712020:7"].name.as_deref(), Some("Ada"));
            assert_eq!(people["712020:8"], UserProfile::default());
        }
        assert_eq!(asked(&first), 3);
        // The next run knows them from the state folder.
        let next = directory(Some(answer), state.path());
        assert_eq!(next.users_of(&records(0..121)).await.len(), 121);
        assert_eq!(asked(&next), 1);
    }
}
