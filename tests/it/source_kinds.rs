//! Checks the list of files in CONTRIBUTING.md that a new kind of source changes: no other file may
//! treat a single kind differently, and no `match` on kinds may have a catch-all arm.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::imports::{source, without_comments};

/// The files that CONTRIBUTING.md lists, below `src`.
fn listed_files() -> BTreeSet<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("## Adding a source\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `src/"));
    rows.map(|row| PathBuf::from(row.split('`').next().unwrap())).collect()
}

/// The production code: without comments, test modules and the features for benchmarks and fuzzing.
fn production() -> Vec<(PathBuf, String)> {
    let is_production = |path: &Path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        !name.contains("test")
            && !matches!(name.as_str(), "bench" | "fuzz" | "paging_server")
            && parts[0] != "sandbox"
    };
    let files = source().into_iter().filter(|(path, _)| is_production(path));
    files
        .map(|(path, text)| {
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
            (path, without_comments(&text))
        })
        .collect()
}

/// Names such as `OrgEvents` that follow `prefix` in `code`.
fn variants_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let names = code.match_indices(prefix).map(|(at, _)| {
        let rest = &code[at + prefix.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    });
    names
        .filter(|name| name.chars().any(char::is_lowercase) && !name.contains('_'))
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect()
}

/// The bodies of all `match` expressions, each without the bodies of blocks inside it.
fn match_bodies(code: &str) -> Vec<String> {
    let starts = code.match_indices("match ").filter(|(at, _)| {
        code[..*at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_')
    });
    starts
        .filter_map(|(at, _)| {
            let brace = at + code[at..].find(" {\n")? + 2;
            let (mut depth, mut body) = (1, String::new());
            for c in code[brace..].chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    c if depth == 1 => body.push(c),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            Some(body)
        })
        .collect()
}

/// Whether a `match` on one of these types has an arm for everything else.
fn has_catch_all(body: &str) -> bool {
    let is_pattern = |line: &&str| {
        let pattern = line.split("=>").next().unwrap_or_default();
        ["SourceKind::", "SourceTarget::", "SourceAddress::", "Endpoint::"]
            .iter()
            .any(|name| pattern.trim_start().trim_start_matches("| ").starts_with(name))
    };
    let is_catch_all = |line: &str| {
        let line = line.trim_start();
        line.starts_with("_ =>") || line.starts_with("_ if ")
    };
    body.lines().any(|line| is_pattern(&line)) && body.lines().any(is_catch_all)
}

#[test]
fn only_the_listed_files_name_a_single_kind() {
    let listed = listed_files();
    assert!(listed.len() <= 8, "too many for a new source: {listed:?}");
    for file in &listed {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
        assert!(path.exists() || file.ends_with("NAME.rs"), "{} does not exist", file.display());
    }
    let mut found = Vec::new();
    for (path, code) in production() {
        let kinds = variants_after(&code, "SourceKind::");
        let is_a_source = path.starts_with("source") && path.file_name().unwrap() != "mod.rs";
        if !kinds.is_empty() && !listed.contains(&path) && !is_a_source {
            found.push(format!("{}: {kinds:?}", path.display()));
        }
    }
    assert_eq!(found, [""; 0], "add a field to the descriptor of source kinds");
}

#[test]
fn no_match_on_kinds_has_a_catch_all_arm() {
    let mut found = Vec::new();
    let mut count = 0;
    for (path, code) in production() {
        for body in match_bodies(&code) {
            count += 1;
            if has_catch_all(&body) {
                found.push(format!("{}: {body}", path.display()));
            }
        }
    }
    assert!(count > 300, "only {count} matches were found");
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_catch_all_arm_and_a_named_kind_are_detected() {
    let code = "match kind {\n        SourceKind::OrgEvents => 1,\n        _ => 2,\n    }\n";
    assert!(match_bodies(code).iter().any(|body| has_catch_all(body)));
    let code = "match a {\n    Some(_) => SourceKind::OrgEvents,\n    None => b,\n}";
    assert!(!match_bodies(code).iter().any(|body| has_catch_all(body)));
    let code = "SourceKind::ALL, SourceKind::as_str, x == SourceKind::JiraAudit";
    assert_eq!(variants_after(code, "SourceKind::"), ["JiraAudit"]);
}
