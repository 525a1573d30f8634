//! What the systems demand that take events as they are written.

use std::time::Duration;

use clap::ValueEnum;

use crate::config::error::HintedError;
use crate::config::path_template::{EVENT_DATE, OCSF_CLASS};
use crate::config::settings::{Encoding, OutputFormat, OutputSettings, Rotation};

/// A system that the output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputPreset {
    /// A custom source of Amazon Security Lake, for each class of OCSF.
    SecurityLake,
}

/// Amazon Security Lake takes objects every five minutes at most, unless they are large
/// (user guide, "Collecting data from custom sources").
const LEAST_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// What its objects must be called by, in this order.
const PARTITIONS: [&str; 2] = ["region=", "accountId="];

impl OutputPreset {
    /// Sets what the system demands.
    pub fn apply(self, output: &mut OutputSettings) {
        let OutputPreset::SecurityLake = self;
        output.format = OutputFormat::Ocsf13;
        output.encoding = Encoding::Parquet;
        output.rotation = Rotation::Every(LEAST_INTERVAL);
    }

    /// Checks that nothing else was said since, and that the path is such as the system reads.
    ///
    /// # Errors
    /// The system would not take these files.
    pub fn check(self, output: &OutputSettings) -> Result<(), HintedError> {
        let OutputPreset::SecurityLake = self;
        let refuse = |what: &str, hint: &str| Err(HintedError::new(what.to_owned()).hint(hint));
        if output.format != OutputFormat::Ocsf13 || output.encoding != Encoding::Parquet {
            return refuse(
                "Amazon Security Lake takes OCSF 1.3 in Parquet alone",
                "take `format` and `encoding` out: the preset decides them",
            );
        }
        let is_often = match output.rotation {
            Rotation::Every(interval) => interval < LEAST_INTERVAL,
            Rotation::Never | Rotation::Size(_) => true,
        };
        if is_often {
            return refuse(
                "Amazon Security Lake takes files every five minutes at most",
                "take `rotate` out, or say `15m`, `hourly` or `daily`",
            );
        }
        match is_partitioned(output.file_template()) {
            true => Ok(()),
            false => refuse(
                "the path is not one that Amazon Security Lake reads",
                "write it like `s3://BUCKET/ext/atlassian-{ocsf_class}/region=eu-west-1/\
                 accountId=123456789012/eventDay={event_yyyymmdd}/`",
            ),
        }
    }
}

/// Whether `path` has a folder for each class, and in it those of region, account and day.
fn is_partitioned(path: &str) -> bool {
    let folders: Vec<_> = path.split('/').collect();
    let Some([.., source, region, account, day, _]) = folders.get(..) else {
        return false;
    };
    let is_named = |(folder, key): (&str, &str)| {
        folder.strip_prefix(key).is_some_and(|value| !value.is_empty() && !value.contains('{'))
    };
    source.contains(OCSF_CLASS)
        && [*region, *account].into_iter().zip(PARTITIONS).all(is_named)
        && day.strip_prefix("eventDay=") == Some(EVENT_DATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::OutputPath;

    const PATH: &str =
        "s3://lake/ext/a-{ocsf_class}/region=eu-west-1/accountId=1/eventDay={event_yyyymmdd}/acme";

    fn check(path: &str, change: impl FnOnce(&mut OutputSettings)) -> Option<String> {
        let mut output =
            OutputSettings { path: OutputPath::Object(path.to_owned()), ..Default::default() };
        OutputPreset::SecurityLake.apply(&mut output);
        change(&mut output);
        OutputPreset::SecurityLake.check(&output).err().map(|refusal| refusal.what)
    }

    #[test]
    fn what_the_lake_takes() {
        assert_eq!(check(PATH, |_| {}), None);
        assert_eq!(check(PATH, |output| output.rotation = Rotation::HOURLY), None);
    }

    #[test]
    fn what_the_lake_does_not_take() {
        let refused = |path: &str, word: &str| {
            assert!(check(path, |_| {}).is_some_and(|what| what.contains(word)), "{path}");
        };
        for part in ["{ocsf_class}", "region=eu-west-1/", "accountId=1", "eventDay=", "_yyyymmdd"] {
            refused(&PATH.replace(part, ""), "the path");
        }
        refused("-", "the path");
        let minute = Rotation::Every(Duration::from_secs(60));
        for rotation in [Rotation::Never, Rotation::Size(4096), minute] {
            let what = check(PATH, |output| output.rotation = rotation);
            assert!(what.is_some_and(|what| what.contains("five minutes")), "{rotation:?}");
        }
        let what = check(PATH, |output| output.format = OutputFormat::Ocsf);
        assert!(what.is_some_and(|what| what.contains("OCSF 1.3")));
    }
}
