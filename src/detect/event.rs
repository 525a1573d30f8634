//! What detection looks at of an event: a small part of it, cheap to keep and to sort.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use super::event_facts::{ActorFacts, EventFacts, PersonNames};
use super::places::{GeoDatabase, GeoPlace, PlaceOrigin};
use super::sigma::RuleMatch;
use crate::model::hashing::bounded_key;
use crate::model::meaning::{Category, Outcome};
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

/// Bytes that nearly every stored event fits into.
const TYPICAL_SIZE: usize = 512;

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

impl EventMark {
    /// Becomes `other`, without new memory.
    pub fn set(&mut self, other: &EventMark) {
        self.time = other.time;
        self.id.clone_from(&other.id);
    }
}

/// What detection looks at of an event. Its texts are borrowed from the event while it is pulled,
/// and later from the [`StoredEvent`]: most events are judged, and nothing of them is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectionEvent<'a> {
    /// When it happened, and its id: the order in which events are judged.
    pub mark: EventMark,
    /// The source's name.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// What was done.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// Who did it.
    pub actor: Option<EventPerson<'a>>,
    /// The first target, for a sentence.
    #[serde(borrow, deserialize_with = "borrowed")]
    pub target: Option<Cow<'a, str>>,
    /// The first target that is a user.
    pub user: Option<EventPerson<'a>>,
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
pub struct EventPerson<'a> {
    /// The account id, after the server's name where each server numbers its own users.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// What they are called.
    #[serde(borrow, deserialize_with = "borrowed")]
    pub name: Option<Cow<'a, str>>,
    /// Their address.
    #[serde(borrow, deserialize_with = "borrowed")]
    pub email: Option<Cow<'a, str>>,
}

/// A [`StoredEvent`] that holds no event.
#[derive(Debug, thiserror::Error)]
#[error("an event that waits to be judged is damaged")]
pub struct DamagedEvent(#[from] postcard::Error);

/// A [`DetectionEvent`] in few bytes, until it is its turn to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    #[serde(with = "chrono::serde::ts_microseconds")]
    time: Timestamp,
    #[serde(deserialize_with = "in_pieces")]
    bytes: Bytes,
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
    /// The person who did it is not known.
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
    fn of_category(category: Category) -> Option<AdminClass> {
        Some(match category {
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

impl EventPerson<'_> {
    /// What they are called in a sentence.
    pub fn shown(&self) -> &str {
        let id = self.key.rsplit('\n').next().unwrap_or(&self.key);
        self.name.as_deref().or(self.email.as_deref()).unwrap_or(id)
    }

    /// The id that the source knows them by.
    pub fn id(&self) -> &str {
        self.key.rsplit('\n').next().unwrap_or(&self.key)
    }

    /// The same, to be kept.
    pub fn to_owned(&self) -> EventPerson<'static> {
        let owned = |text: &Cow<'_, str>| Cow::Owned(text.to_string());
        EventPerson {
            key: owned(&self.key),
            name: self.name.as_ref().map(owned),
            email: self.email.as_ref().map(owned),
        }
    }
}

impl<'a> EventPerson<'a> {
    fn of(names: &PersonNames<'a>, realm: Option<&str>) -> Option<EventPerson<'a>> {
        let PersonNames { id, name, email } = names;
        let own = bounded_key(id.as_ref().or(email.as_ref()).or(name.as_ref())?.clone());
        let key = match realm {
            Some(realm) => [realm, "\n", &own].concat().into(),
            None => own,
        };
        let shown = |text: &Option<Cow<'a, str>>| text.clone().map(bounded);
        Some(EventPerson { key, name: shown(name), email: shown(email) })
    }
}

impl StoredEvent {
    /// The event.
    ///
    /// # Errors
    /// The bytes are those of no event.
    pub fn read(&self) -> Result<DetectionEvent<'_>, DamagedEvent> {
        DetectionEvent::of_bytes(&self.bytes)
    }

    /// What [`DetectionEvent::of_bytes`] reads.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// When it happened.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The order in which events are judged: that of [`EventMark`] first.
    pub fn compare(&self, other: &StoredEvent) -> Ordering {
        let id = |event: &StoredEvent| {
            // The mark stands first.
            let mark = postcard::take_from_bytes::<EventMark>(&event.bytes);
            mark.ok().map(|(mark, _)| mark.id)
        };
        let order = self.time.cmp(&other.time).then_with(|| id(self).cmp(&id(other)));
        // Those of one id in whatever order, but always in the same.
        order.then_with(|| self.bytes.cmp(&other.bytes))
    }
}

impl<'a> DetectionEvent<'a> {
    /// What detection looks at of an event that matches these rules.
    pub fn new(
        facts: EventFacts<'a>,
        matches: Vec<RuleMatch>,
        places: Option<&GeoDatabase>,
    ) -> DetectionEvent<'a> {
        let EventFacts { time, id, source, kind, site, action, actor, targets, .. } = facts;
        let (source, action) = (bounded(source), bounded(action));
        let deed = EventDeed::of(&action, facts.category, facts.outcome, actor.as_ref());
        // Each server numbers its own users.
        let has_own_users = kind.is_some_and(|kind| kind.address() == SourceAddress::Server);
        let realm = has_own_users.then(|| site.map_or_else(|| source.clone(), bounded));
        let realm = realm.filter(|realm| !realm.is_empty());
        let person_of = |names: &PersonNames<'a>| EventPerson::of(names, realm.as_deref());
        let users = || targets.iter().filter(|target| target.is_user).map(|target| &target.names);
        let mut affected = users().filter(|_| deed.access.is_some());
        let keys = affected.by_ref().take(MAX_AFFECTED).filter_map(person_of);
        let keys = keys.map(|user| user.key.into_owned()).collect();
        let first_names = targets.first().map(|target| &target.names);
        let address = facts.address.as_ref().and_then(|ip| ip.parse::<IpAddr>().ok());
        let address = address.map(|ip| ip.to_canonical());
        let said = facts.country.map(|country| {
            let code = country_code(&country);
            GeoPlace::new(PlaceOrigin::Source, code, facts.city.as_deref())
        });
        let found = || places.zip(address).and_then(|(places, address)| places.place(address));
        DetectionEvent {
            mark: EventMark { time, id: bounded_key(id).into_owned() },
            source,
            action,
            actor: actor.and_then(|actor| person_of(&actor.names)),
            target: first_names.and_then(|names| {
                let PersonNames { id, name, email } = names;
                name.as_ref().or(email.as_ref()).or(id.as_ref()).cloned().map(bounded)
            }),
            user: users().next().and_then(person_of),
            affected: keys,
            more_affected: affected.count() as u64,
            // What the event does not say of its place, the database does.
            place: said.or_else(found),
            has_unreadable_address: address.is_none()
                && (facts.address.is_some() || facts.has_odd_address),
            address,
            deed,
            matches,
        }
    }

    /// Whose login it is: where nobody in particular did it, the account that it is of.
    pub fn login_subject(&self) -> Option<&EventPerson<'a>> {
        match self.deed.is_of_person {
            true => self.actor.as_ref(),
            false => self.user.as_ref().or(self.actor.as_ref()),
        }
    }

    /// When it happened.
    pub fn time(&self) -> Timestamp {
        self.mark.time
    }

    /// The event that [`DetectionEvent::store`] wrote.
    ///
    /// # Errors
    /// The bytes are those of no event, or of another version.
    pub fn of_bytes(bytes: &'a [u8]) -> Result<DetectionEvent<'a>, DamagedEvent> {
        Ok(postcard::from_bytes(bytes)?)
    }

    /// The same in few bytes.
    pub fn store(&self) -> StoredEvent {
        // No event is known that cannot be written. One would be found when it is read: not lost.
        let bytes = postcard::to_extend(self, Vec::with_capacity(TYPICAL_SIZE)).unwrap_or_default();
        // As the mark has it in the bytes, also in a leap second.
        let time = Timestamp::from_timestamp_micros(self.mark.time.timestamp_micros());
        let time = time.unwrap_or(self.mark.time);
        // A copy that is just as long.
        StoredEvent { time, bytes: Bytes::copy_from_slice(&bytes) }
    }
}

impl EventDeed {
    fn of(
        action: &str,
        category: Option<Category>,
        outcome: Option<Outcome>,
        actor: Option<&ActorFacts<'_>>,
    ) -> EventDeed {
        let has = |words: &[&str]| words.iter().any(|word| action.contains(word));
        let kind = actor.and_then(|actor| actor.kind.as_deref());
        let is_of_person = actor.is_some() && !matches!(kind, Some("app" | "system" | "anonymous"));
        let auth_kind = actor.and_then(|actor| actor.auth.as_deref());
        let is_authentication = category == Some(Category::Authentication);
        let is_impersonation = has(&IMPERSONATION_WORDS);
        let login = match outcome {
            _ if !is_authentication || is_impersonation || !has(&LOGIN_WORDS) => None,
            Some(Outcome::Success) => Some(LoginResult::Success),
            Some(Outcome::Failure) => Some(LoginResult::Failure),
            Some(Outcome::Unknown) | None => None,
        };
        let failed = outcome == Some(Outcome::Failure);
        let is_export = category == Some(Category::DataExport);
        let logs_in = login == Some(LoginResult::Success);
        EventDeed {
            login,
            is_interactive: is_of_person && !failed && (logs_in || auth_kind == Some("session")),
            is_of_person,
            is_anonymous: kind == Some("anonymous"),
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

/// Bytes that are read from a file: in one piece, only as many as fit the reader's buffer could be.
fn in_pieces<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    Vec::<u8>::deserialize(deserializer).map(Bytes::from)
}

/// An optional text, which serde copies unless it is made to borrow it.
fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);
    let text = Option::<BorrowedText<'_>>::deserialize(deserializer)?;
    Ok(text.map(|BorrowedText(text)| text))
}
