//! What the tests share: a [`Site`] to run the program against, and what a [`Run`] left behind.

mod lake;
mod output;
mod prometheus;
mod run;
mod screen;
mod site;
mod tables;
mod terminal;

pub use lake::{AFTER_LEASE, Lake, empty_disk};
pub use output::{Outputs, unpacked};
pub use prometheus::Samples;
pub use run::{Run, keys};
pub use screen::{Screen, run_on_terminal};
pub use site::{Running, Site, blank, small};
pub use tables::{table_columns, table_rows};
pub use terminal::stdout_on_terminal;

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use atlaudit::sandbox::{Api, CLOUD_ID, Fault, JIRA_SITE};
use chrono::{DateTime, SecondsFormat, Utc};

/// The ids as events have them.
pub fn org_ids(own: &[String]) -> Vec<String> {
    own.iter().map(|id| format!("org:{id}")).collect()
}

/// A record of events-stream.
pub fn org_event(id: &str, time: DateTime<Utc>, processed: DateTime<Utc>) -> String {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    format!(
        r#"{{"id":"{id}","attributes":{{"action":"user_login","time":"{}","processedAt":"{}"}}}}"#,
        text(time),
        text(processed)
    )
}

/// The ids as events have them.
pub fn jira_ids(own: &[String]) -> Vec<String> {
    own.iter().map(|id| format!("jira:{JIRA_SITE}:{id}")).collect()
}

/// `got` holds each of `want` once and nothing else, in whatever order.
pub fn each_once(got: &[String], want: &[String]) {
    let (known, wanted): (HashSet<_>, HashSet<_>) = (got.iter().collect(), want.iter().collect());
    let missing: Vec<_> = wanted.difference(&known).take(3).collect();
    let prompt_error: Vec<_> = known.difference(&wanted).take(3).collect();
    let counts = (got.len(), want.len());
    assert!(
        missing.is_empty() && prompt_error.is_empty() && counts.0 == counts.1,
        "got and wanted: {counts:?}; missing: {missing:?}; unasked: {prompt_error:?}"
    );
}

/// `written` holds each event that the sandbox serves for `name` once, in order: those of an
/// organization as they were processed, the others by their times. `what` names the case.
pub fn whole(what: &str, site: &Site, name: &str, written: &Run) {
    let ids = written.ids();
    if name == "acme" {
        let served = org_ids(&site.control.ids(Api::OrgEvents));
        let differs = ids.iter().zip(&served).position(|(got, want)| got != want);
        let counts = (ids.len(), served.len());
        assert!(ids == served, "{what}: {counts:?}, first at {differs:?}");
        return;
    }
    match name {
        "acme-confluence" => assert_distinct_ids(written, site.control.texts(Api::ConfluenceAudit)),
        "acme-dc" => assert_distinct_ids(written, site.control.texts(Api::DatacenterAudit)),
        "acme-jira-ws" => return workspace_whole(site, Api::JiraWorkspace, written),
        "acme-confluence-ws" => {
            return workspace_whole(site, Api::ConfluenceWorkspace, written);
        }
        _ => each_once(&ids, &jira_ids(&site.control.ids(Api::JiraAudit))),
    }
    let trees = written.trees();
    let times = trees.iter().filter_map(|event| event["time"].as_str());
    assert!(times.is_sorted(), "{what}: not in order");
}

/// The same for the events of a workspace; late ones come after newer ones.
fn workspace_whole(site: &Site, api: Api, written: &Run) {
    let served = site.control.ids(api).into_iter();
    let served: Vec<_> = served.map(|id| format!("ws:{CLOUD_ID}:{id}")).collect();
    each_once(&written.ids(), &served);
}

/// `written` holds the records `served`, which have no ids and may be equal, as often as they are
/// served.
pub fn assert_distinct_ids(written: &Run, mut served: Vec<String>) {
    let ids = written.ids();
    let distinct: HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "an id comes twice");
    let events = written.events().into_iter();
    let mut raws: Vec<_> = events.map(|event| event.raw.get().to_owned()).collect();
    raws.sort();
    served.sort();
    let counts = (raws.len(), served.len());
    assert!(raws == served, "got and wanted: {counts:?}");
}

/// The file `acme` holds each event that the sandbox serves, `acme-jira` each record.
pub fn assert_file_complete(site: &Site, name: &str) {
    let served = match name {
        "acme" => org_ids(&site.control.ids(Api::OrgEvents)),
        _ => jira_ids(&site.control.ids(Api::JiraAudit)),
    };
    each_once(&site.read(name).ids(), &served);
}

/// Each line is what `atlaudit schema` says of an event.
pub fn assert_lines_valid(run: &Run) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_atlaudit"));
    let schema = Run::from(program.arg("schema").output().unwrap());
    let schema = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for event in run.trees() {
        if let Err(error) = validator.validate(&event) {
            panic!("{error}: {event}");
        }
    }
}

/// An answer with this status, header and body.
pub fn status(status: u16, header: Option<(&str, &str)>, body: &str) -> Fault {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Fault::Status {
        status,
        headers: header.map(owned).into_iter().collect(),
        body: body.to_owned(),
    }
}

/// The names of all crash points, read from the enum that declares them.
pub fn crash_points() -> Vec<&'static str> {
    let source = include_str!("../../../src/crash.rs");
    let (_, variants) = source.split_once("pub enum CrashPoint {").unwrap();
    let (variants, _) = variants.split_once("\n}").unwrap();
    let names = variants.lines().filter_map(|line| line.trim().strip_suffix(','));
    names.filter(|line| !line.starts_with("//")).collect()
}

/// Runs until it dies at `turn`, a passage or the first of a point. The point that it died at, if
/// it came so far.
pub fn crash_at(site: &mut Site, source: &str, turn: &str) -> Option<String> {
    crash_pull_at(site, &[source], turn)
}

/// The same of a pull with these arguments.
pub fn crash_pull_at(site: &mut Site, args: &[&str], turn: &str) -> Option<String> {
    let trace = site.path("trace");
    let _ = std::fs::remove_file(&trace);
    site.set_env("ATLAUDIT_CRASH_TRACE", trace.to_str().unwrap());
    site.set_env("ATLAUDIT_CRASH_AT", turn);
    let run = site.run(&[&["pull"], args].concat());
    site.unset_env("ATLAUDIT_CRASH_AT");
    if run.code == 0 {
        return None;
    }
    assert_eq!(run.code, 128 + 6, "{}", run.stderr);
    let passed = std::fs::read_to_string(&trace).unwrap();
    passed.lines().last().map(str::to_owned)
}

/// The seed of random kills: pinned, so that a run can be repeated, unless `ATLAUDIT_KILL_SEED` is
/// a number or `random`. Printed, because a failure needs it.
#[expect(clippy::print_stderr, reason = "the seed is needed to repeat a failure")]
pub fn kill_seed() -> u64 {
    let seed = match std::env::var("ATLAUDIT_KILL_SEED").as_deref() {
        Ok("random") => fastrand::u64(..u64::from(u32::MAX)),
        Ok(text) => text.parse().unwrap(),
        Err(_) => 1,
    };
    eprintln!("ATLAUDIT_KILL_SEED={seed}");
    seed
}

/// What does not wait for anything ends within this, on a busy machine too.
pub const PROMPT: Duration = Duration::from_secs(10);

/// Waits until `it_holds`, a few milliseconds at a time; panics when it never does.
pub fn eventually(what: &str, mut it_holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !it_holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every file below `folder`, with its content.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), std::fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}
