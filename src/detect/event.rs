//! What detection looks at of an event: a small copy without the rest, cheap to sort and to keep.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::places::{GeoDatabase, GeoPlace, PlaceOrigin};
use super::sigma::RuleMatch;
use crate::filter;
use crate::model::event::REMOTE_ADDRESS;
use crate::model::hashing::{bounded_key, text_hash};
use crate::model::json::{Document, Node};
use crate::model::meaning::{Category, Outcome};
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;
use crate::model::text::bounded;
use crate::model::time::Timestamp;
use crate::normalise::countries::country_code;

/// Words in the action of an attempt to log in.
const LOGIN_WORDS: [&str; 8] = [
    "login",
    "log_in",
    "logged_in",
    "logon",
    "sign_in",
    "signed_in",
    "authentication",
    "session_started",
];
/// Words in the action of someone who becomes someone else.
const IMPERSONATION_WORDS: [&str; 2] = ["logged_in_as", "impersonat"];
/// Words in the action of reading content.
const READING_WORDS: [&str; 3] = ["_viewed", "_downloaded", "_accessed"];
/// What takes an account its access, and what gives it back.
const DISABLING: [&str; 5] = [
    "user_disabled_org_access",
    "managed_account_deactivated",
    "bitbucket_cloud_user_deactivated",
    "user_deactivated",
    "user_suspended",
];
const ENABLING: [&str; 4] = [
    "user_enabled_org_access",
    "managed_account_reactivated",
    "user_reactivated",
    "user_unsuspended",
];

/// Users whose access an event changes that are looked at.
const MAX_AFFECTED: usize = 1000;

/// A point in time, and the event that it is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventMark {
    /// When it happened.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub time: Timestamp,
    /// The event's id.
    pub id: String,
}

/// What detection looks at of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectionEvent {
    /// When it happened, and its id: the order in which events are judged.
    pub mark: EventMark,
    /// The source's name.
    pub source: String,
    /// What was done.
    pub action: String,
    /// Who did it.
    pub actor: Option<EventPerson>,
    /// The first target, for a sentence.
    pub target: Option<String>,
    /// The first target that is a user.
    pub user: Option<EventPerson>,
    /// The keys of the users whose access it changes.
    pub affected: Vec<String>,
    /// How many more there are.
    pub more_affected: u64,
    /// The address that it came from.
    pub address: Option<IpAddr>,
    /// There is something in the place of an address that is none.
    pub has_unreadable_address: bool,
    /// Where that is.
    pub place: Option<GeoPlace>,
    /// What kind of thing was done.
    pub deed: EventDeed,
    /// The rules that it matches.
    pub matches: Vec<RuleMatch>,
}

/// Someone, by what does not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPerson {
    /// The account id, after the server's name where each server numbers its own users.
    pub key: String,
    /// What they are called.
    pub name: Option<String>,
    /// Their address.
    pub email: Option<String>,
}

/// What kind of thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventDeed {
    /// An attempt to log in, and how it ended.
    pub login: Option<LoginResult>,
    /// A person did it, in a session.
    pub is_interactive: bool,
    /// A person did it, in whatever way.
    pub is_of_person: bool,
    /// Nobody who is known did it.
    pub is_anonymous: bool,
    /// An administrative act.
    pub administration: Option<AdminClass>,
    /// Content was read or exported.
    pub is_reading: bool,
    /// Someone became someone else.
    pub is_impersonation: bool,
    /// What became of the access of the user that it is about.
    pub access: Option<AccessChange>,
}

/// How an attempt to log in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginResult {
    /// Somebody is in.
    Success,
    /// Nobody is.
    Failure,
}

/// What became of somebody's access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessChange {
    /// Suspended, deactivated.
    Disabled,
    /// Given back.
    Enabled,
}

/// A class of administrative acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they are the categories of events")]
pub enum AdminClass {
    Account,
    Group,
    Permission,
    Token,
    App,
    Policy,
    Configuration,
    DataExport,
}

impl AdminClass {
    fn of_category(word: &str) -> Option<AdminClass> {
        Some(match Category::from_word(word)? {
            Category::Account => AdminClass::Account,
            Category::Group => AdminClass::Group,
            Category::Permission => AdminClass::Permission,
            Category::Token => AdminClass::Token,
            Category::App => AdminClass::App,
            Category::Policy => AdminClass::Policy,
            Category::Configuration => AdminClass::Configuration,
            Category::DataExport => AdminClass::DataExport,
            Category::Authentication | Category::Content | Category::Other => return None,
        })
    }

    /// What acts of the class change, for a sentence.
    pub fn what(self) -> &'static str {
        match self {
            AdminClass::Account => "accounts",
            AdminClass::Group => "groups",
            AdminClass::Permission => "permissions",
            AdminClass::Token => "tokens and keys",
            AdminClass::App => "apps",
            AdminClass::Policy => "policies",
            AdminClass::Configuration => "settings",
            AdminClass::DataExport => "exports of data",
        }
    }
}

impl EventPerson {
    /// What they are called in a sentence.
    pub fn shown(&self) -> &str {
        let id = self.key.rsplit('\n').next().unwrap_or(&self.key);
        self.name.as_deref().or(self.email.as_deref()).unwrap_or(id)
    }

    /// The id that the source knows them by.
    pub fn id(&self) -> &str {
        self.key.rsplit('\n').next().unwrap_or(&self.key)
    }

    fn of(node: Node<'_>, realm: Option<&str>) -> Option<EventPerson> {
        let [id, name, email] =
            node.fields(["id", "name", "email"]).map(|value| value.and_then(Node::scalar));
        let own = bounded_key(id.as_ref().or(email.as_ref()).or(name.as_ref())?.clone());
        let key = realm.map_or_else(|| own.clone(), |realm| [realm, "\n", &own].concat());
        Some(EventPerson { key, name: name.map(short), email: email.map(short) })
    }
}

impl DetectionEvent {
    /// What is looked at of a normalized event; nothing where it is not known when it happened.
    pub fn of(
        event: &Document,
        matches: Vec<RuleMatch>,
        places: Option<&GeoDatabase>,
    ) -> Option<DetectionEvent> {
        let time = filter::time_of(event)?;
        let [id, source, action, category, outcome, actor, targets, client, labels] =
            event.root().fields([
                "id", "source", "action", "category", "outcome", "actor", "targets", "client",
                "labels",
            ]);
        let text = |node: Option<Node<'_>>| node.and_then(Node::scalar).map(short);
        let action = text(action).unwrap_or_default();
        let [source_name, kind, site] =
            source.map_or([None; 3], |source| source.fields(["name", "type", "site"]));
        // Each server numbers its own users.
        let kind = kind.and_then(Node::text).and_then(|kind| kind.parse::<SourceKind>().ok());
        let has_own_users = kind.is_some_and(|kind| kind.address() == SourceAddress::Server);
        let realm = text(site).or_else(|| text(source_name)).filter(|_| has_own_users);
        let is_target_user = |node: &Node<'_>| node.get("type").is_some_and(|kind| kind.is("user"));
        let targets = || targets.into_iter().flat_map(Node::items);
        let first = targets().next();
        let user = targets().find(is_target_user);
        let stated = client.and_then(|client| client.get("ip"));
        let unread = labels.and_then(|labels| labels.get(REMOTE_ADDRESS));
        let address = stated.and_then(Node::text);
        let address = address.and_then(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
        let outcome = outcome.and_then(Node::text);
        let outcome = outcome.and_then(|word| Outcome::from_word(&word));
        let category = category.and_then(Node::text);
        let deed = EventDeed::of(&action, category.as_deref(), outcome, actor);
        let person_of = |user| EventPerson::of(user, realm.as_deref());
        let mut affected =
            targets().filter(|target| deed.access.is_some() && is_target_user(target));
        let keys = affected.by_ref().take(MAX_AFFECTED).filter_map(person_of);
        let keys = keys.map(|user| user.key).collect();
        Some(DetectionEvent {
            // An event of ours has an id; a line of others is named by its content.
            mark: EventMark {
                time,
                id: match id.and_then(Node::scalar) {
                    Some(id) => bounded_key(id),
                    None => {
                        format!("line:{}", text_hash(&[&String::from_utf8_lossy(event.text())]))
                    }
                },
            },
            source: text(source_name).unwrap_or_default(),
            actor: actor.and_then(person_of),
            target: first.and_then(|target| {
                let [name, email, id] = target.fields(["name", "email", "id"]);
                name.or(email).or(id).and_then(Node::scalar).map(short)
            }),
            user: user.and_then(person_of),
            affected: keys,
            more_affected: affected.count() as u64,
            place: place_of(client, address, places),
            address,
            has_unreadable_address: address.is_none() && stated.or(unread).is_some(),
            deed,
            action,
            matches,
        })
    }

    /// Whose login it is: where nobody in particular did it, the account that it is of.
    pub fn login_subject(&self) -> Option<&EventPerson> {
        match self.deed.is_of_person {
            true => self.actor.as_ref(),
            false => self.user.as_ref().or(self.actor.as_ref()),
        }
    }

    /// When it happened.
    pub fn time(&self) -> Timestamp {
        self.mark.time
    }
}

impl EventDeed {
    fn of(
        action: &str,
        category: Option<&str>,
        outcome: Option<Outcome>,
        actor: Option<Node<'_>>,
    ) -> EventDeed {
        let has = |words: &[&str]| words.iter().any(|word| action.contains(word));
        let kind = actor.and_then(|actor| actor.text_of("type"));
        let is_of_person =
            actor.is_some() && !matches!(kind.as_deref(), Some("app" | "system" | "anonymous"));
        let auth = actor.and_then(|actor| actor.get("auth"));
        let auth_kind = auth.and_then(|auth| auth.text_of("type"));
        let is_authentication = category == Some(Category::Authentication.as_str());
        let is_impersonation = has(&IMPERSONATION_WORDS);
        let login = match outcome {
            _ if !is_authentication || is_impersonation || !has(&LOGIN_WORDS) => None,
            Some(Outcome::Success) => Some(LoginResult::Success),
            Some(Outcome::Failure) => Some(LoginResult::Failure),
            Some(Outcome::Unknown) | None => None,
        };
        let failed = outcome == Some(Outcome::Failure);
        let is_export = category == Some(Category::DataExport.as_str());
        let logs_in = login == Some(LoginResult::Success);
        EventDeed {
            login,
            is_interactive: is_of_person
                && !failed
                && (logs_in || auth_kind.as_deref() == Some("session")),
            is_of_person,
            is_anonymous: kind.as_deref() == Some("anonymous"),
            administration: category.and_then(AdminClass::of_category).filter(|_| !failed),
            is_reading: !failed
                && (is_export || READING_WORDS.iter().any(|end| action.ends_with(end))),
            is_impersonation: is_impersonation && !failed,
            access: match () {
                () if failed => None,
                () if DISABLING.contains(&action) => Some(AccessChange::Disabled),
                () if ENABLING.contains(&action) => Some(AccessChange::Enabled),
                () => None,
            },
        }
    }
}

/// What the event says of its place; what it does not say, the database does.
fn place_of(
    client: Option<Node<'_>>,
    address: Option<IpAddr>,
    places: Option<&GeoDatabase>,
) -> Option<GeoPlace> {
    let said = client.and_then(|client| {
        let [code, country, city] = client.fields(["country_code", "country", "city"]);
        let code = code.or(country).and_then(Node::text)?;
        let city = city.and_then(Node::text);
        Some(GeoPlace::new(PlaceOrigin::Source, country_code(&code), city.as_deref()))
    });
    let found = || places.zip(address).and_then(|(places, address)| places.place(address));
    said.or_else(found)
}

/// A bounded copy, for people to read.
fn short(text: Cow<'_, str>) -> String {
    bounded(text).into_owned()
}
