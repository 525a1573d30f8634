//! Owns the normalized event, version 1: what every source's records become.
//!
//! The order of the fields is the order of the keys in the output. A field that the source does
//! not fill is absent: never null, never an empty string.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::model::name::SourceKind;
use crate::model::time::{Timestamp, format_millis};

/// The version of the event format that this module describes.
pub const SCHEMA: &str = "atlaudit/1";

/// The `action` of a record that could not be understood.
pub const UNPARSED: &str = "unparsed";

/// A text borrowed from the record where it needs no change.
pub type Text<'a> = Cow<'a, str>;

/// One normalized event, without its `raw` text, which the renderer appends as it is.
#[derive(Debug, Clone, Serialize)]
pub struct Event<'a> {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Stable and unique: `org:<uuid>`, `jira:<site>:<id>`.
    pub id: String,
    /// Where it was collected.
    pub source: Source<'a>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis")]
    pub time: Option<Timestamp>,
    /// When Atlassian processed it (events-stream only).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis")]
    pub processed_time: Option<Timestamp>,
    /// When this run received it.
    #[serde(serialize_with = "always_millis")]
    pub observed_time: Timestamp,
    /// The source's own identifier of what was done.
    pub action: Text<'a>,
    /// The kind of thing that was done.
    pub category: Category,
    /// How it ended, as far as the source proves it.
    pub outcome: Outcome,
    /// Human text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Text<'a>>,
    /// jira, confluence, bitbucket, organization, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Text<'a>>,
    /// Who did it.
    #[serde(skip_serializing_if = "Actor::is_empty")]
    pub actor: Actor<'a>,
    /// What was acted on, then what else is associated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target<'a>>,
    /// What changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change<'a>>,
    /// Where the actor was.
    #[serde(skip_serializing_if = "Client::is_empty")]
    pub client: Client<'a>,
    /// Small leftovers of the source.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<&'static str, Text<'a>>,
}

/// The source that an event came from, as the user configured it.
#[derive(Debug, Clone, Serialize)]
pub struct Source<'a> {
    /// The name the user gave it.
    pub name: &'a str,
    /// Its type's word.
    #[serde(rename = "type", serialize_with = "kind_word")]
    pub kind: SourceKind,
    /// The organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_id: Option<&'a str>,
    /// The site's host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<&'a str>,
}

/// The kind of thing that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Authentication,
    Account,
    Group,
    Permission,
    Token,
    App,
    Policy,
    Content,
    Configuration,
    DataExport,
    Other,
}

/// How it ended, as far as the source states it or the action's name proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    Failure,
    Unknown,
}

/// Who did it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Actor<'a> {
    /// What it is, when it can be told.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ActorKind>,
    /// Its id, as the source writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    /// Its address; only what looks like one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Text<'a>>,
    /// How it proved who it is.
    #[serde(skip_serializing_if = "Auth::is_empty")]
    pub auth: Auth<'a>,
    /// For whom it acted.
    #[serde(skip_serializing_if = "Person::is_empty")]
    pub on_behalf_of: Person<'a>,
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    App,
    System,
    Anonymous,
}

/// How an actor proved who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Auth<'a> {
    /// `api-token`, `session`, ... as the source words it.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    /// The token's id (never the token).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<Text<'a>>,
    /// The token's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_label: Option<Text<'a>>,
}

/// Someone named beside the actor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Person<'a> {
    /// Account id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Text<'a>>,
}

/// Something that was acted on, or is associated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Target<'a> {
    /// user, group, site, ... in the singular.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Text<'a>>,
    /// What it belongs to.
    #[serde(skip_serializing_if = "Parent::is_empty")]
    pub parent: Parent<'a>,
}

/// What a target belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Parent<'a> {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
}

/// One changed field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Change<'a> {
    /// The field's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Text<'a>>,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Text<'a>>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Text<'a>>,
}

/// Where the actor was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Client<'a> {
    /// The address, as the source writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<Text<'a>>,
    /// Country name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Text<'a>>,
    /// Region name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Text<'a>>,
    /// City name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<Text<'a>>,
    /// Atlassian's own word for the area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo: Option<Text<'a>>,
}

/// Parts that are absent when nothing in them is known.
macro_rules! empty_when_default {
    ($($part:ident),*) => {$(
        impl $part<'_> {
            /// Whether nothing in it is known.
            pub fn is_empty(&self) -> bool {
                *self == $part::default()
            }
        }
    )*};
}

empty_when_default!(Actor, Auth, Person, Target, Parent, Change, Client);

fn millis<S: Serializer>(time: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => always_millis(time, out),
        None => out.serialize_none(),
    }
}

fn always_millis<S: Serializer>(time: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&format_millis(*time))
}

fn kind_word<S: Serializer>(kind: &SourceKind, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(kind.as_str())
}
