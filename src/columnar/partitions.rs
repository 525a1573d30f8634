//! Finds the file that an event belongs to.

use std::collections::HashMap;
use std::io;

use chrono::NaiveDate;

use super::table_layout::TableLayout;
use crate::config::output::{EVENT_DAY, SOURCE};
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
    /// The paths of those that events belong to so far, by their numbers.
    paths: Vec<String>,
    numbers: HashMap<PartitionKey, u32>,
}

/// What stands in the name of a file for what its events do not say, as engines write it.
const UNKNOWN: &str = "__HIVE_DEFAULT_PARTITION__";

/// What the name of a file says of the events in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PartitionKey {
    source: Option<SourceName>,
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
    /// The `template` is a path that may hold `{source}` and `{event_day}`.
    pub fn new(layout: &'static TableLayout, template: String) -> FilePartitions {
        FilePartitions { layout, template, paths: Vec::new(), numbers: HashMap::new() }
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

    /// The path of a file.
    ///
    /// # Errors
    /// There is none of that number.
    pub fn path(&self, partition: u32) -> io::Result<&str> {
        let path = usize::try_from(partition).ok().and_then(|number| self.paths.get(number));
        path.map(String::as_str).ok_or_else(|| io::Error::other("a file without a path"))
    }

    /// The path of the one file, where all events belong to one and there are none: engines read a
    /// file that is empty, and fail on one that is missing.
    pub fn path_without_events(&self) -> Option<&str> {
        let is_fixed = !self.template.contains(SOURCE) && !self.template.contains(EVENT_DAY);
        (is_fixed && self.paths.is_empty()).then_some(&*self.template)
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
        let day = match self.template.contains(EVENT_DAY) {
            false => None,
            true => {
                let time = time.or_else(|| self.layout.times.iter().find_map(time_in));
                time.map(|time| time.date_naive())
            }
        };
        let partition = self.number_of(PartitionKey { source, day })?;
        Ok(EventPlace { partition, time })
    }

    fn number_of(&mut self, key: PartitionKey) -> io::Result<u32> {
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        let number = u32::try_from(self.paths.len()).map_err(io::Error::other)?;
        let source = key.source.as_ref().map_or(UNKNOWN, SourceName::as_str);
        let day = key.day.map(|day| day.format("%Y-%m-%d").to_string());
        let path = self.template.replace(SOURCE, source);
        self.paths.push(path.replace(EVENT_DAY, day.as_deref().unwrap_or(UNKNOWN)));
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
