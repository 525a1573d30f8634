//! Paths that would name two things are refused before anything is written or requested.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Running, Site, eventually, files, org_ids};
use atlaudit::sandbox::Api;

/// A site whose sources were pulled into `out/NAME.jsonl`, with a file of each kind that the
/// program uses.
fn site() -> Site {
    let mut site = Site::of(60, 20);
    site.set_output("path", "out/{source}.jsonl");
    fs::write(site.path("key"), "secret\n").unwrap();
    fs::write(site.path("ca.pem"), "no certificate\n").unwrap();
    site.ok(&["pull"]);
    // Only reading them is allowed; both belong to a source that is not pulled here.
    site.add("other", "acme");
    site.set("other", "credential", "file:key");
    site.set("other", "ca_file", "ca.pem");
    site
}

/// What a run may change.
#[derive(PartialEq)]
struct Snapshot {
    files: Vec<(String, Vec<u8>)>,
    names: Vec<OsString>,
    requests: usize,
}

fn snapshot(site: &Site) -> Snapshot {
    drop(site.command(&[]));
    let folders = ["home", "out", "tmp"];
    let entries = fs::read_dir(site.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    Snapshot {
        files: folders.map(|folder| files(&site.path(folder))).concat(),
        names,
        requests: site.control.requests().len(),
    }
}

/// Sets the output of `acme` alone.
fn set_path(site: &mut Site, path: &str) {
    let output = toml::Table::from_iter([("path".to_owned(), path.into())]);
    site.set("acme", "output", output);
}

/// The command is refused with 6, says `words`, and leaves everything as it was.
fn is_refused(site: &Site, args: &[&str], words: &[&str]) {
    let before = snapshot(site);
    site.run(args).refused(6, words);
    let after = snapshot(site);
    assert!(before == after, "{args:?} has changed something");
}

#[test]
fn a_metrics_file_never_replaces_events() {
    let site = site();
    for command in ["pull", "follow"] {
        let args = [command, "acme", "--metrics-file", "out/acme.jsonl"];
        let words = ["`--metrics-file`", "the output of source `acme`"];
        is_refused(&site, &args, &words);
        // Those of a source that is not pulled now are safe as well.
        let args = [command, "acme-jira", "--metrics-file", "out/acme.jsonl"];
        is_refused(&site, &args, &words);
    }
    let ids = site.read("out/acme.jsonl").ids();
    assert_eq!(ids, org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn no_path_that_a_pull_writes_names_a_file_of_a_different_role() {
    let site = site();
    fs::create_dir_all(site.path("tmp/quota")).unwrap();
    fs::write(site.path("tmp/quota/endpoint-1"), "").unwrap();
    let state = "home/.local/state/atlaudit";
    for (path, what) in [
        ("home/.config/atlaudit/config.toml", "the configuration file"),
        ("key", "the credential of source `other`"),
        ("ca.pem", "the `ca_file` of source `other`"),
        ("tmp/quota/endpoint-1", "the folder of shared rate limits"),
        (&format!("{state}/acme.json"), "the state folder"),
        (&format!("{state}/acme.lock"), "the state folder"),
        (&format!("{state}/ledgers/acme.json"), "the state folder"),
        (&format!("{state}/notices/new.json"), "the state folder"),
        (&format!("{state}/mine"), "the state folder"),
    ] {
        for flag in ["--report", "--metrics-file", "--output"] {
            is_refused(&site, &["pull", "acme", flag, path], &[what]);
        }
    }
    let finished = "out/acme-20261120T095959.000Z.jsonl";
    is_refused(&site, &["pull", "--report", finished], &["the output of source `acme`"]);
    let both = ["pull", "--report", "x", "--metrics-file", "./x"];
    is_refused(&site, &both, &["`--report`", "`--metrics-file`"]);
    let dry = ["pull", "--dry-run", "--report", "key"];
    is_refused(&site, &dry, &["the credential"]);
    let window = ["pull", "acme", "--since", "9d", "--output", "key"];
    is_refused(&site, &window, &["the credential"]);
}

#[test]
fn links_lead_to_what_they_name() {
    let site = site();
    let state = site.state();
    symlink("out/acme.jsonl", site.path("soft")).unwrap();
    fs::hard_link(site.path("out/acme.jsonl"), site.path("hard")).unwrap();
    symlink("out/other.jsonl", site.path("dangling")).unwrap();
    symlink("out", site.path("folder")).unwrap();
    symlink(&state, site.path("state")).unwrap();
    fs::hard_link(state.join("acme.json"), site.path("hard-state")).unwrap();
    fs::hard_link(state.join("ledgers/acme.json"), site.path("hard-ledger")).unwrap();
    for (path, what) in [
        ("soft", "the output of source `acme`"),
        ("hard", "the output of source `acme`"),
        ("dangling", "the output of source `other`"),
        ("folder/other.jsonl", "the output of source `other`"),
        ("folder/../out/./acme.jsonl", "the output of source `acme`"),
        ("state/new", "the state folder"),
        ("state/no/folder/yet", "the state folder"),
        ("hard-state", "the state of source `acme`"),
        ("hard-ledger", "the state of source `acme`"),
    ] {
        for flag in ["--report", "--metrics-file"] {
            is_refused(&site, &["pull", "acme", flag, path], &[what]);
        }
    }
}

#[test]
fn an_output_of_the_configuration_is_checked_as_a_typed_one() {
    let mut site = site();
    set_path(&mut site, "key");
    is_refused(&site, &["pull"], &["the credential of source `other`"]);
    set_path(&mut site, "home/.local/state/atlaudit/{source}");
    is_refused(&site, &["pull"], &["the state folder"]);
    // Days that are over belong to the output, too.
    set_path(&mut site, "out/%Y/%m-%d.jsonl");
    let args = ["pull", "--metrics-file", "out/2025/11-27.jsonl"];
    is_refused(&site, &args, &["the output of source `acme`"]);
}

#[test]
fn an_export_lies_in_no_folder_of_the_program() {
    let site = site();
    let export = |folder: &str, words: &[&str]| {
        let args = ["export", "acme", "--since", "9d", "--output", folder];
        is_refused(&site, &args, words);
    };
    export("home/.local/state/atlaudit/case", &["the state folder"]);
    // The state of a second configuration would be created in it.
    let args = ["export", "acme", "--since", "9d", "--output", "case"];
    let more = ["--state-dir", "case/state"];
    is_refused(&site, &[&args[..], &more].concat(), &["the export folder"]);
    let more = ["--sign", "case/key"];
    is_refused(&site, &[&args[..], &more].concat(), &["the signing key"]);
}

#[test]
fn what_convert_and_man_write_is_no_file_of_the_program() {
    let site = site();
    symlink("home/.config/atlaudit/config.toml", site.path("link")).unwrap();
    for (output, what) in [
        ("home/.local/state/atlaudit/new", "the state folder"),
        ("link", "the configuration file"),
        ("out/other.jsonl", "the output of source `other`"),
    ] {
        is_refused(&site, &["convert", "out/acme.jsonl", "-o", output], &[what]);
    }
    let state = "home/.local/state/atlaudit";
    is_refused(&site, &["man", "--dir", state], &["the state folder"]);
    symlink("../out/acme.jsonl", page(&site)).unwrap();
    is_refused(&site, &["man", "--dir", "man"], &["a manual page", "the output of source `acme`"]);
    fs::remove_file(site.path("man/atlaudit.1")).unwrap();
    site.ok(&["man", "--dir", "man"]);
}

/// The path of a manual page, whose folder exists.
fn page(site: &Site) -> std::path::PathBuf {
    fs::create_dir(site.path("man")).unwrap();
    site.path("man/atlaudit.1")
}

#[test]
fn a_login_starts_no_configuration_in_a_place_of_the_state() {
    let site = Site::of(0, 0);
    let login = |config: &str| {
        let args = ["auth", "login", "new", "--with-key", "--config", config];
        site.run(&args)
    };
    login("home/.local/state/atlaudit/acme.json").refused(6, &["the state folder"]);
    assert!(!site.state().exists());
}

#[test]
fn what_only_one_thing_uses_is_written_as_before() {
    let mut site = site();
    site.set("other", "credential", "env:ACME_KEY");
    site.unset("other", "ca_file");
    let args = ["pull", "--report", "r.json", "--metrics-file", "m.prom"];
    site.ok(&args);
    // An earlier report, and earlier metrics, are replaced.
    site.ok(&args);
    site.ok(&["pull", "--report", "/dev/null"]);
    site.ok(&["pull", "acme", "--output", "/dev/null", "--report", "/dev/null"]);
    let state = files(&site.state());
    assert!(!state.is_empty());
    assert!(Path::new(&site.path("r.json")).exists() && site.path("m.prom").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_configuration_that_is_read_again_is_checked_again() {
    let mut site = Site::of(60, 20);
    site.set_output("path", "{source}");
    let script = r#"exec env --default-signal=HUP "$PROGRAM" follow --every 30ms --metrics-file x"#;
    let mut running = Running::of(site.shell(script));
    let lines_of =
        |path: &Path| fs::read(path).map_or(0, |text| text.iter().filter(|b| **b == b'\n').count());
    // Not as whole lines: one may be on its way.
    eventually("events", || lines_of(&site.path("acme")) == 60);
    set_path(&mut site, "x");
    drop(site.command(&[]));
    running.signal("HUP");
    site.control.add(Api::OrgEvents, 10);
    eventually("more events", || lines_of(&site.path("acme")) == 70);
    // The old configuration stays, until it is stopped.
    running.signal("TERM");
    let run = running.end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("are the same file: `x`"), "{}", run.stderr);
    assert!(run.stderr.contains("keeping the previous configuration"), "{}", run.stderr);
    assert!(fs::read_to_string(site.path("x")).unwrap().starts_with("# HELP"));
}
