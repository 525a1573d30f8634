//! Splits the body of a response into its records, in order and without a copy.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use crate::http::envelope;
use crate::http::error::UnreadableBody;
use crate::http::message::Response;
use crate::model::json::{Document, Node};

/// Records that one answer may hold: ten times the largest page.
const MAX_RECORDS: usize = 10_000;

/// The body of an answer that is a page: an object with a list of records.
pub struct PageBody {
    page: Document,
    list: &'static str,
    /// Whether it held bytes that are no UTF-8: they cannot stand in a line of JSON, and one of them
    /// must not make a page unreadable, so U+FFFD takes their place.
    pub is_mended: bool,
}

impl PageBody {
    /// The page of `api` that `response` holds; its records are the list at the key `list`.
    ///
    /// # Errors
    /// It is none: an error of the server's stands in it, whether or not records stand beside it; it is not an object,
    /// has no such list or two of them, too many records, or bytes that are no UTF-8 outside of them (a torn `meta` would
    /// pass for the end).
    pub fn of(
        api: &str,
        list: &'static str,
        response: &Response,
    ) -> Result<PageBody, UnreadableBody> {
        let not_a_page = |why: &dyn fmt::Display| {
            UnreadableBody::new(&format!("the response is not a page of {api}: {why}"))
        };
        let (text, is_mended) = text_of(&response.body);
        let page = Document::parse(text).map_err(|error| not_a_page(&error))?;
        let body = PageBody { page, list, is_mended };
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
        if self.is_mended && !self.has_replacements_only_in_records() {
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

    /// What stands beside the list of records at `key`; nothing where that is null.
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
