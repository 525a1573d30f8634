//! Owns the closed vocabularies of the configuration and the flags: what this version takes, and
//! what it answers to words that belong to a later one.

use crate::config::error::Refusal;
use crate::config::settings::Format;
use crate::model::name::SourceKind;
use crate::model::text::printable;

/// `format`: `normalized` or `raw`.
pub fn format(text: &str) -> Result<Format, Refusal> {
    match text {
        "normalized" => Ok(Format::Normalized),
        "raw" => Ok(Format::Raw),
        "ecs" | "ocsf" => Err(later("format", text, "`normalized` or `raw`")),
        _ => Err(unknown("format", text, "`normalized` or `raw`")),
    }
}

/// `compression`: only `none`.
pub fn compression(text: &str) -> Result<(), Refusal> {
    match text {
        "none" => Ok(()),
        "gzip" | "zstd" => Err(later("compression", text, "`none`")),
        _ => Err(unknown("compression", text, "`none`")),
    }
}

/// `rotate`: only `never`; a path with `%Y-%m-%d` in it starts a file a day by itself.
pub fn rotate(text: &str) -> Result<(), Refusal> {
    let by_size = text.starts_with(|c: char| c.is_ascii_digit());
    match text {
        "never" => Ok(()),
        "hourly" | "daily" => Err(later("rotation", text, "`never`")
            .hint("use `never`, with `%Y-%m-%d` (or `%Y-%m-%dT%H`) in `path`")),
        _ if by_size => Err(
            Refusal::new("rotation by size is not available in this version")
                .hint("use `never`, with `%Y-%m-%d` in `path` for a file a day"),
        ),
        _ => Err(unknown("rotation", text, "`never`")),
    }
}

/// `type`: the kinds of sources.
pub fn source_kind(text: &str) -> Result<SourceKind, Refusal> {
    let known = "`org-events` or `jira-audit`";
    match text {
        "confluence-audit" | "datacenter-audit" => Err(later("source type", text, known)),
        _ => text
            .parse()
            .map_err(|_| unknown("source type", text, known)),
    }
}

fn later(of: &str, text: &str, known: &str) -> Refusal {
    Refusal::new(format!("{of} `{text}` is not available in this version"))
        .hint(format!("use {known}"))
}

fn unknown(of: &str, text: &str, known: &str) -> Refusal {
    Refusal::new(format!("unknown {of} `{}`", printable(text))).hint(format!("use {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_this_version() {
        assert_eq!(format("raw"), Ok(Format::Raw));
        assert_eq!(compression("none"), Ok(()));
        assert_eq!(rotate("never"), Ok(()));
        for kind in SourceKind::ALL {
            assert_eq!(source_kind(kind.as_str()), Ok(kind));
        }
    }

    #[test]
    fn words_of_a_later_version_say_so() {
        let refusals = [
            format("ecs").unwrap_err(),
            format("ocsf").unwrap_err(),
            compression("gzip").unwrap_err(),
            rotate("daily").unwrap_err(),
            rotate("100MiB").unwrap_err(),
            source_kind("confluence-audit").unwrap_err(),
        ];
        for refusal in refusals {
            assert!(
                refusal.what.contains("not available in this version"),
                "{refusal}"
            );
            assert!(refusal.hint.is_some());
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
