//! Parses the words that the configuration and the flags accept.

use clap::ValueEnum;

use crate::config::error::HintedError;
use crate::config::settings::{Compression, OutputFormat, Rotation};
use crate::model::name::SourceKind;
use crate::model::text::printable;

/// `format`: the format of output lines.
pub fn format(text: &str) -> Result<OutputFormat, HintedError> {
    word_of_list("format", text)
}

/// `compression`: how output is compressed.
pub fn compression(text: &str) -> Result<Compression, HintedError> {
    word_of_list("compression", text)
}

/// `type`: the kind of a source.
pub fn source_kind(text: &str) -> Result<SourceKind, HintedError> {
    word_of_list("source type", text)
}

/// The variant named `text`; `of` says what the words are.
fn word_of_list<T: ValueEnum>(of: &str, text: &str) -> Result<T, HintedError> {
    let names = T::value_variants().iter().filter_map(T::to_possible_value);
    let names: Vec<_> = names.map(|value| format!("`{}`", value.get_name())).collect();
    let typed = format!("`{text}`");
    let found = names.iter().position(|name| *name == typed);
    if let Some(variant) = found.and_then(|at| T::value_variants().get(at)) {
        return Ok(variant.clone());
    }
    let known = match names.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    Err(unknown(of, text, &known))
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
            return Err(unknown("size", text, "a unit: B, KiB, MiB, GiB, KB, MB or GB"));
        }
    };
    let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
    match bytes {
        Some(bytes) if bytes >= LEAST_SIZE => Ok(bytes),
        Some(_) => Err(HintedError::new("a file of less than 1KiB holds hardly a line")
            .hint(format!("use {ROTATIONS}"))),
        None => Err(HintedError::new(format!("`{}` is too large", printable(text)))
            .hint(format!("use {ROTATIONS}"))),
    }
}

fn unknown(of: &str, text: &str, known: &str) -> HintedError {
    HintedError::new(format!("unknown {of} `{}`", printable(text))).hint(format!("use {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_this_version() {
        for known in OutputFormat::value_variants() {
            assert_eq!(format(known.to_possible_value().unwrap().get_name()), Ok(*known));
        }
        assert_eq!(compression("gzip"), Ok(Compression::Gzip));
        assert_eq!(rotate("never"), Ok(Rotation::Never));
        for kind in SourceKind::ALL {
            assert_eq!(source_kind(kind.as_str()), Ok(kind));
        }
    }

    #[test]
    fn sizes_have_a_unit_and_a_measure() {
        for (text, bytes) in
            [("100MiB", 100 << 20), ("1 GiB", 1 << 30), ("5MB", 5_000_000), ("1024B", 1024)]
        {
            assert_eq!(rotate(text), Ok(Rotation::Size(bytes)), "{text}");
        }
        for text in ["100", "1B", "0KiB", "5 mib", "1.5MiB", "99999999999GiB", "1MiB1"] {
            assert!(rotate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_words_are_unknown() {
        assert!(format("xml").unwrap_err().what.contains("unknown format `xml`"));
        assert!(
            compression("lz4").is_err() && rotate("weekly").is_err() && source_kind("x").is_err()
        );
    }
}
