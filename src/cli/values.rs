//! Adapts the parsers of the configuration to clap's value parsers.

use std::ffi::OsStr;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::config::error::HintedError;
use crate::sandbox::{ApiQuirk, QUIRKS};

/// A value read by one of the configuration's checks: a flag and a key take the same words.
pub fn checked<T: 'static>(
    check: fn(&str) -> Result<T, HintedError>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| check(text).map_err(|refusal| refusal.to_string())
}

/// One of a closed list of words, which help and completions then show.
#[derive(Clone)]
pub struct WordParser<T: 'static> {
    read: fn(&str) -> Result<T, HintedError>,
}

/// A word that `read` reads, one of the names that the type lists.
pub fn word<T: ValueEnum + 'static>(read: fn(&str) -> Result<T, HintedError>) -> WordParser<T> {
    WordParser { read }
}

impl<T: ValueEnum + Send + Sync + 'static> TypedValueParser for WordParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        checked(self.read).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = T::value_variants().iter().filter_map(T::to_possible_value);
        Some(Box::new(words))
    }
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
