//! Small tables: a line for each row where these fit on the terminal, else a block for each row.

use crate::config::settings::TableSpace;

/// How a cell is highlighted: the number of its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellStyle {
    /// Not at all.
    Plain = 0,
    /// As a fault.
    Bad = 31,
    /// As what works.
    Good = 32,
    /// As what a person should know.
    Notice = 33,
}

/// A text and how it is highlighted.
pub type TableCell = (String, CellStyle);

/// A cell that is not highlighted.
pub fn plain(text: impl Into<String>) -> TableCell {
    (text.into(), CellStyle::Plain)
}

/// The table of `rows`, whose columns have these `heads`. Numbers are aligned to the right.
pub fn text_table<const COLUMNS: usize>(
    heads: [&str; COLUMNS],
    rows: &[[TableCell; COLUMNS]],
    space: TableSpace,
) -> String {
    let length = |text: &str| text.chars().count();
    let mut widths = heads.map(length);
    for row in rows {
        for (width, (cell, _)) in widths.iter_mut().zip(row) {
            *width = length(cell).max(*width);
        }
    }
    let whole = widths.iter().sum::<usize>() + 2 * COLUMNS.saturating_sub(1);
    if space.columns.is_some_and(|columns| columns < whole) {
        let blocks = rows.iter().map(|row| block(heads, row, space));
        return blocks.collect::<Vec<_>>().join("\n");
    }
    let numbers: Vec<bool> = (0..COLUMNS).map(|place| is_of_numbers(rows, place)).collect();
    let heads = heads.map(plain);
    let lines = std::iter::once(&heads).chain(rows).map(|row| {
        let cells = row.iter().zip(widths).zip(&numbers).map(|((cell, width), is_number)| {
            let padding = " ".repeat(width.saturating_sub(length(&cell.0)));
            match is_number {
                true => padding + &shown(cell, space),
                false => shown(cell, space) + &padding,
            }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    });
    lines.collect()
}

/// A row as lines, each with the head of its column.
fn block<const COLUMNS: usize>(
    heads: [&str; COLUMNS],
    row: &[TableCell; COLUMNS],
    space: TableSpace,
) -> String {
    let width = heads.iter().map(|head| head.len()).max().unwrap_or_default();
    let lines = heads.iter().zip(row).enumerate().map(|(place, (head, cell))| {
        let indent = if place == 0 { "" } else { "  " };
        let width = width + 2 - indent.len();
        format!("{indent}{head:<width$}  {}\n", shown(cell, space))
    });
    lines.collect()
}

fn shown((text, style): &TableCell, space: TableSpace) -> String {
    match space.is_coloured && *style != CellStyle::Plain {
        true => format!("\u{1b}[{}m{text}\u{1b}[0m", *style as u8),
        false => text.clone(),
    }
}

fn is_of_numbers<const COLUMNS: usize>(rows: &[[TableCell; COLUMNS]], place: usize) -> bool {
    let cells = || rows.iter().filter_map(|row| row.get(place)).filter(|(text, _)| text != "-");
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == ',');
    cells().next().is_some() && cells().all(|(text, _)| is_number(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: [&str; 3] = ["SOURCE", "EVENTS", "LAST RUN"];

    fn row(name: &str, events: &str, run: TableCell) -> [TableCell; 3] {
        [plain(name), plain(events), run]
    }

    #[test]
    fn columns_are_aligned_with_and_without_colour() {
        let rows = [
            row("a", "1,234,567", ("FAILED".to_owned(), CellStyle::Bad)),
            row("a-long-name", "7", plain("ok")),
            row("b", "-", plain("-")),
        ];
        let table = "SOURCE          EVENTS  LAST RUN\n\
                     a            1,234,567  FAILED\n\
                     a-long-name          7  ok\n\
                     b                    -  -\n";
        assert_eq!(text_table(HEADS, &rows, TableSpace::default()), table);
        for (columns, is_coloured) in [(None, true), (Some(32), true)] {
            let coloured = text_table(HEADS, &rows, TableSpace { columns, is_coloured });
            assert_eq!(coloured, table.replace("FAILED", "\u{1b}[31mFAILED\u{1b}[0m"));
        }
    }

    #[test]
    fn what_does_not_fit_is_a_block_for_each_row() {
        let rows = [row("a", "7", plain("ok")), row("a-long-name", "-", plain("never"))];
        let space = TableSpace { columns: Some(25), is_coloured: false };
        assert_eq!(
            text_table(HEADS, &rows, space),
            "SOURCE      a\n  EVENTS    7\n  LAST RUN  ok\n\n\
             SOURCE      a-long-name\n  EVENTS    -\n  LAST RUN  never\n"
        );
    }
}
