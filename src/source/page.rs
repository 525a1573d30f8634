//! A page of records: where it lies, how a body is split into its records, and the ids of records
//! that have none of their own.

use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use url::Url;

use crate::http::envelope;
use crate::http::message::Response;
use crate::http::message::UnreadableBody;
use crate::model::json::{Document, Node};
use crate::model::record::{Fingerprint, Record};
use crate::model::time::{Timestamp, Window};
use crate::source::api_reading::ApiReading;

/// What is particular to the requests and pages of one API.
pub(super) struct ApiFormat {
    /// The path of its records; `{owner}` stands for the organization or workspace.
    pub path: &'static str,
    /// What a page holds, for messages.
    pub name: &'static str,
    /// The key of the list of records in a page.
    pub list: &'static str,
    /// Adds the query of the request for a page.
    pub add_query: fn(&mut Url, &PageQuery<'_>),
    /// The next page after a page of so many records at a place.
    pub next: fn(&PageLocator, u64, &PageBody) -> Result<Option<PageLocator>, UnreadableBody>,
    /// The record that a document holds.
    pub record: fn(Document) -> Record,
    /// Whether it is documented how it is asked, sorts and ends. If not, other readings are tried,
    /// and no order and no end is believed.
    pub is_documented: bool,
    /// Whether there are event queries beside it.
    pub has_queries: bool,
    /// Whether there is a list of actions beside it.
    pub has_event_actions: bool,
}

/// What a request asks for.
pub(super) struct PageQuery<'a> {
    /// The time range.
    pub window: &'a Window,
    /// Where the page lies in it.
    pub place: &'a PageLocator,
    /// The most records that the page may hold.
    pub page_size: u32,
    /// How the API is to be asked.
    pub reading: ApiReading,
    /// Whether it is a page of the results of an event query, which knows the time range.
    pub is_query: bool,
}

/// Where in a window a page lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageLocator {
    /// The first page.
    Start,
    /// Behind a cursor of the server's.
    Cursor(String),
    /// So many records after the first.
    Offset(u64),
    /// After a cursor of the server's, which lies so many records after the first.
    CountedCursor {
        /// The cursor.
        cursor: String,
        /// The records before it.
        records: u64,
    },
    /// After a cursor of the server's, with the offset that the server named beside it.
    CursorOffset {
        /// The cursor.
        cursor: String,
        /// The offset, whatever the server counts it from.
        offset: u64,
    },
}

impl PageLocator {
    /// The server's cursor, where it has one.
    pub fn cursor(&self) -> Option<&str> {
        match self {
            PageLocator::Cursor(cursor)
            | PageLocator::CountedCursor { cursor, .. }
            | PageLocator::CursorOffset { cursor, .. } => Some(cursor),
            PageLocator::Start | PageLocator::Offset(_) => None,
        }
    }

    /// How many records lie before it, as far as they were counted.
    pub(super) fn records_before(&self) -> u64 {
        match self {
            PageLocator::Offset(records) | PageLocator::CountedCursor { records, .. } => *records,
            PageLocator::Start | PageLocator::Cursor(_) | PageLocator::CursorOffset { .. } => 0,
        }
    }
}

/// What a response says.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records, in the order of the response.
    pub records: Vec<Record>,
    /// The next page that the response names; `None` on the last page.
    pub next: Option<PageLocator>,
    /// Whether the response held bytes that are not valid UTF-8, now replaced with U+FFFD.
    pub has_replaced_bytes: bool,
}

/// Records that one answer may hold: ten times the largest page.
const MAX_RECORDS: usize = 10_000;

/// The body of an answer that is a page: an object with a list of records.
pub struct PageBody {
    page: Document,
    list: &'static str,
    /// Whether it held bytes that are not valid UTF-8: they cannot stand in a line of JSON, and one
    /// of them must not make a page unreadable, so U+FFFD takes their place.
    pub has_replaced_bytes: bool,
}

impl PageBody {
    /// The page of `api` that `response` holds; its records are the list at the key `list`.
    ///
    /// # Errors
    /// It is none: an error of the server's stands in it, whether or not records stand beside it;
    /// it is not an object, has no such list or two of them, too many records, or bytes that are
    /// not valid UTF-8 outside of them (a torn `meta` would pass for the end).
    pub fn of(
        api: &str,
        list: &'static str,
        response: &Response,
    ) -> Result<PageBody, UnreadableBody> {
        let not_a_page = |why: &dyn fmt::Display| {
            UnreadableBody::new(&format!("the response is not a page of {api}: {why}"))
        };
        let (text, has_replaced_bytes) = text_of(&response.body);
        let page = Document::parse(text).map_err(|error| not_a_page(&error))?;
        let body = PageBody { page, list, has_replaced_bytes };
        if let Some(error) = body.server_error() {
            return Err(error);
        }
        match body.find_defect() {
            None => Ok(body),
            Some(why) => Err(not_a_page(&why)),
        }
    }

    fn server_error(&self) -> Option<UnreadableBody> {
        let members = self.page.root().entries().filter_map(|(key, value)| {
            let name = envelope::MEMBERS.into_iter().find(|name| key.is(name))?;
            Some((name, value.raw()))
        });
        envelope::find_error(members)
    }

    fn find_defect(&self) -> Option<String> {
        let root = self.page.root();
        if !root.is_object() {
            return Some("not an object".to_owned());
        }
        let lists = root.entries().filter(|(key, _)| key.is(self.list)).count();
        let records = root.get(self.list).filter(|list| list.is_array());
        let records = match (lists, records) {
            (1, Some(list)) => list.items().take(MAX_RECORDS + 1).count(),
            (0 | 1, _) => return Some(format!("no list `{}`", self.list)),
            (_, _) => return Some(format!("more than one `{}`", self.list)),
        };
        if records > MAX_RECORDS {
            return Some(format!("more than {MAX_RECORDS} records in one response"));
        }
        if self.has_replaced_bytes && !self.has_replacements_only_in_records() {
            return Some("it is not valid UTF-8 outside of its records".to_owned());
        }
        None
    }

    fn has_replacements_only_in_records(&self) -> bool {
        let marks = |node: Node<'_>| node.raw().matches(char::REPLACEMENT_CHARACTER).count();
        let inside: usize = self.record_nodes().map(marks).sum();
        marks(self.page.root()) == inside
    }

    /// The records, in the order of the answer.
    pub fn records(&self) -> impl Iterator<Item = Document> {
        self.record_nodes().map(|node| self.page.part(node))
    }

    /// The value beside the list of records at `key`; `None` if that is null.
    ///
    /// # Errors
    /// There are two of them, and which one counts is not known.
    pub fn beside(&self, key: &str) -> Result<Option<Node<'_>>, UnreadableBody> {
        let root = self.page.root();
        match root.entries().filter(|(name, _)| name.is(key)).count() {
            0 | 1 => Ok(root.get(key)),
            _ => Err(UnreadableBody::new(&format!("the response has more than one `{key}`"))),
        }
    }

    fn record_nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let list = self.page.root().get(self.list);
        list.into_iter().flat_map(Node::items)
    }
}

/// The body without the byte order mark that some proxies put before it, and whether it was mended.
pub(super) fn text_of(body: &Bytes) -> (ByteString, bool) {
    let body = match body.starts_with(b"\xef\xbb\xbf") {
        true => body.slice(3..),
        false => body.clone(),
    };
    match ByteString::try_from(body.clone()) {
        Ok(text) => (text, false),
        Err(_) => (String::from_utf8_lossy(&body).into_owned().into(), true),
    }
}

/// `base` with `path` (which starts with `/`) after it, whatever slash `base` ends with.
pub(super) fn endpoint_url(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}{path}"));
    url
}

/// The id of a record by its content, whatever the order of its keys: 32 hex digits.
pub fn content_id(doc: &Document) -> String {
    Fingerprint::of(&doc.canonical()).to_string()
}

/// Numbers equal records of one instant: the first keeps its id, the next ones get `.2`, `.3` and
/// so on behind it. Reading the whole instant again gives the same numbers.
#[derive(Debug, Default)]
pub struct DuplicateNumbering {
    current_time: Option<Timestamp>,
    counts: HashMap<String, u32>,
    /// Of records that do not say when they were.
    counts_without_time: HashMap<String, u32>,
}

impl DuplicateNumbering {
    /// Numbers the next record; those of one instant must come one after the other.
    pub fn number_duplicate(&mut self, record: &mut Record) {
        let counts = match record.time {
            None => &mut self.counts_without_time,
            Some(_) => {
                if self.current_time != record.time {
                    self.counts.clear();
                    self.current_time = record.time;
                }
                &mut self.counts
            }
        };
        let Some(id) = &mut record.id else { return };
        let count = counts.entry(id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            id.push_str(&format!(".{count}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, ms: i64) -> Record {
        let doc = Document::new(Bytes::copy_from_slice(text.as_bytes()));
        let time = Timestamp::from_timestamp_millis(ms);
        Record { id: Some(content_id(&doc)), time, position: time, doc }
    }

    #[test]
    fn equal_records_of_one_instant_are_numbered() {
        let mut records = [
            record(r#"{"a":1,"b":[{"x":1,"y":2}]}"#, 1),
            record(r#"{"b":[{"y":2,"x":1}],"a":1}"#, 1),
            record(r#"{"a":2}"#, 1),
            record(r#"{"a":1,"b":[{"x":1,"y":2}]}"#, 1),
            record(r#"{"a":2}"#, 2),
        ];
        let mut numbering = DuplicateNumbering::default();
        for record in &mut records {
            numbering.number_duplicate(record);
        }
        let [first, second, other, third, later] = records.map(|record| record.id.unwrap());
        assert_eq!(second, format!("{first}.2"));
        assert_eq!(third, format!("{first}.3"));
        assert_eq!(first.len(), 32);
        assert_eq!(later, other);
    }
}
