//! Owns the memory of records already written, near the newest one: by it late records are told
//! from repeated ones.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::hashing::QuickMap;
use crate::model::record::{Fingerprint, Record};
use crate::model::time::Timestamp;

/// Records remembered however old they are: a page or two that a server sends again is told from
/// new ones also where records are rare.
const AT_LEAST: usize = 2_000;

/// The most records remembered. In the default overlap of ten minutes that is 166 a second, without
/// a pause; beyond it the oldest are forgotten, whole milliseconds at a time, and what lies before
/// [`Seen::complete_from`] counts as written.
const CAPACITY: usize = 100_000;

/// Records written, by their place in the source's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    by_time: BTreeMap<i64, Vec<Entry>>,
    /// Each with the last reading that brought it: of what the present one brought, a second record
    /// under the same id is another.
    entries: QuickMap<Entry, u32>,
    /// The number of the present reading. What the state file held is of the first: a run that goes
    /// on where the last one ended goes on with its reading.
    reading: u32,
    ids: QuickMap<Fingerprint, u32>,
    /// How many are remembered by [`Content::First`].
    of_first: usize,
    complete_from: Option<Timestamp>,
}

/// One record: who it is and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    identity: Fingerprint,
    content: Content,
}

/// A hash of what a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    /// [`Document::content_hash`](crate::model::json::Document::content_hash).
    Now(u64),
    /// As the first atlaudit hashed it, in state files that it wrote.
    First(u64),
}

/// What the memory says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not known.
    New,
    /// Written before, with the same content.
    Repeat,
    /// Its id was written before with another content: a different record, or a changed one.
    Clash,
}

impl Entry {
    fn is_of_first(&self) -> bool {
        matches!(self.content, Content::First(_))
    }

    fn of(record: &Record) -> Entry {
        Entry {
            identity: record.identity(),
            content: Content::Now(record.doc.content_hash()),
        }
    }
}

impl Seen {
    /// Remembers `record` as written at `position`, and says what was known of it.
    ///
    /// Of what an earlier reading wrote, an id at the same place is a repeat even where its content
    /// differs: names inside it may have been changed since.
    pub fn remember(&mut self, record: &Record, position: Timestamp) -> Verdict {
        let entry = Entry::of(record);
        let verdict = match self.ids.contains_key(&entry.identity) {
            true if self.recognise(entry, record) => return Verdict::Repeat,
            true if self.was_at(entry.identity, position) => return Verdict::Repeat,
            true => Verdict::Clash,
            false => Verdict::New,
        };
        self.insert(entry, position.timestamp_millis());
        verdict
    }

    /// Takes note of `records` that the present reading brings together, before the first of them is
    /// remembered: what is known among them was not renamed, wherever it stands.
    pub fn brought(&mut self, records: &[Record]) {
        // In the first reading, all that is known was brought by it.
        if self.reading > 0 {
            for record in records {
                self.recognise(Entry::of(record), record);
            }
        }
    }

    /// Since when every record written is remembered; before it, none need be.
    pub fn complete_from(&self) -> Option<Timestamp> {
        self.complete_from
    }

    /// The place of the newest record remembered that lies not behind `end`.
    pub fn newest_until(&self, end: Timestamp) -> Option<Timestamp> {
        let (&ms, _) = self.by_time.range(..=end.timestamp_millis()).next_back()?;
        Timestamp::from_timestamp_millis(ms)
    }

    /// Forgets what lies before `keep_from` but for the newest [`AT_LEAST`], and more where there is
    /// too much of it.
    pub fn forget_before(&mut self, keep_from: Timestamp) {
        self.drop_while(|this, ms| {
            let is_old = ms < keep_from.timestamp_millis() && this.entries.len() > AT_LEAST;
            is_old || (this.entries.len() > CAPACITY && this.by_time.len() > 1)
        });
    }

    /// A reading begins: what is remembered so far was written by an earlier one.
    pub fn begin_reading(&mut self) {
        self.reading += 1;
    }

    /// Whether `entry`, which is `record`'s, is known; if so, the present reading has brought it.
    fn recognise(&mut self, entry: Entry, record: &Record) -> bool {
        if self.bring(&entry) {
            return true;
        }
        let first = || Entry {
            content: Content::First(record.doc.first_content_hash()),
            ..entry
        };
        self.of_first > 0 && self.bring(&first())
    }

    fn bring(&mut self, entry: &Entry) -> bool {
        let known = self.entries.get_mut(entry);
        known.map(|last| *last = self.reading).is_some()
    }

    fn was_at(&self, identity: Fingerprint, position: Timestamp) -> bool {
        let is_older = |entry: &Entry| self.entries.get(entry) != Some(&self.reading);
        let is_it = |entry: &Entry| entry.identity == identity && is_older(entry);
        let there = self.by_time.get(&position.timestamp_millis());
        there.is_some_and(|entries| entries.iter().any(is_it))
    }

    fn insert(&mut self, entry: Entry, ms: i64) {
        self.by_time.entry(ms).or_default().push(entry);
        self.of_first += usize::from(entry.is_of_first());
        self.entries.insert(entry, self.reading);
        *self.ids.entry(entry.identity).or_default() += 1;
    }

    fn drop_while(&mut self, too_old: impl Fn(&Self, i64) -> bool) {
        while let Some((&ms, _)) = self.by_time.first_key_value() {
            if !too_old(self, ms) {
                return;
            }
            for entry in self.by_time.remove(&ms).unwrap_or_default() {
                self.entries.remove(&entry);
                self.of_first -= usize::from(entry.is_of_first());
                self.forget_id(entry.identity);
            }
            self.complete_from = self
                .complete_from
                .max(Timestamp::from_timestamp_millis(ms.saturating_add(1)));
        }
    }

    fn forget_id(&mut self, identity: Fingerprint) {
        if let Some(count) = self.ids.get_mut(&identity) {
            *count -= 1;
            if *count == 0 {
                self.ids.remove(&identity);
            }
        }
    }
}

/// The form in the state file: a millisecond and its records, each as 32 hex digits of its identity
/// and 16 of its content, with a `-` between them; what the first atlaudit wrote has none.
#[derive(Deserialize)]
struct Mirror {
    complete_from: Option<Timestamp>,
    records: Vec<(i64, Vec<String>)>,
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut out = out.serialize_struct("Mirror", 2)?;
        out.serialize_field("complete_from", &self.complete_from)?;
        out.serialize_field("records", &Records(&self.by_time))?;
        out.end()
    }
}

/// [`Mirror::records`] without a copy: there may be a hundred thousand, in every checkpoint.
struct Records<'a>(&'a BTreeMap<i64, Vec<Entry>>);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.0)
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let (separator, content) = match self.content {
            Content::Now(content) => ("-", content),
            Content::First(content) => ("", content),
        };
        let (mut identity, mut digits) = ([0; 32], [0; 16]);
        hex(self.identity.0, &mut identity);
        hex(u128::from(content), &mut digits);
        let mut text = String::with_capacity(49);
        text.extend(identity.map(char::from));
        text.push_str(separator);
        text.extend(digits.map(char::from));
        out.serialize_str(&text)
    }
}

/// The last hex digits of `number`, as many as there is room for.
fn hex(mut number: u128, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let mirror = Mirror::deserialize(input)?;
        let mut seen = Seen {
            complete_from: mirror.complete_from,
            ..Seen::default()
        };
        for (ms, texts) in mirror.records {
            for text in texts {
                let entry =
                    read(&text).ok_or_else(|| D::Error::custom("not a remembered record"))?;
                seen.insert(entry, ms);
            }
        }
        Ok(seen)
    }
}

fn read(text: &str) -> Option<Entry> {
    let (identity, content) = text.split_at_checked(32)?;
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let content = match (content.len(), content.strip_prefix('-')) {
        (17, Some(digits)) => Content::Now(number(digits)?),
        (16, None) => Content::First(number(content)?),
        _ => return None,
    };
    Some(Entry {
        identity: Fingerprint(u128::from_str_radix(identity, 16).ok()?),
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;

    fn record(text: &str) -> Record {
        let doc = Document::new(bytes::Bytes::copy_from_slice(text.as_bytes()));
        Record {
            id: doc.root().scalar_of("id").map(|id| id.into_owned()),
            time: None,
            position: None,
            doc,
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    #[test]
    fn new_repeated_and_clashing() {
        let mut seen = Seen::default();
        let mut remember = |text| seen.remember(&record(text), at(10));
        assert_eq!(remember(r#"{"id":1,"a":1}"#), Verdict::New);
        assert_eq!(remember(r#"{"a":1,"id":1}"#), Verdict::Repeat);
        assert_eq!(remember(r#"{"id":1,"a":2}"#), Verdict::Clash);
        assert_eq!(remember(r#"{"id":1,"a":2}"#), Verdict::Repeat);
        assert_eq!(remember(r#"{"a":2}"#), Verdict::New);
        assert_eq!(remember(r#"{"a":2}"#), Verdict::Repeat);
    }

    fn insert(seen: &mut Seen, count: usize, ms: i64) {
        for n in 0..count {
            let identity = Fingerprint(((ms as u128) << 64) | n as u128);
            let content = Content::Now(0);
            seen.insert(Entry { identity, content }, ms);
        }
    }

    #[test]
    fn a_record_that_was_renamed_since_is_a_repeat_only_when_it_is_read_again() {
        let mut seen = Seen::default();
        seen.remember(&record(r#"{"id":1,"name":"old"}"#), at(10));
        seen.begin_reading();
        let renamed = record(r#"{"id":1,"name":"new"}"#);
        assert_eq!(seen.remember(&renamed, at(10)), Verdict::Repeat);
        assert_eq!(seen.remember(&renamed, at(11)), Verdict::Clash);
        // Two of one reading are two.
        let other = record(r#"{"id":1,"name":"other"}"#);
        assert_eq!(seen.remember(&other, at(11)), Verdict::Clash);
    }

    #[test]
    fn a_second_record_of_an_id_is_another_also_where_the_first_was_written_by_an_earlier_reading()
    {
        let mut seen = Seen::default();
        let (first, second) = (record(r#"{"id":1,"n":1}"#), record(r#"{"id":1,"n":2}"#));
        seen.remember(&first, at(10));
        seen.begin_reading();
        assert_eq!(seen.remember(&first, at(10)), Verdict::Repeat);
        assert_eq!(seen.remember(&second, at(10)), Verdict::Clash);
    }

    #[test]
    fn what_the_state_held_is_of_the_reading_that_goes_on() {
        let mut seen = Seen::default();
        let (first, second) = (record(r#"{"id":1,"n":1}"#), record(r#"{"id":1,"n":2}"#));
        seen.remember(&first, at(10));
        let text = serde_json::to_string(&seen).unwrap();
        let load = || serde_json::from_str::<Seen>(&text).unwrap();
        assert_eq!(load().remember(&second, at(10)), Verdict::Clash);
        let mut read_again = load();
        read_again.begin_reading();
        assert_eq!(read_again.remember(&second, at(10)), Verdict::Repeat);
    }

    #[test]
    fn what_the_first_atlaudit_remembered_is_known_and_nothing_else() {
        let record = |name: &str| record(&format!(r#"{{"id":1,"name":"{name}"}}"#));
        let known = record("old");
        let first = format!(
            "{}{:016x}",
            known.identity(),
            known.doc.first_content_hash()
        );
        let text = format!(r#"{{"complete_from":null,"records":[[10,["{first}"]]]}}"#);
        let mut seen = serde_json::from_str::<Seen>(&text).unwrap();
        assert_eq!(serde_json::to_string(&seen).unwrap(), text);
        // A server that sends a page again behind the same cursor.
        assert_eq!(seen.remember(&known, at(10)), Verdict::Repeat);
        assert_eq!(seen.remember(&record("other"), at(10)), Verdict::Clash);
        seen.begin_reading();
        seen.brought(&[known.clone(), record("other")]);
        assert_eq!(seen.remember(&record("third"), at(10)), Verdict::Clash);
        insert(&mut seen, AT_LEAST, 20);
        seen.forget_before(at(15));
        assert_eq!(seen.of_first, 0);
        assert_eq!(seen.remember(&known, at(30)), Verdict::New);
    }

    #[test]
    fn what_is_forgotten_is_said() {
        let mut seen = Seen::default();
        seen.remember(&record(r#"{"id":1}"#), at(10));
        seen.remember(&record(r#"{"id":2}"#), at(20));
        insert(&mut seen, AT_LEAST - 1, 30);
        seen.forget_before(at(15));
        assert_eq!(seen.complete_from(), Some(at(11)));
        assert_eq!(
            seen.remember(&record(r#"{"id":2}"#), at(20)),
            Verdict::Repeat
        );
        assert_eq!(seen.remember(&record(r#"{"id":1}"#), at(20)), Verdict::New);
    }

    #[test]
    fn a_few_are_remembered_however_old() {
        let mut seen = Seen::default();
        insert(&mut seen, AT_LEAST, 10);
        seen.forget_before(at(1000));
        assert_eq!(seen.entries.len(), AT_LEAST);
        assert_eq!(seen.complete_from(), None);
    }

    #[test]
    fn too_many_are_forgotten_by_whole_milliseconds() {
        let mut seen = Seen::default();
        insert(&mut seen, 10, 1);
        insert(&mut seen, CAPACITY, 2);
        seen.forget_before(at(0));
        assert_eq!(seen.entries.len(), CAPACITY);
        assert_eq!(seen.complete_from(), Some(at(2)));
        // One millisecond is never torn, however much it holds.
        insert(&mut seen, CAPACITY * 2, 2);
        seen.forget_before(at(0));
        assert!(seen.entries.len() > CAPACITY);
        assert_eq!(seen.complete_from(), Some(at(2)));
    }

    #[test]
    fn the_file_form_reads_back() {
        let mut seen = Seen::default();
        seen.remember(&record(r#"{"id":1}"#), at(10));
        seen.remember(&record(r#"{"id":1,"x":2}"#), at(10));
        seen.forget_before(at(3));
        let text = serde_json::to_string(&seen).unwrap();
        let read = serde_json::from_str::<Seen>(&text).unwrap();
        assert_eq!(read, seen);
        for bad in ["zz", "é", &"0".repeat(47), &"g".repeat(48)] {
            let text = format!(r#"{{"complete_from":null,"records":[[1,["{bad}"]]]}}"#);
            assert!(serde_json::from_str::<Seen>(&text).is_err(), "{bad}");
        }
    }
}
