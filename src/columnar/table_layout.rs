//! The tables of events: what their columns are called, and what is special about some of them.
//!
//! They are written down as Parquet's message types, in the files beside this one, which say `JSON`
//! where a value of any shape stands as its JSON text. The files that are written say `STRING`
//! there, which every engine takes for a text.

use crate::config::settings::OutputFormat;

/// Whether this build writes Parquet.
pub const HAS_PARQUET: bool = cfg!(feature = "parquet");

/// What differs between the tables of two formats.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only files have columns"))]
pub struct TableLayout {
    /// The message type.
    pub message: &'static str,
    /// The version of the table, which each file states.
    pub version: &'static str,
    /// The column that names an event.
    pub id: &'static str,
    /// The column that names the source of an event.
    pub source: [&'static str; 2],
    /// The columns with a time, the best first. By the first of them rows are sorted.
    pub times: &'static [&'static str],
    /// Columns whose values hardly repeat: a dictionary of them would only cost time.
    pub distinct: &'static [&'static str],
}

/// The table of normalized events.
static NORMALIZED: TableLayout = TableLayout {
    message: include_str!("normalized.schema"),
    version: "atlaudit/1",
    id: "id",
    source: ["source", "name"],
    times: &["time", "processed_time", "observed_time"],
    distinct: &["id", "raw"],
};

/// The table of OCSF's events, of whatever class.
static OCSF: TableLayout = TableLayout {
    message: include_str!("ocsf.schema"),
    version: "ocsf/1.8.0",
    id: "metadata.uid",
    source: ["metadata", "source"],
    times: &["time"],
    distinct: &["metadata.uid", "raw_data", "unmapped"],
};

/// The message type of the table of a format, as files of it state it; none where the format has no
/// table.
pub fn message_of(format: OutputFormat) -> Option<String> {
    TableLayout::of(format).map(TableLayout::written_message)
}

/// The names of the columns of a format's table; none where it has no table.
pub fn columns_of(format: OutputFormat) -> impl Iterator<Item = &'static str> {
    let message = TableLayout::of(format).map_or("", |layout| layout.message);
    // Those of a row stand two spaces in: repetition, type, name.
    let fields = message.lines().filter_map(|line| line.strip_prefix("  "));
    let fields = fields.filter(|field| !field.starts_with([' ', '}']));
    fields.filter_map(|field| field.split([' ', ';']).nth(2))
}

impl TableLayout {
    /// The table of a format, if it has one.
    pub fn of(format: OutputFormat) -> Option<&'static TableLayout> {
        match format {
            OutputFormat::Normalized => Some(&NORMALIZED),
            OutputFormat::Ocsf => Some(&OCSF),
            OutputFormat::Raw | OutputFormat::Ecs => None,
        }
    }

    /// The message type as files state it.
    pub fn written_message(&self) -> String {
        self.message.replace("(JSON)", "(STRING)")
    }
}
