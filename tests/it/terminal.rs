//! What a person sees at a terminal: no event disappears there, and looking at events does not mark
//! them as read.

use std::process::Command;
use std::time::Duration;

use crate::support::{Screen, Site, blank, files, run_on_terminal};

/// The first characters of every event, also of one that is cut to fit on the screen.
const EVENT: &str = r#"{"schema":"#;

/// Cuts lines so that each fits on the screen, and keeps what it shows in `pipe`.
const SHOW: &str = "cut -c1-80 | tee pipe";

/// A site whose pages take as long as a person needs to see the progress.
fn slow() -> Site {
    let mut site = Site::of(120, 40);
    site.set("acme", "page_size", 20);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(100));
    site
}

fn run(site: &Site, script: &str) -> Screen {
    run_on_terminal(&site.shell(script))
}

/// As many events on the screen as went through the pipe, which are `count`.
fn assert_shows_all(site: &Site, script: &str, count: usize) {
    let screen = run(site, script);
    let piped = site.read("pipe").lines().len();
    assert_eq!(piped, count, "{script}: {}", screen.text());
    assert_eq!(screen.count(EVENT), piped, "{script}: {}", screen.text());
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn no_event_of_the_demo_disappears_from_the_screen() {
    let (home, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = blank(home.path(), tmp.path());
    let mut shell = Command::new("/bin/sh");
    let env = real.get_envs();
    shell.envs(env.filter_map(|(key, value)| Some((key, value?))));
    shell.current_dir(home.path());
    let program = env!("CARGO_BIN_EXE_atlaudit");
    shell.args(["-c", &format!("{program} demo | {SHOW}")]);
    let screen = run_on_terminal(&shell);
    assert_eq!(screen.count(EVENT), 3_900, "{}", screen.text());
    assert!(screen.text().contains("3,900 events from 5 sources"));
    assert!(!screen.text().contains("first pull"), "nobody pulls again");
    // On the terminal itself the events come from files, which are gone at the end.
    shell = Command::new(program);
    shell.arg("demo").envs(real.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let screen = run_on_terminal(&shell);
    assert!(screen.text().contains("demo-org: 2,400 events, "), "{}", screen.text());
    assert!(!screen.text().contains(tmp.path().to_str().unwrap()));
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn no_event_disappears_from_the_screen_after_a_pipe() {
    let site = slow();
    assert_shows_all(&site, &format!("\"$PROGRAM\" pull --since 40d | {SHOW}"), 160);
    let follow = format!("timeout --foreground -s INT 4 \"$PROGRAM\" follow | {SHOW}");
    assert_shows_all(&site, &follow, 160);
    let named = format!(
        "mkfifo events; {{ {SHOW} < events; }} & \"$PROGRAM\" pull acme --since 40d -o events; wait"
    );
    assert_shows_all(&site, &named, 120);
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn events_in_files_leave_the_screen_to_the_progress() {
    let site = slow();
    for script in [
        "\"$PROGRAM\" pull acme --since 40d -o '{source}.jsonl'",
        "\"$PROGRAM\" pull acme --since 40d > acme.jsonl",
        "\"$PROGRAM\" pull acme --since 40d > /dev/null",
    ] {
        let screen = run(&site, script);
        assert_eq!(screen.code, 0, "{}", screen.text());
        assert!(screen.written.contains(" pages  "), "{script}: no progress");
        // It is erased at the end: the last line alone stays.
        let lines: Vec<_> = screen.lines.iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 1, "{script}: {}", screen.text());
        assert!(lines[0].starts_with("120 events from acme, "), "{lines:?}");
    }
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_pull_typed_at_a_terminal_shows_its_plan_and_moves_nothing() {
    let mut site = Site::of(60, 10);
    let before = files(&site.path("home"));
    for command in ["pull", "follow"] {
        let screen = run(&site, &format!("\"$PROGRAM\" {command} acme"));
        let text = screen.text();
        assert_eq!(screen.code, 2, "{text}");
        for words in [
            "acme (org-events)",
            "  reads       20",
            "  first pull  `initial_lookback` is 31 days",
            "error: `",
            "nothing was pulled",
            "`--output FILE`",
            "`atlaudit pull --since 7d`",
        ] {
            assert!(text.contains(words), "`{words}` in: {text}");
        }
        assert_eq!(screen.count(EVENT), 0, "{text}");
    }
    assert!(site.control.requests().is_empty());
    assert!(!site.state().exists());
    assert!(files(&site.path("home")).len() <= before.len() + 1, "a file was made");
    // The plan is more than a quiet user or a log collector asked for.
    let screen = run(&site, "\"$PROGRAM\" -q pull acme");
    assert_eq!((screen.code, screen.count("acme (")), (2, 0));
    // One source that goes to the terminal is enough.
    site.set_output("path", "{source}.jsonl");
    site.set("acme-jira", "output", toml::toml! { path = "-" });
    assert_eq!(run(&site, "\"$PROGRAM\" pull").code, 2);
    assert!(site.control.requests().is_empty());
    // What is wrong with a source is shown, and how to pull is shown all the same.
    std::fs::create_dir_all(site.state()).unwrap();
    std::fs::write(site.state().join("acme.json"), "{").unwrap();
    let screen = run(&site, "\"$PROGRAM\" pull");
    assert_eq!(screen.code, 2, "{}", screen.text());
    for words in ["acme.json", "acme-jira (jira-audit)", "`--output FILE`"] {
        assert!(screen.text().contains(words), "{}", screen.text());
    }
    // What is refused in a pipe is refused here, and for the same reason.
    site.set("acme-jira", "output", toml::toml! { path = "acme.jsonl" format = "raw" });
    assert_eq!(run(&site, "\"$PROGRAM\" pull").code, 6);
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_named_output_or_a_window_shows_events_at_a_terminal() {
    let site = Site::of(60, 10);
    for (script, count) in [
        ("\"$PROGRAM\" pull acme --since 40d | cut -c1-80", 60),
        ("\"$PROGRAM\" pull acme --since 40d --format raw", 0),
        ("\"$PROGRAM\" pull acme --output - --max-events 7", 7),
        ("\"$PROGRAM\" pull acme | cut -c1-80", 53),
        ("\"$PROGRAM\" pull acme-jira > jira.jsonl", 0),
        ("\"$PROGRAM\" pull acme --dry-run", 0),
    ] {
        let screen = run(&site, script);
        assert_eq!(screen.code, 0, "{script}: {}", screen.text());
        assert_eq!(screen.count(EVENT), count, "{script}: {}", screen.text());
    }
    assert_eq!(site.read("jira.jsonl").ids().len(), 10);
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_check_reports_a_failure_on_standard_error_only_where_nobody_reads_the_rest() {
    let mut site = Site::of(5, 5);
    site.unset_env("ACME_KEY");
    for (script, hints) in [
        ("\"$PROGRAM\" check acme", 1),
        ("\"$PROGRAM\" check acme | cat", 1),
        ("\"$PROGRAM\" check acme > /dev/null", 1),
        ("\"$PROGRAM\" check acme > kept; cat kept", 2),
    ] {
        let screen = run(&site, script);
        let text = screen.text();
        assert_eq!(text.matches("  hint: ").count(), hints, "{script}: {text}");
        assert_eq!(text.contains("Check failed at step `credential`"), !script.contains("null"));
    }
    assert!(site.control.requests().is_empty());
}
