//! The codes of countries by their English names: sources name a country, and OCSF wants its code.

use std::sync::LazyLock;

use crate::model::hashing::QuickMap;

/// The code of the country that `text` names, or is the code of. Nothing where it is neither: what a country is called
/// by other names is not guessed.
pub fn code(text: &str) -> Option<&str> {
    if let Some(code) = BY_NAME.get(text) {
        return Some(code);
    }
    let is_code = text.len() == 2 && BY_NAME.values().any(|code| *code == text);
    is_code.then_some(text)
}

static BY_NAME: LazyLock<QuickMap<&str, &str>> = LazyLock::new(|| rows().collect());

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
            assert_eq!(code(name), Some(of));
            assert_eq!(code(of), Some(of));
            let is_code = of.len() == 2 && of.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(is_code, "{of}");
        }
        assert_eq!(rows().count(), 275);
        let mut codes: Vec<&str> = rows().map(|(_, code)| code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), 249);
    }

    #[test]
    fn what_is_no_country_has_no_code() {
        for text in ["", "Exampleland", "nl", "XX", "NLD", "netherlands", "é"] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
