//! What the page takes from an event: every part may be missing, or be something else.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

use super::frequency::CountedValue;
use super::text::{EntityLabel, TruncatedText};
use crate::model::json::{Document, Node};
use crate::model::meaning::{Category, Outcome};
use crate::model::time::{Timestamp, parse_api_time};

/// The categories whose events are administrative changes, in the order of the page.
pub const ADMINISTRATIVE: [Category; 8] = [
    Category::Account,
    Category::Group,
    Category::Permission,
    Category::Token,
    Category::App,
    Category::Policy,
    Category::Configuration,
    Category::DataExport,
];

/// The event of a line.
pub struct ReportEvent {
    doc: Document,
}

/// A line of a table of events.
#[derive(Debug)]
pub struct EventRow {
    /// When.
    pub time: Option<Timestamp>,
    /// Which of the sources, from 0.
    pub source: usize,
    /// Who.
    pub actor: Option<EntityLabel>,
    /// What.
    pub action: Option<TruncatedText>,
    /// To what.
    pub target: Option<EntityLabel>,
    /// Further targets.
    pub more_targets: u64,
    /// From where.
    pub address: Option<TruncatedText>,
    /// How it ended.
    pub outcome: Outcome,
    /// In words.
    pub message: Option<TruncatedText>,
}

impl ReportEvent {
    /// The event that `line` holds, if it holds an object.
    pub fn read(line: Bytes) -> Option<ReportEvent> {
        let text = ByteString::try_from(line).ok()?;
        let doc = Document::parse(text).ok()?;
        doc.root().is_object().then_some(ReportEvent { doc })
    }

    /// When it happened.
    pub fn time(&self) -> Option<Timestamp> {
        parse_api_time(&self.doc.root().text_of("time")?)
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        let text = self.doc.root().text_of("outcome");
        let known = [Outcome::Success, Outcome::Failure];
        let found = known.into_iter().find(|known| text.as_deref() == Some(known.as_str()));
        found.unwrap_or(Outcome::Unknown)
    }

    /// Which of [`ADMINISTRATIVE`] it is of.
    pub fn administrative_category(&self) -> Option<usize> {
        let text = self.doc.root().text_of("category")?;
        ADMINISTRATIVE.iter().position(|category| *text == *category.as_str())
    }

    /// What was done.
    pub fn action(&self) -> Option<TruncatedText> {
        self.name(&["action"])
    }

    /// From which country.
    pub fn country(&self) -> Option<TruncatedText> {
        self.name(&["client", "country"])
    }

    /// From which address.
    pub fn address(&self) -> Option<TruncatedText> {
        self.name(&["client", "ip"])
    }

    /// Who did it. `realm` keeps the ids of servers apart that number their users for themselves.
    pub fn actor(&self, realm: Option<&str>) -> Option<CountedValue> {
        let actor = self.doc.root().get("actor")?;
        let [id, name, email, kind] = scalars(actor, ["id", "name", "email", "type"]);
        let label = entity_label([&name, &email, &id, &kind], [&email, &id])?;
        let own = [&id, &email, &name, &kind].into_iter().flatten().next()?;
        let key = match realm {
            None => TruncatedText::name(own),
            Some(realm) => TruncatedText::name(&[realm, "\n", own].concat()),
        };
        Some(CountedValue { key, label })
    }

    /// Its line in a table.
    pub fn row(&self, source: usize) -> EventRow {
        let root = self.doc.root();
        let mut targets = root.get("targets").into_iter().flat_map(Node::items);
        let target = targets.next().and_then(|target| {
            let [kind, id, name, email] = scalars(target, ["type", "id", "name", "email"]);
            entity_label([&name, &email, &id, &kind], [&kind])
        });
        EventRow {
            time: self.time(),
            source,
            actor: self.actor(None).map(|actor| actor.label),
            action: self.action(),
            target,
            more_targets: targets.count() as u64,
            address: self.address(),
            outcome: self.outcome(),
            message: root.scalar_of("message").map(|text| TruncatedText::sentence(&text)),
        }
    }

    fn name(&self, path: &[&str]) -> Option<TruncatedText> {
        let mut node = self.doc.root();
        for key in path {
            node = node.get(key)?;
        }
        Some(TruncatedText::name(&node.scalar()?))
    }
}

fn scalars<'a, const N: usize>(node: Node<'a>, keys: [&str; N]) -> [Option<Cow<'a, str>>; N] {
    node.fields(keys).map(|value| value?.scalar())
}

/// The first of `names` that is known, and the first of `notes` that says more.
fn entity_label<const M: usize>(
    names: [&Option<Cow<'_, str>>; 4],
    notes: [&Option<Cow<'_, str>>; M],
) -> Option<EntityLabel> {
    let name = names.into_iter().flatten().next()?;
    let note = notes.into_iter().flatten().find(|note| *note != name);
    Some(EntityLabel {
        name: TruncatedText::name(name),
        note: note.map(|note| TruncatedText::name(note)),
        has_name: names.first().is_some_and(|first| first.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_object_is_an_event() {
        for line in [
            "{}",
            r#"{"time":1,"action":null,"actor":[],"targets":{},"client":"x","outcome":{}}"#,
            r#"{"category":7}"#,
            r#"{"time":"soon","actor":{"id":{},"name":null},"targets":[null,1,{}]}"#,
            r#"{"client":{"ip":[]}}"#,
        ] {
            let seen = ReportEvent::read(Bytes::from(line.to_owned())).unwrap();
            let row = seen.row(0);
            assert_eq!((row.time, row.outcome), (None, Outcome::Unknown), "{line}");
            assert!(row.actor.is_none() && row.target.is_none() && row.address.is_none());
            assert_eq!(seen.administrative_category(), None);
        }
        for line in ["", "[]", "null", "{", "{}{}", "\u{feff}{}"] {
            assert!(ReportEvent::read(Bytes::from(line.to_owned())).is_none(), "{line}");
        }
        assert!(ReportEvent::read(Bytes::from_static(b"{\"a\":\"\xff\"}")).is_none());
    }

    #[test]
    fn an_actor_is_identified_by_its_id() {
        let read = |line: &str| ReportEvent::read(Bytes::from(line.to_owned())).unwrap();
        let actor = |line: &str, realm| read(line).actor(realm).unwrap();
        let mei = actor(r#"{"actor":{"id":7,"name":"Mei"}}"#, None);
        let renamed =
            actor(r#"{"actor":{"id":"7","name":"Mei T.","email":"mei@acme.example"}}"#, None);
        assert_eq!(mei.key, renamed.key);
        assert_eq!(mei.label.note, Some(TruncatedText::name("7")));
        assert_eq!(renamed.label.note, Some(TruncatedText::name("mei@acme.example")));
        let elsewhere = actor(r#"{"actor":{"id":"7"}}"#, Some("dc"));
        assert_ne!(mei.key, elsewhere.key);
        assert_eq!(elsewhere.label.note, None);
    }
}
