//! Finds the code of a country by the name that a source gives it.

use std::sync::LazyLock;

use crate::model::hashing::QuickMap;

/// A longer text is no country: the longest name is shorter.
const MAX_NAME_BYTES: usize = 100;

/// The code (ISO 3166-1 alpha-2) of the country that `text` names, or is the code of. Nothing where
/// it is neither: what a country is called by other names is not guessed.
pub fn country_code(text: &str) -> Option<&'static str> {
    let in_other_spelling = || {
        let simplified = (text.len() <= MAX_NAME_BYTES).then(|| simplified(text))?;
        SIMPLIFIED.get(&simplified).copied()
    };
    COUNTRIES.get(text).copied().or_else(in_other_spelling)
}

/// Codes by names, and by themselves.
static COUNTRIES: LazyLock<QuickMap<&str, &str>> =
    LazyLock::new(|| rows().flat_map(|(name, code)| [(name, code), (code, code)]).collect());

/// Codes by simplified names, for what is not spelt as in the table. A code in another case is
/// left out: it may be a word.
static SIMPLIFIED: LazyLock<QuickMap<String, &str>> =
    LazyLock::new(|| rows().map(|(name, code)| (simplified(name), code)).collect());

/// `name` in the spelling that those of ISO ("Bahamas (the)"), CLDR ("&", "’") and others share.
fn simplified(name: &str) -> String {
    let mut text = name.trim().to_lowercase();
    for (from, to) in [("’", "'"), ("&", "and"), (" (the)", ""), ("(the ", "("), (", the ", ", ")]
    {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    text
}

fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("countries.tsv").lines();
    lines.filter_map(|line| line.split_once('\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_codes_are_codes() {
        assert!(rows().is_sorted_by(|one, next| one.0 < next.0));
        for (name, of) in rows() {
            assert_eq!(country_code(name), Some(of));
            assert_eq!(country_code(of), Some(of));
            let is_code = of.len() == 2 && of.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(is_code, "{of}");
        }
        let mut codes: Vec<&str> = rows().map(|(_, code)| code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 249);
    }

    #[test]
    fn a_country_is_known_by_the_names_of_iso_and_by_those_in_use() {
        for (code, names) in [
            ("US", ["United States", "United States of America", "US"]),
            ("KR", ["Korea, Republic of", "Republic of Korea", "South Korea"]),
            ("CZ", ["Czechia", "Czech Republic", "CZ"]),
            ("TR", ["Türkiye", "Turkey", "Turkiye"]),
            (
                "GB",
                ["United Kingdom", "United Kingdom of Great Britain and Northern Ireland", "GB"],
            ),
            ("IR", ["Iran", "Iran (Islamic Republic of)", "Iran, Islamic Republic of"]),
            ("CD", ["DR Congo", "Congo, Democratic Republic of the", "Congo - Kinshasa"]),
            ("VN", ["Viet Nam", "Vietnam", "VN"]),
        ] {
            for name in names {
                assert_eq!(country_code(name), Some(code), "{name}");
            }
        }
    }

    #[test]
    fn a_name_in_another_spelling_is_known() {
        for (name, code) in [
            ("Côte d’Ivoire", "CI"),
            ("Lao People’s Democratic Republic", "LA"),
            ("Bahamas (the)", "BS"),
            ("Netherlands (the)", "NL"),
            ("United States of America (the)", "US"),
            ("Congo (the Democratic Republic of the)", "CD"),
            ("Saint Vincent & the Grenadines", "VC"),
            ("South Georgia & the South Sandwich Islands", "GS"),
            ("Palestinian Territory, Occupied", "PS"),
            ("UNITED STATES", "US"),
            (" Germany ", "DE"),
            ("CÔTE D'IVOIRE", "CI"),
        ] {
            assert_eq!(country_code(name), Some(code), "{name}");
        }
    }

    #[test]
    fn a_simplified_name_is_that_of_one_country() {
        for (name, code) in rows() {
            assert_eq!(SIMPLIFIED.get(&simplified(name)), Some(&code), "{name}");
            assert!(name.len() <= MAX_NAME_BYTES, "{name}");
        }
    }

    #[test]
    fn what_is_no_country_has_no_code() {
        for text in ["", "Exampleland", "nl", "XX", "NLD", " NL", "é", &"x".repeat(200)] {
            assert_eq!(country_code(text), None, "{text}");
        }
    }
}
