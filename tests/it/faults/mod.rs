//! Faults of a server. Each is met by one run, whose every word is checked, and followed by a run
//! that meets a sound server: after it the file holds each event once and nothing else.

mod broken;
mod hostile;
mod limited;
mod paging;
mod times;

use std::collections::HashSet;

use atlaudit::sandbox::{Api, Fault};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Run, Site, each_once, jira_ids, org_ids, small};

const BOTH: [Api; 2] = [Api::OrgEvents, Api::JiraAudit];

/// Cases played at the same time.
const AT_ONCE: usize = 4;

/// A site of which one API is pulled, ten records a page, into a file. No failure is tried again.
struct Bench {
    site: Site,
    api: Api,
}

/// How a run must end.
struct End {
    code: i32,
    complete: bool,
    /// What standard error must hold.
    says: &'static [&'static str],
}

/// The run reads everything.
const WHOLE: End = End { code: 0, complete: true, says: &[] };

/// The run ends with `code` and says this.
fn fails(code: i32, says: &'static [&'static str]) -> End {
    End { code, complete: false, says }
}

/// Plays each case against each API, a few at a time; a failure is named by its case.
fn each<C: Sync>(apis: &[Api], cases: &[(&str, C)], play: impl Fn(Bench, &C) + Sync) {
    let plays: Vec<_> = cases
        .iter()
        .flat_map(|(name, case)| apis.iter().map(move |&api| (api, *name, case)))
        .collect();
    let (mut failed, play) = (Vec::new(), &play);
    for some in plays.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let start = |&(api, name, case): &(Api, &str, _)| {
                let title = format!("{api:?}: {name}");
                let thread = std::thread::Builder::new().name(title.clone());
                let playing = thread.spawn_scoped(scope, move || play(Bench::new(api, 35), case));
                (title, playing.unwrap())
            };
            let playing: Vec<_> = some.iter().map(start).collect();
            let ends = playing.into_iter().map(|(title, end)| (title, end.join()));
            failed.extend(ends.filter(|(_, end)| end.is_err()).map(|(title, _)| title));
        });
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

impl Bench {
    fn new(api: Api, records: usize) -> Bench {
        let mut options = match api {
            Api::OrgEvents => small(records, 0),
            Api::JiraAudit => small(0, records),
            other => panic!("{other:?} has faults of its own"),
        };
        // Whatever the hour of the test, nothing happened just now.
        options.data.now = Utc::now() - TimeDelta::hours(2);
        let mut bench = Bench { site: Site::new(options), api };
        bench.set("page_size", 10);
        bench.set("retry_for", "0s");
        bench.site.set_output("path", "{source}");
        bench
    }

    /// The name of its source, and of its file.
    fn name(&self) -> &'static str {
        match self.api {
            Api::OrgEvents => "acme",
            _ => "acme-jira",
        }
    }

    fn set(&mut self, key: &str, value: impl Into<toml::Value>) {
        self.site.set(self.name(), key, value);
    }

    /// The first page comes, then `fault` for `times` requests.
    fn script(&self, fault: Fault, times: usize) {
        self.site.control.inject(self.api, Fault::Pass);
        self.site.control.inject_times(self.api, fault, times);
    }

    /// The first page comes, then nothing but `fault`.
    fn script_forever(&self, fault: Fault) {
        self.site.control.inject(self.api, Fault::Pass);
        self.site.control.inject_always(self.api, fault);
    }

    /// The ids that the sandbox serves.
    fn served(&self) -> Vec<String> {
        match self.api {
            Api::OrgEvents => org_ids(&self.site.control.ids(Api::OrgEvents)),
            _ => jira_ids(&self.site.control.ids(Api::JiraAudit)),
        }
    }

    /// The ids in the file; none of them twice.
    fn written(&self) -> Vec<String> {
        let ids = self.site.read(self.name()).ids();
        let distinct: HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "an event was written twice");
        ids
    }

    /// Pulls, and everything that is said of it must be true: the code, standard error, the report,
    /// the checkpoint.
    fn pull(&self, end: &End) -> Run {
        self.pull_with(&[], end)
    }

    fn pull_with(&self, more: &[&str], end: &End) -> Run {
        let (before, complete_until) = (self.written().len(), self.complete_until());
        let args = ["pull", self.name(), "--report", "report.json", "--repeat-errors"];
        let run = self.site.run(&[&args, more].concat());
        let said = &run.stderr;
        assert_eq!(run.code, end.code, "{said}");
        for word in end.says {
            assert!(said.contains(word), "`{word}` in: {said}");
        }
        let fails = usize::from(end.code != 0);
        let errors = said.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), fails, "{said}");
        assert!(fails == 0 || said.contains("\n  hint: "), "{said}");
        let report = self.report();
        assert_eq!(report["complete"], end.complete, "{report}");
        assert_eq!(report["exit_code"], end.code, "{report}");
        assert_eq!(report["error"].is_string(), fails == 1, "{report}");
        assert_eq!(report["events"], self.written().len() - before, "{report}");
        match end.complete {
            true => assert_ne!(self.complete_until(), complete_until),
            false => assert_eq!(self.complete_until(), complete_until),
        }
        run
    }

    /// The server is sound again: the next run makes up for everything, and one more finds nothing.
    fn recovers(&self) {
        self.site.control.clear_faults(self.api);
        self.site.forget_pauses();
        self.pull(&WHOLE);
        self.is_whole();
        self.pull(&WHOLE);
        self.is_whole();
    }

    /// The file holds what the sandbox serves, each once and in order.
    fn is_whole(&self) {
        match self.api {
            Api::OrgEvents => assert_eq!(self.written(), self.served()),
            _ => self.holds_each(),
        }
    }

    /// The file holds what the sandbox serves, each once.
    fn holds_each(&self) {
        each_once(&self.written(), &self.served());
    }

    /// Adds a record as it stands, where one of `place` has its place in the server's order.
    fn add(&self, text: String, place: DateTime<Utc>) {
        match self.api {
            Api::OrgEvents => self.site.control.add_json(Api::OrgEvents, text, place),
            _ => self.site.control.add_json(Api::JiraAudit, text, place),
        }
    }

    /// The report's account of the source.
    fn report(&self) -> Value {
        let text = std::fs::read(self.site.path("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&text).unwrap();
        report["sources"][0].clone()
    }

    /// What the checkpoint claims.
    fn complete_until(&self) -> Option<String> {
        let path = self.site.state().join(format!("{}.json", self.name()));
        let state: Value = serde_json::from_slice(&std::fs::read(path).ok()?).unwrap();
        Some(state["complete_until"].as_str()?.to_owned())
    }
}
