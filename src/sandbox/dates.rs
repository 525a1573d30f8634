//! How ISO 8601 dates in a query are read.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// A date parameter, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParsedDate {
    /// An instant, epoch milliseconds.
    At(i64),
    /// A date without a zone, read as UTC. Jira's gateway answers it with an empty list
    /// (elastic/integrations 18138).
    Zoneless(i64),
    /// No date at all.
    Unreadable,
}

/// Reads `...Z`, `...+00:00` and `...+0000`, with or without a fraction; what has no zone is told
/// apart.
///
/// An unescaped `+0000` arrives as ` 0000`, and counts as no zone.
pub fn read(text: &str) -> ParsedDate {
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    if let Ok(at) = zoned {
        return ParsedDate::At(at.timestamp_millis());
    }
    let local = text.split(' ').next().unwrap_or_default();
    let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M:%S%.f")
        .ok()
        .or_else(|| NaiveDate::parse_from_str(local, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
    match local {
        Some(local) => ParsedDate::Zoneless(local.and_utc().timestamp_millis()),
        None => ParsedDate::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_notation_is_the_same_instant() {
        for text in [
            "2026-11-20T09:30:00Z",
            "2026-11-20T09:30:00.000Z",
            "2026-11-20T09:30:00.000+0000",
            "2026-11-20T09:30:00+00:00",
            "2026-11-20T10:30:00.000+0100",
        ] {
            assert_eq!(read(text), ParsedDate::At(1_795_167_000_000), "{text}");
        }
    }

    #[test]
    fn a_missing_zone_is_told_from_nonsense() {
        for text in
            ["2026-11-20T09:30:00", "2026-11-20T09:30:00.000", "2026-11-20T09:30:00.000 0000"]
        {
            assert_eq!(read(text), ParsedDate::Zoneless(1_795_167_000_000), "{text}");
        }
        assert_eq!(read("2026-11-20"), ParsedDate::Zoneless(1_795_132_800_000));
        assert_eq!(read("yesterday"), ParsedDate::Unreadable);
        assert_eq!(read(""), ParsedDate::Unreadable);
    }
}
