//! What detection reads of an event, wherever it stands: in memory while it is pulled, or in a
//! saved line. Both give the same.

use std::borrow::Cow;

use crate::filter;
use crate::model::event::{Event, EventTarget, REMOTE_ADDRESS};
use crate::model::hashing::text_hash;
use crate::model::json::{Document, Node};
use crate::model::meaning::{Category, Outcome};
use crate::model::name::SourceKind;
use crate::model::time::Timestamp;

/// A text of an event.
type FactText<'a> = Cow<'a, str>;

/// What is read of an event.
#[derive(Debug)]
pub struct EventFacts<'a> {
    /// When it happened.
    pub time: Timestamp,
    /// Its id; of a line without one a hash of it.
    pub id: FactText<'a>,
    /// The source's name.
    pub source: FactText<'a>,
    /// The source's type.
    pub kind: Option<SourceKind>,
    /// The source's site.
    pub site: Option<FactText<'a>>,
    /// What was done.
    pub action: FactText<'a>,
    /// The kind of thing that was done.
    pub category: Option<Category>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Who did it.
    pub actor: Option<ActorFacts<'a>>,
    /// What was acted on.
    pub targets: Vec<TargetFacts<'a>>,
    /// What stands in the place of an address.
    pub address: Option<FactText<'a>>,
    /// There is something in the place of an address that is no text, or was not understood.
    pub has_odd_address: bool,
    /// The country's code, or else its name.
    pub country: Option<FactText<'a>>,
    /// The city's name.
    pub city: Option<FactText<'a>>,
}

/// Who acted.
#[derive(Debug)]
pub struct ActorFacts<'a> {
    /// By which names.
    pub names: PersonNames<'a>,
    /// `user`, `app`, `system`, `anonymous`.
    pub kind: Option<FactText<'a>>,
    /// How they proved who they are.
    pub auth: Option<FactText<'a>>,
}

/// What was acted on.
#[derive(Debug)]
pub struct TargetFacts<'a> {
    /// By which names.
    pub names: PersonNames<'a>,
    /// Whether it is a user.
    pub is_user: bool,
}

/// What somebody or something is called.
#[derive(Debug)]
pub struct PersonNames<'a> {
    /// The id.
    pub id: Option<FactText<'a>>,
    /// The name.
    pub name: Option<FactText<'a>>,
    /// The address.
    pub email: Option<FactText<'a>>,
}

fn text_of(node: Option<Node<'_>>) -> Option<FactText<'_>> {
    node.and_then(Node::text)
}

fn scalar_of(node: Option<Node<'_>>) -> Option<FactText<'_>> {
    node.and_then(Node::scalar)
}

impl<'a> EventFacts<'a> {
    /// What is read of a normalized event; nothing where it is not known when it happened.
    pub fn of_line(event: &'a Document) -> Option<EventFacts<'a>> {
        let time = filter::time_of(event)?;
        let [id, source, action, category, outcome, actor, targets, client, labels] =
            event.root().fields([
                "id", "source", "action", "category", "outcome", "actor", "targets", "client",
                "labels",
            ]);
        let [name, kind, site] =
            source.map_or([None; 3], |source| source.fields(["name", "type", "site"]));
        let [ip, code, country, city] = client
            .map_or([None; 4], |client| client.fields(["ip", "country_code", "country", "city"]));
        let unread = labels.and_then(|labels| labels.get(REMOTE_ADDRESS));
        let address = text_of(ip);
        // An event of ours has an id; a line of others is named by its content.
        let line_id =
            || format!("line:{}", text_hash(&[&String::from_utf8_lossy(event.text())])).into();
        Some(EventFacts {
            time,
            id: scalar_of(id).unwrap_or_else(line_id),
            source: scalar_of(name).unwrap_or_default(),
            kind: text_of(kind).and_then(|kind| kind.parse().ok()),
            site: scalar_of(site),
            action: scalar_of(action).unwrap_or_default(),
            category: text_of(category).and_then(|word| Category::from_word(&word)),
            outcome: text_of(outcome).and_then(|word| Outcome::from_word(&word)),
            actor: actor.map(|actor| ActorFacts {
                names: PersonNames::of_node(actor),
                kind: actor.text_of("type"),
                auth: actor.get("auth").and_then(|auth| auth.text_of("type")),
            }),
            targets: targets
                .into_iter()
                .flat_map(Node::items)
                .map(|target| TargetFacts {
                    names: PersonNames::of_node(target),
                    is_user: target.get("type").is_some_and(|kind| kind.is("user")),
                })
                .collect(),
            has_odd_address: (address.is_none() && ip.is_some()) || unread.is_some(),
            address,
            country: text_of(code.or(country)),
            city: text_of(city),
        })
    }

    /// The same of an event that is pulled.
    pub fn of_event(event: &'a Event<'_>) -> Option<EventFacts<'a>> {
        let actor = &event.actor;
        let names = PersonNames::new(&actor.id, &actor.name, &actor.email);
        let is_known = actor.kind.is_some()
            || names.is_any()
            || actor.auth != Default::default()
            || actor.on_behalf_of != Default::default();
        let client = &event.client;
        let code = client.country_code.map(Cow::Borrowed);
        Some(EventFacts {
            // As precise as in a line.
            time: chrono::SubsecRound::trunc_subsecs(event.time?, 3),
            id: Cow::Borrowed(&event.id),
            source: Cow::Borrowed(event.source.name),
            kind: Some(event.source.kind),
            site: event.source.site.map(Cow::Borrowed),
            action: Cow::Borrowed(&event.action),
            category: Some(event.category),
            outcome: Some(event.outcome),
            actor: is_known.then(|| ActorFacts {
                names,
                kind: actor.kind.map(|kind| Cow::Borrowed(kind.as_str())),
                auth: borrowed(&actor.auth.kind),
            }),
            targets: event.targets.iter().map(TargetFacts::of_target).collect(),
            address: borrowed(&client.ip),
            has_odd_address: event.label(REMOTE_ADDRESS).is_some(),
            country: code.or_else(|| borrowed(&client.country)),
            city: borrowed(&client.city),
        })
    }
}

impl<'a> TargetFacts<'a> {
    fn of_target(target: &'a EventTarget<'_>) -> TargetFacts<'a> {
        TargetFacts {
            names: PersonNames::new(&target.id, &target.name, &target.email),
            is_user: target.kind.as_deref() == Some("user"),
        }
    }
}

impl<'a> PersonNames<'a> {
    fn new(
        id: &'a Option<FactText<'_>>,
        name: &'a Option<FactText<'_>>,
        email: &'a Option<FactText<'_>>,
    ) -> PersonNames<'a> {
        PersonNames { id: borrowed(id), name: borrowed(name), email: borrowed(email) }
    }

    fn of_node(node: Node<'a>) -> PersonNames<'a> {
        let [id, name, email] = node.fields(["id", "name", "email"]).map(scalar_of);
        PersonNames { id, name, email }
    }

    fn is_any(&self) -> bool {
        self.id.is_some() || self.name.is_some() || self.email.is_some()
    }
}

fn borrowed<'a>(text: &'a Option<FactText<'_>>) -> Option<FactText<'a>> {
    text.as_deref().map(Cow::Borrowed)
}
