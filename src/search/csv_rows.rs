//! Shows events as rows of comma-separated values.

use crate::filter::FieldPath;
use crate::model::json::Document;
use crate::model::text::visible;

/// Takes events one by one, and writes their rows (RFC 4180, but for the ends of lines, which are
/// those of Unix).
#[derive(Debug)]
pub struct CsvRows {
    columns: Vec<FieldPath>,
    /// Whether control characters are shown, for a terminal.
    is_visible: bool,
    has_head: bool,
}

impl CsvRows {
    /// Rows of these columns, for a terminal or a program.
    pub fn new(columns: Vec<FieldPath>, is_visible: bool) -> CsvRows {
        CsvRows { columns, is_visible, has_head: false }
    }

    /// Appends the names of the columns, once.
    pub fn append_head(&mut self, out: &mut Vec<u8>) {
        if !self.has_head {
            self.has_head = true;
            append_row(self.columns.iter().map(ToString::to_string), out);
        }
    }

    /// Appends the row of an event. Of a field with several values all are in the cell, with `; `
    /// between them.
    pub fn append(&self, event: &Document, out: &mut Vec<u8>) {
        let values = self.columns.iter().map(|column| {
            let mut values = Vec::new();
            column.any_value(event.root(), &mut |value| {
                values.push(if self.is_visible { visible(value) } else { value.to_owned() });
                false
            });
            values.join("; ")
        });
        append_row(values, out);
    }
}

fn append_row(cells: impl Iterator<Item = String>, out: &mut Vec<u8>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        append_cell(&cell, out);
    }
    out.push(b'\n');
}

/// Ends of cells in the spreadsheets of some countries, and of lines.
const SEPARATORS: [char; 5] = [',', ';', '\t', '\n', '\r'];

/// A cell that a spreadsheet would take for a formula, as a whole or split at another separator,
/// begins with an apostrophe: people who can write a name into the log must not run anything where
/// it is opened.
fn append_cell(cell: &str, out: &mut Vec<u8>) {
    let is_blank = |c: char| c.is_whitespace() || c.is_control() || c == '\u{200b}';
    let signs = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let mut parts = cell.split(SEPARATORS);
    let is_formula = parts.any(|part| part.trim_start_matches(is_blank).starts_with(signs));
    let guarded = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains('"') || guarded.contains(SEPARATORS) {
        out.extend_from_slice(format!("\"{}\"", guarded.replace('"', "\"\"")).as_bytes());
    } else {
        out.extend_from_slice(guarded.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spreadsheet_takes_a_cell_for_a_formula() {
        let cell = |text: &str| {
            let mut out = Vec::new();
            append_cell(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        for text in ["=1", "x;=1", "\n=1", " =1", "\u{200b}@x", "＝1", "x\t+1"] {
            assert!(cell(text).trim_start_matches('"').starts_with('\''), "{text:?}");
        }
        for text in ["x=1", "2026-11-20T09:30:00Z", "a-b"] {
            assert_eq!(cell(text), text);
        }
    }

    #[test]
    fn cells_are_quoted_and_formulas_are_only_text() {
        let columns = ["action", "targets.name", "actor.name", "message"];
        let mut rows =
            CsvRows::new(columns.map(|it| FieldPath::parse(it).unwrap()).to_vec(), false);
        let event = Document::new(
            r#"{"action":"a,b","targets":[{"name":"x"},{"name":"y"}],"actor":{"name":"=cmd()"},
            "message":"say \"hi\"\nthere"}"#
                .into(),
        );
        let mut out = Vec::new();
        rows.append_head(&mut out);
        rows.append_head(&mut out);
        rows.append(&event, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "action,targets.name,actor.name,message\n\
             \"a,b\",\"x; y\",'=cmd(),\"say \"\"hi\"\"\nthere\"\n"
        );
    }
}
