//! Checks the names that users give their sources.

use std::fmt;
use std::str::FromStr;

pub use crate::model::source_kind::SourceKind;

/// The name a user gave a source: 1 to 64 ASCII letters, digits, `-`, `_` or `.`, starting with a
/// letter or digit. It names a file in the state directory and an entry in the keyring.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(String);

impl SourceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if text.len() <= 64 && starts_well && text.chars().all(allowed) {
            Ok(SourceName(text.to_owned()))
        } else {
            Err("a source's name is 1 to 64 letters, digits, `-`, `_` or `.`, and starts with a \
                letter or digit"
                .to_owned())
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_as_a_file_name() {
        for good in ["acme", "acme-jira", "a.b_c", "0"] {
            assert!(good.parse::<SourceName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<SourceName>().is_err(), "{bad}");
        }
    }
}
