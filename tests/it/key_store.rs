//! `auth login --store file:PATH` and `auth logout`: keys in files, without a keyring and without a
//! terminal.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

use atlaudit::sandbox::{API_KEY, JIRA_EMAIL, JIRA_SITE, JIRA_TOKEN, JIRA_TOKEN_SCOPED, ORG_ID};

use crate::support::{PROMPT, Run, Site};

/// A site whose configuration lies where the program can change it and no other run of it writes it
/// again.
fn site() -> (Site, String) {
    let mut site = Site::of(40, 40);
    let config = site.path("config/config.toml");
    site.set_env("ATLAUDIT_CONFIG", config.to_str().unwrap());
    let folder = config.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(&config, "# Ours.\n").unwrap();
    (site, config.to_str().unwrap().to_owned())
}

fn login(site: &Site, args: &[&str], key: &str) -> Run {
    let mut command = site.command(&["auth", "login", "--with-key"]);
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that refuses its arguments reads no key.
    let _ = writeln!(child.stdin.take().unwrap(), "{key}");
    Run::from(child.wait_with_output().unwrap())
}

/// Logs in as the new organization source `acme`.
fn login_acme(site: &Site, store: &str, key: &str) -> Run {
    let new = ["acme", "--org-id", ORG_ID, "--base-url", site.base_url()];
    login(site, &[&new[..], &["--store", store]].concat(), key)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn a_key_is_stored_in_a_file_for_its_owner_only_and_removed_again() {
    let (site, config) = site();
    let run = login_acme(&site, "file:~/new/keys/acme", API_KEY);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let path = site.path("home/new/keys/acme");
    let words = [
        format!("stored the key of `acme` in file {}", path.display()),
        format!("added the source to {config}"),
    ];
    for words in words {
        assert!(run.stderr.contains(&words), "{}", run.stderr);
    }
    assert!(!run.stderr.contains(API_KEY));
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    let text = fs::read_to_string(&config).unwrap();
    let line = format!("credential = \"file:{}\"\n", path.display());
    assert!(text.starts_with("# Ours.\n") && text.contains(&line), "{text}");

    let pull = ["-q", "pull", "acme", "--since", "31d"];
    assert_eq!(site.ok(&pull).ids().len(), 40);
    let table = String::from_utf8(site.ok(&["auth", "status"]).stdout).unwrap();
    assert!(table.contains(path.to_str().unwrap()) && table.contains(" 0d "), "{table}");

    let run = site.ok(&["auth", "logout", "acme"]);
    let words = format!("removed the key of `acme` from file {}", path.display());
    assert!(run.stderr.contains(&words), "{}", run.stderr);
    assert!(!path.exists());
    site.run(&["auth", "logout", "acme"]).refused(4, &["there is no file"]);
    site.run(&pull).refused(4, &["No such file", "`atlaudit auth login acme`"]);
    // The configuration still says where the key goes.
    assert_eq!(login(&site, &["acme"], API_KEY).code, 0);
    assert_eq!(site.ok(&pull).ids().len(), 40);
}

#[test]
fn the_key_in_a_file_stays_until_the_new_one_works() {
    let (site, config) = site();
    let new = [
        "j",
        "--site",
        JIRA_SITE,
        "--email",
        JIRA_EMAIL,
        "--gateway",
        "--base-url",
        site.base_url(),
        "--store",
        "file:keys/j",
    ];
    assert_eq!(login(&site, &new, JIRA_TOKEN).code, 0);
    let path = site.path("keys/j");
    let first = fs::read_to_string(&path).unwrap();
    let written = fs::read_to_string(&config).unwrap();
    login(&site, &["j"], "wrong").refused(4, &["does not work, so the old one stays"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    let run = login(&site, &["j"], JIRA_TOKEN);
    assert!(run.stderr.contains("is the one that was stored before"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), first, "the same key is as old");
    let run = login(&site, &["j"], JIRA_TOKEN_SCOPED);
    for words in ["replaced the key of `j` in file ", "revoke it"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    assert!(fs::read_to_string(&path).unwrap().contains(JIRA_TOKEN_SCOPED));
    assert_eq!(fs::read_to_string(&config).unwrap(), written);
}

#[test]
fn a_path_that_is_no_file_of_its_own_is_refused_before_the_key_is_tested() {
    let (site, config) = site();
    fs::create_dir(site.path("folder")).unwrap();
    fs::write(site.path("notes"), "mine\n").unwrap();
    symlink("notes", site.path("link")).unwrap();
    symlink("nowhere", site.path("dangling")).unwrap();
    fs::write(site.path("other"), "x").unwrap();
    let other = format!(
        "[sources.other]\ntype = 'org-events'\ncredential = 'file:{}'\n",
        site.path("other").display()
    );
    fs::write(&config, &other).unwrap();
    symlink("config", site.path("alias")).unwrap();
    for (store, code, words) in [
        ("file:folder", 4, "not a regular file"),
        ("file:/dev/null", 4, "not a regular file"),
        ("file:link", 4, "is a link"),
        ("file:dangling", 4, "is a link"),
        ("file:notes", 4, "exists and holds something"),
        ("file:notes/key", 4, "Not a directory"),
        ("file:other", 6, "the credential of source `other`"),
        ("file:alias/config.toml", 6, "the configuration file"),
        ("file:~/.local/state/atlaudit/acme.json", 6, "in the state folder"),
    ] {
        let run = login_acme(&site, store, API_KEY);
        run.refused(code, &[words]);
    }
    for store in ["file:", "file:keys/", "env:K", API_KEY] {
        let run = login_acme(&site, store, API_KEY);
        assert_eq!(run.code, 2, "{store}: {}", run.stderr);
        assert!(!run.stderr.contains(API_KEY), "{}", run.stderr);
    }
    assert!(site.control.requests().is_empty());
    assert_eq!(fs::read_to_string(&config).unwrap(), other);
    assert_eq!(fs::read_to_string(site.path("notes")).unwrap(), "mine\n");
}

#[test]
fn a_logout_removes_nothing_but_a_key() {
    let (site, config) = site();
    let source = |name: &str, path: &str| {
        let path = site.path(path);
        format!("[sources.{name}]\ntype = 'org-events'\ncredential = 'file:{}'\n", path.display())
    };
    let text = [
        source("notes", "notes"),
        source("link", "link"),
        source("a", "shared"),
        source("b", "shared"),
    ];
    fs::write(&config, text.concat()).unwrap();
    fs::write(site.path("notes"), "a line of notes\n").unwrap();
    fs::write(site.path("shared"), "KEY\n").unwrap();
    symlink("shared", site.path("link")).unwrap();
    site.run(&["auth", "logout", "notes"]).refused(4, &["holds no key", "notes"]);
    site.run(&["auth", "logout", "link"]).refused(4, &["is a link"]);
    let run = site.ok(&["auth", "logout", "a"]);
    assert!(run.stderr.contains("which `b` read too"), "{}", run.stderr);
    assert!(site.path("notes").exists() && !site.path("shared").exists());
}

#[test]
fn a_key_moves_from_a_variable_into_a_file() {
    let (mut site, config) = site();
    let source = format!(
        "[sources.acme] # ours\ntype = 'org-events'\norg_id = '{ORG_ID}'\nbase_url = '{}'\ncredential = 'env:OLD' # for now\n",
        site.base_url()
    );
    fs::write(&config, source).unwrap();
    site.set_env("OLD", API_KEY);
    login(&site, &["acme"], API_KEY).refused(6, &["env:OLD", "`--store file:PATH`"]);
    let run = login(&site, &["acme", "--store", "file:keys/acme"], API_KEY);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for words in ["changed `credential`", "earlier key stays in the environment variable OLD"] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    let text = fs::read_to_string(&config).unwrap();
    let line = format!("credential = \"file:{}\" # for now\n", site.path("keys/acme").display());
    assert!(text.contains(&line), "{text}");
}

#[test]
fn a_source_without_a_key_reports_what_its_type_takes() {
    let mut site = Site::of(1, 1).with_all_sources();
    for name in ["acme", "acme-confluence", "acme-dc"] {
        site.set(name, "credential", "keyring");
        let run = site.run(&["pull", name]);
        let login = format!("`atlaudit auth login {name} --store file:");
        run.refused(4, &["keyring", &login]);
        let names_variables = run.stderr.contains("ATLAUDIT_API_KEY");
        assert_eq!(names_variables, name == "acme", "{}", run.stderr);
    }
}

#[test]
fn a_refused_password_gives_no_hint_about_a_user_name() {
    let mut site = Site::of(1, 1).with_all_sources();
    site.set_env("DC_KEY", "wrong");
    site.set("acme-dc", "username", "ada");
    let run = site.run(&["pull", "acme-dc"]);
    run.refused(4, &["401", "password and its `username`"]);
    assert!(!run.stderr.contains("set `username`"), "{}", run.stderr);
}

#[test]
fn a_program_that_leaves_a_child_behind_does_not_delay_its_key() {
    let mut site = Site::of(10, 0);
    let script = format!("#!/bin/sh\necho {API_KEY}\nsleep 60 &\necho $! > child\n");
    let program = site.path("agent");
    fs::write(&program, script).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&program, executable).unwrap();
    site.set("acme", "credential", format!("command:{}", program.display()));
    let start = std::time::Instant::now();
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), 10);
    assert!(start.elapsed() < PROMPT);
    // It is an agent's, and lives on.
    let child = fs::read_to_string(site.path("child")).unwrap();
    let ended = site.shell(&format!("kill {}", child.trim())).status().unwrap();
    assert!(ended.success(), "the child was killed");
}

#[test]
#[ignore = "needs root, to mount and to be another user; .ci/run has it"]
fn secrets_as_container_platforms_mount_them_are_read() {
    let mut site = Site::of(10, 0);
    site.set("acme", "credential", "file:keys/acme");
    site.set_env("KEY", API_KEY);
    let program = site.path("atlaudit");
    fs::copy(env!("CARGO_BIN_EXE_atlaudit"), &program).unwrap();
    // A tmpfs of root's with the links of Kubernetes, then read-only, then another user.
    let script = |mode: &str, owner: &str, remount: &str| {
        format!(
            "set -e; mount -t tmpfs none keys; mkdir keys/..1; echo \"$KEY\" > keys/..1/acme; \
             ln -s ..1 keys/..data; ln -s ..data/acme keys/acme; chown {owner} keys/..1/acme; \
             chmod {mode} keys/..1/acme; {remount}; chmod a+rX . atlaudit; chmod -R a+rwX home tmp; \
             exec setpriv --reuid 64000 --regid 64000 --clear-groups ./atlaudit \
             --state-dir tmp/state-{mode}-$$ pull acme"
        )
    };
    fs::create_dir(site.path("keys")).unwrap();
    let run = |mode: &str, owner: &str, remount: &str| {
        let inner = script(mode, owner, remount);
        let mut unshare = site.shell("exec unshare -m sh -c \"$INNER\"");
        Run::from(unshare.env("INNER", inner).output().unwrap())
    };
    let read_only = "mount -o remount,ro keys";
    for (mode, owner, remount) in [
        ("440", "0:64000", read_only),
        ("644", "0:0", read_only),
        ("444", "0:0", read_only),
        ("440", "0:64000", "true"),
        ("600", "64000:64000", "true"),
    ] {
        let run = run(mode, owner, remount);
        assert_eq!(run.code, 0, "{mode} {owner} {remount}: {}", run.stderr);
    }
    run("444", "0:0", "true").refused(4, &["others can read it", "as root: chown 64000"]);
    run("664", "0:0", read_only).refused(4, &["others can change it", "`defaultMode: 0440`"]);
    run("444", "1:0", read_only).refused(4, &["others can read it", "owner root"]);
}
