//! Names the action of a Data Center's audit event by the key of its text. The server translates
//! the text; the key is the same in every language.

use std::sync::LazyLock;

use crate::model::hashing::QuickMap;
use crate::normalise::fields::part_camel_case;
use crate::normalise::taxonomy::{self, Taxonomy};

/// The table as people edit it.
const TEXT: &str = include_str!("datacenter_actions.tsv");

static ACTIONS: LazyLock<QuickMap<&str, &str>> = LazyLock::new(|| {
    TEXT.lines().filter_map(parse_row).map(|[key, action, _]| (key, action)).collect()
});

/// The columns of a row; none of a comment.
fn parse_row(line: &'static str) -> Option<[&'static str; 3]> {
    line.split('\t').collect::<Vec<_>>().try_into().ok()
}

/// What ends before the action in the keys of the products, and of the libraries that they share.
const PREFIXES: [&str; 5] = [
    "jira.auditing.",
    "audit.logging.summary.",
    ".audit.action.",
    ".audit.log.summary.",
    "audit.event.action.",
];

/// The longest key without a prefix whose ends are looked up, in bytes.
const LONGEST: usize = 200;

fn without_prefix(key: &str) -> Option<&str> {
    let (_, action) = PREFIXES.iter().find_map(|prefix| key.split_once(prefix))?;
    (!action.is_empty()).then_some(action)
}

/// The action that the table has for `key`, or for what its product's prefix leaves of it.
pub fn find(key: &str) -> Option<&'static str> {
    ACTIONS.get(key).or_else(|| ACTIONS.get(without_prefix(key)?)).copied()
}

/// The action in the words of `key`: all after its product's prefix. Of a key without such a
/// prefix, as apps have them, the longest end that is in a row of the taxonomy.
pub fn from_words(key: &str, taxonomy: &Taxonomy) -> Option<String> {
    if let Some(action) = without_prefix(key) {
        return taxonomy::snake_case(&part_camel_case(action));
    }
    let name = taxonomy::snake_case(key).filter(|name| name.len() <= LONGEST)?;
    let starts = name.match_indices('_').map(|(at, _)| at + 1);
    let mut ends = [0].into_iter().chain(starts).filter_map(|start| name.get(start..));
    ends.find(|end| end.contains('_') && taxonomy.has_row(end)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(key: &str) -> Option<String> {
        from_words(key, &Taxonomy::default())
    }

    #[test]
    fn every_row_is_a_key_and_an_action_in_snake_case() {
        for line in TEXT.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let [key, action, known] = parse_row(line).unwrap();
            assert!(!key.is_empty() && !key.contains(' '), "{line}");
            assert_eq!(taxonomy::snake_case(action).as_deref(), Some(action), "{line}");
            assert!(["seen", "documented", "unconfirmed"].contains(&known), "{line}");
        }
    }

    #[test]
    fn no_key_has_two_rows_and_none_a_row_that_says_what_its_words_say() {
        let rows = TEXT.lines().filter_map(parse_row);
        assert_eq!(rows.clone().count(), ACTIONS.len());
        for [key, action, _] in rows {
            let words = without_prefix(key).unwrap_or(key);
            assert_ne!(taxonomy::snake_case(words).as_deref(), Some(action), "{key}");
        }
    }

    #[test]
    fn most_actions_are_in_a_row_of_the_taxonomy() {
        let actions: Vec<_> = ACTIONS.values().collect();
        let known = actions.iter().filter(|action| Taxonomy::default().has_row(action)).count();
        assert!(known * 10 >= actions.len() * 9, "{known} of {}", actions.len());
    }

    #[test]
    fn a_row_counts_with_each_prefix_of_its_product() {
        for key in [
            "bitbucket.service.user.audit.action.usercreated",
            "bitbucket.other.audit.action.usercreated",
            "usercreated",
        ] {
            assert_eq!(find(key), Some("user_created"), "{key}");
        }
        assert_eq!(find("audit.logging.summary.user.updated"), Some("user_details_updated"));
        assert_eq!(find("jira.auditing.user.updated"), None);
    }

    #[test]
    fn the_words_of_a_key_are_those_after_the_prefix() {
        for (key, action) in [
            ("jira.auditing.user.added.to.group", "user_added_to_group"),
            ("audit.logging.summary.space.trash.emptied", "space_trash_emptied"),
            ("atlassian.audit.event.action.audit.exported", "audit_exported"),
            ("personal.access.tokens.audit.log.summary.token.created", "token_created"),
            ("example.app.audit.action.hatRackMoved", "hat_rack_moved"),
        ] {
            assert_eq!(words_of(key).as_deref(), Some(action));
        }
    }

    #[test]
    fn of_a_key_without_a_prefix_the_longest_known_end_counts() {
        let known = words_of("example.app.audit.log.search.performed");
        assert_eq!(known.as_deref(), Some("audit_log_search_performed"));
        let long = format!("{}audit.log.search.performed", "a.".repeat(100));
        for unknown in [long.as_str(), "example.hat.lent", "created", "jira.auditing.", "...", ""] {
            assert_eq!(words_of(unknown), None, "{unknown}");
        }
    }
}
