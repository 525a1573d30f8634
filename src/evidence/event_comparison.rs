//! Compares a source's events in an export with the same events read again: which appeared,
//! vanished or changed.

use std::io;
use std::path::Path;

use bytestring::ByteString;

use super::packed_lines::PackedLines;
use crate::model::hashing::QuickMap;
use crate::model::json::{Document, Node};
use crate::model::record::Fingerprint;
use crate::model::text::printable;

/// How an event differs from what the export has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventDifferenceKind {
    /// The source has it now, and the export not.
    Appeared,
    /// The export has it, and the source not any more.
    Vanished,
    /// Both have it, and the source's own object differs.
    Changed,
}

impl EventDifferenceKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventDifferenceKind::Appeared => "appeared",
            EventDifferenceKind::Vanished => "vanished",
            EventDifferenceKind::Changed => "changed",
        }
    }
}

/// An event, as people recognise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSummary {
    /// Its id.
    pub id: String,
    /// When it happened, where that is known.
    pub time: Option<String>,
    /// What was done.
    pub action: String,
}

/// Reports every event that differs between the file of lines `before`, of at most `most` bytes of
/// text, and the file `now`; nothing of what vanished where `now` is not whole.
///
/// # Errors
/// One of them cannot be read to its end.
pub fn compare(
    before: &Path,
    most: u64,
    now: &Path,
    is_whole: bool,
    report: &mut dyn FnMut(EventDifferenceKind, EventSummary),
) -> io::Result<()> {
    // For each event of the export its content, and whether it was read again: 40 bytes.
    let mut known = QuickMap::default();
    for_each_event(before, most, &mut |id, event| {
        known.insert(id, (raw_fingerprint(event), false));
    })?;
    for_each_event(now, u64::MAX, &mut |id, event| match known.get_mut(&id) {
        None => report(EventDifferenceKind::Appeared, summarize(event)),
        Some((raw, is_seen)) => {
            if *raw != raw_fingerprint(event) && !*is_seen {
                report(EventDifferenceKind::Changed, summarize(event));
            }
            *is_seen = true;
        }
    })?;
    if !is_whole || known.values().all(|(_, is_seen)| *is_seen) {
        return Ok(());
    }
    for_each_event(before, most, &mut |id, event| {
        if let Some((_, is_seen @ false)) = known.get_mut(&id) {
            *is_seen = true;
            report(EventDifferenceKind::Vanished, summarize(event));
        }
    })
}

/// Shows each event of a file, with the fingerprint of its id. A line that is none is `verify`'s to
/// name.
fn for_each_event(
    path: &Path,
    most: u64,
    see: &mut dyn FnMut(Fingerprint, Node<'_>),
) -> io::Result<()> {
    let mut lines = match PackedLines::open(path, most) {
        // Nothing was ever read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        lines => lines?,
    };
    while let Some(line) = lines.next().map_err(io::Error::other)? {
        let text = ByteString::try_from(line).ok();
        if let Some(doc) = text.and_then(|text| Document::parse(text).ok())
            && let Some(id) = doc.root().text_of("id")
        {
            see(Fingerprint::of(id.as_bytes()), doc.root());
        }
    }
    Ok(())
}

fn raw_fingerprint(event: Node<'_>) -> Fingerprint {
    let raw = event.get("raw").map_or("", Node::raw);
    Fingerprint::of(raw.as_bytes())
}

fn summarize(event: Node<'_>) -> EventSummary {
    let [id, time, action] = event.fields(["id", "time", "action"]);
    let text = |node: Option<Node<'_>>| node?.text().map(|text| printable(&text));
    EventSummary {
        id: text(id).unwrap_or_default(),
        time: text(time),
        action: text(action).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::test_export::pack;

    fn differences(before: &[(u32, u32)], now: &[(u32, u32)], is_whole: bool) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, events: &[(u32, u32)]| {
            let line = |(id, raw): &(u32, u32)| {
                format!(
                    "{{\"id\":\"e{id}\",\"time\":\"t{id}\",\"action\":\"a\",\
                     \"raw\":{{\"n\":{raw}}}}}\n"
                )
            };
            let text: String = events.iter().map(line).collect();
            let path = folder.path().join(name);
            std::fs::write(&path, pack(text.as_bytes())).unwrap();
            path
        };
        let (before, now) = (written("before", before), written("now", now));
        let mut reported = Vec::new();
        compare(&before, u64::MAX, &now, is_whole, &mut |since, event| {
            assert_eq!(event.time, Some(event.id.replace('e', "t")));
            reported.push(format!("{} {}", event.id, since.as_str()));
        })
        .unwrap();
        reported
    }

    #[test]
    fn appeared_vanished_and_changed_events_are_reported() {
        let before = [(1, 1), (2, 2), (3, 3), (4, 4)];
        let now = [(0, 0), (1, 1), (3, 9), (4, 4), (5, 5)];
        let wanted = ["e0 appeared", "e3 changed", "e5 appeared", "e2 vanished"];
        assert_eq!(differences(&before, &now, true), wanted);
        assert_eq!(differences(&before, &now, false), wanted[..3]);
        assert!(differences(&before, &before, true).is_empty());
        let repeated = [(1, 1), (1, 1), (2, 2), (3, 3), (4, 4)];
        assert!(differences(&before, &repeated, true).is_empty());
        assert!(differences(&repeated, &before, true).is_empty());
    }

    #[test]
    fn a_file_longer_than_its_manifest_entry_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("before");
        std::fs::write(&path, pack(b"{\"id\":\"1\"}\n")).unwrap();
        compare(&path, 11, &path, true, &mut |_, _| panic!("nothing differs")).unwrap();
        let error = compare(&path, 10, &path, true, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("manifest"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_has_no_events() {
        let folder = tempfile::tempdir().unwrap();
        let (none, torn) = (folder.path().join("none"), folder.path().join("torn"));
        compare(&none, 0, &none, true, &mut |_, _| panic!("nothing differs")).unwrap();
        std::fs::write(&torn, &pack(b"{}\n")[..5]).unwrap();
        assert!(compare(&none, 0, &torn, true, &mut |_, _| {}).is_err());
    }
}
