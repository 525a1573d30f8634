//! Owns the closed vocabularies of the configuration and the flags: what this version takes.

use crate::config::error::HintedError;
use crate::config::settings::{Compression, OutputFormat, Rotation};
use crate::model::name::SourceKind;
use crate::model::text::printable;

/// `format`: `normalized`, `raw`, `ecs` or `ocsf`.
pub fn format(text: &str) -> Result<OutputFormat, HintedError> {
    let known = "`normalized`, `raw`, `ecs` or `ocsf`";
    OutputFormat::ALL
        .into_iter()
        .find(|format| format.as_str() == text)
        .ok_or_else(|| unknown("format", text, known))
}

/// `compression`: `none`, `gzip` or `zstd`.
pub fn compression(text: &str) -> Result<Compression, HintedError> {
    match text {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(unknown("compression", text, "`none`, `gzip` or `zstd`")),
    }
}

/// `rotate`: `never`, `hourly`, `daily`, or a size such as `100MiB`.
pub fn rotate(text: &str) -> Result<Rotation, HintedError> {
    match text {
        "never" => Ok(Rotation::Never),
        "hourly" => Ok(Rotation::Hourly),
        "daily" => Ok(Rotation::Daily),
        _ if text.starts_with(|c: char| c.is_ascii_digit()) => size(text).map(Rotation::Size),
        _ => Err(unknown("rotation", text, ROTATIONS)),
    }
}

const ROTATIONS: &str = "`never`, `hourly`, `daily`, or a size such as `100MiB`";

/// The least size of a file: a smaller one would hold a line or two.
const LEAST_SIZE: u64 = 1024;

/// A size in bytes: a whole number and a unit, 1024 or 1000 times the one before.
fn size(text: &str) -> Result<u64, HintedError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default().trim_start();
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => {
            return Err(unknown(
                "size",
                text,
                "a unit: B, KiB, MiB, GiB, KB, MB or GB",
            ));
        }
    };
    let bytes = digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor));
    match bytes {
        Some(bytes) if bytes >= LEAST_SIZE => Ok(bytes),
        Some(_) => Err(HintedError::new("a file of less than 1KiB holds hardly a line")
            .hint(format!("use {ROTATIONS}"))),
        None => Err(HintedError::new(format!("`{}` is too large", printable(text)))
            .hint(format!("use {ROTATIONS}"))),
    }
}

/// `type`: the kinds of sources.
pub fn source_kind(text: &str) -> Result<SourceKind, HintedError> {
    let known = "`org-events`, `jira-audit`, `confluence-audit` or `datacenter-audit`";
    text.parse()
        .map_err(|_| unknown("source type", text, known))
}

fn unknown(of: &str, text: &str, known: &str) -> HintedError {
    HintedError::new(format!("unknown {of} `{}`", printable(text))).hint(format!("use {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_this_version() {
        for known in OutputFormat::ALL {
            assert_eq!(format(known.as_str()), Ok(known));
        }
        assert_eq!(compression("gzip"), Ok(Compression::Gzip));
        assert_eq!(rotate("never"), Ok(Rotation::Never));
        for kind in SourceKind::ALL {
            assert_eq!(source_kind(kind.as_str()), Ok(kind));
        }
    }

    #[test]
    fn sizes_have_a_unit_and_a_measure() {
        for (text, bytes) in [
            ("100MiB", 100 << 20),
            ("1 GiB", 1 << 30),
            ("5MB", 5_000_000),
            ("1024B", 1024),
        ] {
            assert_eq!(rotate(text), Ok(Rotation::Size(bytes)), "{text}");
        }
        for text in [
            "100",
            "1B",
            "0KiB",
            "5 mib",
            "1.5MiB",
            "99999999999GiB",
            "1MiB1",
        ] {
            assert!(rotate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_words_are_unknown() {
        assert!(
            format("xml")
                .unwrap_err()
                .what
                .contains("unknown format `xml`")
        );
        assert!(
            compression("lz4").is_err() && rotate("weekly").is_err() && source_kind("x").is_err()
        );
    }
}
