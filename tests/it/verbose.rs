//! What `-v` and `--log-format json` show of requests and waits, without a terminal.

use std::io::{BufRead as _, BufReader};

use serde_json::Value;

use atlaudit::sandbox::{API_KEY, Api, EndOfStream};

use crate::support::{Run, Site, small, status};

fn site() -> Site {
    let mut options = small(35, 0);
    options.behaviour.end_of_stream = EndOfStream::Null;
    Site::new(options).with("acme", "page_size", 10)
}

/// The objects on standard error.
fn objects(run: &Run) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap();
    run.stderr.lines().map(read).collect()
}

#[test]
fn verbose_shows_each_request_and_nothing_secret() {
    let site = site();
    let run = site.ok(&["pull", "acme", "-v", "-o", "out"]);
    let lines: Vec<_> =
        run.stderr.lines().filter(|line| line.contains("endpoint=events-stream")).collect();
    assert_eq!(lines.len(), 4, "{}", run.stderr);
    for line in &lines {
        assert!(line.starts_with("info: source `acme`: request "), "{line}");
        for words in [" status=200", " bytes=", " duration_ms="] {
            assert!(line.contains(words), "{line}");
        }
    }
    assert!(lines[0].contains(" records=10") && lines[3].contains(" records=5"), "{lines:?}");
    let debug = site.ok(&["pull", "acme", "-vv", "--since", "31d"]).stderr;
    assert!(debug.contains("debug: source `acme`: "), "{debug}");
    for text in [run.stderr, debug] {
        for secret in [API_KEY, "cursor=", "from=", "Bearer", "sortOrder"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn without_verbose_no_request_is_logged() {
    let run = site().ok(&["pull", "acme"]);
    let lines: Vec<_> = run.stderr.lines().collect();
    let [first, summary] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    assert!(first.starts_with("first pull of acme"), "{first}");
    assert!(summary.contains(" events from acme"), "{summary}");
}

#[test]
fn json_lines_carry_fields() {
    let site = site();
    let run = site.ok(&["pull", "acme", "-v", "--log-format", "json", "-o", "out"]);
    let objects = objects(&run);
    let request = objects.iter().find(|object| object["endpoint"] == "events-stream");
    let request = request.unwrap();
    assert_eq!((&request["source"], &request["level"]), (&"acme".into(), &"info".into()));
    assert_eq!((&request["status"], &request["records"]), (&200.into(), &10.into()));
    assert!(request["bytes"].is_u64() && request["duration_ms"].is_u64(), "{request}");
    let summary = objects.last().unwrap();
    assert_eq!(summary["message"].as_str().unwrap().split(' ').next(), Some("35"));
    assert_eq!((&summary["source"], &summary["events"]), (&"acme".into(), &35.into()));
    assert_eq!((&summary["requests"], &summary["exit_code"]), (&4.into(), &0.into()));
    assert!(summary["waited_ms"].is_u64() && summary["duration_ms"].is_u64(), "{summary}");
}

#[test]
fn the_summary_of_several_sources_has_one_line_for_each_and_one_for_all() {
    let mut site = site();
    site.add("beta", "acme");
    site.set("beta", "org_id", "0f0e0d0c-0b0a-4908-8706-050403020100");
    let run = site.run(&["pull", "acme", "beta", "--log-format", "json"]);
    let objects = objects(&run);
    let error = objects.iter().find(|object| object["level"] == "error").unwrap();
    assert_eq!((&error["source"], &error["exit_code"]), (&"beta".into(), &4.into()));
    let of = |name: &str| {
        let mut lines = objects.iter().filter(|object| object["level"] == "notice");
        lines.find(|object| object["source"] == name).unwrap()
    };
    assert_eq!((&of("acme")["events"], &of("acme")["exit_code"]), (&35.into(), &0.into()));
    assert_eq!((&of("beta")["events"], &of("beta")["exit_code"]), (&0.into(), &4.into()));
    let all = objects.last().unwrap();
    assert_eq!((&all["sources"], &all["events"]), (&2.into(), &35.into()));
    assert_eq!(all["exit_code"], 4);
}

/// Reads standard error until a line has `words`, then ends the program.
fn until(site: &Site, args: &[&str], words: &str) -> String {
    let mut running = site.start(args);
    let stderr = BufReader::new(running.child().stderr.take().unwrap());
    let line = stderr.lines().map(Result::unwrap).find(|line| line.contains(words));
    running.signal("TERM");
    running.end();
    line.expect("the line")
}

#[test]
fn a_long_wait_for_the_rate_limit_is_logged_without_a_terminal() {
    let mut site = site();
    site.set("acme", "requests_per_minute", 2);
    let text = until(&site, &["pull", "acme", "-o", "out"], "waiting ");
    assert!(text.starts_with("source `acme`: waiting "), "{text}");
    assert!(text.ends_with(" s for the rate limit"), "{text}");
    site.forget_pauses();
    let args = ["pull", "acme", "--since", "31d", "--log-format", "json"];
    let line = until(&site, &args, "waiting ");
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&object["source"], &object["level"]), (&"acme".into(), &"notice".into()));
    assert_eq!(
        (&object["endpoint"], &object["reason"]),
        (&"events-stream".into(), &"quota".into())
    );
    assert!(object["wait_ms"].as_u64().unwrap() > 10_000, "{object}");
}

#[test]
fn quiet_logs_no_wait() {
    let mut site = site();
    site.set("acme", "requests_per_minute", 2);
    let mut running = site.start(&["pull", "acme", "-q", "-o", "out"]);
    crate::support::eventually("two requests", || site.control.request_count(Api::OrgEvents) == 2);
    std::thread::sleep(std::time::Duration::from_millis(500));
    running.signal("TERM");
    let stderr = running.end().stderr;
    assert!(!stderr.contains("waiting"), "{stderr}");
}

#[test]
fn a_short_wait_is_logged_only_with_verbose() {
    let site = site();
    let pause = status(429, Some(("retry-after", "2")), "{}");
    site.control.inject(Api::OrgEvents, pause);
    let run = site.ok(&["pull", "acme", "-v"]);
    assert!(run.stderr.contains("as the server requested"), "{}", run.stderr);
    site.forget_pauses();
    let pause = status(429, Some(("retry-after", "2")), "{}");
    site.control.inject(Api::OrgEvents, pause);
    let run = site.ok(&["pull", "acme"]);
    assert!(!run.stderr.contains("waiting"), "{}", run.stderr);
}
