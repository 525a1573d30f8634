//! A plan: what would be sent, to whom, what is known of the account, and what cannot be taken
//! back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::account_state::{PlanOptions, ResponseSubject};
use crate::config::respond::ResponseAction;
use crate::crash;
use crate::evidence::hash::sha256;
use crate::http::message::Request;
use crate::model::text::{printable_line, visible};
use crate::model::time::{Timestamp, format_millis};
use crate::source::org_account::is_safe_id;

/// How long a plan is valid, in seconds: what it says of the account grows old.
const PLAN_SECONDS: usize = 15 * 60;

fn plan_lifetime() -> TimeDelta {
    let seconds = crash::limit("PLAN_SECONDS", PLAN_SECONDS);
    TimeDelta::seconds(i64::try_from(seconds).unwrap_or_default())
}

/// How far the clocks of two machines may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(2);

/// The version of a plan.
const SCHEMA: &str = "atlaudit-plan/1";

/// A request that a plan would send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRequest {
    /// The method.
    pub method: String,
    /// The path, as it is sent.
    pub path: String,
    /// What is sent with it.
    pub body: Option<String>,
}

impl PlannedRequest {
    /// As it is written in a plan.
    pub fn of(request: &Request) -> PlannedRequest {
        PlannedRequest {
            method: request.method().to_owned(),
            path: request.url.path().to_owned(),
            body: request.body().map(str::to_owned),
        }
    }
}

/// What would be done. Two plans are equal if they would send the same for the same reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponsePlan {
    schema: String,
    /// When it was made, by the clock of that machine.
    made_at: String,
    /// The source whose second credential is used.
    pub source: String,
    /// The organization.
    pub org_id: String,
    /// The server.
    pub server: String,
    /// What is done.
    pub action: ResponseAction,
    /// What a person typed for the account or key.
    pub named: String,
    /// The id of the account or key.
    pub subject_id: String,
    /// What confirms it: the address of the account, or the name of the key.
    pub label: String,
    /// What a person added.
    pub options: PlanOptions,
    /// What is known of the account or key.
    pub facts: BTreeMap<String, String>,
    /// What is sent, in this order.
    pub requests: Vec<PlannedRequest>,
    /// What cannot be taken back, and what else to know.
    pub notices: Vec<String>,
    /// SHA-256 over all of this.
    digest: String,
}

impl ResponsePlan {
    /// The plan of `action` on `subject` with these requests.
    pub fn new(
        (source, org_id, server): (&str, &str, &str),
        action: ResponseAction,
        (named, subject): (&str, &ResponseSubject),
        options: &PlanOptions,
        requests: Vec<PlannedRequest>,
        now: Timestamp,
    ) -> ResponsePlan {
        let mut plan = ResponsePlan {
            schema: SCHEMA.to_owned(),
            made_at: format_millis(now),
            source: source.to_owned(),
            org_id: org_id.to_owned(),
            server: server.to_owned(),
            action,
            named: named.to_owned(),
            subject_id: subject.id().to_owned(),
            label: printable_line(&subject.label()),
            options: options.clone(),
            facts: subject.facts(),
            requests,
            notices: notices(action, subject),
            digest: String::new(),
        };
        plan.digest = plan.computed_digest();
        plan
    }

    /// Its SHA-256.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn computed_digest(&self) -> String {
        let unsigned = ResponsePlan { digest: String::new(), ..self.clone() };
        sha256(&serde_json::to_vec(&unsigned).unwrap_or_default())
    }

    /// The plan in `text`, if it can be applied at `now`.
    ///
    /// # Errors
    /// It is no plan, was changed, or is too old.
    pub fn read(text: &str, now: Timestamp) -> Result<ResponsePlan, String> {
        let plan: ResponsePlan =
            serde_json::from_str(text).map_err(|error| format!("it is no plan: {error}"))?;
        if plan.schema != SCHEMA {
            return Err(format!("its schema is not `{SCHEMA}`"));
        }
        if plan.digest != plan.computed_digest() {
            return Err("it was changed: its digest does not match".to_owned());
        }
        let made_at = crate::model::time::parse_api_time(&plan.made_at)
            .ok_or_else(|| "it does not say when it was made".to_owned())?;
        let age = now - made_at;
        if age > plan_lifetime() {
            let minutes = plan_lifetime().num_minutes();
            return Err(format!(
                "it is {} minutes old, and a plan is valid for {minutes}",
                age.num_minutes()
            ));
        }
        if age < -CLOCK_SKEW {
            return Err("it was made in the future, by the clock of this machine".to_owned());
        }
        Ok(plan)
    }

    /// How `later`, the plan that would be made now, differs from this one; nothing, if it is the
    /// same.
    pub fn difference(&self, later: &ResponsePlan) -> Option<String> {
        // By what name the account was found does not matter.
        let own = |plan: &ResponsePlan| ResponsePlan {
            made_at: String::new(),
            named: String::new(),
            digest: String::new(),
            ..plan.clone()
        };
        if own(self) == own(later) {
            return None;
        }
        let keys: BTreeSet<&String> = self.facts.keys().chain(later.facts.keys()).collect();
        let changed = keys.into_iter().filter(|key| self.facts.get(*key) != later.facts.get(*key));
        let fact = |plan: &ResponsePlan, key: &String| {
            plan.facts.get(key).map_or_else(|| "nothing".to_owned(), |it| printable_line(it))
        };
        let mut changes: Vec<String> = changed
            .map(|key| format!("{key} was {}, and is {}", fact(self, key), fact(later, key)))
            .collect();
        if changes.is_empty() {
            changes.push("what would be sent is not the same any more".to_owned());
        }
        Some(changes.join("; "))
    }

    /// The command that undoes it, where one does: only what this plan does. `call` is how this
    /// program is called.
    pub fn undo_command(&self, call: &str) -> Option<String> {
        let undo = self.action.undo()?;
        let former = self.facts.get("authentication policy").filter(|id| is_safe_id(id));
        let mut flags = match (undo, former) {
            (ResponseAction::Release, Some(policy)) => format!(" --policy {policy}"),
            (ResponseAction::Release, None) => return None,
            (_, _) => String::new(),
        };
        let prefix = "directory ";
        // What is not known to be so already was changed.
        let already = match self.action {
            ResponseAction::Suspend => Some("suspended"),
            ResponseAction::Restore => Some("active"),
            _ => None,
        };
        for (fact, value) in &self.facts {
            let is_meant = |id: &str| {
                let named = &self.options.directories;
                named.is_empty() || named.iter().any(|it| it == id)
            };
            if let Some(already) = already
                && let Some(id) = fact.strip_prefix(prefix).filter(|id| is_meant(id))
                && value != already
            {
                flags.push_str(&format!(" --directory {id}"));
            }
        }
        let is_admin = self.facts.get("roles").is_some_and(|roles| roles.contains("-admin"));
        if is_admin && undo.is_containment() {
            flags.push_str(" --admin");
        }
        let subject = &self.subject_id;
        Some(format!("{call} respond {undo} {} {subject}{flags}", self.source))
    }

    /// How it is undone, as a sentence without its end.
    pub fn undo_text(&self, call: &str) -> String {
        match (self.undo_command(call), self.action.undo()) {
            (Some(command), _) => format!("undo with: {command}"),
            (None, Some(_)) => {
                "the authentication policy that it is in now could not be read: note it before, to \
                 undo this"
                    .to_owned()
            }
            (None, None) => "this cannot be undone".to_owned(),
        }
    }

    /// The plan for a person.
    pub fn text(&self, call: &str) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{} {} ({})", self.action, visible(&self.label), self.subject_id);
        let _ = writeln!(text, "  organization {} at {}", self.org_id, self.server);
        for (key, value) in &self.facts {
            let _ = writeln!(text, "  {key}: {}", visible(value));
        }
        let _ = writeln!(text, "\nWould be sent, in this order:");
        for request in &self.requests {
            let _ = writeln!(text, "  {} {}", request.method, request.path);
            if let Some(body) = &request.body {
                let _ = writeln!(text, "    {}", visible(body));
            }
        }
        let _ = writeln!(text, "\nBefore you apply it:");
        for notice in &self.notices {
            let _ = writeln!(text, "  - {notice}");
        }
        let _ = writeln!(text, "  - {}", self.undo_text(call));
        let minutes = plan_lifetime().num_minutes();
        let _ = writeln!(text, "\nPlan {}, valid for {minutes} minutes.", &self.digest[..16]);
        text
    }
}

/// What a person must know before (developer.atlassian.com and support.atlassian.com, 2026).
fn notices(action: ResponseAction, subject: &ResponseSubject) -> Vec<String> {
    let mut notices: Vec<&str> = match action {
        ResponseAction::Suspend => vec![
            "the account itself can still sign in, and use other organizations and API tokens \
             elsewhere",
            "roles and groups come back with `restore`",
        ],
        ResponseAction::Restore => vec!["roles and groups come back as they were"],
        ResponseAction::Disable => vec![
            "Atlassian mails the user at once, with the admins' addresses: it warns an insider",
            "the account loses all Atlassian services, also of other organizations",
            "API tokens of a disabled account may not be listed any more: revoke them first",
        ],
        ResponseAction::Enable => vec!["the account can sign in again at once"],
        ResponseAction::RevokeTokens => vec![
            "revoked tokens cannot be brought back: scripts that use them stop for good",
            "not revoked: sessions, OAuth grants, Bitbucket app passwords and SSH keys",
        ],
        ResponseAction::RevokeKey => {
            vec!["a revoked key cannot be brought back: what uses it stops for good"]
        }
        ResponseAction::Quarantine | ResponseAction::Release => vec![
            "settings of the policy count from the next sign-in on; nobody is signed out",
            "to end sessions: Security > Authentication policies > the policy > Reset sessions",
        ],
        ResponseAction::SignInAgain | ResponseAction::Notify => Vec::new(),
    };
    if let ResponseSubject::Account(account) = subject {
        if account.user.is_managed == Some(false) {
            notices.push("the organization does not manage this account");
        }
        if action == ResponseAction::RevokeTokens && account.user.is_admin() {
            notices.push("the account is an admin's: its API keys of the organization stay");
        }
    }
    notices.into_iter().map(str::to_owned).collect()
}
