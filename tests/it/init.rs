//! `init`: a set-up at a terminal, question by question.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use atlaudit::sandbox::{API_KEY, JIRA_EMAIL, JIRA_SITE, JIRA_TOKEN, ORG_ID};

use crate::login::PTY;
use crate::support::{Run, Site};

/// The file that the set-up creates: this user's.
const FILE: &str = "new/config.toml";

/// A program of the test's own in the search path, which notes how it was called.
fn add_program(site: &Site, name: &str, script: &str) {
    let folder = site.path("bin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(0o700)).unwrap();
}

/// Runs `init` at a terminal where these answers are given.
fn init(site: &Site, answers: &str) -> (i32, String) {
    fs::write(site.path("drive.py"), PTY).unwrap();
    let script = format!(
        "export PATH=\"$PWD/bin:$PATH\"; cp -f \"$PROGRAM\" atlaudit; \
         python3 drive.py {answers} -- ./atlaudit --config {FILE} init --base-url {}",
        site.base_url()
    );
    let run = Run::from(site.shell(&script).stdin(Stdio::null()).output().unwrap());
    (run.code, run.text() + &run.stderr)
}

fn site() -> Site {
    let site = Site::of(40, 40);
    // Nothing of the machine is changed, whatever is answered.
    add_program(&site, "crontab", "exit 1");
    site
}

fn text(site: &Site, name: &str) -> String {
    fs::read_to_string(site.path(name)).unwrap_or_default()
}

#[test]
fn without_a_terminal_the_commands_that_do_the_same_are_named() {
    let words = ["no terminal", "`atlaudit auth login NAME --with-key", "`atlaudit pull`"];
    site().run(&["init"]).refused(2, &words);
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_first_set_up_ends_with_events_in_files() {
    let site = site();
    add_program(
        &site,
        "crontab",
        "case $1 in -l) cat tab 2>/dev/null || { echo no crontab for me >&2; exit 1; };; \
         *) cat > tab;; esac",
    );
    // Name, type, organization, key; another one: a site; output, as a whole path, and not below
    // a file; cron; pull.
    let out = site.path("out/{source}.jsonl").display().to_string();
    let blocked = site.path("drive.py/{source}").display().to_string();
    let first = format!("acme 1 {ORG_ID} {API_KEY}");
    let second = format!("y acme-jira 2 {JIRA_SITE} {JIRA_EMAIL} n {JIRA_TOKEN} ''");
    let (code, seen) = init(&site, &format!("{first} {second} n out/x '{blocked}' '{out}' 2 y y"));
    assert_eq!(code, 0, "{seen}");
    for words in [
        "not a whole path",
        "Not a directory",
        "drive.py` is not a folder: name another",
        "The line of the crontab",
        "--quiet --config",
        "added the line",
    ] {
        assert!(seen.contains(words), "`{words}` in: {seen}");
    }
    assert!(!seen.contains(API_KEY) && !seen.contains(JIRA_TOKEN), "{seen}");
    let config = text(&site, FILE);
    for words in ["[sources.acme]", "[sources.acme-jira]", "out/{source}.jsonl\""] {
        assert!(config.contains(words), "`{words}` in: {config}");
    }
    assert!(text(&site, "new/keys/acme").contains(API_KEY));
    assert!(site.line_count("out/acme.jsonl") > 0 && site.line_count("out/acme-jira.jsonl") > 0);
    let tab = text(&site, "tab");
    assert!(tab.starts_with("*/10 * * * * ") && tab.ends_with("new/config.toml pull\n"), "{tab}");

    // Once more: what is there stays, and nothing is added twice.
    let (code, seen) = init(&site, "n 2 y n");
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("`acme`, `acme-jira`. What is there stays."), "{seen}");
    let outputs = ["acme", "acme-jira"].map(|name| out.replace("{source}", name)).join(", ");
    assert!(seen.contains(&format!("Events go to {outputs}, as configured.")), "{seen}");
    assert_eq!((text(&site, FILE), text(&site, "tab")), (config, tab));
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_set_up_that_stops_leaves_nothing_half_written() {
    let site = site();
    let whole = ["acme", "1", ORG_ID, "wrong-key"];
    // Ctrl-D at each question, and Ctrl-C at the hidden one, which is asked again.
    for answers in 0..=whole.len() {
        let stop = if answers >= 3 { "'\u{3}'" } else { "'\u{4}'" };
        let given = whole[..answers].join(" ");
        let (code, seen) = init(&site, &format!("{given} {stop}"));
        assert!(code != 0, "{answers}: {seen}");
        assert!(!site.path(FILE).exists() && !site.path("new/keys/acme").exists(), "{seen}");
    }
    assert!(site.path("new").read_dir().map_or(0, |left| left.count()) <= 1);
}

#[test]
#[ignore = "needs root and python3 for a terminal; .ci/run has it"]
fn root_sets_up_the_machine_for_all_users() {
    let site = site();
    fs::write(site.path("drive.py"), PTY).unwrap();
    let script = format!(
        "rm -r home/.config; python3 drive.py acme 1 {ORG_ID} {API_KEY} n '' 1 n -- \"$PROGRAM\" \
         init --base-url {}",
        site.base_url()
    );
    let run = Run::from(site.shell(&script).stdin(Stdio::null()).output().unwrap());
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
    assert!(run.text().contains("etc/atlaudit/config.toml (for all users)"), "{}", run.text());
    let mode = |name: &str| fs::metadata(site.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("tmp/etc/atlaudit"), mode("tmp/etc/atlaudit/config.toml")), (0o755, 0o644));
    assert_eq!((mode("tmp/etc/atlaudit/keys"), mode("tmp/etc/atlaudit/keys/acme")), (0o700, 0o600));
    let config = text(&site, "tmp/etc/atlaudit/config.toml");
    assert!(config.starts_with("state_dir = \"/var/lib/atlaudit\"\n"), "{config}");
    assert!(config.contains("path = \"/var/log/atlaudit/{source}.jsonl\""), "{config}");
}

#[test]
#[ignore = "needs root and python3 for a terminal; .ci/run has it"]
fn a_service_is_shown_and_installed_only_if_confirmed() {
    let mut site = site();
    for name in ["systemctl", "systemd-sysusers"] {
        add_program(&site, name, "echo \"${0##*/} $*\" >> calls");
    }
    fs::create_dir_all(site.path("run/systemd/system")).unwrap();
    site.set_env("ATLAUDIT_CRASH_RUN", site.path("run").to_str().unwrap());
    let etc: PathBuf = site.path("tmp/etc");
    let answers = format!("acme 1 {ORG_ID} {API_KEY} n ''");
    let (code, seen) = init(&site, &format!("{answers} 3 n n"));
    assert_eq!(code, 0, "{seen}");
    for words in ["write ", "atlaudit.service", "sysusers.d/atlaudit.conf", "Do all of this?"] {
        assert!(seen.contains(words), "`{words}` in: {seen}");
    }
    assert!(!etc.exists() && !site.path("calls").exists());
    let (code, seen) = init(&site, "n 3 y");
    assert_eq!(code, 0, "{seen}");
    let unit = fs::read_to_string(etc.join("systemd/system/atlaudit.service")).unwrap();
    let key = site.path("new/keys/acme").display().to_string();
    assert!(unit.contains(&format!("\nLoadCredential=acme:{key}\n")), "{unit}");
    let start = format!("\nExecStart={} --config /", site.path("atlaudit").display());
    assert!(unit.contains(&start) && unit.contains("new/config.toml follow"), "{unit}");
    let config = text(&site, FILE);
    assert!(config.contains("credential = \"systemd:acme\""), "{config}");
    assert!(config.contains("state_dir = \"/var/lib/atlaudit\""), "{config}");
    let calls = text(&site, "calls");
    let wanted = "systemd-sysusers \nsystemctl daemon-reload\nsystemctl enable --now atlaudit\n";
    assert_eq!(calls, wanted);
}
