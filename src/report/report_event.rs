//! What the page takes from an event: every part may be missing, or be something else.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use maud::{Markup, html};

use super::text::{
    EntityLabel, TableColumn, TruncatedText, or_dash, table_row, text, time as time_text,
};
use crate::model::json::{Document, Node};
use crate::model::meaning::{Category, Outcome};
use crate::model::text::group_digits;
use crate::model::time::{Timestamp, parse_api_time};

/// The categories whose events are administrative changes, in the order of the page, and what such
/// changes are of.
pub const ADMINISTRATIVE: [(Category, &str); 8] = [
    (Category::Account, "Accounts"),
    (Category::Group, "Groups"),
    (Category::Permission, "Permissions"),
    (Category::Token, "Tokens"),
    (Category::App, "Apps"),
    (Category::Policy, "Policies"),
    (Category::Configuration, "Configuration"),
    (Category::DataExport, "Data exports"),
];

/// The columns of a table of events.
pub const EVENT_COLUMNS: [TableColumn; 7] = [
    ("Time (UTC)", "t"),
    ("Actor", "d"),
    ("Action", "d"),
    ("Target", "d"),
    ("Address", "d a"),
    ("Outcome", "o"),
    ("Message", "d m"),
];

/// The source that events are of.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportSource<'a> {
    /// Which of the sources, from 0.
    pub index: usize,
    /// Its name, where there are several.
    pub label: Option<&'a str>,
    /// Keeps the actors of servers apart that number their users for themselves.
    pub realm: Option<&'a str>,
}

/// A value of an event.
#[derive(Debug, Clone)]
pub struct CountedValue {
    /// What it is counted by.
    pub key: TruncatedText,
    /// How it is shown.
    pub label: EntityLabel,
}

impl CountedValue {
    /// A value that is its own label.
    pub fn plain(text: TruncatedText) -> CountedValue {
        let label = EntityLabel { name: text.clone(), note: None, has_name: true };
        CountedValue { key: text, label }
    }
}

/// The event of a line.
pub struct ReportEvent {
    doc: Document,
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
        let outcome = self.doc.root().get("outcome");
        let is = |known: &Outcome| outcome.is_some_and(|outcome| outcome.is(known.as_str()));
        [Outcome::Success, Outcome::Failure].into_iter().find(is).unwrap_or(Outcome::Unknown)
    }

    /// Which of [`ADMINISTRATIVE`] it is of.
    pub fn administrative_category(&self) -> Option<usize> {
        let category = self.doc.root().get("category")?;
        ADMINISTRATIVE.iter().position(|(known, _)| category.is(known.as_str()))
    }

    /// What was done.
    pub fn action(&self) -> Option<TruncatedText> {
        self.doc.root().scalar_of("action").map(|text| TruncatedText::name(&text))
    }

    /// The `country` or the `ip` that it came from.
    pub fn client(&self, key: &str) -> Option<TruncatedText> {
        let client = self.doc.root().get("client")?;
        client.scalar_of(key).map(|text| TruncatedText::name(&text))
    }

    /// Who did it, in this realm.
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

    /// Its row in a table of events.
    pub fn row(&self, source: ReportSource<'_>) -> Markup {
        let root = self.doc.root();
        let mut targets = root.get("targets").into_iter().flat_map(Node::items);
        let target = targets.next().and_then(|target| {
            let [kind, id, name, email] = scalars(target, ["type", "id", "name", "email"]);
            entity_label([&name, &email, &id, &kind], [&kind])
        });
        let more_targets = targets.count() as u64;
        let outcome = self.outcome();
        let message = root.scalar_of("message").map(|text| TruncatedText::sentence(&text));
        let cells = [
            or_dash(self.time().map(time_text)),
            or_dash(self.actor(None).map(|actor| actor.label)),
            html! {
                (or_dash(self.action().map(|action| action.with_breaks())))
                @if let Some(label) = source.label { small class="note" { (text(label)) } }
            },
            html! {
                (or_dash(target))
                @if more_targets > 0 {
                    small class="note" { "and " (group_digits(more_targets)) " more" }
                }
            },
            or_dash(self.client("ip")),
            or_dash((outcome != Outcome::Unknown).then(|| outcome.as_str())),
            or_dash(message),
        ];
        let class = (outcome == Outcome::Failure).then_some("failed");
        table_row(class, &EVENT_COLUMNS, &cells)
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
            assert_eq!((seen.time(), seen.outcome()), (None, Outcome::Unknown), "{line}");
            assert!(seen.actor(None).is_none() && seen.client("ip").is_none());
            assert_eq!(seen.administrative_category(), None);
            let dashes = seen.row(ReportSource::default()).into_string().matches('–').count();
            assert_eq!(dashes, EVENT_COLUMNS.len(), "{line}");
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
