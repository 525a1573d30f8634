//! The steps of a check that send requests to the API, and what can be derived from the responses.

use chrono::{TimeDelta, Utc};
use url::Url;

use crate::collect::action_catalogue::ActionCatalogue;
use crate::collect::connector::{ApiClient, PreparedSource};
use crate::collect::expiry::{self, CredentialExpiry, ExpirySource};
use crate::commands::check::check_report::{CheckReport, CheckStep, StepName};
use crate::config::settings::SourceSettings;
use crate::credentials::Credential;
use crate::error::AppError;
use crate::http::attempt_observer::LastAttempt;
use crate::http::exchange::send_with_retries;
use crate::http::failure::{Failure, FailureKind};
use crate::http::message::Response;
use crate::http::message::TransportErrorKind;
use crate::model::text::{counted, printable};
use crate::model::time::{Timestamp, Window, format_millis, in_words};
use crate::model::user_zone::UserZone;
use crate::normalise::RecordOrigin;
use crate::normalise::taxonomy::MeaningBasis;
use crate::source::{DeliveryOrder, Page, PageLocator, Source};

/// Time ranges in which the newest event is looked for, one after the other until one has any.
const NEWEST_EVENT_SPANS: [TimeDelta; 3] =
    [TimeDelta::hours(1), TimeDelta::days(1), TimeDelta::days(30)];

/// If a page of the first range is full and oldest first, the newest event is looked for here.
const NARROW_SPAN: TimeDelta = TimeDelta::minutes(5);

/// A larger difference of the clocks is a warning: certificates and cron jobs depend on them.
const MAX_SKEW: TimeDelta = TimeDelta::seconds(60);

/// The requests to one source.
pub struct ApiCheck {
    api: ApiClient,
    last_attempt: LastAttempt,
    source: Source,
    origin: RecordOrigin,
    is_secure: bool,
}

impl ApiCheck {
    /// Prepares requests through `connected` to the API at `base_url`.
    pub fn new(connected: PreparedSource, base_url: &Url) -> ApiCheck {
        ApiCheck {
            source: connected.source(base_url),
            last_attempt: LastAttempt::default(),
            api: connected.api,
            origin: connected.origin,
            is_secure: base_url.scheme() == "https",
        }
    }

    /// Requests the events of the last hour, and reports every step of it.
    ///
    /// # Errors
    /// Why there is no page.
    pub async fn check_first_page(&self, report: &mut CheckReport) -> Result<Page, AppError> {
        let page = self.fetch_page(NEWEST_EVENT_SPANS[0]).await;
        let reached = match &page {
            Ok(_) => StepName::PageRead,
            Err(failure) => self.failed_step(failure),
        };
        let passed = [
            self.tls_step(),
            self.response_step(),
            CheckStep::ok(StepName::Authorised, "credential accepted"),
            CheckStep::ok(StepName::Permitted, "allowed to read the audit log"),
        ];
        for step in passed.into_iter().filter(|step| step.step < reached) {
            report.finish_step(step);
        }
        report.begin_step(reached);
        let page = page.map_err(AppError::from)?;
        let count = page.records.len();
        let detail = format!("{} of the last hour", counted(count as u64, "record"));
        report.finish_step(CheckStep::ok(StepName::PageRead, detail).with_fact("records", count));
        Ok(page)
    }

    /// Requests the events of the last hour, without a report.
    ///
    /// # Errors
    /// There is no page.
    pub async fn try_first_page(&self) -> Result<Page, Failure> {
        self.fetch_page(NEWEST_EVENT_SPANS[0]).await
    }

    /// The step that a failure belongs to.
    fn failed_step(&self, failure: &Failure) -> StepName {
        let failed_at = self.last_attempt.get().and_then(|last| last.failed_at);
        match (failed_at, failure.kind) {
            (Some(TransportErrorKind::Tls), _) => StepName::Tls,
            (_, FailureKind::CredentialRefused | FailureKind::CaptchaRequired) => {
                StepName::Authorised
            }
            (
                _,
                FailureKind::ScopeMissing
                | FailureKind::Forbidden
                | FailureKind::FreePlan
                | FailureKind::NotFound,
            ) => StepName::Permitted,
            (
                None,
                FailureKind::BadRequest
                | FailureKind::ErrorInPage
                | FailureKind::Unreadable
                | FailureKind::Unexpected,
            ) => StepName::PageRead,
            (Some(TransportErrorKind::TooLarge | TransportErrorKind::BodyLost), _) => {
                StepName::PageRead
            }
            _ => StepName::Answered,
        }
    }

    fn tls_step(&self) -> CheckStep {
        let detail = match self.is_secure {
            true => "a secure connection, with a certificate that is trusted",
            false => "not used: plain HTTP to this machine",
        };
        CheckStep::ok(StepName::Tls, detail).with_fact("is_used", self.is_secure)
    }

    /// The duration of connection, handshake and response.
    fn response_step(&self) -> CheckStep {
        let Some(last) = self.last_attempt.get() else {
            return CheckStep::ok(StepName::Answered, "");
        };
        let status = last.response.map_or(0, |response| response.status);
        let with = match self.is_secure {
            true => "connection and TLS included",
            false => "connection included",
        };
        CheckStep::ok(StepName::Answered, format!("{status}, {with}"))
            .with_duration(last.took)
            .with_fact("status", status)
    }

    /// When the newest event happened, as far as a few requests show it.
    pub async fn newest_event_step(&self, first: Page, zone: UserZone) -> CheckStep {
        let is_skewed = self.server_ahead().is_some_and(|ahead| ahead.abs() > MAX_SKEW);
        let mut page = first;
        let mut span = NEWEST_EVENT_SPANS[0];
        // By the server's clock the last hour is a different one.
        let spans = if is_skewed { &NEWEST_EVENT_SPANS[..] } else { &NEWEST_EVENT_SPANS[1..] };
        for wider in spans {
            if newest_time(&page).is_some() {
                break;
            }
            span = *wider;
            page = match self.fetch_page(span).await {
                Ok(page) => page,
                Err(failure) => {
                    let text = format!("a further request failed: {failure}");
                    return CheckStep::unknown(StepName::NewestEvent, text);
                }
            };
        }
        let is_oldest_first = self.source.order() == DeliveryOrder::Ascending;
        let mut more = is_oldest_first && page.next.is_some();
        let mut found = newest_time(&page);
        if more
            && found.is_some()
            && let Ok(last) = self.fetch_page(NARROW_SPAN).await
            && let Some(newer) = newest_time(&last)
        {
            found = found.max(Some(newer));
            more = last.next.is_some();
        }
        newest_step(found, more, span, self.server_now(), zone)
    }

    /// Whether the table of actions has those that the API lists; `None` if it lists none. Nothing
    /// is lost where it has not: such actions are understood by their words, or are `other`.
    pub async fn actions_step(&self, is_verbose: bool) -> Option<CheckStep> {
        let list = self.source.event_actions()?;
        let (name, taxonomy) = (StepName::Actions, &self.origin.taxonomy);
        let catalogue = match ActionCatalogue::fetch(&self.api, &list, taxonomy).await {
            Ok(catalogue) => catalogue,
            Err(failure) => {
                let detail = format!("the list of actions cannot be read: {failure}");
                return Some(CheckStep::ok(name, detail).warn(failure.hint()));
            }
        };
        let by_words = catalogue.ids(MeaningBasis::Rule);
        let not_understood = catalogue.ids(MeaningBasis::Nothing);
        let mut detail = catalogue.summary();
        if !is_verbose && by_words.len() + not_understood.len() > 0 {
            detail.push_str("; -v names them");
        }
        let parts = [("understood by their words", &by_words), ("not understood", &not_understood)];
        let parts = parts.into_iter().filter(|(_, ids)| is_verbose && !ids.is_empty());
        let lines = parts.map(|(what, ids)| format!("{what}: {}", ids.join(", "))).collect();
        let mut step = CheckStep::ok(name, detail)
            .with_fact("in_catalogue", catalogue.0.len())
            .with_fact("by_words", by_words)
            .with_fact("not_understood", not_understood.clone());
        if !not_understood.is_empty() {
            step = step.with_hint(
                "events of an action that is not understood are `other`; a row of `[taxonomy] \
                 path` can give it a meaning",
            );
        }
        Some(CheckStep { lines, ..step })
    }

    /// The difference between the server's clock and ours.
    pub fn clock_step(&self) -> CheckStep {
        let Some(ahead) = self.server_ahead() else {
            return CheckStep::unknown(StepName::ClockSkew, "the server does not state its time");
        };
        let apart = in_words(ahead.abs().to_std().unwrap_or_default());
        let detail = match ahead.num_milliseconds() {
            0 => "in sync with the server (to the second)".to_owned(),
            1.. => format!("ours is {apart} behind the server's"),
            _ => format!("ours is {apart} ahead of the server's"),
        };
        let hint = "set this machine's clock, by NTP for instance; nothing is lost meanwhile, but \
                    some is read twice";
        CheckStep::ok(StepName::ClockSkew, detail)
            .warn_if(ahead.abs() > MAX_SKEW, hint)
            .with_fact("server_ahead_seconds", ahead.as_seconds_f64())
    }

    /// What is left of the server's rate limit.
    pub fn rate_limit_step(&self) -> CheckStep {
        let last = self.last_attempt.get();
        let header = |name: &str| Some(printable(last.as_ref()?.header(name)?.trim()));
        let Some(remaining) = header("x-ratelimit-remaining") else {
            return CheckStep::unknown(StepName::LimitLeft, "the server does not say");
        };
        let (limit, reset) = (header("x-ratelimit-limit"), header("x-ratelimit-reset"));
        let hint =
            "the next request has to wait: look for another program that uses the same credential";
        let mut step = CheckStep::ok(StepName::LimitLeft, format!("{remaining} request(s)"))
            .warn_if(remaining == "0", hint)
            .with_fact("remaining", remaining);
        for (key, word, value) in [("limit", " of", limit), ("reset", ", until", reset)] {
            if let Some(value) = value {
                step.detail.push_str(&format!("{word} {value}"));
                step = step.with_fact(key, value);
            }
        }
        step
    }

    /// When the credential expires.
    pub async fn key_expiry_step(
        &self,
        settings: &SourceSettings,
        credential: &Credential,
    ) -> CheckStep {
        let now = self.server_now();
        let listed = match &self.origin.org_id {
            Some(org_id) => expiry::look_up_key(&self.api, settings, org_id, now).await.ok(),
            None => None,
        };
        let end = expiry::find_expiry(settings, Some(credential), listed.as_ref());
        let warnings = expiry::warnings(settings, Some(credential), end.as_ref(), now);
        let step = match (&end, expiry::age_in_days(credential, now)) {
            (Some(end), _) => CheckStep::ok(StepName::KeyExpires, format_expiry(end, now))
                .with_fact("expires_on", end.day.to_string())
                .with_fact("told_by", end.source.as_str()),
            (None, Some(days)) => {
                let detail = format!("expiry unknown; stored {days} days ago");
                CheckStep::unknown(StepName::KeyExpires, detail)
            }
            (None, None) => {
                let detail = format!("expiry unknown{}", expiry::unknown_reason(listed.as_ref()));
                CheckStep::unknown(StepName::KeyExpires, detail)
            }
        };
        match warnings.into_iter().find_map(|(_, message)| message.hint) {
            Some(hint) => step.warn(hint),
            None => step,
        }
    }

    /// The first page of the last `span`, by the server's clock as far as it is known.
    async fn fetch_page(&self, span: TimeDelta) -> Result<Page, Failure> {
        let refused = match self.fetch_page_of(&self.source, span).await {
            Err(failure) if failure.kind == FailureKind::BadRequest => failure,
            ended => return ended,
        };
        for reading in self.source.other_readings(&PageLocator::Start) {
            match self.fetch_page_of(&self.source.with_reading(reading), span).await {
                Err(failure) if failure.kind == FailureKind::BadRequest => {}
                ended => return ended,
            }
        }
        Err(refused)
    }

    async fn fetch_page_of(&self, source: &Source, span: TimeDelta) -> Result<Page, Failure> {
        let now = self.server_now();
        let window = Window { from: now - span, to: Some(now) };
        let request = source.request(&window, &PageLocator::Start);
        let read = |response: &Response| source.read(&PageLocator::Start, response);
        let api = &self.api;
        send_with_retries(
            &api.transport,
            &api.limits,
            &api.retry_budget,
            &api.meter,
            &request,
            read,
            &self.last_attempt,
        )
        .await
    }

    fn server_ahead(&self) -> Option<TimeDelta> {
        self.last_attempt.get()?.server_ahead()
    }

    fn server_now(&self) -> Timestamp {
        let ahead = self.server_ahead().unwrap_or_default();
        Utc::now().checked_add_signed(ahead).unwrap_or_else(Utc::now)
    }
}

fn newest_time(page: &Page) -> Option<Timestamp> {
    page.records.iter().filter_map(|record| record.time).max()
}

fn newest_step(
    found: Option<Timestamp>,
    more: bool,
    span: TimeDelta,
    now: Timestamp,
    zone: UserZone,
) -> CheckStep {
    let Some(time) = found else {
        let within = in_words(span.to_std().unwrap_or_default());
        return CheckStep::ok(StepName::NewestEvent, format!("none within {within}")).warn(
            "check that this is the right organization or site, and that something happened there",
        );
    };
    let ago = match (now - time).to_std() {
        Ok(span) => format!("{} ago", in_words(span)),
        Err(_) => "now".to_owned(),
    };
    let at_least = if more { ", and newer ones follow" } else { "" };
    CheckStep::ok(StepName::NewestEvent, format!("{}, {ago}{at_least}", zone.millis(time)))
        .with_fact("time", format_millis(time))
        .with_fact("newer_follow", more)
}

fn format_expiry(end: &CredentialExpiry, now: Timestamp) -> String {
    let by = match &end.source {
        ExpirySource::KeyList(Some(name)) => format!("key `{name}` in the list of keys"),
        ExpirySource::KeyList(None) => "from the list of keys".to_owned(),
        ExpirySource::Config => "says `expires_on`".to_owned(),
        ExpirySource::Login => "as given to `auth login`".to_owned(),
    };
    let distance = expiry::relative_day(end.day, now.date_naive());
    format!("{}, {distance}, {by}", end.day)
}
