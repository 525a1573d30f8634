//! Applies a plan: records each request, sends it once, records the answer, and then looks whether
//! what was to be done is to be seen.

use std::io;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::account_state::ResponseSubject;
use super::org_access::{OrgAccess, WriteOutcome};
use super::record::ResponseRecord;
use super::response_plan::ResponsePlan;
use crate::config::respond::ResponseAction;
use crate::crash::{self, CrashPoint};
use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::http::message::Request;
use crate::model::time::{Timestamp, format_millis};
use crate::source::org_account::{PolicyMove, WriteStep, request_id, task_id};

/// How long it is looked whether a change is to be seen, in milliseconds.
const LOOK_MS: usize = 60_000;

/// How far the server's clock may be behind ours, for the events of a change to be found.
const EVENT_CLOCK_SKEW: TimeDelta = TimeDelta::minutes(2);

/// How often.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseEnd {
    /// All requests were accepted.
    Done,
    /// The first request was refused.
    Rejected(String),
    /// A later one was.
    PartlyDone(String),
    /// Whether a request was done is not known.
    Unknown(String),
}

impl AppliedResponse {
    /// Takes the outcome of a request, and returns whether it is the last one.
    fn take(&mut self, outcome: WriteOutcome, task: &mut Option<String>) -> bool {
        match outcome {
            WriteOutcome::Accepted(response) => {
                self.accepted += 1;
                *task = task_id(&response).or(task.take());
                return false;
            }
            WriteOutcome::Refused(failure) => {
                self.end = match self.accepted {
                    0 => ResponseEnd::Rejected(failure.to_string()),
                    _ => ResponseEnd::PartlyDone(failure.to_string()),
                };
            }
            WriteOutcome::Unknown(failure) => {
                self.end = ResponseEnd::Unknown(failure.to_string());
            }
        }
        true
    }
}

impl ResponseEnd {
    /// In a word and its reason.
    fn describe(&self) -> String {
        match self {
            ResponseEnd::Done => "done".to_owned(),
            ResponseEnd::Rejected(why) => format!("rejected: {why}"),
            ResponseEnd::PartlyDone(why) => format!("partly done: {why}"),
            ResponseEnd::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedResponse {
    /// How it ended.
    pub end: ResponseEnd,
    /// Requests that were accepted.
    pub accepted: usize,
    /// Whether the account was then read as it should be; none, if it could not be read.
    pub is_state_seen: Option<bool>,
    /// Whether the audit log tells of it; none, if that could not be read.
    pub is_event_seen: Option<bool>,
    /// Why something of this is not in the record.
    pub record_failure: Option<String>,
}

/// A plan that is being applied.
pub struct PlanApplication<'a, T> {
    /// Sends and reads.
    pub access: &'a OrgAccess<T>,
    /// What is recorded, before and after.
    pub record: &'a mut ResponseRecord,
    /// The plan.
    pub plan: &'a ResponsePlan,
    /// What every line of the record says: case, reason, operator.
    pub about: Map<String, Value>,
    /// Whether a signal asked for the end.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl<T: Transport + Clone> PlanApplication<'_, T> {
    /// Sends `steps`, which are those of the plan.
    ///
    /// # Errors
    /// The record cannot be written: nothing is sent that it does not have.
    pub async fn apply(mut self, steps: &[WriteStep]) -> io::Result<AppliedResponse> {
        let began = Utc::now() - EVENT_CLOCK_SKEW;
        // Without them no event can be told from one of before.
        let earlier = self.events(began).await.ok();
        let mut applied = AppliedResponse {
            end: ResponseEnd::Done,
            accepted: 0,
            is_state_seen: None,
            is_event_seen: None,
            record_failure: None,
        };
        let mut task = None;
        for (place, step) in steps.iter().enumerate() {
            if applied.accepted > 0 && (self.is_stopped)() {
                applied.end = ResponseEnd::PartlyDone("a signal asked for the end".to_owned());
                break;
            }
            let request = self.access.request(step);
            let mut intent = self.intent(&request);
            intent.insert("request".to_owned(), (place + 1).into());
            intent.insert("requests".to_owned(), steps.len().into());
            let number = self.record.append("intent", intent);
            let number = match number {
                Ok(number) => number,
                Err(error) if applied.accepted == 0 => return Err(error),
                Err(error) => {
                    applied.end = ResponseEnd::PartlyDone(format!("the record: {error}"));
                    applied.record_failure = Some(error.to_string());
                    break;
                }
            };
            crash::point(CrashPoint::ResponseIntended);
            let outcome = self.access.write(&request).await;
            crash::point(CrashPoint::ResponseAnswered);
            let recorded = self.record.append("outcome", self.outcome(number, &outcome));
            crash::point(CrashPoint::ResponseRecorded);
            let is_last = applied.take(outcome, &mut task);
            if let Err(error) = recorded {
                applied.record_failure = Some(error.to_string());
                if applied.end == ResponseEnd::Done && applied.accepted < steps.len() {
                    applied.end = ResponseEnd::PartlyDone(format!("the record: {error}"));
                }
                break;
            }
            if is_last {
                break;
            }
        }
        if matches!(applied.end, ResponseEnd::Rejected(_)) {
            return Ok(applied);
        }
        if let Some(task) = task {
            self.wait_for_task(&task, &mut applied).await;
        }
        self.look((began, earlier.as_deref()), &mut applied).await;
        Ok(applied)
    }

    fn intent(&self, request: &Request) -> Map<String, Value> {
        let mut entry = self.about.clone();
        entry.extend([
            ("time".to_owned(), format_millis(Utc::now()).into()),
            ("plan".to_owned(), self.plan.digest().into()),
            ("org_id".to_owned(), self.plan.org_id.clone().into()),
            ("action".to_owned(), self.plan.action.as_str().into()),
            ("subject_id".to_owned(), self.plan.subject_id.clone().into()),
            ("label".to_owned(), self.plan.label.clone().into()),
            ("method".to_owned(), request.method().into()),
            ("path".to_owned(), request.url.path().into()),
            ("body".to_owned(), request.body().map_or(Value::Null, Value::from)),
            ("before".to_owned(), json!(self.plan.facts)),
            (
                "undo".to_owned(),
                self.plan.undo_command("atlaudit").map_or(Value::Null, Value::from),
            ),
        ]);
        entry
    }

    fn outcome(&self, of: u64, outcome: &WriteOutcome) -> Map<String, Value> {
        let (word, status, detail) = match outcome {
            WriteOutcome::Accepted(response) => ("accepted", Some(response.status), None),
            WriteOutcome::Refused(failure) => ("refused", failure.status, Some(failure)),
            WriteOutcome::Unknown(failure) => ("unknown", failure.status, Some(failure)),
        };
        let id = match outcome {
            WriteOutcome::Accepted(response) => {
                request_id(response).map(|id| self.access.without_key(&id))
            }
            WriteOutcome::Refused(_) | WriteOutcome::Unknown(_) => None,
        };
        Map::from_iter([
            ("time".to_owned(), format_millis(Utc::now()).into()),
            ("of".to_owned(), of.into()),
            ("outcome".to_owned(), word.into()),
            ("status".to_owned(), status.map_or(Value::Null, Value::from)),
            ("request_id".to_owned(), id.map_or(Value::Null, Value::from)),
            ("detail".to_owned(), detail.map_or(Value::Null, |it| it.to_string().into())),
        ])
    }

    /// A move is a task: it may fail after it was accepted.
    async fn wait_for_task(&self, task: &str, applied: &mut AppliedResponse) {
        let access = self.access.impatient();
        let deadline = Instant::now() + look_time();
        loop {
            match access.policy_task(task).await {
                Ok(PolicyMove::Succeeded) => return,
                Ok(PolicyMove::Failed(why)) => {
                    let why = format!("the move was accepted, and its task failed: {why}");
                    applied.end = ResponseEnd::Rejected(why);
                    return;
                }
                // Whether it was done is then read from the account.
                Ok(PolicyMove::InProgress) | Err(_) if self.is_over(deadline) => return,
                Ok(PolicyMove::InProgress) | Err(_) => sleep(LOOK_INTERVAL).await,
            }
        }
    }

    fn is_over(&self, deadline: Instant) -> bool {
        Instant::now() >= deadline || (self.is_stopped)()
    }

    /// Reads the account or key until it is as it should be, and then the audit log.
    async fn look(
        &mut self,
        (began, earlier): (Timestamp, Option<&[String]>),
        applied: &mut AppliedResponse,
    ) {
        let deadline = Instant::now() + look_time();
        let (plan, access) = (self.plan, self.access.impatient());
        // Of a part that was done, one look is enough.
        let is_expected = matches!(applied.end, ResponseEnd::Done | ResponseEnd::Unknown(_));
        let mut after: Option<ResponseSubject> = None;
        loop {
            if applied.is_state_seen != Some(true)
                && let Ok(subject) = access.subject_state(plan.action, &plan.subject_id).await
            {
                applied.is_state_seen = Some(subject.is_done(plan.action, &plan.options));
                after = Some(subject);
            }
            if applied.is_event_seen != Some(true)
                && let Some(earlier) = earlier
            {
                let events = self.events(began).await.ok();
                // Each change has an event of its own; one of before is not its trace.
                let new =
                    |events: Vec<String>| events.iter().filter(|id| !earlier.contains(id)).count();
                let is_seen = |count| count >= applied.accepted.max(1);
                applied.is_event_seen = events.map(new).map(is_seen);
            }
            let is_all_seen =
                applied.is_state_seen == Some(true) && applied.is_event_seen == Some(true);
            if is_all_seen || !is_expected || self.is_over(deadline) {
                break;
            }
            sleep(LOOK_INTERVAL).await;
        }
        if matches!(applied.end, ResponseEnd::Rejected(_)) && applied.is_state_seen == Some(true) {
            applied.end = ResponseEnd::Done; // the task says otherwise, and the account counts
        }
        let entry = Map::from_iter([
            ("time".to_owned(), format_millis(Utc::now()).into()),
            ("plan".to_owned(), plan.digest().into()),
            ("end".to_owned(), applied.end.describe().into()),
            ("state_seen".to_owned(), applied.is_state_seen.map_or(Value::Null, Value::from)),
            ("event_seen".to_owned(), applied.is_event_seen.map_or(Value::Null, Value::from)),
            ("after".to_owned(), after.map_or(Value::Null, |it| json!(it.facts()))),
        ]);
        if let Err(error) = self.record.append("seen", entry) {
            applied.record_failure = Some(error.to_string());
        }
    }

    /// The ids of the events since `began` that such a change leaves.
    async fn events(&self, began: Timestamp) -> Result<Vec<String>, Failure> {
        let actions: &[&str] = match self.plan.action {
            ResponseAction::Suspend => &["user_disabled_org_access", "user_disabled_site_access"],
            ResponseAction::Restore => &["user_enabled_org_access", "user_enabled_site_access"],
            ResponseAction::Disable => &["managed_account_deactivated"],
            ResponseAction::Enable => &["managed_account_reactivated"],
            ResponseAction::RevokeTokens => &["ts_api_token_deletion"],
            ResponseAction::RevokeKey => &["api_token_revoked"],
            ResponseAction::Quarantine | ResponseAction::Release => &["user_auth_policy_changed"],
            ResponseAction::SignInAgain | ResponseAction::Notify => &[],
        };
        let text = match self.plan.action {
            ResponseAction::RevokeKey => self.plan.label.as_str(),
            _ => self.plan.subject_id.as_str(),
        };
        self.access.impatient().events_of(began, actions, text).await
    }
}

fn look_time() -> Duration {
    Duration::from_millis(crash::limit("RESPONSE_LOOK_MS", LOOK_MS) as u64)
}
