//! The site's audit records, kept as JSON text by creation time.

use serde_json::Value;

/// A record before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JiraRecord {
    /// Its id, as text.
    pub id: String,
    /// `created`, epoch milliseconds.
    pub created_ms: i64,
    /// The JSON text, served byte for byte.
    pub text: String,
}

impl JiraRecord {
    /// A record of somebody's own making. An id that cannot be read is empty.
    pub fn verbatim(text: String, created_ms: i64) -> Self {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let id = match &value["id"] {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => String::new(),
        };
        Self {
            id,
            created_ms,
            text,
        }
    }
}

/// What a page is asked for.
#[derive(Clone, Debug)]
pub struct Search {
    /// Records to skip.
    pub offset: usize,
    /// Most records on the page.
    pub limit: usize,
    /// Lower bound of `created`, inclusive.
    pub from: Option<i64>,
    /// Upper bound of `created`, inclusive.
    pub to: Option<i64>,
    /// Words, lower case, that must all occur in the record. (Jira looks in most fields; here it is the whole text.)
    pub terms: Vec<String>,
}

/// The log.
#[derive(Debug, Default)]
pub struct JiraLog {
    /// Oldest first; among equal times in order of arrival.
    kept: Vec<JiraRecord>,
}

impl JiraLog {
    /// Gives a record its place; among equal times it is the newest.
    pub fn add(&mut self, record: JiraRecord) {
        let place = self
            .kept
            .partition_point(|kept| kept.created_ms <= record.created_ms);
        self.kept.insert(place, record);
    }

    /// How many records there are, whatever is asked: what `total` is (elastic/integrations 18106).
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// When the newest record was created.
    pub fn last_created_ms(&self) -> Option<i64> {
        self.kept.last().map(|record| record.created_ms)
    }

    /// All ids, newest first.
    pub fn ids(&self) -> Vec<String> {
        self.kept
            .iter()
            .rev()
            .map(|record| record.id.clone())
            .collect()
    }

    /// All texts, newest first.
    pub fn texts(&self) -> Vec<String> {
        self.kept
            .iter()
            .rev()
            .map(|record| record.text.clone())
            .collect()
    }

    /// The texts of the page that `search` asks for, newest first.
    pub fn page(&self, search: &Search) -> Vec<&str> {
        let start = search.from.map_or(0, |from| {
            self.kept.partition_point(|kept| kept.created_ms < from)
        });
        let end = search.to.map_or(self.kept.len(), |to| {
            self.kept.partition_point(|kept| kept.created_ms <= to)
        });
        let asked = self.kept.get(start..end.max(start)).unwrap_or_default();
        let newest_first = asked.iter().rev().map(|kept| kept.text.as_str());
        if search.terms.is_empty() {
            // Without a look at what is skipped.
            newest_first
                .skip(search.offset)
                .take(search.limit)
                .collect()
        } else {
            newest_first
                .filter(|text| matches(text, &search.terms))
                .skip(search.offset)
                .take(search.limit)
                .collect()
        }
    }
}

impl FromIterator<JiraRecord> for JiraLog {
    fn from_iter<I: IntoIterator<Item = JiraRecord>>(records: I) -> Self {
        let mut kept = Vec::from_iter(records);
        kept.sort_by_key(|record| record.created_ms); // it leaves equal times in order of arrival
        Self { kept }
    }
}

fn matches(text: &str, terms: &[String]) -> bool {
    let text = text.to_lowercase();
    terms.iter().all(|term| text.contains(term))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(offset: usize, limit: usize) -> Search {
        Search {
            offset,
            limit,
            from: None,
            to: None,
            terms: Vec::new(),
        }
    }

    fn log() -> JiraLog {
        [(1, "old"), (5, "first"), (5, "second"), (9, "NEW group")]
            .into_iter()
            .map(|(created_ms, text)| JiraRecord::verbatim(text.to_owned(), created_ms))
            .collect()
    }

    #[test]
    fn newest_first_with_inclusive_bounds() {
        let log = log();
        assert_eq!(
            log.page(&search(0, 9)),
            ["NEW group", "second", "first", "old"]
        );
        assert_eq!(log.page(&search(1, 2)), ["second", "first"]);
        let bounded = Search {
            from: Some(1),
            to: Some(5),
            ..search(0, 9)
        };
        assert_eq!(log.page(&bounded), ["second", "first", "old"]);
        assert!(
            log.page(&Search {
                from: Some(6),
                to: Some(2),
                ..search(0, 9)
            })
            .is_empty()
        );
    }

    #[test]
    fn every_term_must_occur() {
        let terms = vec!["new".to_owned(), "group".to_owned()];
        assert_eq!(
            log().page(&Search {
                terms,
                ..search(0, 9)
            }),
            ["NEW group"]
        );
    }

    #[test]
    fn an_id_may_be_a_number_or_text() {
        assert_eq!(JiraRecord::verbatim(r#"{"id":7}"#.into(), 0).id, "7");
        assert_eq!(JiraRecord::verbatim(r#"{"id":"7a"}"#.into(), 0).id, "7a");
        assert_eq!(JiraRecord::verbatim("{}".into(), 0).id, "");
    }
}
