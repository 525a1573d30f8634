//! The keyring, against a real Secret Service: ignored where there is none. `.ci/run` starts
//! one in a session of its own and runs these tests in it.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use atlaudit::sandbox::{
    API_KEY, Api, JIRA_EMAIL, JIRA_SITE, JIRA_TOKEN, JIRA_TOKEN_SCOPED, ORG_ID,
};

use crate::login::PTY;
use crate::support::{Run, Site, status};

/// What the session tells the program about its bus.
const SESSION: [&str; 4] = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "HOME"];

#[test]
#[ignore = "needs an unlocked Secret Service; .ci/run starts one"]
fn a_key_is_stored_in_the_secret_service() {
    let site = site();
    let new = ["acme", "--org-id", ORG_ID, "--base-url", site.base_url()];
    assert_eq!(login(&site, &new, "not-the-key").code, 4);
    assert_eq!(look_up("acme"), "", "a refused key was kept");

    let run = login(&site, &new, API_KEY);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stderr.contains(API_KEY));
    let kept = kept("acme");
    assert_eq!(kept["api_key"], API_KEY);
    assert_eq!(kept["org_id"], ORG_ID);
    // The organization's list of keys has the expiry.
    assert_eq!(kept["expires"].as_str().unwrap().len(), 10, "{kept}");
    let today = chrono::Utc::now().date_naive().to_string();
    assert!(kept["stored"].as_str().unwrap().starts_with(&today), "{kept}");

    assert_eq!(pull(&site).ids().len(), 40);
    let table = String::from_utf8(site.ok(&["auth", "status"]).stdout).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "NAME  TYPE        CREDENTIAL  WORKS  AGE  EXPIRES");
    let end = kept["expires"].as_str().unwrap();
    let start = format!("acme  org-events  keyring     yes    0d   {end} (in ");
    assert!(lines[1].starts_with(&start), "{table}");
    // A pull knows it, and leaves it to those who look up no key.
    site.ok(&["pull", "acme"]);
    let standing = site.ok(&["status", "--json"]).stdout;
    let standing: serde_json::Value = serde_json::from_slice(&standing).unwrap();
    assert_eq!(standing["expires_on"], end, "{standing}");

    site.ok(&["auth", "logout", "acme"]);
    assert_eq!(look_up("acme"), "");
    assert_eq!(site.run(&["auth", "logout", "acme"]).code, 4);
    pull(&site).refused(4, &["`acme`", "no key in the keyring", "auth login acme"]);
}

#[test]
#[ignore = "needs an unlocked Secret Service; .ci/run starts one"]
fn the_old_key_stays_until_the_new_one_works() {
    let site = site();
    let (config, written) = rotated(&site);
    let rotate = |more: &[&str], key: &str| login(&site, &[&["rotated"], more].concat(), key);
    let run = rotate(&[], JIRA_TOKEN);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("stored the key of `rotated`"), "{}", run.stderr);
    let first = kept("rotated");
    assert_eq!(first["email"], JIRA_EMAIL);

    rotate(&[], "wrong").refused(4, &["does not work, so the old one stays"]);
    site.control.inject(Api::JiraAudit, status(503, None, ""));
    rotate(&[], JIRA_TOKEN_SCOPED)
        .refused(3, &["could not be tested, so the old one stays", "--untested"]);
    rotate(&["--email", "nobody@lindenfell.example"], JIRA_TOKEN)
        .refused(4, &["the old one stays"]);
    assert_eq!(kept("rotated"), first);
    assert_eq!(fs::read_to_string(&config).unwrap(), written);

    let run = rotate(&[], JIRA_TOKEN);
    assert!(run.stderr.contains("the one that was stored before"), "{}", run.stderr);
    assert_eq!(kept("rotated")["stored"], first["stored"], "the same key is as old");

    let run = rotate(&[], JIRA_TOKEN_SCOPED);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for words in
        ["replaced the key of `rotated`", "revoke it", "still that of the old key, 2027-01-01"]
    {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert_eq!(kept("rotated")["api_key"], JIRA_TOKEN_SCOPED);
    assert_eq!(fs::read_to_string(&config).unwrap(), written);

    let run = rotate(&["--expires-on", "2028-01-01"], JIRA_TOKEN);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("changed `expires_on` in "), "{}", run.stderr);
    assert_eq!(kept("rotated")["expires"], "2028-01-01");
    assert_eq!(fs::read_to_string(&config).unwrap(), written.replace("2027-01-01", "2028-01-01"));
    site.ok(&["auth", "logout", "rotated"]);
}

#[test]
#[ignore = "needs an unlocked Secret Service; .ci/run starts one"]
fn a_key_that_grows_old_is_warned_of_once_a_day() {
    let site = site();
    let old = chrono::Utc::now() - chrono::Days::new(200);
    let text =
        format!(r#"{{"org_id":"{ORG_ID}","api_key":"{API_KEY}","stored":"{}"}}"#, old.to_rfc3339());
    let mut storing = Command::new("secret-tool");
    storing.args(["store", "--label", "x", "service", "atlaudit", "username", "aged"]);
    let mut child = storing.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let config = site.path("config/atlaudit/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    let source = format!("[sources.aged]\ntype = 'org-events'\nbase_url = '{}'\n", site.base_url());
    fs::write(&config, source).unwrap();

    let state = site.path("state");
    let pull = || site.ok(&["pull", "aged", "--state-dir", state.to_str().unwrap()]).stderr;
    let first = pull();
    assert!(first.contains("warning: source `aged`: the credential is 200 days old"), "{first}");
    assert!(first.contains("hint: make a new one, then `atlaudit auth login aged`"), "{first}");
    assert!(!pull().contains("days old"));
    let shown = site.ok(&["auth", "status"]);
    assert!(shown.stderr.contains("200 days old"), "{}", shown.stderr);
    assert!(String::from_utf8(shown.stdout).unwrap().contains(" 200d "));
    site.ok(&["auth", "logout", "aged"]);
}

/// Writes a configuration with the source `rotated`, as a person would; returns where it is and its
/// text.
fn rotated(site: &Site) -> (PathBuf, String) {
    let config = site.path("config/atlaudit/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    let written = format!(
        "# Ours.\n[sources.rotated] # Jira\ntype = 'jira-audit'\nsite = '{JIRA_SITE}'\nemail = '{JIRA_EMAIL}' # of the token\ngateway = true\nbase_url = '{}'\nexpires_on = 2027-01-01 # of the token\n",
        site.base_url()
    );
    fs::write(&config, &written).unwrap();
    (config, written)
}

#[test]
#[ignore = "needs an unlocked Secret Service and python3; .ci/run has both"]
fn a_key_that_is_requested_is_tested_and_never_shown() {
    let site = site();
    fs::write(site.path("drive.py"), PTY).unwrap();
    let base_url = site.base_url();
    let script = format!(
        "python3 drive.py 2 {JIRA_SITE} nobody@x.example n 'a b' wrong-key wrong-key-2 wrong-key-3 -- \
         \"$PROGRAM\" auth login asked --base-url {base_url}"
    );
    let run = Run::from(site.shell(&script).stdin(Stdio::null()).output().unwrap());
    let seen = String::from_utf8(run.stdout.clone()).unwrap();
    for words in ["Key of `asked`", "holds blanks", "does not work, so it is not stored"] {
        assert!(seen.contains(words), "`{words}` in: {seen}{}", run.stderr);
    }
    assert!(!seen.contains("wrong-key"), "{seen}");
    assert_eq!((run.code, look_up("asked").as_str()), (4, ""));
}

#[test]
#[ignore = "needs an unlocked Secret Service; .ci/run starts one"]
fn a_key_moves_into_a_file_and_back() {
    let site = site();
    let (config, written) = rotated(&site);
    assert_eq!(login(&site, &["rotated"], JIRA_TOKEN).code, 0);
    let run = login(&site, &["rotated", "--store", "file:keys/r"], JIRA_TOKEN);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for words in [
        "stored the key of `rotated` in file ",
        "changed `credential`",
        "earlier key stays in the keyring",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    let path = site.path("keys/r");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains(&format!("credential = \"file:{}\"", path.display())), "{text}");
    let run = login(&site, &["rotated", "--store", "keyring"], JIRA_TOKEN);
    assert!(run.stderr.contains("stored the key of `rotated` in the OS keyring"), "{}", run.stderr);
    let text = fs::read_to_string(&config).unwrap();
    assert!(
        text.starts_with(&written[..20]) && text.contains("credential = \"keyring\""),
        "{text}"
    );
    site.ok(&["auth", "logout", "rotated"]);
    assert!(path.exists(), "an earlier copy is removed by hand");
}

/// A site whose configuration names no source yet: login adds it.
fn site() -> Site {
    let mut site = Site::of(40, 40);
    site.remove_sources();
    for name in SESSION {
        let value = std::env::var(name).unwrap_or_default();
        if name == "HOME" {
            site.set_env("XDG_CONFIG_HOME", site.path("config").to_str().unwrap());
        } else if !value.is_empty() {
            site.set_env(name, &value);
        }
    }
    site
}

fn login(site: &Site, args: &[&str], key: &str) -> Run {
    let mut command = site.command(&["auth", "login", "--with-key"]);
    command.args(args);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{key}").unwrap();
    Run::from(child.wait_with_output().unwrap())
}

fn pull(site: &Site) -> Run {
    site.run(&["-q", "pull", "acme", "--since", "31d"])
}

/// What another program finds in the keyring under our name.
fn look_up(name: &str) -> String {
    let args = ["lookup", "service", "atlaudit", "username", name];
    let output = Command::new("secret-tool").args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn kept(name: &str) -> serde_json::Value {
    serde_json::from_str(&look_up(name)).unwrap()
}
