//! Where lines and messages go: files and their modes, standard output, the log, the report, the
//! plan.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use atlaudit::sandbox::{Api, ORG_ID};
use chrono::Utc;
use serde_json::Value;

use crate::support::{Run, Site, files, org_ids, status, unpacked};

fn site() -> Site {
    Site::of(60, 30)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn report(site: &Site) -> Value {
    let text = fs::read(site.path("report.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Runs it with the file mode mask that most systems have: without it a mode may be right by
/// chance.
fn masked(site: &Site, mask: &str, args: &str) -> Run {
    let script = format!(r#"umask {mask}; exec "$PROGRAM" {args}"#);
    Run::from(site.shell(&script).output().unwrap())
}

#[test]
fn files_are_their_owners_only_unless_the_configuration_says_otherwise() {
    let mut site = site();
    let run = masked(&site, "022", "pull --output deep/er/{source}.jsonl");
    assert_eq!(run.code, 0, "{}", run.stderr);
    for folder in ["deep", "deep/er", "home/.local/state/atlaudit"] {
        assert_eq!(mode(&site.path(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(&site.path("deep/er/acme.jsonl")), 0o600);
    let state = files(&site.state());
    assert_eq!(state.len(), 6, "a checkpoint, a lock and a ledger of each source");
    for (file, _) in state {
        assert_eq!(mode(Path::new(&file)), 0o600, "{file}");
    }
    let args = "pull --output deep/er/{source}.jsonl --metrics-file x.prom --report report.json";
    masked(&site, "022", args);
    assert_eq!(mode(&site.path("report.json")), 0o600);
    assert_eq!(mode(&site.path("x.prom")), 0o644);
    site.set_output("mode", "0640");
    masked(&site, "077", &args.replace("report.json", "shared.json"));
    for file in ["shared.json", "x.prom"] {
        assert_eq!(mode(&site.path(file)), 0o640, "{file}");
    }
    for mask in ["022", "077"] {
        let args = format!("pull --since 5d --output shared-{mask}/{{source}}.jsonl");
        masked(&site, mask, &args);
        let file = format!("shared-{mask}/acme.jsonl");
        assert_eq!(mode(&site.path(&file)), 0o640, "{mask}");
    }
}

#[test]
fn placeholders_of_a_path() {
    let mut site = site();
    site.set_output("path", "%Y/%m/{source}-%Y-%m-%d.100%%.jsonl");
    let before = Utc::now();
    site.ok(&["pull"]);
    let named = |now: chrono::DateTime<Utc>| {
        let pattern = "%Y/%m/acme-%Y-%m-%d.100%%.jsonl";
        site.read(&now.format(pattern).to_string()).ids().len()
    };
    assert!(named(before) == 60 || named(Utc::now()) == 60);
}

#[test]
fn a_dash_is_standard_output_and_wins_over_the_file() {
    let mut site = site();
    site.set_output("path", "{source}.jsonl");
    assert_eq!(site.ok(&["pull", "--output", "-"]).ids().len(), 90);
    assert!(!site.path("acme.jsonl").exists());
}

#[test]
fn a_source_has_an_output_of_its_own() {
    let mut site = site();
    let own: toml::Table = toml::from_str("path = \"jira.raw\"\nformat = \"raw\"").unwrap();
    site.set("acme-jira", "output", own);
    let run = site.ok(&["pull"]);
    assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    let mut lines: Vec<String> = site.control.texts(Api::JiraAudit);
    lines.sort();
    let file = site.read("jira.raw");
    let mut written = file.lines();
    written.sort_unstable();
    assert_eq!(written, lines);
}

#[test]
fn a_summary_with_a_line_for_each_source_that_quiet_silences() {
    let site = site();
    let run = site.ok(&["pull"]);
    assert_eq!(run.stderr.lines().count(), 5, "{}", run.stderr);
    for word in [
        "first pull of acme-jira: it begins at ",
        "90 events",
        "2 sources",
        "acme: 60 events",
        "acme-jira: 30 events",
        "requests",
    ] {
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
    assert_eq!(site.ok(&["pull", "-q"]).stderr, "");
    let again = site.ok(&["pull"]).stderr;
    let last = again.lines().last().unwrap();
    assert!(last.starts_with("0 events"), "{again}");
}

#[test]
fn quiet_still_shows_errors_and_warnings() {
    let mut site = site();
    site.unset_env("ACME_KEY");
    site.run(&["pull", "acme", "-q"]).refused(4, &["ACME_KEY"]);
    // The sandbox has no records of that time, whatever the hour is.
    let range = ["--since", "2020-01-01", "--until", "2020-01-02"];
    let run = site.ok(&[&["pull", "-q", "acme-jira"], &range[..]].concat());
    assert!(run.stderr.starts_with("warning: "), "{}", run.stderr);
}

#[test]
fn messages_as_json_are_one_object_a_line() {
    let mut site = site();
    site.set("acme", "retry_for", "0s");
    site.set_env("JIRA_KEY", "wrong");
    site.control.inject(Api::OrgEvents, status(500, None, "two\nlines"));
    for args in
        [&["pull", "--log-format", "json", "-vv"][..], &["--log-format", "json", "pull", "nowhere"]]
    {
        let run = site.run(args);
        assert_ne!(run.code, 0);
        let messages: Vec<Value> =
            run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for message in &messages {
            assert!(message["level"].is_string() && message["time"].is_string());
            assert!(message["message"].is_string(), "{message}");
        }
        let error = messages.iter().find(|message| message["level"] == "error");
        assert!(error.unwrap()["hint"].is_string());
    }
}

#[test]
fn the_report_describes_the_run() {
    let mut site = site();
    site.set("acme", "page_size", 25);
    site.set_env("JIRA_KEY", "wrong");
    let run = site.run(&["pull", "--report", "report.json"]);
    assert_eq!(run.code, 4);
    let report = report(&site);
    assert_eq!(report["schema"], "atlaudit/report/1");
    assert_eq!(report["exit_code"], 4);
    let (org, jira) = (&report["sources"][0], &report["sources"][1]);
    assert_eq!((&org["source"], &org["type"]), (&"acme".into(), &"org-events".into()));
    assert_eq!((&org["complete"], &org["exit_code"]), (&true.into(), &0.into()));
    assert_eq!((&org["events"], &org["pages"]), (&60.into(), &4.into()));
    assert_eq!(org["requests"], site.control.request_count(Api::OrgEvents));
    let times = run.trees();
    let mut times: Vec<&str> = times.iter().filter_map(|event| event["time"].as_str()).collect();
    times.sort_unstable();
    assert_eq!(org["first_event"], times[0]);
    assert_eq!(org["last_event"], times[59]);
    assert_eq!((&jira["complete"], &jira["exit_code"]), (&false.into(), &4.into()));
    assert!(jira["error"].as_str().unwrap().contains("acme-jira"));
}

#[test]
fn a_dry_run_sends_no_request_and_moves_nothing() {
    let mut site = site();
    site.set_output("path", "{source}.jsonl");
    let plan = site.ok(&["pull", "--dry-run"]);
    assert!(plan.stdout.is_empty());
    for word in
        ["acme (org-events)", "acme-jira (jira-audit)", "variable ACME_KEY", site.base_url()]
    {
        assert!(plan.stderr.contains(word), "{word}: {}", plan.stderr);
    }
    assert!(site.control.requests().is_empty());
    assert_eq!(files(&site.state()), []);
    assert!(!site.path("acme.jsonl").exists());
    site.ok(&["pull"]);
    let (state, asked) = (files(&site.state()), site.control.requests().len());
    let plan = site.ok(&["pull", "--dry-run", "--report", "report.json"]);
    assert!(plan.stderr.contains("behind the saved cursor"), "{}", plan.stderr);
    assert!(files(&site.state()) == state);
    assert_eq!(site.control.requests().len(), asked);
    assert!(!site.path("report.json").exists());
}

#[test]
fn a_dry_run_refuses_what_a_pull_refuses() {
    let mut site = site();
    site.set_output("path", "{source}.jsonl");
    site.ok(&["pull"]);
    let checkpoint = site.state().join("acme.json");
    let before = fs::read(&checkpoint).unwrap();
    site.set("acme", "org_id", "6f1b2c3d-0000-4000-8000-000000000000");
    site.set("acme-jira", "site", "other.atlassian.net");
    let words = ["the checkpoint of `acme` belongs to", "a source name of its own"];
    for args in [&["pull", "acme"][..], &["pull", "acme", "--dry-run"]] {
        site.run(args).refused(6, &words);
    }
    // No other site's place is shown, and sources that are sound are shown all the same.
    site.add("new", "acme");
    let plan = site.run(&["pull", "--dry-run"]);
    assert_eq!(plan.code, 6, "{}", plan.stderr);
    assert_eq!(plan.stderr.matches("the checkpoint of `acme").count(), 2);
    assert!(!plan.stderr.contains("saved cursor"), "{}", plan.stderr);
    assert!(plan.stderr.contains("\n  first pull  "), "{}", plan.stderr);
    // A window reads no checkpoint.
    site.ok(&["pull", "acme", "--since", "1d", "--dry-run"]);
    // The organization may be beside the key.
    site.unset("acme", "org_id");
    let beside = r#"{"api_key": "k", "org_id": "6f1b2c3d-0000-4000-8000-000000000000"}"#;
    site.set_env("ACME_KEY", beside);
    site.run(&["pull", "acme", "--dry-run"]).refused(6, &words);
    site.unset_env("ACME_KEY");
    site.run(&["pull", "acme", "--dry-run"]).refused(4, &["ACME_KEY"]);
    // Who cannot read the state cannot plan either.
    fs::write(site.state().join("acme-jira.json"), "{").unwrap();
    site.run(&["pull", "acme-jira", "--dry-run"]).refused(7, &["acme-jira.json"]);
    assert!(fs::read(&checkpoint).unwrap() == before);
}

#[test]
fn a_dry_run_ignores_a_first_run_with_a_wrong_id() {
    let mut site = site();
    site.set_output("path", "{source}.jsonl");
    site.set("acme", "org_id", "6f1b2c3d-0000-4000-8000-000000000000");
    assert_eq!(site.run(&["pull", "acme"]).code, 4);
    site.set("acme", "org_id", ORG_ID);
    let plan = site.ok(&["pull", "acme", "--dry-run"]);
    assert!(plan.stderr.contains("first pull"), "{}", plan.stderr);
    site.ok(&["pull", "acme"]);
}

#[test]
fn a_report_on_standard_output_is_not_mixed_with_events() {
    let mut site = site();
    site.run(&["pull", "--report", "-"]).refused(2, &["`--report -`", "`--output FILE`"]);
    site.run(&["pull", "--since", "9d", "--report", "-"]).refused(2, &["`--report -`"]);
    site.set("acme", "output", toml::toml! { path = "acme.jsonl" });
    site.run(&["pull", "--report", "-"]).refused(2, &["`--report -`"]);
    assert!(site.control.requests().is_empty());
    let run = site.ok(&["pull", "acme", "--report", "-"]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["sources"][0]["events"], 60);
    assert!(!site.path("-").exists());
    let closed = site.shell("\"$PROGRAM\" pull acme --report - > /dev/full").output().unwrap();
    assert_eq!(closed.status.code(), Some(8), "{closed:?}");
}

#[test]
fn the_summary_names_the_files_and_the_time_range_of_the_events() {
    let mut site = site();
    site.set_output("path", "out/{source}.jsonl");
    let run = site.ok(&["pull", "--report", "report.json"]);
    let events = site.read("out/acme.jsonl").trees();
    let minute = |event: &Value| {
        let time = event["time"].as_str().unwrap();
        format!("{}Z", time[..16].replace('T', " "))
    };
    let mut times: Vec<_> = events.iter().map(minute).collect();
    times.sort();
    let (first, last) = (&times[0], &times[times.len() - 1]);
    for words in [
        "first pull of acme: it begins at 20".to_owned(),
        "(`initial_lookback` is 31 days)".to_owned(),
        format!("acme: 60 events, {first} … {last}, to ./out/acme.jsonl, "),
        "acme-jira: 30 events, ".to_owned(),
        "90 events from 2 sources in ".to_owned(),
    ] {
        assert!(run.stderr.contains(&words), "`{words}` in: {}", run.stderr);
    }
    let file = fs::canonicalize(site.path("out/acme.jsonl")).unwrap();
    let listed = |n: usize| report(&site)["sources"][n]["files"].clone();
    assert_eq!(listed(0), serde_json::json!([file.to_str().unwrap()]));
    // What brought nothing has written no file, and is no first pull.
    let run = site.ok(&["pull", "acme", "--report", "report.json"]);
    assert!(run.stderr.starts_with("0 events from acme in "), "{}", run.stderr);
    assert_eq!(listed(0), serde_json::json!([]));
    assert_eq!(site.ok(&["-q", "pull"]).stderr, "");
    let run = site.ok(&["pull", "acme", "--since", "40d", "-o", "-"]);
    assert!(!run.stderr.contains("to ./"), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("{first} … {last}, in ")), "{}", run.stderr);
}

#[test]
fn files_that_were_finished_meanwhile_are_named_as_they_are_called_now() {
    let mut site = site();
    site.set_output("path", "{source}.jsonl");
    site.set_output("rotate", "1KiB");
    site.set("acme", "page_size", 10);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1000");
    let run = site.ok(&["pull", "acme", "--report", "report.json"]);
    let report = report(&site);
    let listed = report["sources"][0]["files"].as_array().unwrap().iter();
    let mut listed: Vec<_> = listed.map(|file| file.as_str().unwrap().to_owned()).collect();
    listed.sort();
    let real = fs::canonicalize(site.path("")).unwrap();
    let entries = fs::read_dir(real).unwrap().map(|entry| entry.unwrap().path());
    let made = entries.map(|path| path.display().to_string());
    let mut made: Vec<_> = made.filter(|path| path.ends_with(".jsonl")).collect();
    made.sort();
    assert!(made.len() > 3 && made == listed, "{made:?}, {listed:?}");
    let words = format!(", to {} files, the last of them ./acme", made.len());
    assert!(run.stderr.contains(&words), "{}", run.stderr);
}

#[test]
fn a_file_suffix_selects_the_compression() {
    let mut site = site();
    for name in ["one.jsonl.gz", "one.jsonl.zst"] {
        site.ok(&["pull", "acme", "--since", "31d", "-o", name]);
        let text = unpacked(&site.path(name));
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 60);
        site.ok(&["convert", name, "-o", &format!("again-{name}")]);
        assert_eq!(unpacked(&site.path(&format!("again-{name}"))).len(), text.len());
    }
    let said = ["two.jsonl.gz", "named as gzip", "--compression gzip"];
    let none = ["--compression", "none", "-o", "two.jsonl.gz"];
    site.run(&[&["pull", "acme"][..], &none].concat()).refused(6, &said);
    site.run(&[&["convert", "one.jsonl.gz"][..], &none].concat()).refused(6, &said);
    site.set_output("path", "{source}-two.jsonl.gz");
    site.run(&["pull", "acme"]).refused(6, &said);
    assert!(!site.path("two.jsonl.gz").exists());
    // What a flag puts elsewhere for once is not packed by the name in the file.
    assert_eq!(site.ok(&["pull", "acme", "-o", "-"]).ids().len(), 60);
}

#[test]
fn a_folder_in_place_of_a_file() {
    let site = site();
    let folder = site.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    site.run(&["pull", "acme", "-o", folder])
        .refused(8, &["name a file in it", &format!("`{folder}/{{source}}.jsonl`")]);
    fs::write(site.path("file"), "").unwrap();
    let file = site.path("file").display().to_string();
    let words = format!("`{file}` is not a folder: name another, or move it away");
    for below in ["x.jsonl", "new/x.jsonl"] {
        site.run(&["pull", "acme", "-o", &format!("{file}/{below}"), "--repeat-errors"])
            .refused(8, &[&words]);
    }
    let words =
        format!("`{file}` is not a folder: move it away, or name another with `--state-dir`");
    for state in [file.clone(), format!("{file}/new")] {
        site.run(&["--state-dir", &state, "pull", "acme"]).refused(7, &[&words]);
    }
}

#[test]
fn one_source_fails_and_the_other_continues() {
    let mut site = site();
    site.set("acme-jira", "retry_for", "0s");
    site.control.inject(Api::JiraAudit, status(503, None, "{}"));
    let run = site.run(&["pull"]);
    assert_eq!((run.code, run.ids()), (3, org_ids(&site.control.ids(Api::OrgEvents))));
    assert!(run.stderr.contains("incomplete: 1 source"), "{}", run.stderr);
    assert_eq!(site.ok(&["pull"]).ids().len(), 30);
}

#[test]
fn the_exit_code_is_that_of_the_worst_source() {
    let mut site = site();
    site.set("acme-jira", "retry_for", "0s");
    site.control.inject(Api::JiraAudit, status(503, None, "{}"));
    site.set_env("ACME_KEY", "wrong");
    assert_eq!(site.run(&["pull"]).code, 4);
    site.unset_env("JIRA_KEY");
    site.set_env("ACME_KEY", atlaudit::sandbox::API_KEY);
    let run = site.run(&["pull"]);
    assert_eq!((run.code, run.ids().len()), (4, 60));
}

#[test]
fn an_output_file_that_was_moved_away_begins_again() {
    let mut site = site();
    site.set_output("path", "{source}.jsonl");
    site.ok(&["pull"]);
    fs::rename(site.path("acme.jsonl"), site.path("kept")).unwrap();
    site.control.add(Api::OrgEvents, 20);
    site.ok(&["pull"]);
    let all = org_ids(&site.control.ids(Api::OrgEvents));
    assert_eq!(site.read("kept").ids(), all[..60]);
    assert_eq!(site.read("acme.jsonl").ids(), all[60..]);
}
