//! Reads the words that the configuration and the flags accept, and suggests a similar one.

use std::ffi::OsStr;

use clap::ValueEnum;
use clap::builder::{PossibleValue, TypedValueParser};

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
    T::from_str(text, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(T::to_possible_value);
        let names: Vec<_> = names.map(|value| format!("`{}`", value.get_name())).collect();
        let (others, last) = names.split_at(names.len().saturating_sub(1));
        unknown(of, text, &format!("{} or {}", others.join(", "), last.join("")))
    })
}

/// clap's parser of a word that `read` accepts, for a flag whose completions show all of them.
pub fn word<T>(read: fn(&str) -> Result<T, HintedError>) -> WordParser<T> {
    WordParser(read)
}

/// See [`word`]. The errors are those of the configuration, not clap's.
#[derive(Clone)]
pub struct WordParser<T: 'static>(fn(&str) -> Result<T, HintedError>);

impl<T: ValueEnum + Send + Sync + 'static> TypedValueParser for WordParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        self.0.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(T::value_variants().iter().filter_map(T::to_possible_value)))
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
        _ => return Err(unknown("size", text, "a unit: B, KiB, MiB, GiB, KB, MB or GB")),
    };
    let problem = match digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)) {
        Some(bytes) if bytes >= LEAST_SIZE => return Ok(bytes),
        Some(_) => "a file of less than 1KiB holds hardly a line".to_owned(),
        None => format!("`{}` is too large", printable(text)),
    };
    Err(HintedError::new(problem).hint(format!("use {ROTATIONS}")))
}

fn unknown(of: &str, text: &str, known: &str) -> HintedError {
    HintedError::new(format!("unknown {of} `{}`", printable(text))).hint(format!("use {known}"))
}

/// The one of `known` that is most similar to `typed`, if a letter or so is wrong, or it is a part.
pub fn suggest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let far = 2 + typed.chars().count() / 4;
    let steps = |word: &str| {
        let word = word.to_ascii_lowercase().replace('-', "_");
        match typed.len() > 3 && word.contains(&typed) {
            true => 0,
            false => strsim::damerau_levenshtein(&typed, &word),
        }
    };
    let near = known.into_iter().map(|word| (steps(word), word));
    near.filter(|(steps, _)| *steps < far).min_by_key(|(steps, _)| *steps).map(|(_, word)| word)
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

    #[test]
    fn close_words_and_substrings_are_suggested() {
        let known = ["page_size", "output", "acme-jira", "ecs"];
        for (typed, meant) in [
            ("pagesize", Some("page_size")),
            ("page-size", Some("page_size")),
            ("outptu", Some("output")),
            ("Acme_Jria", Some("acme-jira")),
            ("jira", Some("acme-jira")),
            ("esc", Some("ecs")),
            ("normalised", None),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(suggest(typed, known), meant, "{typed}");
        }
    }
}
