//! Shows events as a table that fits a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::config::settings::TableStyle;
use crate::model::json::{Document, Node};
use crate::model::meaning::{Category, Outcome};
use crate::model::text::visible;
use crate::model::time::parse_api_time;
use crate::model::user_zone::UserZone;

/// The columns of the table.
const HEADS: [&str; 7] = ["TIME", "SOURCE", "ACTOR", "ACTION", "TARGET", "ADDRESS", "OUTCOME"];
const TIME: usize = 0;
const SOURCE: usize = 1;
const ACTION: usize = 3;
const TARGET: usize = 4;
const ADDRESS: usize = 5;
const OUTCOME: usize = 6;

/// The least width of each column, and of those that have a short form.
const LEAST: [usize; 7] = [19, 6, 9, 14, 9, 15, 7];
const SHORT_TIME: usize = 14;
const SHORT_OUTCOME: usize = 1;

/// The widths that the cells of most events want.
const USUAL: [usize; 7] = [19, 14, 22, 34, 30, 18, 7];

/// A terminal so narrow gets the short forms.
const NARROW: usize = 90;

/// What goes first where there is no room for all.
const LEFT_OUT_FIRST: [usize; 2] = [SOURCE, TARGET];

/// So many rows decide how wide the columns are.
const SAMPLE: usize = 200;

/// Escape sequences (ECMA-48): bold, red, yellow, and their end.
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const END: &str = "\u{1b}[0m";

/// A row, with the full and the short form of the time and of the outcome.
#[derive(Debug)]
struct EventRow {
    cells: [String; 7],
    is_failure: bool,
    is_administrative: bool,
}

/// Takes events one by one, and writes their rows.
#[derive(Debug)]
pub struct EventTable {
    style: TableStyle,
    /// The first rows, before the columns are laid out.
    sample: Vec<EventRow>,
    /// The width of each column that is shown.
    widths: Option<[Option<usize>; 7]>,
}

impl EventTable {
    /// An empty table.
    pub fn new(style: TableStyle) -> EventTable {
        EventTable { style, sample: Vec::new(), widths: None }
    }

    /// A table whose rows are shown at once, without having seen others: its columns are as wide as
    /// they usually need to be, and it has no heads ([`EventTable::heads`]).
    pub fn live(style: TableStyle) -> EventTable {
        let widths = Some(lay_out(style.width, &USUAL));
        EventTable { style, sample: Vec::new(), widths }
    }

    /// The heads of a live table, with their newline.
    pub fn heads(style: TableStyle) -> String {
        let table = EventTable::live(style);
        let mut out = String::new();
        table.append_heads(&table.widths.unwrap_or_default(), &mut out);
        out
    }

    /// Takes an event, and appends what can be shown to `out`.
    pub fn push(&mut self, event: &Document, out: &mut String) {
        let row = EventRow::new(event.root(), self.style.zone);
        match self.widths {
            Some(widths) => self.append_row(&row, &widths, out),
            None => {
                self.sample.push(row);
                if self.sample.len() == SAMPLE {
                    self.flush(out);
                }
            }
        }
    }

    /// Appends the rows that wait for others.
    pub fn flush(&mut self, out: &mut String) {
        let sample = std::mem::take(&mut self.sample);
        if sample.is_empty() {
            return;
        }
        let mut wanted = HEADS.map(str::len);
        for row in &sample {
            for (wanted, cell) in wanted.iter_mut().zip(&row.cells) {
                *wanted = cell.width().max(*wanted);
            }
        }
        let widths = lay_out(self.style.width, &wanted);
        if self.widths.replace(widths).is_none() {
            self.append_heads(&widths, out);
        }
        for row in &sample {
            self.append_row(row, &widths, out);
        }
    }

    fn append_heads(&self, widths: &[Option<usize>; 7], out: &mut String) {
        let mut heads = HEADS.map(str::to_owned);
        heads[TIME] = format!("{} ({})", HEADS[TIME], self.style.zone);
        let head = EventRow { cells: heads, is_failure: false, is_administrative: false };
        let mut line = String::new();
        self.append_row(&head, widths, &mut line);
        match self.style.is_coloured {
            true => out.extend([BOLD, line.trim_end(), END, "\n"]),
            false => out.push_str(&line),
        }
    }

    fn append_row(&self, row: &EventRow, widths: &[Option<usize>; 7], out: &mut String) {
        let start = out.len();
        let is_narrow = self.style.width < NARROW;
        for (at, (cell, width)) in row.cells.iter().zip(widths).enumerate() {
            let Some(width) = *width else {
                continue;
            };
            let cell = match at {
                TIME if is_narrow => cell.split_once('-').map_or(&**cell, |(_, rest)| rest),
                ADDRESS if is_narrow => cell.split(' ').next().unwrap_or_default(),
                OUTCOME if is_narrow => {
                    if row.is_failure {
                        "✗"
                    } else {
                        ""
                    }
                }
                _ => cell,
            };
            if out.len() > start {
                out.push_str(if is_narrow { " " } else { "  " });
            }
            let colour = match at {
                _ if !self.style.is_coloured => None,
                OUTCOME if row.is_failure => Some(RED),
                ACTION if row.is_failure => Some(RED),
                ACTION if row.is_administrative => Some(YELLOW),
                _ => None,
            };
            let shown = fitted(cell, width);
            let padding = " ".repeat(width.saturating_sub(shown.width()));
            match colour.filter(|_| !shown.is_empty()) {
                Some(colour) => out.extend([colour, &isolated(&shown), END]),
                None => out.push_str(&isolated(&shown)),
            }
            out.push_str(&padding);
        }
        out.truncate(start + out.get(start..).unwrap_or_default().trim_end().len());
        out.push('\n');
    }
}

/// The width of each column: at least what it needs to be of use, and more where there is room;
/// nothing where it has to go.
fn lay_out(width: usize, wanted: &[usize; 7]) -> [Option<usize>; 7] {
    let is_narrow = width < NARROW;
    let gap = if is_narrow { 1 } else { 2 };
    let (mut least, mut wanted) = (LEAST, *wanted);
    if is_narrow {
        (least[TIME], wanted[TIME]) = (SHORT_TIME, SHORT_TIME);
        (least[OUTCOME], wanted[OUTCOME]) = (SHORT_OUTCOME, SHORT_OUTCOME);
    }
    let mut widths = [0, 1, 2, 3, 4, 5, 6].map(|at| Some(least[at].min(wanted[at])));
    let used = |widths: &[Option<usize>; 7]| {
        let shown = widths.iter().flatten();
        shown.clone().sum::<usize>() + gap * shown.count().saturating_sub(1)
    };
    for at in LEFT_OUT_FIRST {
        if used(&widths) > width {
            widths[at] = None;
        }
    }
    // The rest goes round to those that want more; the action says most, and gets two at a time.
    let mut rest = width.saturating_sub(used(&widths));
    while rest > 0 {
        let before = rest;
        for (at, (shown, wanted)) in widths.iter_mut().zip(wanted).enumerate() {
            if let Some(shown) = shown {
                let step = if at == ACTION { 2 } else { 1 };
                let more = wanted.saturating_sub(*shown).min(step).min(rest);
                *shown += more;
                rest -= more;
            }
        }
        if rest == before {
            break;
        }
    }
    widths
}

impl EventRow {
    fn new(event: Node<'_>, zone: UserZone) -> EventRow {
        let text = |key: &str| event.scalar_of(key).map(|text| visible(&text)).unwrap_or_default();
        let is = |key: &str, word: &str| event.get(key).is_some_and(|value| value.is(word));
        let time = event.text_of("time").and_then(|text| parse_api_time(&text));
        let time = time.map(|time| zone.wall_clock(time).format("%Y-%m-%d %H:%M:%S").to_string());
        let source = event.get("source").and_then(|source| source.scalar_of("name"));
        let is_failure = is("outcome", Outcome::Failure.as_str());
        let outcome = match is("outcome", Outcome::Unknown.as_str()) {
            true => String::new(),
            false => text("outcome"),
        };
        let routine = [Category::Authentication, Category::Content, Category::Other];
        let cells = [
            time.unwrap_or_else(|| "no time".to_owned()),
            source.map(|name| visible(&name)).unwrap_or_default(),
            event.get("actor").map(entity).unwrap_or_default(),
            text("action"),
            targets(event),
            address(event),
            outcome,
        ];
        EventRow {
            cells: cells.map(bounded_cell),
            is_failure,
            is_administrative: !routine.iter().any(|it| is("category", it.as_str())),
        }
    }
}

/// No terminal shows more of a cell, and rows wait in memory.
const MAX_CELL: usize = 500;

fn bounded_cell(mut cell: String) -> String {
    if let Some((end, _)) = cell.char_indices().nth(MAX_CELL) {
        cell.truncate(end);
        cell.shrink_to_fit();
    }
    cell
}

/// How a person or a thing is called.
fn entity(node: Node<'_>) -> String {
    let names = node.fields(["name", "email", "id", "type"]);
    let name = names.into_iter().flatten().find_map(Node::scalar);
    name.map(|name| visible(&name)).unwrap_or_default()
}

/// `group admins`, and how many more there are.
fn targets(event: Node<'_>) -> String {
    let mut targets = event.get("targets").into_iter().flat_map(Node::items);
    let Some(first) = targets.next() else {
        return String::new();
    };
    let kind = first.scalar_of("type").map(|kind| visible(&kind));
    let name = entity(first);
    let mut text = match kind.filter(|kind| *kind != name) {
        Some(kind) => format!("{kind} {name}"),
        None => name,
    };
    let more = targets.count();
    if more > 0 {
        // Writing to a text never fails.
        let _ = write!(text, " +{more}");
    }
    text
}

/// `203.0.113.80 DE`
fn address(event: Node<'_>) -> String {
    let Some(client) = event.get("client") else {
        return String::new();
    };
    let [ip, code] = ["ip", "country_code"].map(|key| client.scalar_of(key));
    let parts: Vec<String> = [ip, code].into_iter().flatten().map(|it| visible(&it)).collect();
    parts.join(" ")
}

/// `text`; where it is wider than `width`, its start and `…`.
pub fn fitted(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or_default();
        if used + 1 > width {
            break;
        }
        end = at + c.len_utf8();
    }
    Cow::Owned([text.get(..end).unwrap_or_default(), "…"].concat())
}

/// Text of a language that is written from the right is set apart, so that it does not change the
/// order of what is beside it (UAX #9, FSI and PDI).
pub fn isolated(text: &str) -> String {
    let is_from_right = |c: char| {
        matches!(u32::from(c), 0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF
            | 0x1_0800..=0x1_0FFF | 0x1_E800..=0x1_EFFF)
    };
    match text.contains(is_from_right) {
        true => format!("\u{2068}{text}\u{2069}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(more: &str) -> Document {
        let text = format!(
            r#"{{"time":"2026-11-20T09:30:00.123Z","source":{{"name":"acme"}},
            "action":"user_added_to_group","category":"group","outcome":"success",
            "actor":{{"name":"Mei Tanaka","id":"712020:1"}},
            "targets":[{{"type":"group","name":"site-admins"}},{{"type":"user","name":"Bo"}}],
            "client":{{"ip":"203.0.113.80","country_code":"DE"}}{more}}}"#
        );
        Document::new(text.into())
    }

    fn table(width: usize, events: &[Document]) -> String {
        let mut table =
            EventTable::new(TableStyle { width, zone: UserZone::UTC, is_coloured: false });
        let mut out = String::new();
        for event in events {
            table.push(event, &mut out);
        }
        table.flush(&mut out);
        out
    }

    #[test]
    fn a_wide_terminal_shows_everything() {
        let expected = [
            concat!(
                "TIME (UTC)           SOURCE  ACTOR       ACTION               ",
                "TARGET                ADDRESS          OUTCOME"
            ),
            concat!(
                "2026-11-20 09:30:00  acme    Mei Tanaka  user_added_to_group  ",
                "group site-admins +1  203.0.113.80 DE  success"
            ),
            "no time",
        ];
        let shown = table(140, &[event(""), Document::new("{}".into())]);
        assert_eq!(shown, expected.join("\n") + "\n");
    }

    #[test]
    fn a_narrow_one_shows_what_matters_most() {
        let failed = Document::new(
            r#"{"time":"2026-11-20T09:30:01Z","action":"user_login_from_somewhere",
            "outcome":"failure","actor":{"email":"mei.tanaka@acme.example"},
            "client":{"ip":"2001:db8::1"}}"#
                .into(),
        );
        let expected = [
            "TIME (UTC)     ACTOR      ACTION           ADDRESS",
            "11-20 09:30:00 Mei Tanaka user_added_to_g… 203.0.113.80",
            "11-20 09:30:01 mei.tanak… user_login_from… 2001:db8::1     ✗",
        ];
        assert_eq!(table(60, &[event(""), failed]), expected.join("\n") + "\n");
    }

    #[test]
    fn failures_and_administrative_acts_have_colours() {
        let mut table =
            EventTable::new(TableStyle { width: 200, zone: UserZone::UTC, is_coloured: true });
        let mut out = String::new();
        table.push(&event(""), &mut out);
        table.push(&event(r#","outcome":"failure""#), &mut out);
        table.flush(&mut out);
        assert!(out.contains("\u{1b}[33muser_added_to_group\u{1b}[0m"), "{out}");
        assert!(out.contains("\u{1b}[1mTIME (UTC)"), "{out}");
    }

    #[test]
    fn nothing_steers_the_terminal_and_other_directions_stay_apart() {
        let hostile =
            Document::new(r#"{"action":"x\u001b[2J\u202ey\n","actor":{"name":"דנה"}}"#.into());
        let out = table(120, &[hostile]);
        assert!(out.contains(r"x␛[2J\u{202e}y␊"), "{out}");
        assert!(out.contains("\u{2068}דנה\u{2069}"), "{out}");
        assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out:?}");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            width in 60_usize..220,
            names in prop::collection::vec("[a-z漢é ]{0,40}", 1..6),
            ip in prop_oneof![Just("203.0.113.80"), Just("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")],
        ) {
            let events: Vec<Document> = names.iter().map(|name| {
                let event = serde_json::json!({
                    "time": "2026-11-20T09:30:00Z", "action": name, "outcome": "failure",
                    "source": {"name": name}, "actor": {"name": name},
                    "targets": [{"type": name, "name": name}], "client": {"ip": ip},
                });
                Document::new(event.to_string().into())
            }).collect();
            for line in table(width, &events).lines() {
                prop_assert!(line.width() <= width, "{} > {width}: {line}", line.width());
            }
        }
    }
}
