//! Shows events as rows of comma-separated values.

use crate::filter::FieldPath;
use crate::model::json::Document;

/// Takes events one by one, and writes their rows (RFC 4180, but for the ends of lines, which are
/// those of Unix).
#[derive(Debug)]
pub struct CsvRows {
    columns: Vec<FieldPath>,
    has_head: bool,
}

impl CsvRows {
    /// Rows of these columns.
    pub fn new(columns: Vec<FieldPath>) -> CsvRows {
        CsvRows { columns, has_head: false }
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
                values.push(value.to_owned());
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

/// A cell that a spreadsheet would take for a formula begins with an apostrophe: whoever can write
/// a name into the log must not run anything where it is opened.
fn append_cell(cell: &str, out: &mut Vec<u8>) {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guarded = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) {
        out.extend_from_slice(format!("\"{}\"", guarded.replace('"', "\"\"")).as_bytes());
    } else {
        out.extend_from_slice(guarded.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_only_text() {
        let columns = ["action", "targets.name", "actor.name", "message"];
        let mut rows = CsvRows::new(columns.map(|it| FieldPath::parse(it).unwrap()).to_vec());
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
             \"a,b\",x; y,'=cmd(),\"say \"\"hi\"\"\nthere\"\n"
        );
    }
}
