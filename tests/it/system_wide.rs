//! A configuration in `/etc` for every user of the machine, and the state folder that it names.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::support::{Run, Site};

/// A site whose configuration is that of the system, with `state_dir`, and none of the user.
fn site() -> Site {
    let mut site = Site::of(20, 20).with_output("path", "{source}.jsonl");
    site.set_top("state_dir", site.path("state").display().to_string());
    site
}

/// The program, with the site's configuration in `/etc` alone.
fn command(site: &Site, args: &[&str]) -> std::process::Command {
    let command = site.command(args);
    let (user, system) =
        (site.path("home/.config/atlaudit/config.toml"), site.path("tmp/etc/atlaudit"));
    fs::create_dir_all(&system).unwrap();
    fs::rename(user, system.join("config.toml")).unwrap();
    command
}

fn run(site: &Site, args: &[&str]) -> Run {
    Run::from(command(site, args).output().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn the_file_of_the_system_counts_where_the_user_has_none() {
    let mut site = site();
    let pulled = run(&site, &["pull"]);
    assert_eq!(pulled.code, 0, "{}", pulled.stderr);
    assert!(site.path("state/acme.json").exists() && !site.state().exists());
    let shown = run(&site, &["config", "path"]);
    assert_eq!(
        shown.text().trim_end(),
        site.path("tmp/etc/atlaudit/config.toml").to_str().unwrap()
    );
    // The user's own file comes first, and says where else the state is.
    site.set_top("state_dir", site.path("own").display().to_string());
    site.ok(&["pull", "acme"]);
    assert!(site.path("own/acme.json").exists());
    // A flag and a variable win over the key.
    site.set_env("ATLAUDIT_STATE_DIR", "variable");
    site.ok(&["pull", "acme", "-o", "second.jsonl"]);
    assert!(site.path("variable/acme.json").exists());
    site.ok(&["--state-dir", "flag", "pull", "acme", "-o", "third.jsonl"]);
    assert!(site.path("flag/acme.json").exists());
}

#[test]
fn a_state_folder_must_be_a_whole_path_above_the_tables() {
    let mut site = site();
    for path in ["state", "~bo/state"] {
        site.set_top("state_dir", path);
        site.run(&["status"]).refused(6, &["config.toml:1: `state_dir`"]);
    }
    site.set_top("state_dir", "/var/lib/atlaudit");
    site.set("acme", "state_dir", "/var/lib/atlaudit");
    site.run(&["status"]).refused(6, &["`state_dir`", "above the first table"]);
}

#[test]
fn the_state_is_as_open_to_its_group_as_its_folder() {
    let site = site();
    run(&site, &["pull"]);
    let state = site.path("state");
    assert_eq!((mode(&state), mode(&state.join("acme.json"))), (0o700, 0o600));
    fs::set_permissions(&state, Permissions::from_mode(0o750)).unwrap();
    run(&site, &["pull"]);
    for (name, wanted) in [
        ("acme.json", 0o640),
        ("acme.lock", 0o640),
        ("ledgers", 0o750),
        ("ledgers/acme.json", 0o640),
    ] {
        assert_eq!(mode(&state.join(name)), wanted, "{name}");
    }
    // Closed again.
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    run(&site, &["pull"]);
    assert_eq!(mode(&state.join("acme.json")), 0o600);
}

#[test]
#[ignore = "needs root, to be another user; .ci/run has it"]
fn another_admin_sees_the_status_if_the_folder_lets_them() {
    let site = site();
    let state = site.path("state");
    fs::create_dir(&state).unwrap();
    // The group of the folder, which is that of its files too, is that of its admins.
    std::os::unix::fs::chown(&state, None, Some(64_000)).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o2750)).unwrap();
    let pulled = run(&site, &["pull"]);
    assert_eq!(pulled.code, 0, "{}", pulled.stderr);
    let status = |user: &str, group: &str| {
        let script = format!(
            "chmod a+rx . tmp; cp \"$PROGRAM\" atlaudit; chmod a+rx atlaudit; \
             exec setpriv --reuid {user} --regid {group} --clear-groups ./atlaudit status"
        );
        command(&site, &[]);
        let mut shell = site.shell(&script);
        fs::rename(
            site.path("home/.config/atlaudit/config.toml"),
            site.path("tmp/etc/atlaudit/config.toml"),
        )
        .unwrap();
        Run::from(shell.env("HOME", "/nonexistent").output().unwrap())
    };
    let before = crate::support::files(&state);
    let seen = status("64001", "64000");
    assert_eq!(seen.code, 0, "{}", seen.stderr);
    assert!(seen.text().contains("acme ") && seen.text().contains("ago, ok"), "{}", seen.text());
    assert_eq!(crate::support::files(&state), before);
    let refused = status("64001", "64001");
    refused.refused(7, &["cannot read", "Permission denied", "sudo -u USER", "chmod 750"]);
    // What may not be read is not damaged.
    fs::set_permissions(state.join("acme.json"), Permissions::from_mode(0o600)).unwrap();
    let closed = status("64001", "64000");
    closed.fails(7, &["cannot read", "Permission denied", "sudo -u USER"]);
    assert!(closed.text().contains("state unreadable"), "{}", closed.text());
}
