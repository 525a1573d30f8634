//! The variables that the program reads are those that its help and its documentation name.

use std::collections::BTreeSet;
use std::process::Command;

use crate::imports::{source, without_comments};

/// The names in `text`, but those that only tests set.
fn names(text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let starts = text.match_indices("ATLAUDIT_").map(|(at, _)| &text[at..]);
    let names = starts.map(|rest| rest.split(|c| !is_of_name(c)).next().unwrap());
    names.filter(|name| !name.starts_with("ATLAUDIT_CRASH_")).map(str::to_owned).collect()
}

#[test]
fn every_variable_is_in_the_help_and_in_the_table_of_the_documentation() {
    let mut read = BTreeSet::new();
    for (path, text) in source() {
        let code = without_comments(&text);
        let own = code.split("#[cfg(test)]\nmod ").next().unwrap();
        if !path.display().to_string().ends_with("tests.rs") {
            read.extend(names(own));
        }
    }
    assert!(read.contains("ATLAUDIT_CONFIG") && read.len() > 5, "{read:?}");

    let page = include_str!("../../docs/running.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `ATLAUDIT_"));
    let rows = rows.map(|row| format!("ATLAUDIT_{}", row.split('`').next().unwrap()));
    // The first table of the page names one of them, too.
    assert_eq!(rows.collect::<BTreeSet<_>>(), read, "docs/running.md");

    let help = Command::new(env!("CARGO_BIN_EXE_atlaudit")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, section) = help.split_once("\nEnvironment").unwrap();
    assert_eq!(names(section), read, "atlaudit --help");
}
