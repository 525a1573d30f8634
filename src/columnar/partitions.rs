//! Finds the file that an event belongs to.

use std::collections::HashMap;
use std::io;

use chrono::{Datelike as _, NaiveDate};

use super::table_layout::TableLayout;
use crate::config::path_template::{EVENT_DATE, EVENT_DAY, OCSF_CLASS, SOURCE, is_one_file};
#[cfg(feature = "object-store")]
use crate::config::settings::OutputFormat;
use crate::model::json::Node;
use crate::model::name::SourceName;
use crate::model::time::{Timestamp, parse_api_time};

/// The files that a template names.
#[derive(Debug)]
pub struct FilePartitions {
    layout: &'static TableLayout,
    template: String,
    /// Those that events belong to so far, by their numbers.
    files: Vec<PartitionFile>,
    numbers: HashMap<PartitionKey, u32>,
}

/// What stands in the name of a file for what its events do not say, as engines write it.
const UNKNOWN: &str = "__HIVE_DEFAULT_PARTITION__";

/// A file that events belong to.
#[derive(Debug)]
pub struct PartitionFile {
    /// Its path.
    pub path: String,
    /// The number of the class that all of them are of, if its path says one.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only tables have columns"))]
    pub class_uid: Option<u32>,
}

/// What the name of a file says of the events in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PartitionKey {
    source: Option<SourceName>,
    class_uid: Option<u32>,
    day: Option<NaiveDate>,
}

/// Where an event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPlace {
    /// The number of its file.
    pub partition: u32,
    /// The time by which it is sorted there, if it has one.
    pub time: Option<Timestamp>,
}

impl FilePartitions {
    /// The `template` is a path that may hold placeholders of what events say.
    pub fn new(layout: &'static TableLayout, template: String) -> FilePartitions {
        FilePartitions { layout, template, files: Vec::new(), numbers: HashMap::new() }
    }

    /// The same for events in `format`.
    ///
    /// # Errors
    /// The format has no columns by which events could belong to files.
    #[cfg(feature = "object-store")]
    pub fn of(format: OutputFormat, template: String) -> io::Result<FilePartitions> {
        let layout = TableLayout::of(format).ok_or_else(|| io::Error::other("no columns"))?;
        Ok(FilePartitions::new(layout, template))
    }

    /// A file.
    ///
    /// # Errors
    /// There is none of that number.
    pub fn file(&self, partition: u32) -> io::Result<&PartitionFile> {
        let file = usize::try_from(partition).ok().and_then(|number| self.files.get(number));
        file.ok_or_else(|| io::Error::other("a file without a path"))
    }

    /// The files that events belong to so far.
    #[cfg(feature = "parquet")]
    pub fn files(&self) -> &[PartitionFile] {
        &self.files
    }

    /// The path of the one file, where all events belong to one and there are none: engines read a
    /// file that is empty, and fail on one that is missing.
    pub fn path_without_events(&self) -> Option<&str> {
        let is_missing = is_one_file(&self.template) && self.files.is_empty();
        is_missing.then_some(&*self.template)
    }

    /// Finds the place of an event.
    ///
    /// # Errors
    /// There are too many files.
    pub fn place_of(&mut self, event: Node<'_>) -> io::Result<EventPlace> {
        let time_in = |column: &&str| {
            event.get(column).and_then(time_of).and_then(Timestamp::from_timestamp_millis)
        };
        let time = self.layout.times.first().and_then(time_in);
        let source = match self.template.contains(SOURCE) {
            false => None,
            true => {
                let [group, key] = self.layout.source;
                let name = event.get(group).and_then(|source| source.text_of(key));
                name.and_then(|name| name.parse::<SourceName>().ok())
            }
        };
        let has_day = self.template.contains(EVENT_DAY) || self.template.contains(EVENT_DATE);
        let day = has_day.then(|| time.or_else(|| self.layout.times.iter().find_map(time_in)));
        let day = day.flatten().map(|time| time.date_naive());
        // Others have no folder that sorts among the days.
        let day = day.filter(|day| (0..=9999).contains(&day.year()));
        let class_uid = self.template.contains(OCSF_CLASS).then(|| self.class_of(event)).flatten();
        let partition = self.number_of(PartitionKey { source, class_uid, day })?;
        Ok(EventPlace { partition, time })
    }

    /// The number of the class of an event, if it is a known one.
    fn class_of(&self, event: Node<'_>) -> Option<u32> {
        let uid = event.get("class_uid")?.raw().parse().ok()?;
        self.layout.class(uid).is_some().then_some(uid)
    }

    fn number_of(&mut self, key: PartitionKey) -> io::Result<u32> {
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        let number = u32::try_from(self.files.len()).map_err(io::Error::other)?;
        let day = |format| key.day.map(|day| day.format(format).to_string());
        let class = key.class_uid.map(|uid| uid.to_string());
        let source = key.source.as_ref().map(SourceName::as_str);
        let path = self
            .template
            .replace(SOURCE, source.unwrap_or(UNKNOWN))
            .replace(OCSF_CLASS, class.as_deref().unwrap_or(UNKNOWN))
            .replace(EVENT_DAY, day("%Y-%m-%d").as_deref().unwrap_or(UNKNOWN))
            .replace(EVENT_DATE, day("%Y%m%d").as_deref().unwrap_or(UNKNOWN));
        self.files.push(PartitionFile { path, class_uid: key.class_uid });
        self.numbers.insert(key, number);
        Ok(number)
    }
}

/// Milliseconds after 1970 began.
pub fn time_of(value: Node<'_>) -> Option<i64> {
    match value.is_string() {
        true => {
            Some(parse_api_time(std::str::from_utf8(&value.string()).ok()?)?.timestamp_millis())
        }
        false => value.raw().parse().ok(),
    }
}
