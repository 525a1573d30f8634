//! The normalized event, version 1: what every source's records become.
//!
//! The order of the fields is the order of the keys in the output. A field that the source does
//! not fill is absent: never null, never an empty string.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::json::write::ObjectWriter;
use crate::model::meaning::{ActionMeaning, Category, Outcome};
use crate::model::name::SourceKind;
use crate::model::time::Timestamp;
use crate::model::workspace::SiteWorkspace;

/// The version of the event format that this module describes.
pub const SCHEMA: &str = "atlaudit/1";

/// The `action` of a record that could not be understood.
pub const UNPARSED: &str = "unparsed";

/// The label of an event whose time cannot be read: the source's own text, or `missing`.
pub const TIME_UNREADABLE: &str = "time_unreadable";

/// The label of an event whose time of processing is there and cannot be read: the source's own
/// text.
pub const PROCESSED_TIME_UNREADABLE: &str = "processed_time_unreadable";

/// The label of an event for which the source writes more than addresses as the client's: the
/// source's own text.
pub const REMOTE_ADDRESS: &str = "remote_address";

/// A text borrowed from the record where it needs no change.
pub type EventText<'a> = Cow<'a, str>;

/// One normalized event, without its `raw` text, which the renderer appends as it is.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event<'a> {
    /// The version of this format.
    pub schema: &'static str,
    /// Stable and unique: `org:<uuid>`, `jira:<site>:<id>`, `confluence:<site>:<hash>`,
    /// `dc:<host>:<hash>`. A record without an id is named by a hash of its content; one that
    /// repeats an id with another content has a hash after it.
    pub id: String,
    /// The source as it is configured.
    pub source: EventSource<'a>,
    /// When it happened. Absent where the source's text is no time; `labels.time_unreadable` holds
    /// that text then.
    pub time: Option<Timestamp>,
    /// When Atlassian processed it (org-events only).
    pub processed_time: Option<Timestamp>,
    /// When this run received it.
    pub observed_time: Timestamp,
    /// The source's own identifier, or its summary in snake_case where it has none; `unparsed` when
    /// neither could be read.
    pub action: EventText<'a>,
    /// The kind of thing that was done.
    pub category: Category,
    /// How it ended: only what the source states or the action's name proves.
    pub outcome: Outcome,
    /// What the action means to the schemas of SIEMs; not part of a normalized event.
    #[cfg_attr(test, schemars(skip))]
    pub meaning: ActionMeaning,
    /// Human text.
    pub message: Option<EventText<'a>>,
    /// The source's own words for the action, where the action is made of them; not part of a
    /// normalized event.
    #[cfg_attr(test, schemars(skip))]
    pub summary: Option<EventText<'a>>,
    /// jira, confluence, bitbucket, organization, ...
    pub product: Option<EventText<'a>>,
    /// Who did it.
    pub actor: EventActor<'a>,
    /// What was acted on, then what else is associated.
    pub targets: Vec<EventTarget<'a>>,
    /// What changed.
    pub changes: Vec<FieldChange<'a>>,
    /// Where the actor was, as the source writes it.
    pub client: EventClient<'a>,
    /// Small leftovers of the source, by their keys and in the order of these.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub labels: Vec<(&'static str, EventText<'a>)>,
}

/// The source that an event came from, as the user configured it.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventSource<'a> {
    /// The name the user gave it.
    pub name: &'a str,
    /// Its type's word.
    #[cfg_attr(test, schemars(rename = "type"))]
    pub kind: SourceKind,
    /// The organization.
    pub org_id: Option<&'a str>,
    /// The site's host name.
    pub site: Option<&'a str>,
    /// The workspace (one product of a site), by its ARI.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub workspace: Option<&'a SiteWorkspace>,
}

/// Who did it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventActor<'a> {
    /// Its type, if known.
    #[cfg_attr(test, schemars(rename = "type"))]
    pub kind: Option<ActorKind>,
    /// Its id, as the source writes it.
    pub id: Option<EventText<'a>>,
    /// Its name.
    pub name: Option<EventText<'a>>,
    /// The name that it signs in with, where the source distinguishes it from the name that it
    /// shows; not part of a normalized event.
    #[cfg_attr(test, schemars(skip))]
    pub login: Option<EventText<'a>>,
    /// Its address; only what looks like one.
    pub email: Option<EventText<'a>>,
    /// How it proved who it is.
    pub auth: ActorAuth<'a>,
    /// The account that it acted for.
    pub on_behalf_of: RelatedPerson<'a>,
}

/// The id that Atlassian gives an actor who is not known.
pub const UNIDENTIFIED: &str = "unidentified";

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename_all = "snake_case"))]
pub enum ActorKind {
    User,
    App,
    System,
    Anonymous,
}

impl ActorKind {
    /// The word for it in events.
    pub fn as_str(self) -> &'static str {
        match self {
            ActorKind::User => "user",
            ActorKind::App => "app",
            ActorKind::System => "system",
            ActorKind::Anonymous => "anonymous",
        }
    }
}

/// How an actor proved who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActorAuth<'a> {
    /// `api-token`, `session`, ... as the source words it.
    #[cfg_attr(test, schemars(rename = "type"))]
    pub kind: Option<EventText<'a>>,
    /// The token's id (never the token).
    pub token_id: Option<EventText<'a>>,
    /// The token's label.
    pub token_label: Option<EventText<'a>>,
}

/// Someone named beside the actor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RelatedPerson<'a> {
    /// Account id.
    pub id: Option<EventText<'a>>,
    /// Name.
    pub name: Option<EventText<'a>>,
    /// Address.
    pub email: Option<EventText<'a>>,
}

/// Something that was acted on, or is associated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventTarget<'a> {
    /// user, group, site, ... in the singular.
    #[cfg_attr(test, schemars(rename = "type"))]
    pub kind: Option<EventText<'a>>,
    /// Its id.
    pub id: Option<EventText<'a>>,
    /// Its name.
    pub name: Option<EventText<'a>>,
    /// The name that a user signs in with, as of an actor.
    #[cfg_attr(test, schemars(skip))]
    pub login: Option<EventText<'a>>,
    /// Its address.
    pub email: Option<EventText<'a>>,
    /// The address of its page in a browser.
    pub url: Option<EventText<'a>>,
    /// What it belongs to.
    pub parent: TargetParent<'a>,
}

/// What a target belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetParent<'a> {
    /// Its id.
    pub id: Option<EventText<'a>>,
    /// Its name.
    pub name: Option<EventText<'a>>,
}

/// One changed field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FieldChange<'a> {
    /// The field's name.
    pub field: Option<EventText<'a>>,
    /// The value before.
    pub from: Option<EventText<'a>>,
    /// The value after.
    pub to: Option<EventText<'a>>,
}

/// Where the actor was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventClient<'a> {
    /// The IP address: the first, where the source writes several. What is no address is in
    /// `labels.remote_address`.
    pub ip: Option<EventText<'a>>,
    /// Its port, where the source writes one; not part of a normalized event.
    #[cfg_attr(test, schemars(skip))]
    pub port: Option<u16>,
    /// The IP addresses of the proxies that forwarded the request, in the order of the source.
    pub forwarded: Vec<EventText<'a>>,
    /// Country name.
    pub country: Option<EventText<'a>>,
    /// The country's code (ISO 3166-1 alpha-2), where the name is known.
    pub country_code: Option<&'static str>,
    /// Region name.
    pub region: Option<EventText<'a>>,
    /// City name.
    pub city: Option<EventText<'a>>,
    /// Atlassian's own word for the area.
    pub geo: Option<EventText<'a>>,
}

/// The name and address behind an account id, where a record says less.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserProfile {
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
}

/// Users by their account ids.
pub type UserProfiles = Arc<HashMap<String, UserProfile>>;

impl Event<'_> {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        let mut labels = self.labels.iter();
        let (_, value) = labels.find(|(known, _)| *known == key)?;
        Some(value)
    }

    /// Whether one of its times is not there because it could not be read.
    pub fn has_unreadable_time(&self) -> bool {
        self.time.is_none()
            || self.processed_time.is_none() && self.label(PROCESSED_TIME_UNREADABLE).is_some()
    }

    /// When it happened, or else what comes closest: when it was processed or received.
    pub fn best_time(&self) -> Timestamp {
        self.time.or(self.processed_time).unwrap_or(self.observed_time)
    }

    /// The key of [`Event::best_time`], where that is not when it happened.
    pub fn substitute_time(&self) -> Option<&'static str> {
        match (self.time, self.processed_time) {
            (Some(_), _) => None,
            (None, Some(_)) => Some("processed_time"),
            (None, None) => Some("observed_time"),
        }
    }

    /// Writes every key but `raw`, in the order of the output.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.word("schema", self.schema);
        out.text("id", &self.id);
        out.object("source", |out| self.source.write(out));
        if let Some(time) = self.time {
            out.time("time", time);
        }
        if let Some(time) = self.processed_time {
            out.time("processed_time", time);
        }
        out.time("observed_time", self.observed_time);
        out.text("action", &self.action);
        out.word("category", self.category.as_str());
        out.word("outcome", self.outcome.as_str());
        out.text_if_some("message", self.message.as_deref());
        out.text_if_some("product", self.product.as_deref());
        out.object("actor", |out| self.actor.write(out));
        out.objects("targets", self.targets.iter(), |out, target| target.write(out));
        out.objects("changes", self.changes.iter(), |out, change| change.write(out));
        out.object("client", |out| self.client.write(out));
        out.object("labels", |out| self.write_labels(out));
    }

    /// Writes the labels by their keys.
    pub fn write_labels(&self, out: &mut ObjectWriter<'_>) {
        self.labels.iter().for_each(|(key, value)| out.text(key, value));
    }
}

impl EventSource<'_> {
    /// Writes what is known of it.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text("name", self.name);
        out.word("type", self.kind.as_str());
        out.text_if_some("org_id", self.org_id);
        out.text_if_some("site", self.site);
        if let Some(workspace) = self.workspace {
            out.text("workspace", &workspace.to_string());
        }
    }
}

impl EventActor<'_> {
    fn write(&self, out: &mut ObjectWriter<'_>) {
        if let Some(kind) = self.kind {
            out.word("type", kind.as_str());
        }
        out.text_if_some("id", self.id.as_deref());
        out.text_if_some("name", self.name.as_deref());
        out.text_if_some("email", self.email.as_deref());
        out.object("auth", |out| self.auth.write(out));
        out.object("on_behalf_of", |out| self.on_behalf_of.write(out));
    }
}

impl ActorAuth<'_> {
    /// Writes what is known of it.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("type", self.kind.as_deref());
        out.text_if_some("token_id", self.token_id.as_deref());
        out.text_if_some("token_label", self.token_label.as_deref());
    }
}

impl RelatedPerson<'_> {
    /// Writes what is known of them.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("id", self.id.as_deref());
        out.text_if_some("name", self.name.as_deref());
        out.text_if_some("email", self.email.as_deref());
    }
}

impl EventTarget<'_> {
    /// Writes what is known of it.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("type", self.kind.as_deref());
        out.text_if_some("id", self.id.as_deref());
        out.text_if_some("name", self.name.as_deref());
        out.text_if_some("email", self.email.as_deref());
        out.text_if_some("url", self.url.as_deref());
        out.object("parent", |out| {
            out.text_if_some("id", self.parent.id.as_deref());
            out.text_if_some("name", self.parent.name.as_deref());
        });
    }
}

impl FieldChange<'_> {
    /// Writes what is known of it.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("field", self.field.as_deref());
        out.text_if_some("from", self.from.as_deref());
        out.text_if_some("to", self.to.as_deref());
    }
}

impl EventClient<'_> {
    /// Writes the proxies, if there are any.
    pub fn write_forwarded(&self, out: &mut ObjectWriter<'_>) {
        if !self.forwarded.is_empty() {
            out.texts("forwarded", self.forwarded.iter().map(|ip| &**ip));
        }
    }

    fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("ip", self.ip.as_deref());
        self.write_forwarded(out);
        out.text_if_some("country", self.country.as_deref());
        out.text_if_some("country_code", self.country_code);
        out.text_if_some("region", self.region.as_deref());
        out.text_if_some("city", self.city.as_deref());
        out.text_if_some("geo", self.geo.as_deref());
    }
}
