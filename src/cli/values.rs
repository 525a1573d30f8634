//! Owns the bridge from our readers of text to clap's value parsers.

use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::config::error::HintedError;
use crate::sandbox::{ApiQuirk, QUIRKS};

/// A value read by one of the configuration's checks: a flag and a key take the same words.
pub fn checked<T: 'static>(
    check: fn(&str) -> Result<T, HintedError>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| check(text).map_err(|refusal| refusal.to_string())
}

/// A value that reads itself.
pub fn text<T: 'static>(
    read: fn(&str) -> Result<T, String>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    read
}

/// One of a few words, which the help then lists.
pub fn one_of<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words)
        .try_map(|word| word.parse::<T>().map_err(std::io::Error::other))
}

/// The name of one of the sandbox's quirks.
pub fn quirk() -> PossibleValuesParser {
    let value = |quirk: &ApiQuirk| PossibleValue::new(quirk.name).help(quirk.about);
    PossibleValuesParser::new(QUIRKS.iter().map(value))
}
