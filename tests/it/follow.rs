//! `follow`: pull after pull, whatever fails meanwhile, until a signal; and what it tells systemd and Prometheus.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use atlaudit::sandbox::{API_KEY, Api, Fault};

use crate::support::{
    PROMPT, Run, Running, Samples, Site, assert_file_complete, eventually, small, status,
};

const ORG: [&str; 2] = ["acme", "org-events"];

fn site() -> Site {
    let mut site = Site::new(small(60, 20));
    site.set_output("path", "{source}");
    site.set("acme", "retry_for", "1ms");
    site.set("acme-jira", "retry_for", "1ms");
    site
}

/// Follows with signals that have their usual meaning, whatever signals the caller ignores.
fn follow(site: &Site, more: &str) -> Running {
    let script = format!(r#"exec env --default-signal=HUP "$PROGRAM" follow --every 30ms {more}"#);
    Running::of(site.shell(&script))
}

fn ends(mut running: Running) -> Run {
    running.signal("TERM");
    let start = Instant::now();
    let run = running.end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(start.elapsed() < PROMPT);
    assert!(run.stderr.contains("stopped; the next run resumes here"), "{}", run.stderr);
    run
}

/// Waits until so many pulls more of the organization's events have begun.
fn pulls(site: &Site, more: usize) {
    let before = site.control.request_count(Api::OrgEvents);
    eventually("further pulls", || site.control.request_count(Api::OrgEvents) >= before + more);
}

/// Lines in the file `name`, which may be growing.
fn lines(site: &Site, name: &str) -> usize {
    let text = site.read(name).stdout;
    text.iter().filter(|&&byte| byte == b'\n').count()
}

/// The errors, each without its time.
fn errors(run: &Run) -> Vec<&str> {
    let messages = run.stderr.lines().filter_map(|line| Some(line.split_once(' ')?.1));
    messages.filter(|message| message.starts_with("error: ")).collect()
}

fn metrics(site: &Site) -> Samples {
    Samples::read(&fs::read_to_string(site.path("x.prom")).unwrap())
}

#[test]
fn new_events_are_written_once_until_a_signal() {
    for signal in ["TERM", "INT"] {
        let site = site();
        let mut running = follow(&site, "");
        for _ in 0..4 {
            pulls(&site, 2);
            site.control.add(Api::OrgEvents, 25);
            site.control.add(Api::JiraAudit, 5);
        }
        eventually("the newest events", || {
            lines(&site, "acme") == 160 && lines(&site, "acme-jira") == 40
        });
        pulls(&site, 3);
        running.signal(signal);
        let run = running.end();
        assert_eq!(run.code, 0, "{}", run.stderr);
        for name in ["acme", "acme-jira"] {
            assert_file_complete(&site, name);
        }
        // Pulls that bring nothing are no news.
        let shown = run.stderr.lines().filter(|line| line.contains(" sources in "));
        assert!(shown.count() <= 9, "{}", run.stderr);
    }
}

#[test]
fn the_wait_is_after_the_pull_and_not_beside_it() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(120));
    let script = r#"exec "$PROGRAM" follow acme --every 100ms"#;
    let running = Running::of(site.shell(script));
    pulls(&site, 1);
    site.control.forget_requests();
    let start = Instant::now();
    pulls(&site, 4);
    // Each takes 120 ms, and 100 to 110 ms pass between two of them.
    assert!(start.elapsed() >= Duration::from_millis(4 * 220 - 150));
    ends(running);
}

#[test]
fn a_source_that_fails_ends_nothing_and_is_reported_once() {
    let site = site();
    site.control.inject_always(Api::JiraAudit, status(500, None, "{}"));
    let running = follow(&site, "");
    pulls(&site, 6);
    site.control.add(Api::OrgEvents, 5);
    eventually("the others' events", || lines(&site, "acme") == 65);
    site.control.clear_faults(Api::JiraAudit);
    eventually("the failed source's", || lines(&site, "acme-jira") == 20);
    site.control.inject_always(Api::JiraAudit, status(401, None, "{}"));
    pulls(&site, 4);
    let run = ends(running);
    let shown = errors(&run);
    assert_eq!(shown.len(), 2, "{}", run.stderr);
    assert!(shown[0].contains("500") && shown[1].contains("401"), "{shown:?}");
    assert_eq!(run.stderr.matches("acme-jira: works again after ").count(), 1);
    // The next process knows what was reported.
    let running = follow(&site, "");
    pulls(&site, 4);
    let run = ends(running);
    assert_eq!(errors(&run), [""; 0], "{}", run.stderr);
    site.run(&["-q", "pull"]).fails(4, &[]);
    assert_eq!(site.run(&["-q", "pull"]).stderr, "");
}

#[test]
fn a_line_has_its_time_unless_the_journal_notes_it() {
    let site = site();
    let first_line = |flags: &str, journal: &str| {
        // What the run before wrote is not this one's.
        let _ = fs::remove_file(site.path("log"));
        let script = format!(
            r#": >log; JOURNAL_STREAM={journal}; export JOURNAL_STREAM
            exec env --default-signal=HUP "$PROGRAM" {flags} follow --every 30ms 2>>log"#
        );
        let running = Running::of(site.shell(&script));
        let log = || fs::read_to_string(site.path("log")).unwrap_or_default();
        eventually("a line", || log().contains('\n'));
        drop(running);
        log().lines().next().unwrap().to_owned()
    };
    let time = |line: &str| {
        let (time, text) = line.split_once(' ').unwrap();
        assert!(text.starts_with("following 2 sources"), "{line}");
        chrono::DateTime::parse_from_rfc3339(time).unwrap()
    };
    // Another file than stderr is not the journal.
    for journal in ["", "1:2", "x"] {
        let line = first_line("", journal);
        assert!(time(&line).offset().local_minus_utc() == 0 && line.contains("Z "), "{line}");
    }
    assert_eq!(time(&first_line("--tz Asia/Kolkata", "")).offset().local_minus_utc(), 19_800);
    let line = first_line("", "$(stat -Lc %d:%i log)");
    assert!(line.starts_with("following 2 sources"), "{line}");
    let line = first_line("--log-format json", "");
    assert!(line.starts_with('{'), "{line}");
}

#[test]
fn a_signal_cuts_no_commit_short_and_is_no_failure() {
    let site = site();
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let running = follow(&site, "acme");
    eventually("the request", || site.control.request_count(Api::OrgEvents) > 0);
    let run = ends(running);
    assert_eq!(errors(&run), [""; 0], "{}", run.stderr);
    site.control.clear_faults(Api::OrgEvents);
    site.ok(&["pull", "acme"]);
    assert_file_complete(&site, "acme");
}

#[test]
fn a_permanent_error_ends_it_at_the_start() {
    let mut site = site();
    fs::write(site.path("wrong.toml"), "[sources").unwrap();
    assert_eq!(site.run(&["follow", "--config", "wrong.toml"]).code, 6);
    assert_eq!(site.run(&["follow", "nobody"]).code, 6);
    assert_eq!(site.run(&["follow", "--every", "0s"]).code, 2);
    let metrics = ["follow", "--metrics-file", "no/where.prom"];
    site.run(&metrics).refused(8, &["no/where.prom", "--metrics-file"]);
    // It reads well, and cannot be used.
    site.unset("acme", "org_id");
    let run = site.run(&["follow", "acme"]);
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(site.control.requests().is_empty());
    // One of several is no reason to read nothing.
    let running = follow(&site, "");
    eventually("the other source", || lines(&site, "acme-jira") == 20);
    ends(running);
}

#[test]
fn a_key_may_come_or_change_later() {
    let mut site = site();
    let key = site.path("key");
    let credential = format!("file:{}", key.display());
    site.set("acme", "credential", credential);
    let running = follow(&site, "acme --metrics-file x.prom");
    eventually("the failure", || {
        let path = site.path("x.prom");
        path.exists() && metrics(&site).of("atlaudit_failures_in_a_row", ORG[0], ORG[1]) > Some(0.0)
    });
    let status = site.ok(&["status", "acme", "--json"]).trees();
    assert_eq!(status[0]["last_run"]["exit_code"], 4, "{status:?}");
    let write = |text: &str| {
        let new = site.path("key.new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &key).unwrap();
    };
    write("wrong");
    pulls(&site, 3);
    write(API_KEY);
    eventually("the events", || lines(&site, "acme") == 60);
    pulls(&site, 1);
    write("wrong-again");
    pulls(&site, 3);
    let run = ends(running);
    assert_eq!(errors(&run).len(), 3, "{}", run.stderr);
    assert_file_complete(&site, "acme");
}

#[test]
fn a_reader_that_leaves_ends_it() {
    let site = site();
    let mut running = follow(&site, "acme --output -");
    let mut lines = BufReader::new(running.child().stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    drop(lines);
    site.control.add(Api::OrgEvents, 5);
    let run = running.end();
    assert_eq!(run.code, 8, "{}", run.stderr);
    assert_eq!(errors(&run), [""; 0]);
}

#[test]
fn the_flags_of_a_pull_count_for_each() {
    let site = site();
    let running = follow(&site, "acme --format raw --output 'f/{source}.jsonl' --compression gzip");
    eventually("the file", || site.path("f/acme.jsonl.gz").exists());
    pulls(&site, 2);
    ends(running);
    let packed = fs::File::open(site.path("f/acme.jsonl.gz")).unwrap();
    let text = std::io::read_to_string(flate2::read::MultiGzDecoder::new(packed)).unwrap();
    assert_eq!(text.lines().count(), 60);
    assert!(text.lines().all(|line| !line.contains("atlaudit/1")));
}

#[test]
#[cfg(target_os = "linux")]
fn sighup_reads_the_configuration_again_and_a_wrong_one_changes_nothing() {
    let mut site = site();
    let mut running = follow(&site, "");
    pulls(&site, 1);
    eventually("the first pull's end", || {
        let status = site.ok(&["status", "acme", "--json"]).trees();
        status[0]["last_run"]["exit_code"] == 0
    });
    site.add("acme-too", "acme");
    site.set("acme", "page_size", 7);
    site.set("acme", "initial_lookback", "20d");
    drop(site.command(&[]));
    running.signal("HUP");
    eventually("the new source", || lines(&site, "acme-too") == 60);
    site.set("acme", "page_size", 0);
    drop(site.command(&[]));
    running.signal("HUP");
    pulls(&site, 4);
    site.control.add(Api::OrgEvents, 10);
    eventually("more", || lines(&site, "acme") == 70);
    let run = ends(running);
    let said = "was read again: added `acme-too`; changed `acme` \
        (initial_lookback, which has no effect after the first pull, page_size)";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(errors(&run).len(), 1, "{}", run.stderr);
    assert!(errors(&run)[0].contains("page_size"), "{}", run.stderr);
    assert!(run.stderr.contains("keeping the previous configuration"), "{}", run.stderr);
    assert_file_complete(&site, "acme");
}

/// Whether the program, whose log goes to the file `log`, waits for its own rate limit.
fn waits_for_rate_limit(site: &Site) -> bool {
    let log = fs::read_to_string(site.path("log")).unwrap_or_default();
    log.contains("for the rate limit")
}

#[test]
fn limits_are_kept_from_one_pull_to_the_next_also_where_none_are_shared() {
    let mut site = site();
    site.set("acme", "requests_per_minute", 5);
    site.set_env("ATLAUDIT_QUOTA_DIR", "/dev/null");
    let script = r#"exec "$PROGRAM" -v follow acme --every 30ms 2>log"#;
    let mut running = Running::of(site.shell(script));
    eventually("a wait", || waits_for_rate_limit(&site));
    assert_eq!(site.control.request_count(Api::OrgEvents), 5);
    running.signal("TERM");
    assert_eq!(running.end().code, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_reload_forgets_no_request_of_the_last_minute() {
    let mut site = site();
    site.set("acme", "requests_per_minute", 4);
    // No quota file: only the process itself can count.
    site.set_env("ATLAUDIT_QUOTA_DIR", "/dev/null");
    site.set_env("ATLAUDIT_CRASH_METRICS_MS", "20");
    let script = r#"exec env --default-signal=HUP "$PROGRAM" -v follow acme --every 1h \
        --metrics-file x.prom 2>log"#;
    let mut running = Running::of(site.shell(script));
    pulls(&site, 1);
    let changes = [
        ("page_size", 7),
        ("requests_per_minute", 3),
        ("page_size", 8),
        ("page_size", 9),
        ("requests_per_minute", 2),
    ];
    for (key, value) in changes {
        let before = site.control.request_count(Api::OrgEvents);
        site.set("acme", key, value);
        drop(site.command(&[]));
        running.signal("HUP");
        eventually("a further pull, or a wait", || {
            site.control.request_count(Api::OrgEvents) > before || waits_for_rate_limit(&site)
        });
    }
    let count = site.control.request_count(Api::OrgEvents);
    assert!(count <= 4, "{count} requests in a minute that allows 4");
    assert!(waits_for_rate_limit(&site));
    running.signal("TERM");
    assert_eq!(running.end().code, 0);
}

#[test]
fn the_sources_of_one_check_share_the_quota_of_their_organization() {
    let mut site = site();
    site.set("acme", "requests_per_minute", 3);
    site.set_env("ATLAUDIT_QUOTA_DIR", "/dev/null");
    site.add("acme-too", "acme");
    site.add("acme-three", "acme");
    let script = r#"exec "$PROGRAM" -v check acme acme-too acme-three 2>log"#;
    let mut running = Running::of(site.shell(script));
    eventually("a wait", || waits_for_rate_limit(&site));
    assert_eq!(site.control.requests().len(), 3);
    running.signal("KILL");
    running.end();
}

/// The service manager: a socket that messages come to.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn of(site: &mut Site, watchdog_ms: u64) -> Manager {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        site.set_env("NOTIFY_SOCKET", path.to_str().unwrap());
        site.set_env("WATCHDOG_USEC", &(watchdog_ms * 1000).to_string());
        Manager { socket, heard: Vec::new() }
    }

    /// The messages so far.
    fn listen(&mut self) -> &[String] {
        let mut bytes = [0; 2_000];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            self.heard.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
        }
        &self.heard
    }

    fn count(&mut self, start: &str) -> usize {
        self.listen().iter().filter(|message| message.starts_with(start)).count()
    }

    fn hears(&mut self, start: &str) {
        eventually(start, || self.count(start) > 0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn systemd_is_notified_of_every_step() {
    let mut site = site();
    let mut manager = Manager::of(&mut site, 200);
    let mut running = follow(&site, "");
    manager.hears("READY=1\nSTATUS=pulls 2 sources");
    manager.hears("STATUS=2 sources, 80 events; next pull in 30ms");
    eventually("pings", || manager.count("WATCHDOG=1") > 3);
    running.signal("HUP");
    manager.hears("RELOADING=1\nMONOTONIC_USEC=");
    eventually("ready again", || manager.count("READY=1") == 2);
    site.control.inject_always(Api::JiraAudit, status(403, None, "{}"));
    manager.hears("STATUS=2 sources, 0 events; acme-jira fails (code 4)");
    assert_eq!(manager.count("STOPPING=1"), 0);
    ends(running);
    manager.hears("STOPPING=1");
    let order = |start: &str| manager.heard.iter().position(|message| message.starts_with(start));
    assert!(order("READY=1") < order("RELOADING=1"));
}

#[test]
fn it_is_ready_also_where_a_first_pull_takes_long_or_a_key_is_missing_and_not_where_nothing_can_be_read()
 {
    let mut site = site();
    let mut manager = Manager::of(&mut site, 200);
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let running = follow(&site, "acme");
    manager.hears("READY=1");
    ends(running);
    manager.heard.clear();
    site.unset_env("ACME_KEY");
    let running = follow(&site, "acme");
    manager.hears("READY=1");
    ends(running);
    manager.listen();
    manager.heard.clear();
    site.set_env("ACME_KEY", "x");
    site.unset("acme", "org_id");
    assert_eq!(site.run(&["follow", "acme"]).code, 6);
    assert_eq!(manager.count("READY=1"), 0);
}

#[test]
fn the_watchdog_is_not_notified_of_a_program_that_is_stuck() {
    let mut site = site();
    site.set("acme", "timeout", "50ms");
    site.set_env("ATLAUDIT_CRASH_PATIENCE_MS", "300");
    let mut manager = Manager::of(&mut site, 100);
    let made = Command::new("mkfifo").arg(site.path("pipe")).status();
    assert!(made.unwrap().success());
    let running = follow(&site, "acme --output pipe");
    manager.hears("WATCHDOG=1");
    // It pings every 50 ms until the patience is over.
    let (mut before, mut last_ping) = (manager.count("WATCHDOG=1"), Instant::now());
    eventually("the end of the pings", || {
        let count = manager.count("WATCHDOG=1");
        if count != before {
            (before, last_ping) = (count, Instant::now());
        }
        last_ping.elapsed() > Duration::from_secs(1)
    });
    // Once somebody reads, it gets on.
    let reader = Running::of(site.shell("exec cat pipe"));
    eventually("pings", || manager.count("WATCHDOG=1") > before);
    ends(running);
    drop(reader);
}

#[test]
fn the_watchdog_is_notified_of_a_wait_that_the_server_requested() {
    let mut site = site();
    site.set("acme", "timeout", "50ms");
    site.set("acme", "retry_for", "60s");
    site.set_env("ATLAUDIT_CRASH_PATIENCE_MS", "100");
    let mut manager = Manager::of(&mut site, 100);
    let wait = status(429, Some(("retry-after", "30")), "{}");
    site.control.inject_always(Api::OrgEvents, wait);
    let running = follow(&site, "acme");
    eventually("the answer", || site.control.request_count(Api::OrgEvents) > 0);
    // At one ping every 50 ms, this is five times the patience.
    let before = manager.count("WATCHDOG=1");
    eventually("pings during the wait", || manager.count("WATCHDOG=1") > before + 20);
    assert_eq!(site.control.request_count(Api::OrgEvents), 1);
    ends(running);
}

#[test]
fn the_metrics_are_sound_and_only_grow_over_pulls_and_processes() {
    let mut site = site();
    site.set("acme", "expires_on", "2099-12-31");
    site.set_env("ATLAUDIT_CRASH_METRICS_MS", "20");
    site.control.inject_always(Api::JiraAudit, status(503, None, "{}"));
    let mut last = Samples::default();
    for round in 1..=3_u32 {
        let running = follow(&site, "--metrics-file x.prom");
        for _ in 0..10 {
            pulls(&site, 1);
            site.control.add(Api::OrgEvents, 1);
            let now = metrics(&site);
            now.assert_continues(&last);
            last = now;
        }
        assert_eq!(last.get("atlaudit_up", ""), Some(1.0));
        ends(running);
        let now = metrics(&site);
        now.assert_continues(&last);
        last = now;
        assert_eq!(last.get("atlaudit_up", ""), Some(0.0), "{round}");
    }
    site.ok(&["pull", "acme"]);
    let run = site.run(&["pull", "--metrics-file", "x.prom"]);
    assert_eq!(run.code, 3);
    let now = metrics(&site);
    now.assert_continues(&last);
    let acme = |name: &str| now.of(name, ORG[0], ORG[1]);
    assert_eq!(acme("atlaudit_events_total"), Some(90.0));
    assert_eq!(acme("atlaudit_last_run_exit_code"), Some(0.0));
    assert_eq!(acme("atlaudit_coverage_holes"), Some(0.0));
    assert_eq!(acme("atlaudit_running"), Some(0.0));
    assert!(acme("atlaudit_lag_seconds").unwrap() < 60.0);
    assert_eq!(acme("atlaudit_credential_expiry_timestamp_seconds"), Some(4_102_444_800.0));
    let until = acme("atlaudit_complete_until_timestamp_seconds").unwrap();
    assert!(until <= acme("atlaudit_checkpoint_timestamp_seconds").unwrap());
    let jira = |name: &str| now.of(name, "acme-jira", "jira-audit");
    assert_eq!(jira("atlaudit_lag_seconds"), None);
    assert_eq!(jira("atlaudit_last_run_exit_code"), Some(3.0));
    let failed = r#"exit_code="3",source="acme-jira",type="jira-audit""#;
    let runs = now.get("atlaudit_runs_total", failed).unwrap();
    // A run that a signal ended is none of them.
    let failures = jira("atlaudit_failures_in_a_row").unwrap();
    assert!(failures <= runs && runs <= failures + 3.0, "{failures} of {runs}");
    let mode = fs::metadata(site.path("x.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn the_metrics_move_while_a_pull_continues() {
    let mut site = site();
    site.set("acme", "page_size", 10);
    site.set("acme", "retry_for", "60s");
    site.set_env("ATLAUDIT_CRASH_METRICS_MS", "20");
    for _ in 0..2 {
        site.control.inject(Api::OrgEvents, Fault::Pass);
    }
    let wait = status(429, Some(("retry-after", "30")), "{}");
    site.control.inject_always(Api::OrgEvents, wait);
    for command in ["follow", "pull"] {
        let mut running = site.start(&[command, "acme", "--metrics-file", "x.prom"]);
        let figure = |name: &str| metrics(&site).of(name, ORG[0], ORG[1]);
        // The pages before the wait were committed two seconds after they had come.
        eventually("the figures", || {
            site.path("x.prom").exists()
                && figure("atlaudit_running") == Some(1.0)
                && figure("atlaudit_events_total") == Some(20.0)
        });
        let waited = r#"reason="server",source="acme",type="org-events""#;
        let server = metrics(&site).get("atlaudit_wait_seconds_total", waited).unwrap();
        assert!((0.0..10.0).contains(&server), "{server}");
        assert!(figure("atlaudit_rate_limited_total") >= Some(1.0));
        running.signal("TERM");
        let run = running.end();
        assert_eq!(run.code, if command == "pull" { 3 } else { 0 }, "{}", run.stderr);
        site.forget_pauses();
        assert_eq!(figure("atlaudit_running"), Some(0.0));
    }
}

#[test]
fn figures_of_a_window_would_be_nobodys() {
    let site = site();
    for more in ["--since=2d", "--until=2026-01-01", "--dry-run"] {
        assert_eq!(site.run(&["pull", more, "--metrics-file", "x.prom"]).code, 2);
    }
    let run = site.run(&["pull", "--metrics-file", "no/x.prom"]);
    run.refused(8, &["no/x.prom"]);
    assert!(site.control.requests().is_empty());
}
