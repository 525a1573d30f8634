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
    /// The classes of events, where they have some.
    classes: &'static [EventClass],
}

/// A class of OCSF's events.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only files have columns"))]
pub struct EventClass {
    /// Its number, as events state it.
    uid: u32,
    /// The columns that not every class has.
    columns: &'static [&'static str],
}

/// The classes of OCSF 1.8.
static CLASSES: [EventClass; 8] = [
    class(3001, &["src_endpoint", "user", "policies"]),
    class(3002, &["src_endpoint", "dst_endpoint", "user", "service"]),
    class(3004, &["src_endpoint", "entity"]),
    class(3005, &["src_endpoint", "user", "privileges", "resources"]),
    class(3006, &["src_endpoint", "group", "subgroup", "user", "privileges", "resource"]),
    class(6001, &["src_endpoint", "dst_endpoint", "web_resources"]),
    class(6002, &["app"]),
    class(6003, &["src_endpoint", "dst_endpoint", "api", "resources"]),
];

/// The classes of OCSF 1.3.
static CLASSES_1_3: [EventClass; 7] = [
    class(3001, &["src_endpoint", "user", "policy"]),
    class(3002, &["src_endpoint", "dst_endpoint", "user", "service"]),
    class(3004, &["src_endpoint", "entity"]),
    class(3005, &["src_endpoint", "user", "privileges", "resource"]),
    class(3006, &["src_endpoint", "group", "user", "privileges", "resource"]),
    class(6001, &["src_endpoint", "dst_endpoint", "web_resources"]),
    class(6003, &["src_endpoint", "dst_endpoint", "api", "resources"]),
];

const fn class(uid: u32, columns: &'static [&'static str]) -> EventClass {
    EventClass { uid, columns }
}

/// The table of normalized events.
static NORMALIZED: TableLayout = TableLayout {
    message: include_str!("normalized.schema"),
    version: "atlaudit/1",
    id: "id",
    source: ["source", "name"],
    times: &["time", "processed_time", "observed_time"],
    distinct: &["id", "raw"],
    classes: &[],
};

/// The table of OCSF's events, of whatever class.
static OCSF: TableLayout = TableLayout {
    message: include_str!("ocsf.schema"),
    version: "ocsf/1.8.0",
    id: "metadata.uid",
    source: ["metadata", "source"],
    times: &["time"],
    distinct: &["metadata.uid", "raw_data", "unmapped"],
    classes: &CLASSES,
};

/// The table of events of OCSF 1.3. Its times are numbers: so OCSF defines them, and so the tables
/// of Amazon Security Lake have them.
static OCSF_1_3: TableLayout = TableLayout {
    message: include_str!("ocsf-1.3.schema"),
    version: "ocsf/1.3.0",
    id: "metadata.uid",
    source: ["metadata", "log_provider"],
    times: &["time"],
    distinct: &["metadata.uid", "raw_data", "unmapped"],
    classes: &CLASSES_1_3,
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
            OutputFormat::Ocsf13 => Some(&OCSF_1_3),
            OutputFormat::Raw | OutputFormat::Ecs => None,
        }
    }

    /// The class of a number, if events are of it.
    #[cfg(any(feature = "parquet", feature = "object-store"))]
    pub fn class(&self, uid: u32) -> Option<&'static EventClass> {
        self.classes.iter().find(|class| class.uid == uid)
    }

    /// Whether events of a class can have this column; with none, of any class.
    #[cfg(feature = "parquet")]
    pub fn has_column(&self, class: Option<&EventClass>, column: &str) -> bool {
        class.is_none_or(|class| class.columns.contains(&column))
            || !self.classes.iter().any(|class| class.columns.contains(&column))
    }

    /// The message type as files state it.
    pub fn written_message(&self) -> String {
        self.message.replace("(JSON)", "(STRING)")
    }
}
