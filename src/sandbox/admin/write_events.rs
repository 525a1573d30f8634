//! The events that writes leave in the organization's log.

use super::{
    directory::{AccessToken, OrgAccount, OrgKey},
    user_management::key_creator,
};
use crate::sandbox::{
    Api,
    data::{
        org_event::{self, EventDraft},
        people, uuid,
    },
    json_text::JsonText,
    reply::ApiReply,
    server_state::ServerState,
};

/// The reply to a write that was executed, and the events that it leaves; else the refusal.
pub type WriteResult = Result<(ApiReply, Vec<WriteEvent>), ApiReply>;

/// What a write did.
#[derive(Debug)]
pub struct WriteEvent {
    action: &'static str,
    context: Vec<JsonText>,
    /// What the administrator did, as in "suspended the access of".
    deed: String,
}

impl WriteEvent {
    /// A change of an account.
    pub fn of_account(action: &'static str, what: &str, account: &OrgAccount) -> Self {
        let email = account.email.unwrap_or_default();
        Self {
            action,
            context: vec![org_event::account(account.id, account.name, email, account.kind)],
            deed: format!("{what} {}", account.name),
        }
    }

    /// The revocation of a token, whose owner has this name and address.
    pub fn of_token(token: &AccessToken, name: &str, email: Option<&str>) -> Self {
        let owner =
            org_event::account(token.owner_id, name, email.unwrap_or_default(), "atlassian");
        Self {
            action: "ts_api_token_deletion",
            context: vec![owner, org_event::thing("apiTokens", token.label)],
            deed: format!("revoked API token {}", token.label),
        }
    }

    /// The revocation of a key of the organization.
    pub fn of_key(key: &OrgKey) -> Self {
        Self {
            action: "api_token_revoked",
            context: vec![org_event::thing("apiKeys", key.label)],
            deed: format!("revoked the organization's API key {}", key.label),
        }
    }
}

/// Adds the event, as something that the creator of the key did with it.
pub fn record(state: &mut ServerState, event: WriteEvent) {
    if state.behaviour.admin_writes_unaudited {
        return;
    }
    let now = state.now_ms();
    let creator = people::EVERYBODY.iter().find(|person| person.account_id == key_creator());
    let actor = creator.unwrap_or(&people::EVERYBODY[0]);
    let events = state.of(Api::OrgEvents);
    // A reader that stands at the last event must find it.
    let processed_ms = events.log.last_created_ms().map_or(now, |last| last.max(now));
    let draft = EventDraft {
        id: uuid(&mut events.composer.rng),
        time_ms: processed_ms,
        processed_ms,
        action: event.action,
        actor: people::actor(actor, org_event::token("org-api-key", "organization API key")),
        context: event.context,
        container: org_event::container(Api::OrgEvents, event.action),
        location: people::location(actor.ip, actor.place),
        message: format!("{} {}", actor.name, event.deed),
        url: org_event::events_url(Api::OrgEvents),
    };
    events.log.add(draft.finish(&[]));
}
