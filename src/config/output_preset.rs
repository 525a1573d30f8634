//! What the systems demand that take events as they are written.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::error::HintedError;
use crate::config::path_template::{EVENT_DATE, OCSF_CLASS};
use crate::config::settings::{Encoding, OutputFormat, OutputPreset, OutputSettings, Rotation};

/// Amazon Security Lake takes objects every five minutes at most, and once a day at least
/// (user guide, "Collecting data from custom sources").
const INTERVALS: RangeInclusive<Duration> =
    Duration::from_secs(5 * 60)..=Duration::from_secs(24 * 60 * 60);

impl OutputPreset {
    /// Sets what the system demands.
    pub fn apply(self, output: &mut OutputSettings) {
        let OutputPreset::SecurityLake = self;
        output.format = OutputFormat::Ocsf13;
        output.encoding = Encoding::Parquet;
        output.rotation = Rotation::Every(*INTERVALS.start());
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
        let is_in_time =
            |rotation| matches!(rotation, Rotation::Every(span) if INTERVALS.contains(&span));
        if !is_in_time(output.rotation) {
            return refuse(
                "Amazon Security Lake takes files every five minutes at most, and once a day at \
                 least",
                "take `rotate` out, or say `15m`, `hourly` or `daily`",
            );
        }
        match is_partitioned(output.file_template()) {
            true => Ok(()),
            false => refuse(
                "the path is not one that Amazon Security Lake reads",
                "write it like `s3://BUCKET/ext/atlassian-{ocsf_class}/region=eu-west-1/\
                 accountId=123456789012/eventDay={event_yyyymmdd}/`; an account that is not one of \
                 AWS is `external` or `external_ID`",
            ),
        }
    }
}

/// Whether `path` is in `ext/`, in a folder for each class, and in those of region, account and
/// day.
fn is_partitioned(path: &str) -> bool {
    let mut folders = path.split('/').rev().skip(1);
    let mut next = |key| folders.next().and_then(|folder| folder.strip_prefix(key));
    let (day, account, region) = (next("eventDay="), next("accountId="), next("region="));
    // The source, which may have a folder for its version.
    let mut sources = folders.by_ref().take_while(|folder| *folder != "ext");
    let classes = sources.by_ref().filter(|folder| folder.contains(OCSF_CLASS)).count();
    day == Some(EVENT_DATE)
        && account.is_some_and(is_account)
        && region.is_some_and(is_region)
        && classes == 1
        && path.split('/').any(|folder| folder == "ext")
        && path.matches(['{', '%']).count() == [EVENT_DATE, OCSF_CLASS].len()
}

fn is_region(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.split('-').count() > 2
        && text.split('-').all(|part| !part.is_empty() && part.chars().all(is_plain))
}

fn is_account(text: &str) -> bool {
    let is_aws = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_external = text.strip_prefix("external").is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('_').is_some_and(|id| !id.is_empty())
    });
    is_aws || is_external
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::OutputPath;

    const PATH: &str = "s3://lake/ext/a-{ocsf_class}/region=eu-west-1/accountId=123456789012/\
                        eventDay={event_yyyymmdd}/acme";

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
        for rotation in [Rotation::HOURLY, Rotation::DAILY] {
            assert_eq!(check(PATH, |output| output.rotation = rotation), None);
        }
        for (part, other) in [
            ("/region", "/1.0/region"),
            ("123456789012", "external"),
            ("123456789012", "external_acme"),
            ("eu-west-1", "us-gov-east-1"),
            ("s3://lake/", "/var/lake/"),
        ] {
            assert_eq!(check(&PATH.replace(part, other), |_| {}), None, "{other}");
        }
    }

    #[test]
    fn what_the_lake_does_not_take() {
        let refused = |path: &str, word: &str| {
            assert!(check(path, |_| {}).is_some_and(|what| what.contains(word)), "{path}");
        };
        for part in ["{ocsf_class}", "region=eu-west-1/", "accountId=", "eventDay=", "_yyyymmdd"] {
            refused(&PATH.replace(part, ""), "the path");
        }
        for (part, other) in [
            ("/ext/", "/foo/"),
            ("eu-west-1", "%Y-%m-%d"),
            ("eu-west-1", "europe"),
            ("123456789012", "1"),
            ("a-{ocsf_class}", "{event_day}{ocsf_class}"),
            ("a-{ocsf_class}", "{ocsf_class}/{ocsf_class}"),
            ("123456789012", "external_"),
        ] {
            refused(&PATH.replace(part, other), "the path");
        }
        refused("-", "the path");
        let minute = Rotation::Every(Duration::from_secs(60));
        let week = Rotation::Every(Duration::from_secs(7 * 86_400));
        for rotation in [Rotation::Never, Rotation::Size(4096), minute, week] {
            let what = check(PATH, |output| output.rotation = rotation);
            assert!(what.is_some_and(|what| what.contains("five minutes")), "{rotation:?}");
        }
        let what = check(PATH, |output| output.format = OutputFormat::Ocsf);
        assert!(what.is_some_and(|what| what.contains("OCSF 1.3")));
    }
}
