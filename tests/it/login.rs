//! `auth login` without a keyring: what is asked, what is tested, and that nothing is kept of what
//! fails.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use atlaudit::sandbox::{
    API_KEY, Api, DATACENTER_TOKEN, Fault, JIRA_EMAIL, JIRA_SITE, JIRA_TOKEN, ORG_ID,
};

use crate::support::{Run, Site, status};

/// Drives the program through a terminal of its own: an answer for each question.
pub const PTY: &str = r#"
import os, pty, sys
at = sys.argv.index("--")
answers, command = sys.argv[1:at], sys.argv[at + 1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    sys.stdout.buffer.write(part)
    last = seen.rsplit(b"\n", 1)[-1]
    if answers and last.endswith((b": ", b"] ")):
        seen = b""
        os.write(terminal, answers.pop(0).encode() + b"\n")
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

fn site() -> Site {
    let mut site = Site::of(40, 40);
    site.remove_sources();
    site
}

fn login(site: &Site, args: &[&str], key: &str) -> Run {
    let mut command = site.command(&["auth", "login"]);
    command.args(args).arg("--with-key");
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that refuses its arguments reads no key.
    let _ = writeln!(child.stdin.take().unwrap(), "{key}");
    Run::from(child.wait_with_output().unwrap())
}

fn config(site: &Site) -> String {
    fs::read_to_string(site.path("home/.config/atlaudit/config.toml")).unwrap()
}

#[test]
fn a_key_that_does_not_work_is_not_kept() {
    let site = site();
    let new = ["acme", "--org-id", ORG_ID, "--base-url", site.base_url()];
    let args = [&new[..], &["--store", "file:keys/acme"]].concat();
    let before = {
        site.command(&[]);
        config(&site)
    };
    let run = login(&site, &args, "another-key");
    run.refused(
        4,
        &["`acme`", "does not work, so it is not stored", "401", "organization API key"],
    );
    assert!(!run.stderr.contains("another-key"));
    assert_eq!(config(&site), before);
    assert!(!site.path("keys").exists());
}

#[test]
fn a_key_that_cannot_be_tested_is_kept_only_when_requested() {
    let site = site();
    let new = ["acme", "--org-id", ORG_ID, "--base-url", site.base_url()];
    let args = [&new[..], &["--store", "file:keys/acme"]].concat();
    for (fault, code) in [
        (status(503, None, ""), 3),
        (Fault::CloseBeforeResponse, 3),
        (status(429, Some(("retry-after", "1")), "{}"), 5),
    ] {
        site.control.inject(Api::OrgEvents, fault);
        login(&site, &args, API_KEY)
            .refused(code, &["could not be tested, so it is not stored", "`--untested`"]);
        site.forget_pauses();
    }
    assert!(!site.path("keys").exists());
    // A key that is refused was tested.
    let untested = [&args[..], &["--untested"]].concat();
    login(&site, &untested, "another-key").refused(4, &["does not work"]);
    site.control.inject(Api::OrgEvents, status(503, None, ""));
    let run = login(&site, &untested, API_KEY);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for words in ["warning: the key could not be tested", "stored the key of `acme`"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn the_configuration_stays_as_it_is_where_the_key_cannot_be_kept() {
    let site = site();
    let args = ["acme", "--org-id", ORG_ID, "--base-url", site.base_url()];
    login(&site, &args, API_KEY)
        .refused(4, &["no Secret Service/keyring reachable", "auth login acme --store file:~/"]);
    assert!(site.control.requests().is_empty(), "a key was tested in vain");
    assert!(!config(&site).contains("acme"));
    let folder = fs::read_dir(site.path("home/.config/atlaudit")).unwrap();
    assert_eq!(folder.count(), 1, "a half-written file was left");
}

#[test]
fn without_a_terminal_nothing_is_asked_and_the_flag_is_named() {
    let site = site();
    for (args, words) in [
        (&["j", "--type", "jira-audit"][..], "--site"),
        (&["d", "--type", "datacenter-audit"], "--base-url"),
    ] {
        login(&site, args, API_KEY).refused(2, &["new source", words]);
    }
    let run = site.run(&["auth", "login", "acme", "--org-id", ORG_ID]);
    run.refused(2, &["no terminal", "--with-key"]);
    assert!(site.control.requests().is_empty());
}

#[test]
fn a_known_source_keeps_its_log() {
    let mut site = Site::of(10, 10).with_all_sources();
    for source in ["acme", "acme-jira", "acme-dc"] {
        site.set(source, "credential", "keyring");
    }
    for args in [
        &["acme", "--org-id", "00000000-0000-4000-8000-000000000000"][..],
        &["acme-jira", "--site", "other.example"],
        &["acme-dc", "--base-url", "https://other.example"],
    ] {
        login(&site, args, API_KEY).refused(2, &["collects from", "another name"]);
    }
    site.set("acme", "credential", "env:ACME_KEY");
    login(&site, &["acme"], API_KEY).refused(6, &["env:ACME_KEY", "`--store file:PATH`"]);
    assert!(site.control.requests().is_empty());
}

#[test]
fn what_cannot_be_an_organization_is_refused_before_any_request() {
    let mut site = Site::of(10, 10);
    for id in ["YOUR-ORG-ID", "acme", &ORG_ID[1..]] {
        let run = login(&site, &["new", "--org-id", id], API_KEY);
        assert_eq!(run.code, 2, "{id}: {}", run.stderr);
        for words in ["not an organization id", "after /o/"] {
            assert!(run.stderr.contains(words), "{id}: {}", run.stderr);
        }
    }
    for id in ["YOUR-ORG-ID", "acme/x", " ", "a b"] {
        site.set("acme", "org_id", id);
        let words = ["`acme`", "`org_id`", "not an organization id", "after /o/"];
        site.run(&["pull", "acme"]).refused(6, &words);
    }
    assert!(site.control.requests().is_empty());
}

#[test]
fn an_invalid_date_is_refused() {
    let site = site();
    let run = login(&site, &["acme", "--expires-on", "soon"], API_KEY);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("2027-06-30"), "{}", run.stderr);
}

/// Runs `auth login` with `more` in a terminal where these answers are given.
fn typed(site: &Site, answers: &str, more: &str) -> (i32, String) {
    fs::write(site.path("drive.py"), PTY).unwrap();
    let base_url = site.base_url();
    let script = format!(
        "python3 drive.py {answers} -- \"$PROGRAM\" auth login {more} --base-url {base_url}"
    );
    let run = Run::from(site.shell(&script).stdin(Stdio::null()).output().unwrap());
    (run.code, String::from_utf8(run.stdout).unwrap() + &run.stderr)
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn at_a_terminal_whatever_is_missing_is_asked() {
    let site = site();
    // Nobody is asked anything about a key that could not be stored.
    let (code, seen) = typed(&site, "1 '' x", "acme");
    for words in ["no Secret Service/keyring reachable", "--store file:~/"] {
        assert!(seen.contains(words), "`{words}` in: {seen}");
    }
    assert!(!seen.contains("What does it collect?"), "{seen}");
    assert_eq!(code, 4, "{seen}");
    assert!(site.control.requests().is_empty());
    // A wrong answer is explained, and the question repeated; the address of a page is a site.
    let answers = format!("2 lindenfell https://{JIRA_SITE}/jira/x {JIRA_EMAIL} n {JIRA_TOKEN} ''");
    let (code, seen) = typed(&site, &answers, "j --store file:~/keys/j");
    for words in ["What does it collect?", "Type [1]: ", "not a site's host name"] {
        assert!(seen.contains(words), "`{words}` in: {seen}");
    }
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains(JIRA_TOKEN), "{seen}");
    let stored = site.path("home/keys/j");
    let line = format!("credential = \"file:{}\"", stored.display());
    assert!(config(&site).contains(&line), "{}", config(&site));
    assert!(fs::read_to_string(stored).unwrap().contains(JIRA_TOKEN));
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_refused_key_is_asked_again_and_the_answers_stay() {
    let site = site();
    let answers = format!("2 {JIRA_SITE} {JIRA_EMAIL} n wrong-1 wrong-2 {JIRA_TOKEN} ''");
    let (code, seen) = typed(&site, &answers, "j --store file:keys/j");
    assert_eq!(code, 0, "{seen}");
    assert_eq!(seen.matches("Key of `j` (not shown): ").count(), 3, "{seen}");
    assert_eq!(seen.matches("does not work, so it is not stored").count(), 2, "{seen}");
    assert_eq!(seen.matches("Site, such as").count(), 1, "{seen}");
    assert!(!seen.contains("wrong-"), "{seen}");

    let before = config(&site);
    let answers = format!("2 {JIRA_SITE} {JIRA_EMAIL} n wrong-1 wrong-2 wrong-3 {JIRA_TOKEN}");
    let (code, seen) = typed(&site, &answers, "k --store file:keys/k");
    assert_eq!(code, 4, "{seen}");
    assert_eq!(seen.matches("Key of `k` (not shown): ").count(), 3, "{seen}");
    assert!(!config(&site).contains("[sources.k]") && !before.contains("[sources.k]"));
    assert!(!site.path("keys/k").exists());
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_data_center_is_asked_how_to_sign_in_before_any_name() {
    let site = site();
    let address = format!("{}/dc", site.base_url());
    let drive = |answers: &str, name: &str| {
        fs::write(site.path("drive.py"), PTY).unwrap();
        let script = format!(
            "python3 drive.py 5 {address} {answers} -- \"$PROGRAM\" auth login {name} --store file:keys/{name}"
        );
        let run = Run::from(site.shell(&script).stdin(Stdio::null()).output().unwrap());
        (run.code, String::from_utf8(run.stdout).unwrap() + &run.stderr)
    };
    // A token at the wrong question is not shown again by us, and asked for in its place.
    let (code, seen) = drive(&format!("'' {DATACENTER_TOKEN} ''"), "dc");
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("1  a personal access token") && !seen.contains("User name"));
    assert!(!seen.contains(DATACENTER_TOKEN), "{seen}");
    let (_, seen) = drive("2 ada no-1 no-2 no-3", "pw");
    assert!(seen.contains("User name: ") && seen.contains("Password of `ada`"), "{seen}");
}
