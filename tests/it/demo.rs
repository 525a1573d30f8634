//! The commands that need no configuration: `demo`, `sandbox`, `schema`, and the help.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use atlaudit::sandbox::{self, API_KEY, Api, DataOptions, ORG_ID};
use serde_json::Value;

use crate::support::{PROMPT, Run, Site, assert_lines_valid, blank};

/// A HOME and a TMPDIR, both empty, and the program in them.
fn bare() -> (tempfile::TempDir, tempfile::TempDir, Command) {
    let (home, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = blank(home.path(), tmp.path());
    command.current_dir(home.path());
    (home, tmp, command)
}

fn is_empty(folder: &tempfile::TempDir) -> bool {
    std::fs::read_dir(folder.path()).unwrap().next().is_none()
}

#[test]
fn demo_prints_all_events_at_once_and_leaves_nothing() {
    let (home, tmp, mut command) = bare();
    let start = Instant::now();
    let run = Run::from(command.arg("demo").output().unwrap());
    assert!(start.elapsed() < PROMPT);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let ids: HashSet<String> = run.ids().into_iter().collect();
    assert_eq!((run.ids().len(), ids.len()), (3_900, 3_900));
    assert!(run.stderr.contains("3,900 events"), "{}", run.stderr);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    assert!(is_empty(&home) && is_empty(&tmp), "something is left");
    let actions: HashSet<String> = run.events().into_iter().map(|event| event.action).collect();
    assert!(actions.len() >= 40, "{} kinds", actions.len());
    assert_lines_valid(&run);
}

#[test]
fn the_demo_shows_a_guessed_password_and_what_came_after() {
    let (_home, _tmp, mut command) = bare();
    let run = Run::from(command.arg("demo").output().unwrap());
    let events = run.trees().into_iter().filter(|event| event["client"]["ip"] == "192.0.2.177");
    let seen: Vec<String> =
        events.map(|event| format!("{} {}", event["action"], event["outcome"])).collect();
    let (guesses, after) = seen.split_at(14);
    assert!(guesses.iter().all(|step| step == r#""user_login" "failure""#), "{guesses:?}");
    let steps = [
        r#""user_login" "success""#,
        r#""user_logged_in_as_user" "success""#,
        r#""ts_api_token_creation" "success""#,
        r#""confluence_export_space_finished" "success""#,
        r#""export_audit_log" "success""#,
    ];
    assert_eq!(after, steps);
}

#[test]
fn the_demos_organization_sends_actions_of_atlassians_catalogue() {
    let table = include_str!("../../src/normalise/taxonomy.tsv").lines();
    let mut known: HashSet<&str> = table
        .filter(|row| row.ends_with("\tcatalogue"))
        .filter_map(|row| row.split('\t').next())
        .collect();
    // Of a recorded catalogue too, but a name that the table leaves to the rule.
    known.insert("confluence_export_space_finished");
    for text in sandbox::history(Api::OrgEvents, &DataOptions::default()) {
        let event: Value = serde_json::from_str(&text).unwrap();
        assert!(known.contains(event["attributes"]["action"].as_str().unwrap()), "{event}");
    }
}

#[test]
fn demo_into_a_pipe_that_closes_is_quiet() {
    let (home, tmp, mut command) = bare();
    command.arg("demo").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    drop(reader);
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 8);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
    assert!(is_empty(&home) && is_empty(&tmp), "something is left");
}

#[test]
fn the_sandbox_prints_a_configuration_that_pulls_from_it() {
    let (home, tmp, mut command) = bare();
    command.args([
        "sandbox",
        "--port",
        "0",
        "--events",
        "300",
        "--records",
        "120",
        "--confluence-records",
        "110",
        "--datacenter-events",
        "115",
        "--workspace-events",
        "105",
    ]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut server = Server(child.unwrap());
    let mut config = String::new();
    let mut reader = BufReader::new(server.0.stdout.take().unwrap());
    while config.matches("initial_lookback").count() < 5 {
        assert!(reader.read_line(&mut config).unwrap() > 0, "{config}");
    }
    std::fs::write(home.path().join("sandbox.toml"), config).unwrap();
    let mut pull = blank(home.path(), tmp.path());
    pull.current_dir(home.path());
    pull.args(["--config", "sandbox.toml", "pull"]);
    let run = Run::from(pull.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.ids_of("org:").len(), 300);
    assert_eq!(run.ids_of("jira:").len(), 120);
    assert_eq!(run.ids_of("confluence:").len(), 110);
    assert_eq!(run.ids_of("dc:").len(), 115);
    assert_eq!(run.ids_of("ws:").len(), 105);
    let kill = format!("kill -TERM {}", server.0.id());
    Command::new("/bin/sh").args(["-c", &kill]).status().unwrap();
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

/// Ended when dropped, however the test goes.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        // An error says that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_port_in_use_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (_home, _tmp, mut command) = bare();
    let run = Run::from(command.args(["sandbox", "--port", &port]).output().unwrap());
    run.refused(2, &[&port, "`--port 0` takes a free port"]);
}

#[test]
fn help_into_a_closed_pipe_is_silent() {
    let (_home, _tmp, mut command) = bare();
    command.args(["help", "auth", "login"]);
    // Closed at once: whatever is written finds nobody.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let run = Run::from(command.stdout(writer).output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (8, ""));
}

#[test]
fn a_wrong_argument_is_reported_as_json_when_requested() {
    for args in [
        &["--log-format", "json", "pul"][..],
        &["pull", "--since", "yesterdy", "--log-format=json"],
        &["pull", "--log-format=json", "acme", "--nothing"],
        &["export", "--log-format", "json"],
    ] {
        let (_home, _tmp, mut command) = bare();
        let run = Run::from(command.args(args).output().unwrap());
        assert_eq!((run.code, run.stdout.len()), (2, 0), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        let shown: Value = serde_json::from_str(&run.stderr).unwrap();
        assert_eq!(shown["level"], "error");
        let text = shown["message"].as_str().unwrap();
        assert!(!text.contains("error:") && !text.is_empty(), "{text}");
        assert!(shown["hint"].as_str().unwrap().contains("--help"), "{shown}");
    }
}

#[test]
fn the_schema_is_valid() {
    let (_home, _tmp, mut command) = bare();
    let run = Run::from(command.arg("schema").output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let schema: Value = serde_json::from_slice(&run.stdout).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({"schema": "atlaudit/1"})));
}

#[test]
fn help_and_version_go_to_standard_output() {
    for args in [&["--help"][..], &["pull", "--help"], &["--version"]] {
        let (home, _tmp, mut command) = bare();
        let run = Run::from(command.args(args).output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
        assert!(String::from_utf8(run.stdout).unwrap().contains("atlaudit"));
        assert!(is_empty(&home));
    }
}

#[test]
fn a_missing_configuration_is_reported() {
    let (home, _tmp, mut command) = bare();
    let run = Run::from(command.arg("pull").output().unwrap());
    run.refused(6, &["nothing is configured yet", "keyring"]);
    assert!(is_empty(&home), "something is left");
}

#[test]
fn the_environment_wins_over_the_only_organization_of_the_file() {
    let mut site = Site::of(5, 0);
    site.unset("acme", "org_id");
    site.unset("acme", "credential");
    site.set_env("ATLAUDIT_ORG_ID", ORG_ID);
    site.set_env("ATLAUDIT_API_KEY", API_KEY);
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), 5);
}
