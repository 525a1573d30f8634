//! `actions`, and the user's rows of the table of actions (`[taxonomy] path`).

use std::fs;

use atlaudit::sandbox::{API_KEY_NO_SCOPE, Api, RateLimit};
use serde_json::Value;
use std::time::Duration;

use crate::support::{Run, Running, Site, eventually, unpacked};

/// A login as a change of a policy, of which nothing says how it ended.
const LOGIN_ROW: &str = "user_login\tpolicy\tunknown\t-\t-\tEntity Management\tOther\tseen\n";

fn site() -> Site {
    Site::of(60, 20)
}

fn stdout(run: &Run) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

/// The cells of a table's line.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// Every login among `events` is what [`LOGIN_ROW`] says, and there is one.
fn assert_row_counts(what: &str, events: &[Value]) {
    let logins: Vec<_> = events.iter().filter(|event| event["action"] == "user_login").collect();
    assert!(!logins.is_empty(), "{what}: no login");
    for login in logins {
        assert_eq!(login["category"], "policy", "{what}: {login}");
    }
}

#[test]
fn the_table_needs_no_configuration_and_no_network() {
    let mut site = site();
    site.remove_sources();
    let text = stdout(&site.ok(&["actions"]));
    let mut lines = text.lines();
    assert_eq!(cells(lines.next().unwrap()), ["ACTION", "CATEGORY", "OUTCOME", "KNOWN FROM"]);
    let login = lines.clone().find(|line| line.starts_with("user_login ")).unwrap();
    assert_eq!(cells(login)[..3], ["user_login", "authentication", "success"]);
    assert_eq!(login.find("success"), text.find("OUTCOME"));
    assert!(lines.count() > 500);
    assert!(site.control.requests().is_empty());
}

#[test]
fn printed_rows_are_a_file_of_rows() {
    let mut site = site();
    let built_in = stdout(&site.ok(&["actions", "--tsv"]));
    site.set_extra_actions(&built_in);
    assert_eq!(stdout(&site.ok(&["actions", "--tsv"])), built_in);
}

#[test]
fn a_row_of_the_user_is_shown_in_place_of_the_built_in_one() {
    let mut site = site();
    site.set_extra_actions(LOGIN_ROW);
    let text = stdout(&site.ok(&["actions"]));
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("user_login ")).collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(cells(lines[0]), ["user_login", "policy", "unknown", "extra row"]);
}

#[test]
fn a_row_of_the_user_counts_in_a_pull() {
    let mut site = site();
    site.set_extra_actions(LOGIN_ROW);
    assert_row_counts("pull", &site.ok(&["pull", "acme", "--since", "60d"]).trees());
}

#[test]
fn a_row_of_the_user_counts_for_every_type_of_source() {
    let mut site = site().with_all_sources().with_workspaces();
    site.set_extra_actions("*\tpolicy\tby its words\t-\t-\tEntity Management\tOther\n");
    let events = site.ok(&["pull", "--since", "60d"]).trees();
    for kind in
        ["org-events", "jira-audit", "confluence-audit", "datacenter-audit", "workspace-events"]
    {
        // What the source itself files a record under may be more specific.
        let of_kind = events.iter().filter(|event| event["source"]["type"] == kind);
        let other: Vec<_> = of_kind.clone().filter(|event| event["category"] == "other").collect();
        assert!(of_kind.count() > 5, "{kind}");
        assert!(other.iter().all(|event| event["action"] == "unparsed"), "{kind}: {other:?}");
    }
}

#[test]
fn a_row_of_the_user_counts_in_follow_also_after_a_reload() {
    let mut site = site();
    site.set_output("path", "{source}.jsonl");
    site.set_extra_actions("# none yet\n");
    // With signals that have their usual meaning, whatever signals the caller ignores.
    let script = r#"exec env --default-signal=HUP "$PROGRAM" follow acme --every 100ms"#;
    let mut running = Running::of(site.shell(script));
    eventually("the first events", || site.line_count("acme.jsonl") >= 60);
    let is_login = |event: &&Value| event["action"] == "user_login";
    let before = site.read("acme.jsonl").trees();
    let first = before.iter().find(is_login).unwrap();
    assert_eq!(first["category"], "authentication");
    // Rows that cannot be used change nothing.
    site.set_extra_actions("user_login\tpolicy\n");
    running.signal("HUP");
    running.wait_for_message("2 columns instead of 7 or 8");
    site.set_extra_actions(LOGIN_ROW);
    running.signal("HUP");
    running.wait_for_message("changed `acme` (taxonomy)");
    site.control.add(Api::OrgEvents, 400);
    eventually("the later events", || site.line_count("acme.jsonl") >= 460);
    running.signal("TERM");
    assert_eq!(running.end().code, 0);
    assert_row_counts("follow", &site.read("acme.jsonl").trees()[60..]);
}

#[test]
fn a_row_of_the_user_counts_in_convert() {
    let mut site = site();
    for format in ["raw", "normalized"] {
        let file = format!("saved.{format}");
        let args = ["pull", "acme", "--since", "60d", "--format", format, "--output", &file];
        site.ok(&args);
    }
    site.set_extra_actions(LOGIN_ROW);
    for file in ["saved.raw", "saved.normalized"] {
        assert_row_counts(file, &site.ok(&["convert", file]).trees());
    }
}

#[test]
fn an_export_says_with_which_rows_it_was_made() {
    let mut site = site();
    site.set_extra_actions(LOGIN_ROW);
    site.ok(&["export", "acme", "--since", "60d", "--output", "case"]);
    let lines = unpacked(&site.path("case/events/acme.jsonl.zst"));
    let run = Run { code: 0, stdout: lines, stderr: String::new() };
    assert_row_counts("export", &run.trees());
    let manifest: Value =
        serde_json::from_slice(&fs::read(site.path("case/manifest.json")).unwrap()).unwrap();
    // printf 'user_login\tpolicy\tunknown\t-\t-\tEntity Management\tOther\tseen\n' | sha256sum
    assert_eq!(manifest["runs"][0]["extra_actions_sha256"], LOGIN_ROW_SHA256);
    site.ok(&["verify", "case"]);
}

const LOGIN_ROW_SHA256: &str = "b09c5f8189c9a809fbb3f85ed39daa1ef28a8d53cbf6fdc9840ee95c795b1f02";

#[test]
fn an_export_without_such_rows_says_nothing_of_them() {
    let site = site();
    site.ok(&["export", "acme", "--since", "60d", "--output", "case"]);
    let manifest = fs::read_to_string(site.path("case/manifest.json")).unwrap();
    assert!(!manifest.contains("extra_actions"), "{manifest}");
}

#[test]
fn a_row_that_cannot_be_used_is_refused_before_any_request() {
    let mut site = site();
    site.set_extra_actions(&LOGIN_ROW.replace("policy", "polizy"));
    for args in [
        &["pull"][..],
        &["follow"],
        &["convert", "/dev/null"],
        &["export", "acme", "--since", "1d", "--output", "case"],
        &["check"],
        &["actions"],
    ] {
        let words =
            ["extra.tsv:1: column 2 (category): unknown word `polizy`", "`policy`, `content`"];
        site.run(args).refused(6, &words);
    }
    assert!(site.control.requests().is_empty());
}

#[test]
fn a_file_of_rows_that_cannot_be_read_is_refused() {
    let mut site = site();
    site.set_extra_actions(LOGIN_ROW);
    let path = site.path("home/.config/atlaudit/extra.tsv");
    let long = LOGIN_ROW.repeat(80_000);
    for (content, words) in [
        (Some(long.as_bytes()), "larger than 4 MiB"),
        (Some(&b"user_login\tpolicy\xff\n"[..]), "UTF-8"),
        (None, "No such file"),
    ] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let said = ["extra.tsv: the file of `[taxonomy] path` cannot be read", words];
        site.run(&["pull"]).refused(6, &said);
    }
    fs::create_dir(&path).unwrap();
    site.run(&["pull"]).refused(6, &["extra.tsv", "directory"]);
}

#[test]
fn the_table_taxonomy_has_one_key() {
    let mut site = site();
    site.set_extra_actions(LOGIN_ROW);
    site.set_taxonomy("file", "extra.tsv");
    site.run(&["pull"]).refused(6, &["unknown key `file`", "path"]);
}

#[test]
fn nothing_is_written_over_the_rows() {
    let mut site = site();
    site.set_extra_actions(LOGIN_ROW);
    let path = site.path("home/.config/atlaudit/extra.tsv");
    let shown = path.to_str().unwrap();
    for args in [
        &["pull", "acme", "--since", "1d", "--output", shown][..],
        &["pull", "--since", "1d", "--report", shown],
        &["convert", "/dev/null", "--output", shown],
    ] {
        site.run(args).refused(6, &["`[taxonomy] path`", "same file"]);
    }
    assert_eq!(fs::read_to_string(path).unwrap(), LOGIN_ROW);
}

#[test]
fn the_actions_of_a_tenant_are_shown_with_what_they_are_taken_to_mean() {
    let mut site = site().with_workspaces();
    site.set_extra_actions(LOGIN_ROW);
    for (name, path) in [
        ("acme", "/admin/v1/orgs/"),
        ("acme-jira-ws", "/audit-log/v1/workspaces/ari%3Acloud%3Ajira"),
        ("acme-confluence-ws", "/audit-log/v1/workspaces/ari%3Acloud%3Aconfluence"),
    ] {
        let run = site.ok(&["actions", name]);
        let text = stdout(&run);
        let heads = ["ACTION", "CATEGORY", "OUTCOME", "KNOWN FROM", "DISPLAY NAME"];
        assert_eq!(cells(text.lines().next().unwrap()), heads);
        let line = |id: &str| text.lines().find(|line| line.starts_with(id)).map(cells);
        let by_words = ["confluence_page_moodboard_deleted", "content", "success", "rule"];
        let found = line("confluence_page_moodboard_deleted ").unwrap();
        assert_eq!(found, [&by_words[..], &["confluence page moodboard deleted"]].concat());
        let found = line("aurora_flux ").unwrap();
        assert_eq!(found, ["aurora_flux", "other", "unknown", "other", "aurora flux"]);
        assert!(run.stderr.contains(&format!("{name}: ")), "{}", run.stderr);
        assert!(run.stderr.contains(" in the catalogue, "), "{}", run.stderr);
        if name == "acme" {
            assert_eq!(
                line("user_login ").unwrap()[..4],
                ["user_login", "policy", "unknown", "extra row"]
            );
            // What the tenant does not have is not shown.
            assert_eq!(line("username_changed "), None);
        }
        let last = site.control.requests().pop().unwrap();
        assert!(last.path.starts_with(path) && last.path.ends_with("/event-actions"), "{last:?}");
        assert!(last.authorization_present);
    }
}

#[test]
fn only_the_actions_that_no_row_has_are_shown_where_these_are_wanted() {
    let site = site();
    let text = stdout(&site.ok(&["actions", "acme", "--unknown"]));
    let ids: Vec<_> = text.lines().skip(1).map(|line| cells(line)[0]).collect();
    assert_eq!(ids, ["confluence_page_moodboard_deleted", "aurora_flux"]);
}

#[test]
fn unknown_actions_become_rows_that_can_be_edited() {
    let mut site = site();
    let text = stdout(&site.ok(&["actions", "acme", "--unknown", "--tsv"]));
    assert!(text.contains("# by its words: confluence page moodboard deleted\n"), "{text}");
    assert!(text.contains("# not understood: aurora flux\naurora_flux\tother\t"), "{text}");
    site.set_extra_actions(&text.replace("aurora_flux\tother", "aurora_flux\tpolicy"));
    let text = stdout(&site.ok(&["actions", "acme", "--unknown"]));
    assert_eq!(text.lines().count(), 1, "{text}");
    let all = stdout(&site.ok(&["actions", "acme", "--tsv"]));
    assert!(all.contains("\naurora_flux\tpolicy\tunknown\t"), "{all}");
}

#[test]
fn a_list_in_parts_is_read_to_its_end() {
    let site = site();
    let whole = stdout(&site.ok(&["actions", "acme"]));
    site.control.set_behaviour(|it| it.actions_per_page = Some(7));
    assert_eq!(stdout(&site.ok(&["actions", "acme"])), whole);
}

#[test]
fn a_list_that_does_not_end_is_an_error() {
    let site = site();
    site.control.set_behaviour(|it| it.actions_per_page = Some(0));
    site.run(&["actions", "acme"]).refused(3, &["acme", "does not end"]);
}

#[test]
fn failures_are_those_of_any_other_request() {
    let mut site = site();
    site.set("acme", "retry_for", "0s");
    site.set("acme", "max_wait", "0s");
    site.set_env("ACME_KEY", "another-key");
    site.run(&["actions", "acme"]).refused(4, &["refuses the credential (401)", "ACME_KEY"]);
    site.set_env("ACME_KEY", API_KEY_NO_SCOPE);
    site.run(&["actions", "acme"]).refused(4, &["scope", "read:events:admin"]);
    site.unset_env("ACME_KEY");
    site.run(&["actions", "acme"]).refused(4, &["ACME_KEY"]);
    site.set_env("ACME_KEY", atlaudit::sandbox::API_KEY);
    site.control.set_behaviour(|it| it.cdn_refusals = 100);
    site.run(&["actions", "acme"]).refused(3, &["CloudFront"]);
    site.control.set_behaviour(|it| {
        it.cdn_refusals = 0;
        it.org_rate_limit = Some(RateLimit::new(1, Duration::from_secs(600)));
    });
    site.ok(&["actions", "acme"]);
    site.run(&["actions", "acme"]).refused(5, &["max_wait"]);
    site.run(&["actions", "acmee"]).refused(6, &["did you mean `acme`?"]);
}

#[test]
fn an_api_without_such_a_list_is_named() {
    let site = site();
    let words = ["jira-audit", "no list", "`org-events` or `workspace-events`"];
    site.run(&["actions", "acme-jira"]).refused(2, &words);
    assert_eq!(site.run(&["actions", "--unknown"]).code, 2);
    assert!(site.control.requests().is_empty());
}
