//! Jobs as cron starts them: the lines of `contrib/cron/crontab` in the environment that Debian's
//! cron gives, which holds no session bus, no terminal and next to no variables.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use atlaudit::sandbox::{API_KEY, Api, JIRA_TOKEN};

use crate::support::{Run, Site, org_ids};

/// The command of the job whose line holds `what`; cron takes it to be what follows the five fields
/// of the time.
fn job(what: &str) -> String {
    let crontab = include_str!("../../contrib/cron/crontab");
    let line = crontab.lines().find(|line| line.contains(what)).unwrap();
    let fields: Vec<_> = line.trim_start_matches('#').splitn(6, ' ').collect();
    assert!(!fields[5].contains('%'), "a percent sign ends the command");
    fields[5].replace("/usr/local/bin/atlaudit", env!("CARGO_BIN_EXE_atlaudit"))
}

/// Runs a job like Debian's cron: `/bin/sh -c`, at home, with these variables and an empty standard
/// input.
fn run(site: &Site, job: &str) -> Run {
    // Written here, as `Site::command` writes the configuration.
    site.command(&[]);
    let home = site.path("home");
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().current_dir(&home).args(["-c", job]);
    shell.env("HOME", &home).env("LOGNAME", "auditor");
    shell.env("SHELL", "/bin/sh").env("PATH", "/usr/bin:/bin");
    // Not cron's: what other tests ask of their sandboxes does not count here.
    shell.env("ATLAUDIT_QUOTA_DIR", site.path("tmp/quota"));
    Run::from(shell.stdin(Stdio::null()).output().unwrap())
}

/// Five runs of `job`, with news before each, into a daily file of each source.
fn five_runs(site: &Site, job: &str) {
    for _ in 0..5 {
        site.control.add(Api::OrgEvents, 7);
        site.control.add(Api::JiraAudit, 3);
        let run = run(site, job);
        assert_eq!(run.code, 0, "{}", run.stderr);
        // Cron mails whatever a job says.
        assert_eq!((run.stdout.as_slice(), run.stderr.as_str()), (&b""[..], ""));
    }
    let mut ids = Vec::new();
    for file in fs::read_dir(site.path("home/events")).unwrap() {
        let file = file.unwrap().path();
        let name = file.strip_prefix(site.path("")).unwrap().to_owned();
        ids.extend(site.read(name.to_str().unwrap()).ids());
    }
    let distinct: HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "an event came twice");
    let served = site.control.ids(Api::OrgEvents).len() + site.control.ids(Api::JiraAudit).len();
    assert_eq!(ids.len(), served);
    for id in org_ids(&site.control.ids(Api::OrgEvents)) {
        assert!(distinct.contains(&id), "{id}");
    }
}

fn site() -> Site {
    let mut site = Site::of(40, 20);
    site.set_output("path", "events/{source}-%Y-%m-%d.jsonl");
    site.unset_env("ACME_KEY");
    site.unset_env("JIRA_KEY");
    site
}

fn keep(folder: &Path, name: &str, key: &str) {
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(folder.join(name)).unwrap();
    std::io::Write::write_all(&mut file, key.as_bytes()).unwrap();
}

/// A folder of both keys, for their owner alone.
fn keys(site: &Site, folder: &str) -> String {
    let folder = site.path(folder);
    let mut create_private = fs::DirBuilder::new();
    create_private.recursive(true).mode(0o700).create(&folder).unwrap();
    keep(&folder, "acme", API_KEY);
    keep(&folder, "acme-jira", JIRA_TOKEN);
    folder.to_str().unwrap().to_owned()
}

#[test]
fn keys_in_files() {
    let mut site = site();
    let folder = keys(&site, "home/.config/atlaudit/keys");
    for name in ["acme", "acme-jira"] {
        site.set(name, "credential", format!("file:{folder}/{name}"));
    }
    five_runs(&site, &job("* * * /usr/local/bin/atlaudit"));
}

#[test]
fn keys_of_systemd() {
    let mut site = site();
    let folder = keys(&site, "run-keys");
    for name in ["acme", "acme-jira"] {
        site.set(name, "credential", format!("systemd:{name}"));
    }
    let job = job("CREDENTIALS_DIRECTORY=").replace("/run/atlaudit-keys", &folder);
    five_runs(&site, &job);
}
