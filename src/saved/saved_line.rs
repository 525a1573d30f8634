//! Recognises what a saved line is: a normalized event, which names the source of its record, or a
//! raw record, which does not.

use std::rc::Rc;

use crate::config::request::RawLines;
use crate::model::event::SCHEMA;
use crate::model::json::{Document, Node};
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::source_kind::{GatewayUse, RecordShape, SourceAddress};
use crate::model::text::printable;
use crate::model::time::{Timestamp, parse_api_time};
use crate::normalise::RecordOrigin;
use crate::normalise::taxonomy::Taxonomy;
use crate::source;

/// Recognises lines.
#[derive(Debug)]
pub struct SavedLineReader {
    /// The type of raw lines, where the user says it.
    kind: Option<SourceKind>,
    /// The origins of raw lines, one for each type; their sites may be missing.
    origins: [Rc<RecordOrigin>; SourceKind::ALL.len()],
    /// The `source` of the last normalized line, as text and read: most lines repeat it.
    last: (String, Rc<RecordOrigin>),
    taxonomy: Taxonomy,
}

/// A saved record, and what was saved beside it.
#[derive(Debug)]
pub struct SavedRecord {
    /// The source's object.
    pub record: Record,
    /// Where it comes from.
    pub origin: Rc<RecordOrigin>,
    /// The id and the time of receipt that it had as an event: an id cannot always be derived from
    /// the record, and that time never.
    pub event: Option<(String, Timestamp)>,
}

/// Why a line of JSON is no event and no record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableLine {
    /// Another version's event, or no event at all.
    #[error("its schema is `{0}`, and this version reads `{SCHEMA}`")]
    UnsupportedSchema(String),
    /// A normalized event without a part that each has.
    #[error("it is a normalized event without a readable `{0}`")]
    MissingField(&'static str),
    /// Its source is of a type that this version does not know.
    #[error("its source is of type `{0}`, which this version does not know")]
    UnknownType(String),
    /// Neither its shape nor the user says what it is.
    #[error("it is neither a normalized event nor a record of a known shape")]
    UnknownShape,
    /// A line in a format that does not contain the whole record.
    #[error("it is an event as `{0}`, from which no other form can be made")]
    RenderedFormat(&'static str),
    /// Its shape says otherwise than the user.
    #[error("it has the shape of a record of type `{shape}`, and is said to be `{said}`")]
    TypeMismatch {
        /// What it looks like.
        shape: SourceKind,
        /// What the user says.
        said: SourceKind,
    },
}

impl SavedLineReader {
    /// A reader of raw lines of which the user says this. Their actions mean what `taxonomy` says.
    pub fn new(raw: &RawLines, taxonomy: Taxonomy) -> SavedLineReader {
        let origins = SourceKind::ALL.map(|kind| {
            let is_org = kind.address() == SourceAddress::Organization;
            let name = raw.name.as_ref().map_or_else(|| kind.as_str(), |name| name.as_str());
            Rc::new(RecordOrigin {
                org_id: raw.org_id.clone().filter(|_| is_org),
                site: raw.site.clone().filter(|_| !is_org),
                workspace: raw.workspace.clone().filter(|_| is_workspace(kind)),
                taxonomy: taxonomy.clone(),
                ..RecordOrigin::named(name, kind)
            })
        });
        let [first, ..] = &origins;
        let last = (String::new(), first.clone());
        SavedLineReader { kind: raw.kind, last, origins, taxonomy }
    }

    /// What the line that says `doc` is.
    ///
    /// # Errors
    /// It is nothing that can be rendered again.
    pub fn read(&mut self, doc: Document) -> Result<SavedRecord, UnusableLine> {
        match SavedLineReader::is_normalized(&doc)? {
            true => self.read_event(&doc),
            false => self.read_raw(doc),
        }
    }

    /// Whether the line that says `doc` is a normalized event.
    ///
    /// # Errors
    /// It is one of another version.
    pub fn is_normalized(doc: &Document) -> Result<bool, UnusableLine> {
        let schema = doc.root().get("schema").and_then(Node::text);
        match schema.filter(|schema| schema.starts_with("atlaudit/")) {
            None => Ok(false),
            Some(schema) if schema == SCHEMA => Ok(true),
            Some(schema) => Err(UnusableLine::UnsupportedSchema(printable(&schema))),
        }
    }

    fn read_raw(&self, doc: Document) -> Result<SavedRecord, UnusableLine> {
        let kind = match (detect_kind(doc.root()), self.kind) {
            (Some(shape), Some(said)) if shape_of(shape) != shape_of(said) => {
                return Err(UnusableLine::TypeMismatch { shape, said });
            }
            (None, said) if said.is_none() || is_rendered(doc.root()) => {
                return Err(classify_unknown(doc.root()));
            }
            // Whatever a source sent is its record, also what has no shape at all.
            (shape, said) => said.or(shape).ok_or(UnusableLine::UnknownShape)?,
        };
        let origin = self.origins.iter().find(|origin| origin.kind == kind);
        Ok(SavedRecord {
            record: source::record_of(kind, doc),
            origin: Rc::clone(origin.ok_or(UnusableLine::UnknownShape)?),
            event: None,
        })
    }

    fn read_event(&mut self, doc: &Document) -> Result<SavedRecord, UnusableLine> {
        let root = doc.root();
        let id = root.text_of("id").ok_or(UnusableLine::MissingField("id"))?.into_owned();
        let observed = root
            .text_of("observed_time")
            .and_then(|text| parse_api_time(&text))
            .ok_or(UnusableLine::MissingField("observed_time"))?;
        let raw = doc.part(last_value(root, "raw").ok_or(UnusableLine::MissingField("raw"))?);
        let source = root.get("source").ok_or(UnusableLine::MissingField("source"))?;
        if self.last.0 != source.raw() {
            self.last = (source.raw().to_owned(), Rc::new(read_origin(source, &self.taxonomy)?));
        }
        let origin = Rc::clone(&self.last.1);
        Ok(SavedRecord {
            record: source::record_of(origin.kind, raw),
            origin,
            event: Some((id, observed)),
        })
    }
}

fn shape_of(kind: SourceKind) -> RecordShape {
    kind.descriptor().shape
}

fn is_workspace(kind: SourceKind) -> bool {
    kind.descriptor().gateway == GatewayUse::Workspace
}

/// What a line of no known shape may be.
fn classify_unknown(line: Node<'_>) -> UnusableLine {
    match line.fields(["ecs", "class_uid", "metadata"]) {
        [Some(_), ..] => UnusableLine::RenderedFormat("ecs"),
        [_, Some(_), Some(_)] => UnusableLine::RenderedFormat("ocsf"),
        _ => UnusableLine::UnknownShape,
    }
}

/// Whether a line is an event that was written in another format, whatever the user says.
fn is_rendered(line: Node<'_>) -> bool {
    matches!(classify_unknown(line), UnusableLine::RenderedFormat(_))
}

/// The kind whose shape the record has; of several, the most specific one.
fn detect_kind(record: Node<'_>) -> Option<SourceKind> {
    let has_one = |wanted: &[&str]| {
        let mut keys = record.entries().filter(|(_, value)| !value.is_null());
        keys.any(|(key, _)| wanted.iter().any(|wanted| key.is(wanted)))
    };
    let find = |fits: &dyn Fn(RecordShape) -> bool| {
        SourceKind::ALL.into_iter().find(|kind| fits(kind.descriptor().shape))
    };
    let has_object = |shape| match shape {
        RecordShape::Object(key) => record.get(key).is_some_and(Node::is_object),
        _ => false,
    };
    let has_own_key = |shape| matches!(shape, RecordShape::OwnKeys(keys) if has_one(keys));
    let has_shared_key = |shape| matches!(shape, RecordShape::SharedKeys(keys) if has_one(keys));
    find(&has_object).or_else(|| find(&has_own_key)).or_else(|| find(&has_shared_key))
}

/// The value of `key`, also where it is null: so is the record of a source that sent null.
fn last_value<'a>(object: Node<'a>, key: &str) -> Option<Node<'a>> {
    let named = |(name, value): (Node<'a>, Node<'a>)| (name.text()? == key).then_some(value);
    object.entries().filter_map(named).last()
}

fn read_origin(source: Node<'_>, taxonomy: &Taxonomy) -> Result<RecordOrigin, UnusableLine> {
    let text = |key| source.text_of(key).map(|text| text.into_owned());
    let kind = text("type").ok_or(UnusableLine::MissingField("source.type"))?;
    Ok(RecordOrigin {
        name: text("name").ok_or(UnusableLine::MissingField("source.name"))?,
        kind: kind.parse().map_err(|_| UnusableLine::UnknownType(printable(&kind)))?,
        org_id: text("org_id"),
        site: text("site"),
        workspace: text("workspace").and_then(|ari| ari.parse().ok()),
        reader: None,
        taxonomy: taxonomy.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(line: &str) -> Document {
        Document::new(bytes::Bytes::copy_from_slice(line.as_bytes()))
    }

    const EVENT: &str = concat!(
        r#"{"schema":"atlaudit/1","id":"org:1~ab","source":{"name":"acme","type":"org-events","#,
        r#""org_id":"o"},"observed_time":"2026-11-21T00:00:00.000Z","raw":RAW}"#
    );

    fn reader(kind: Option<SourceKind>) -> SavedLineReader {
        SavedLineReader::new(
            &RawLines { kind, org_id: Some("o-1".to_owned()), ..RawLines::default() },
            Taxonomy::default(),
        )
    }

    /// The kind, the source's name and the record's text of `line`.
    fn read(
        kind: Option<SourceKind>,
        line: &str,
    ) -> Result<(SourceKind, String, String), UnusableLine> {
        let mut reader = reader(kind);
        let saved = reader.read(doc(line))?;
        let text = String::from_utf8(saved.record.doc.text().to_vec()).unwrap();
        Ok((saved.origin.kind, saved.origin.name.clone(), text))
    }

    #[test]
    fn the_type_of_raw_lines_is_detected() {
        for (line, kind) in [
            (r#"{"id":"1","attributes":{}}"#, SourceKind::OrgEvents),
            (r#"{"summary":"User created"}"#, SourceKind::JiraAudit),
            (r#"{"id":1,"created":"2026"}"#, SourceKind::JiraAudit),
            (r#"{"objectItem":{}}"#, SourceKind::JiraAudit),
        ] {
            let saved = read(None, line).unwrap();
            assert_eq!(saved, (kind, kind.as_str().to_owned(), line.to_owned()));
        }
        for line in ["{}", "null", "7", "[{}]", r#"{"attributes":[]}"#, r#"{"schema":"x"}"#] {
            assert_eq!(read(None, line), Err(UnusableLine::UnknownShape), "{line}");
        }
    }

    #[test]
    fn the_user_sets_the_type_but_cannot_contradict_the_shape() {
        let said = Some(SourceKind::OrgEvents);
        for line in ["{}", "null", r#"{"id":1}"#] {
            assert_eq!(read(said, line).unwrap().0, SourceKind::OrgEvents);
        }
        assert!(matches!(read(said, r#"{"summary":"x"}"#), Err(UnusableLine::TypeMismatch { .. })));
    }

    #[test]
    fn an_event_contains_its_origin() {
        for raw in [r#"{"summary":"any"}"#, "null", r#"{"raw":1}"#] {
            let line = EVENT.replace("RAW", raw);
            for said in [None, Some(SourceKind::JiraAudit)] {
                let (kind, name, text) = read(said, &line).unwrap();
                assert_eq!(kind, SourceKind::OrgEvents);
                assert_eq!((name.as_str(), text.as_str()), ("acme", raw));
            }
        }
        let mut reader = reader(None);
        let saved = reader.read(doc(&EVENT.replace("RAW", "{}"))).unwrap();
        let (id, observed) = saved.event.unwrap();
        assert_eq!(id, "org:1~ab");
        assert_eq!(parse_api_time("2026-11-21T00:00:00Z"), Some(observed));
    }

    #[test]
    fn alternating_sources_are_distinguished() {
        let mut reader = reader(None);
        for name in ["acme", "acme", "other", "acme"] {
            let line = EVENT.replace("RAW", "{}").replace("acme", name);
            assert_eq!(reader.read(doc(&line)).unwrap().origin.name, name);
        }
    }

    #[test]
    fn an_incomplete_event_is_rejected() {
        let whole = EVENT.replace("RAW", "{}");
        for (part, without, why) in [
            (r#""id":"org:1~ab","#, "", UnusableLine::MissingField("id")),
            (r#","raw":{}"#, "", UnusableLine::MissingField("raw")),
            (r#""name":"acme","#, "", UnusableLine::MissingField("source.name")),
            (r#""type":"org-events","#, "", UnusableLine::MissingField("source.type")),
            ("2026-11", "yesterday", UnusableLine::MissingField("observed_time")),
            ("org-events", "dc-audit", UnusableLine::UnknownType("dc-audit".to_owned())),
            ("atlaudit/1", "atlaudit/2", UnusableLine::UnsupportedSchema("atlaudit/2".to_owned())),
        ] {
            let line = whole.replace(part, without);
            assert_ne!(line, whole);
            assert_eq!(read(None, &line), Err(why), "{line}");
        }
    }
}
