use super::*;

fn page_of(name: &str) -> String {
    let found = pages(None).into_iter().find(|(file, _)| file.to_str() == Some(name));
    found.unwrap_or_else(|| panic!("no {name}")).1
}

/// The text of a section.
fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let start = page.split_once(&format!(".SH \"{title}\"\n"));
    let (_, below) = start.unwrap_or_else(|| panic!("no {title} in\n{page}"));
    below.split("\n.SH ").next().unwrap()
}

#[test]
fn there_is_a_page_for_each_command_with_its_sections() {
    let pages = pages(None);
    let names: Vec<_> = pages.iter().map(|(name, _)| name.to_str().unwrap()).collect();
    for name in ["atlaudit.1", "atlaudit-pull.1", "atlaudit-auth-login.1"] {
        assert!(names.contains(&name), "{name}");
    }
    for (name, text) in &pages {
        let mut titles = text.lines().filter_map(|line| line.strip_prefix(".SH "));
        let order = [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "COMMANDS",
            "EXIT STATUS",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "SEE ALSO",
        ];
        let place = |title: &str| order.iter().position(|known| format!("\"{known}\"") == title);
        let places: Vec<_> = titles.by_ref().map(|title| place(title).unwrap()).collect();
        assert!(places.is_sorted() && places.len() >= 7, "{name:?}: {places:?}");
        assert!(!text.contains('`') && !text.contains("__complete"), "{name:?}");
    }
}

#[test]
fn every_page_that_is_named_is_written() {
    let pages = pages(None);
    let names: Vec<_> = pages.iter().map(|(name, _)| name.to_string_lossy()).collect();
    for (name, text) in &pages {
        for (at, _) in text.match_indices("\\fR(1)") {
            let named = text[..at].rsplit("\\fB").next().unwrap().replace("\\-", "-");
            assert!(names.contains(&format!("{named}.1").into()), "{name:?}: {named}");
        }
    }
}

#[test]
fn the_date_is_that_of_the_source_or_of_the_version() {
    let title = |epoch| page(epoch).lines().next().unwrap().to_owned();
    let version = env!("CARGO_PKG_VERSION");
    let wanted = |date: &str| {
        format!(".TH \"ATLAUDIT\" \"1\" \"{date}\" \"atlaudit {version}\" \"User Commands\"")
    };
    assert_eq!(title(Some("1700000000")), wanted("2023-11-14"));
    assert_eq!(title(None), wanted(RELEASE_DATE));
    assert_eq!(title(Some("soon")), wanted(RELEASE_DATE));
}

/// The changelog has `## 0.1.0 (2026-12-01)`, or `(unreleased)`.
#[test]
fn the_date_of_the_version_is_that_of_the_changelog() {
    let heading = format!("## {} (", env!("CARGO_PKG_VERSION"));
    let changelog = include_str!("../../CHANGELOG.md");
    let line = changelog.lines().find_map(|line| line.strip_prefix(&heading));
    let date = line.unwrap_or_default().trim_end_matches(')');
    let is_date = date.starts_with(|first: char| first.is_ascii_digit());
    assert!(!is_date || date == RELEASE_DATE, "set RELEASE_DATE to {date}");
}

#[test]
fn examples_stay_as_they_are_typed() {
    let page = page_of("atlaudit-pull.1");
    let typed =
        "\natlaudit pull acme \\-\\-output \\(aqevents/{source}\\-%Y\\-%m\\-%d.jsonl\\(aq\n";
    assert!(section(&page, "EXAMPLES").contains(&format!(".EX{typed}.EE")), "{page}");
    let page = page_of("atlaudit.1");
    let words = "See it work, without an account:\n.RS \"4\"\n.EX\natlaudit demo";
    assert!(section(&page, "EXAMPLES").contains(words), "{page}");
}

#[test]
fn exit_codes_are_a_list_of_those_that_a_command_has() {
    let codes = |name: &str| {
        let page = page_of(name);
        let section = section(&page, "EXIT STATUS");
        let tags = section.lines().filter_map(|line| line.strip_prefix("\\fB"));
        tags.map(|tag| tag.trim_end_matches("\\fR").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes("atlaudit.1").len(), 15);
    assert_eq!(codes("atlaudit-pull.1"), ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
    assert!(codes("atlaudit-verify.1").contains(&"9".to_owned()));
    assert!(!codes("atlaudit-schema.1").contains(&"4".to_owned()));
    let page = page_of("atlaudit.1");
    let joined = "a source could not be read to its end (run again to continue), or a saved";
    assert!(section(&page, "EXIT STATUS").contains(joined), "{page}");
    assert!(!section(&page, "DESCRIPTION").contains("Exit codes"), "{page}");
}

#[test]
fn variables_and_files_are_on_the_pages_that_they_concern() {
    let program = page_of("atlaudit.1");
    let own = ["ATLAUDIT_CONFIG", "ATLAUDIT_QUOTA_DIR"];
    for name in OTHER_VARIABLES.iter().map(|(name, _)| *name).chain(own) {
        assert!(section(&program, "ENVIRONMENT").contains(&escape(name)), "{name}");
    }
    for (name, _) in FILES {
        assert!(section(&program, "FILES").contains(&escape(name)), "{name}");
    }
    assert!(section(&page_of("atlaudit-export.1"), "ENVIRONMENT").contains(SIGN_PASSWORD));
    assert!(!page_of("atlaudit-pull.1").contains(SIGN_PASSWORD));
    assert!(!page_of("atlaudit-completions.1").contains("ENVIRONMENT"));
}

#[test]
fn characters_that_roff_would_change_are_escaped() {
    assert_eq!(escape("~/a-b '^`\\"), "\\(ti/a\\-b \\(aq\\(ha\\(ga\\(rs");
    let mut page = RoffText::default();
    page.text(".dot `code` 'quote'");
    assert_eq!(page.text, "\\&.dot \\fBcode\\fR \\(aqquote\\(aq\n");
}
