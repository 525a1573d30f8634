//! Suggests the known word that is most similar to a mistyped one.

/// The one of `known` that is nearest to `typed`, if it is near: a letter or so amiss, or a part of it.
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
