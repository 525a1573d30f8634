//! A server of a source that is read in slices, for tests: it pages in every way that the
//! documentation leaves open.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::tests::{RequestQuery, open};
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::time::format_millis;
use crate::source::{DuplicateNumbering, RecordIdentity, Source, record_of};

/// How a server pages.
#[derive(Debug, Clone, Default)]
pub(super) struct PagingBehavior {
    /// The largest pages that it gives, one request after the other, and again from the first.
    pub(super) page_caps: Vec<usize>,
    /// Requests after which a record arrives.
    pub(super) grows_at: Vec<usize>,
    /// Pages after so many records fail.
    pub(super) fails_from: Option<usize>,
    pub(super) ignores_offset: bool,
    /// Each page but the first begins so many records too early.
    pub(super) overlap: usize,
    /// Confluence: every other page has a link, which holds no count.
    pub(super) has_links: bool,
    /// Data Center: what the offset beside a cursor is counted from.
    pub(super) offset: OffsetFrom,
    /// Data Center: a cursor without an offset is refused.
    pub(super) requires_offset: bool,
    /// Pages after so many records are empty, whatever there is.
    pub(super) empty_from: Option<usize>,
    /// A page after the last record is refused with 404.
    pub(super) refuses_past_end: bool,
    /// The end of a window is not in it.
    pub(super) excludes_end: bool,
    /// Confluence: the page at this offset comes empty, with a link, as if its records were not to
    /// be seen.
    pub(super) hole_at: Option<usize>,
    /// Data Center: no page says that it is the last.
    pub(super) never_last: bool,
    /// Records after the end of a window are in it.
    pub(super) ignores_end: bool,
    /// The oldest records come first.
    pub(super) oldest_first: bool,
    /// Pages overlap by what came, not only by where the second begins.
    pub(super) overlaps_each: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum OffsetFrom {
    /// The server names none.
    #[default]
    Nothing,
    /// The cursor, which lies so many events before the end of the page.
    Cursor(usize),
    /// The newest event; the cursor is ignored beside it.
    Newest,
    /// The newest event, in `nextPageOffset`; the cursor, in `offset`.
    Both,
}

/// A log, and the server that has it.
#[derive(Debug, Clone)]
pub(super) struct PagingServer {
    pub(super) kind: SourceKind,
    /// Milliseconds after the window's start, and which of a few contents; oldest first.
    pub(super) records: Vec<(i64, u32)>,
    pub(super) paging: PagingBehavior,
}

impl PagingServer {
    pub(super) fn source(&self, page_size: u32) -> Source {
        Source::new(self.kind, &"https://site.example".parse().unwrap(), None, page_size)
    }

    fn text(&self, number: usize, (ms, content): (i64, u32)) -> String {
        let at = open(None).from + TimeDelta::milliseconds(ms);
        let (time, epoch) = (format_millis(at), at.timestamp_millis());
        match self.kind {
            SourceKind::ConfluenceAudit => {
                format!(r#"{{"summary":"{content}","creationDate":{epoch}}}"#)
            }
            SourceKind::DatacenterAudit => {
                format!(r#"{{"timestamp":"{time}","method":"{content}"}}"#)
            }
            _ => format!(r#"{{"id":{number},"created":"{time}"}}"#),
        }
    }

    /// The records of `window` at the request of this number, in the order of the server; new ones
    /// have contents of their own.
    fn matching(&self, query: &RequestQuery, request: usize) -> Vec<String> {
        let grown = self.paging.grows_at.iter().filter(|at| **at < request);
        let arrived = grown.enumerate().map(|(n, _)| {
            let newest = self.records.last().map_or(0, |record| record.0);
            (self.records.len() + n, (newest, 1_000 + n as u32))
        });
        let all = self.records.iter().copied().enumerate().chain(arrived);
        let mut bounds = self.bounds(query);
        if self.paging.ignores_end {
            bounds.1 = i64::MAX - 1;
        }
        let mut matching: Vec<_> = all
            .filter(|(_, (ms, _))| {
                bounds.0 <= *ms && *ms < bounds.1 + i64::from(!self.paging.excludes_end)
            })
            .map(|(number, record)| self.text(number, record))
            .collect();
        if !self.paging.oldest_first {
            matching.reverse();
        }
        matching
    }

    /// The first and the last millisecond that is requested.
    fn bounds(&self, query: &RequestQuery) -> (i64, i64) {
        let base = open(None).from.timestamp_millis();
        let (from, to) = match self.kind {
            SourceKind::ConfluenceAudit => {
                let number = |key| i64::try_from(query.number(key)).unwrap();
                (number("startDate"), number("endDate"))
            }
            _ => {
                let time = |key| query.time(key).timestamp_millis();
                (time("from"), time("to"))
            }
        };
        (from - base, to - base)
    }

    /// Where the page begins that is requested; nothing where the request is refused.
    fn start(&self, query: &RequestQuery) -> Option<usize> {
        let number = |key| query.get(key).map(|text| text.parse::<usize>().unwrap());
        match self.kind {
            SourceKind::ConfluenceAudit => {
                let cursor = query.get("cursor").map(|text| text[1..].parse().unwrap());
                cursor.or_else(|| number("start"))
            }
            SourceKind::DatacenterAudit => {
                let (offset, cursor) = (number("offset"), number("pageCursor"));
                let is_refused =
                    cursor.is_some() && offset.is_none() && self.paging.requires_offset;
                let start = match (self.paging.offset, offset, cursor) {
                    (OffsetFrom::Newest, Some(offset), _) => offset,
                    (_, offset, cursor) => cursor.unwrap_or(0) + offset.unwrap_or(0),
                };
                (!is_refused).then_some(start)
            }
            _ => number("offset"),
        }
    }

    /// How many records before `start` the page there begins. An offset counts what came, repeats
    /// included.
    fn overlap(&self, start: usize, limit: usize) -> usize {
        let is_offset = self.kind != SourceKind::DatacenterAudit;
        match self.paging.overlaps_each && is_offset {
            true => self.paging.overlap * (start / limit),
            false => self.paging.overlap,
        }
    }

    pub(super) fn answer(&self, request: usize, query: &RequestQuery) -> (u16, String) {
        let Some(start) = self.start(query) else {
            return (404, r#"{"message":"no such page"}"#.to_owned());
        };
        let start = match self.paging.ignores_offset {
            true => 0,
            false => start.saturating_sub(self.overlap(start, query.number("limit"))),
        };
        if self.paging.fails_from.is_some_and(|from| start >= from) {
            return (500, "{}".to_owned());
        }
        let mut matching = self.matching(query, request);
        if self.paging.refuses_past_end && start > 0 && start >= matching.len() {
            return (404, r#"{"message":"no such page"}"#.to_owned());
        }
        if self.paging.hole_at == Some(start) && query.get("cursor").is_none() {
            let next = format!("/rest/api/audit?cursor=x{start}&limit={}", query.number("limit"));
            return (200, format!(r#"{{"results":[],"_links":{{"next":"{next}"}}}}"#));
        }
        let total = matching.len();
        matching.truncate(self.paging.empty_from.unwrap_or(total));
        let caps = &self.paging.page_caps;
        let cap = match caps.len() {
            0 => usize::MAX,
            count => caps[request % count],
        };
        let page: Vec<_> =
            matching.iter().skip(start).take(query.number("limit").min(cap)).cloned().collect();
        let is_last = start + page.len() >= total && !self.paging.never_last;
        (200, self.body(&page, start, is_last, query))
    }

    fn body(&self, page: &[String], start: usize, is_last: bool, query: &RequestQuery) -> String {
        let (list, end) = (page.join(","), start + page.len());
        match self.kind {
            SourceKind::ConfluenceAudit => {
                let has_link = self.paging.has_links && !is_last && query.get("cursor").is_none();
                let links = match has_link {
                    true => format!(
                        r#"{{"next":"/rest/api/audit?cursor=x{end}&limit={}"}}"#,
                        query.number("limit")
                    ),
                    false => "{}".to_owned(),
                };
                format!(r#"{{"results":[{list}],"limit":1000,"size":7,"_links":{links}}}"#)
            }
            SourceKind::DatacenterAudit => {
                let paging = match (is_last, self.paging.offset) {
                    (true, _) => r#"{"lastPage":true}"#.to_owned(),
                    (false, from) => {
                        let back = match from {
                            OffsetFrom::Cursor(back) => back.min(page.len()),
                            _ => 0,
                        };
                        let named = match from {
                            OffsetFrom::Nothing if self.paging.requires_offset => {
                                r#""nextPageOffset":0,"#.to_owned()
                            }
                            OffsetFrom::Nothing => String::new(),
                            OffsetFrom::Cursor(_) => format!(r#""nextPageOffset":{back},"#),
                            OffsetFrom::Newest | OffsetFrom::Both => {
                                format!(r#""nextPageOffset":{end},"#)
                            }
                        };
                        format!(r#"{{{named}"nextPageCursor":"{}","lastPage":false}}"#, end - back)
                    }
                };
                format!(r#"{{"entities":[{list}],"pagingInfo":{paging}}}"#)
            }
            _ => format!(r#"{{"offset":{start},"limit":1000,"total":9,"records":[{list}]}}"#),
        }
    }

    /// The ids that a whole reading has, each once.
    pub(super) fn ids(&self, records: &[(i64, u32)]) -> BTreeSet<String> {
        let mut numbering = DuplicateNumbering::default();
        let records = records.iter().copied().enumerate();
        let ids = records.map(|(number, record)| {
            let text = self.text(number, record);
            let mut record = record_of(self.kind, Document::new(text.into()));
            if self.kind.descriptor().identity == RecordIdentity::Content {
                numbering.number_duplicate(&mut record);
            }
            record.id.unwrap()
        });
        ids.collect()
    }

    pub(super) fn ids_with_arrivals(&self) -> BTreeSet<String> {
        let newest = self.records.last().map_or(0, |record| record.0);
        let new = (0..self.paging.grows_at.len()).map(|n| (newest, 1_000 + n as u32));
        let all: Vec<_> = self.records.iter().copied().chain(new).collect();
        self.ids(&all)
    }
}
