//! `search`, `top` and `stats`: questions to saved events and to sources, answered without jq.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use atlaudit::sandbox::Api;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::support::{Run, Running, Site, files, org_ids, stdout_on_terminal};

/// A site with 120 organization events and 60 Jira records, pulled into `acme.jsonl` and
/// `acme-jira.jsonl`.
fn pulled() -> Site {
    let site = Site::of(120, 60);
    site.ok(&["pull", "--since", "60d", "--output", "{source}.jsonl"]);
    site
}

/// A normalized event with these fields instead.
fn event(id: &str, time: &str, more: Value) -> String {
    let mut event = serde_json::json!({
        "schema": "atlaudit/1", "id": id, "time": time, "action": "user_login",
        "source": {"name": "acme", "type": "org-events"}, "category": "authentication",
        "observed_time": "2026-11-21T00:00:00.000Z", "outcome": "success", "raw": {},
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string() + "\n"
}

/// A site that serves nothing, with a file.
fn with(name: &str, content: impl AsRef<[u8]>) -> Site {
    let site = Site::of(0, 0);
    fs::write(site.path(name), content).unwrap();
    site
}

fn run_with_input(site: &Site, args: &[&str], input: &[u8]) -> Run {
    let mut command = site.command(args);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::as_it_is(command);
    let mut stdin = running.child().stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let run = running.end();
    let _ = feeding.join();
    run
}

fn times(run: &Run) -> Vec<String> {
    let time = |event: &Value| event["time"].as_str().unwrap().to_owned();
    run.trees().iter().map(time).collect()
}

#[test]
fn all_sources_come_in_the_order_of_time_and_as_they_are_saved() {
    let site = pulled();
    let found = site.ok(&["search", "acme.jsonl", "acme-jira.jsonl"]);
    let mut saved = site.read("acme.jsonl").text() + &site.read("acme-jira.jsonl").text();
    let of = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert!(of(&found.text()) == of(&saved), "other lines are found");
    assert!(times(&found).is_sorted());
    assert!(!times(&site.read("acme.jsonl")).is_sorted(), "organization events come as processed");
    let reversed = site.ok(&["search", "--reverse", "acme.jsonl", "acme-jira.jsonl"]);
    assert!(times(&reversed).iter().rev().is_sorted());
    let unsorted = site.ok(&["search", "--unsorted", "acme.jsonl", "acme-jira.jsonl"]);
    assert!(unsorted.text() == saved, "another order");
    let first = site.ok(&["search", "-n", "7", "acme.jsonl", "acme-jira.jsonl"]);
    assert!(first.lines() == found.lines()[..7], "not the first");
    saved = site.ok(&["search", "--count", "acme.jsonl", "acme-jira.jsonl"]).text();
    assert_eq!(saved, "180\n");
}

#[test]
fn whatever_was_saved_is_found_alike() {
    let site = pulled();
    let raw = ["--format", "raw", "--output", "raw/{source}.jsonl.zst"];
    site.ok(&[&["pull", "acme", "--since", "60d"], &raw[..]].concat());
    site.ok(&["export", "acme", "--since", "60d", "--output", "case"]);
    let wanted = ["--action", "user_login", "--outcome", "failure", "--columns", "time,action,ip"];
    let search = |from: &str| site.ok(&[&["search", from], &wanted[..]].concat()).text();
    let found = search("acme.jsonl");
    assert!(found.lines().count() > 2, "{found}");
    for other in ["raw", "raw/acme.jsonl.zst", "case"] {
        assert_eq!(search(other), found, "{other}");
    }
    for filter in
        [&["--text", "lindenfell"][..], &["--where", "raw.attributes.context.type = users"]]
    {
        let top = |from: &str| site.ok(&[&["top", "action", from], filter].concat()).text();
        assert!(top("acme.jsonl").lines().count() > 1, "{filter:?}");
        assert_eq!(top("raw"), top("acme.jsonl"), "{filter:?}");
    }
    let of_raw = |from: &str| site.ok(&["top", "raw.attributes.action", from]).text();
    assert!(of_raw("raw").lines().count() > 1);
    assert_eq!(of_raw("raw"), of_raw("acme.jsonl"));
    let piped = fs::read(site.path("acme.jsonl")).unwrap();
    let args = [&["search"], &wanted[..]].concat();
    assert_eq!(run_with_input(&site, &args, &piped).text(), found);
}

#[test]
fn filters_of_one_kind_are_alternatives_and_others_must_all_fit() {
    let ip = |ip: &str| serde_json::json!({"client": {"ip": ip}});
    let mut text = event("a", "2026-11-20T09:00:00.000Z", ip("203.0.113.8"));
    text += &event("b", "2026-11-20T09:01:00.000Z", ip("203.0.113.9"));
    text += &event(
        "c",
        "2026-11-20T09:02:00.000Z",
        serde_json::json!({"action": "user_logout", "actor": {"name": "Mei"}}),
    );
    text += &event("d", "never", serde_json::json!({"action": "user_logout"}));
    let site = with("in.jsonl", text);
    for (args, expected) in [
        (&["--ip", "203.0.113.8", "--ip", "203.0.113.9"][..], &["a", "b"][..]),
        (&["--ip", "203.0.113.0/24", "--not-ip", "203.0.113.8"], &["b"]),
        (&["--action", "user_log*", "--not-action", "user_login"], &["c", "d"]),
        (&["--actor", "mei"], &["c"]),
        (&["--not-actor", "mei"], &["a", "b", "d"]),
        (&["--where", "actor.name = Mei or ip ~ '*.9'"], &["b", "c"]),
        (&["--where", "ip", "--where", "id != a"], &["b"]),
        (&["--id", "a", "--category", "authentication"], &["a"]),
        (&["--since", "2026-11-20T09:01:00Z"], &["b", "c"]),
        (&["--until", "2026-11-20T09:01:00Z"], &["a"]),
        (&["--text", "203.0.113"], &["a", "b"]),
        (&["--product", "jira"], &[]),
    ] {
        let run = site.ok(&[&["search", "in.jsonl"], args].concat());
        assert_eq!(run.ids(), expected, "{args:?}");
        let undated = args.contains(&"--since") || args.contains(&"--until");
        assert_eq!(run.stderr.contains("no time that can be read"), undated, "{}", run.stderr);
        assert_eq!(run.stderr.contains("no event fits, of 4"), expected.is_empty());
    }
}

#[test]
fn a_typo_in_a_filter_is_refused_with_what_was_meant() {
    let site = with("in.jsonl", "");
    for (args, said) in [
        (&["--where", "actr = x"][..], "did you mean `actor`"),
        (&["--where", "action ="], "expected a value"),
        (&["--category", "tokens"], "`token`"),
        (&["--outcome", "failed"], "failure"),
        (&["--ip", "203.0.113"], "expected an address"),
        (&["--columns", "clientip"], "did you mean `client`"),
        (&["--since", "2026-11-20", "--until", "2026-11-20"], "no event can fit"),
        (&["--columns", "ip", "--format", "raw"], "`--columns` does not belong"),
        (&["--actr", "x"], "--actor"),
    ] {
        site.run(&[&["search", "in.jsonl"], args].concat()).fails(2, &[said]);
    }
    site.run(&["top", "acton", "in.jsonl"]).fails(2, &["did you mean `action`"]);
    site.run(&["search", "--source", "acme"]).fails(2, &["add `--since`"]);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_found() {
    let good = event("a", "2026-11-20T09:00:00.000Z", serde_json::json!({}));
    let site = with("in.jsonl", format!("{good}{{\"torn\n{{}}\n{good}"));
    let run = site.run(&["search", "in.jsonl"]);
    run.fails(3, &["line 2 of `in.jsonl`", "line 3 of `in.jsonl`"]);
    assert_eq!(run.lines().len(), 2);
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(good.repeat(2_000).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    fs::write(site.path("torn.jsonl.gz"), &packed[..packed.len() / 2]).unwrap();
    let run = site.run(&["search", "torn.jsonl.gz", "in.jsonl"]);
    run.fails(3, &["cannot read `torn.jsonl.gz` from line", "breaks off"]);
    assert!(run.lines().len() > 2);
    fs::create_dir(site.path("empty")).unwrap();
    site.run(&["search", "empty"]).fails(3, &["`empty`", "no file with events"]);
    site.run(&["search", "missing.jsonl"]).fails(3, &["cannot read `missing.jsonl`"]);
    fs::write(site.path("binary.jsonl"), [0, 255, 1, 254].repeat(1_000)).unwrap();
    let run = site.run(&["search", "binary.jsonl"]);
    run.fails(3, &["line 1 of `binary.jsonl`"]);
    assert_eq!(site.run(&["top", "action", "in.jsonl"]).code, 3);
    assert_eq!(site.run(&["stats", "in.jsonl"]).code, 3);
}

#[test]
fn a_source_is_asked_directly_and_no_checkpoint_is_touched() {
    let site = Site::of(50, 20);
    let (home, before) = (site.path(""), files(&site.state()));
    let found = site.ok(&["search", "--source", "acme", "acme-jira", "--since", "60d"]);
    assert_eq!(found.ids_of("org:").len(), 50);
    assert_eq!(found.ids_of("jira:").len(), 20);
    assert!(times(&found).is_sorted());
    let checkpoints = |files: &[(String, Vec<u8>)]| {
        let is_checkpoint = |name: &&String| name.ends_with("acme.json");
        files.iter().map(|(name, _)| name).filter(is_checkpoint).count()
    };
    assert_eq!(checkpoints(&files(&site.state())), checkpoints(&before));
    assert!(!files(&home).iter().any(|(name, _)| name.contains(".jsonl")));
    // The next pull begins at the beginning.
    let pulled = site.ok(&["pull", "acme"]).ids();
    assert_eq!(pulled, org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_source_that_cannot_be_read_is_not_a_success() {
    let site = Site::of(50, 0);
    site.control.inject_always(Api::OrgEvents, crate::support::status(401, None, "{}"));
    let run = site.run(&["search", "--source", "acme", "--since", "60d"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
}

#[test]
fn a_terminal_gets_a_table_and_a_pipe_lines() {
    let site = pulled();
    let shown = stdout_on_terminal(site.command(&["search", "acme.jsonl", "-n", "5"]));
    assert!(shown.text().contains("TIME (UTC)"), "{}", shown.text());
    assert_eq!(shown.text().lines().count(), 6, "{}", shown.text());
    let piped = site.ok(&["search", "acme.jsonl", "-n", "5"]);
    assert_eq!(piped.trees().len(), 5);
    let table = site.ok(&["search", "acme.jsonl", "-n", "5", "--format", "table"]);
    assert!(table.text().starts_with("TIME (UTC)"), "{}", table.text());
    assert!(!table.text().contains('\u{1b}'));
    let run = stdout_on_terminal(site.command(&["search"]));
    assert_eq!(run.code, 0, "standard input is no terminal here: {}", run.stderr);
}

#[test]
fn every_format_of_a_pull_can_be_made() {
    let site = pulled();
    for format in ["raw", "ecs", "ocsf"] {
        let found = site.ok(&["search", "acme.jsonl", "--unsorted", "--format", format]);
        let converted = site.ok(&["convert", "acme.jsonl", "--format", format]);
        assert!(found.stdout == converted.stdout, "{format}");
    }
    let raw = site.ok(&["search", "acme.jsonl", "--format", "raw"]).stdout;
    fs::write(site.path("raw.jsonl"), raw).unwrap();
    assert_eq!(site.ok(&["search", "raw.jsonl", "--count"]).text(), "120\n");
}

#[test]
fn values_are_counted_with_their_first_and_last_time() {
    let login = |id: &str, minute: u32, outcome: &str, name: &str| {
        let time = format!("2026-11-20T09:{minute:02}:00.000Z");
        event(id, &time, serde_json::json!({"outcome": outcome, "actor": {"name": name}}))
    };
    let mut text = login("a", 5, "failure", "Mei") + &login("b", 1, "success", "Mei");
    text += &login("c", 3, "success", "Bo");
    text += &event("d", "2026-11-20T09:00:00.000Z", serde_json::json!({}));
    let site = with("in.jsonl", text);
    let run = site.ok(&["top", "actor", "in.jsonl", "--json", "-n", "1"]);
    let expected = serde_json::json!({
        "field": "actor", "value": "Mei", "events": 2, "failed": 1,
        "first": "2026-11-20T09:01:00.000Z", "last": "2026-11-20T09:05:00.000Z",
    });
    assert_eq!(run.trees(), [expected]);
    assert!(run.stderr.contains("1 value more; 1 event without it"), "{}", run.stderr);
    let table = site.ok(&["top", "actor", "in.jsonl"]).text();
    assert!(table.starts_with("ACTOR  EVENTS  FAILED"), "{table}");
    let stats = site.ok(&["stats", "in.jsonl", "--by", "hour"]).text();
    for words in ["4 events, 2026-11-20 09:00:00Z to", "1 failed", "2 actors", "09:00       4"] {
        assert!(stats.contains(words), "{words} in {stats}");
    }
    let stats = &site.ok(&["stats", "in.jsonl", "--json"]).trees()[0];
    assert_eq!((&stats["events"], &stats["failed"]), (&4.into(), &1.into()));
    assert_eq!(stats["fields"][2]["top"][0]["value"], "Mei");
    assert_eq!(stats["histogram"][0]["events"], 4);
}

#[test]
fn a_search_does_not_read_what_it_writes() {
    let good = event("a", "2026-11-20T09:00:00.000Z", serde_json::json!({}));
    let site = with("in.jsonl", good.repeat(500));
    for script in [
        r#"exec "$PROGRAM" search . --unsorted > found.jsonl"#,
        r#"exec "$PROGRAM" search in.jsonl found.jsonl --unsorted >> found.jsonl"#,
        r#"exec "$PROGRAM" convert . > found.jsonl"#,
    ] {
        let run = Run::from(site.shell(script).output().unwrap());
        run.fails(3, &["found.jsonl`", "it is where the output goes"]);
    }
    assert_eq!(site.read("found.jsonl").lines().len(), 500);
}

#[test]
fn what_cannot_be_read_in_a_folder_is_named_and_the_rest_is_found() {
    let good = event("a", "2026-11-20T09:00:00.000Z", serde_json::json!({}));
    let site = with("in.jsonl", good);
    std::os::unix::fs::symlink("nowhere", site.path("lost.jsonl")).unwrap();
    let run = site.run(&["search", "."]);
    run.fails(3, &["cannot read `./lost.jsonl`"]);
    assert_eq!(run.ids(), ["a"]);
}

#[test]
fn a_quiet_source_is_no_failure() {
    let site = Site::of(10, 0);
    let run = site.ok(&["search", "--source", "acme", "--since", "1s", "--count"]);
    assert_eq!(run.text(), "0\n");
    assert!(!run.stderr.contains("cannot read"), "{}", run.stderr);
}

#[test]
fn an_event_that_a_format_cannot_show_does_not_hide_the_others() {
    let mut text = event("a", "2026-11-20T09:00:00.000Z", serde_json::json!({}));
    text +=
        &event("b", "2026-11-20T09:01:00.000Z", serde_json::json!({})).replace(r#""raw":{},"#, "");
    text += &event("c", "2026-11-20T09:02:00.000Z", serde_json::json!({}));
    let site = with("in.jsonl", text);
    let run = site.run(&["search", "in.jsonl", "--format", "ecs"]);
    run.fails(3, &["1 event cannot be shown in this format", "`raw`"]);
    assert_eq!(run.lines().len(), 2);
}

#[test]
fn hostile_events_steer_no_terminal_and_break_nothing() {
    let name = serde_json::json!({"actor": {"name": "a\u{1b}[31m\r\u{61c}b"}});
    let deep = format!("{}7{}", "[".repeat(5_000), "]".repeat(5_000));
    let mut text = event("a", "2026-11-20T09:00:00.000Z", name);
    text += &event("b", "9999-12-31T23:59:59.999Z", serde_json::json!({}))
        .replace(r#""raw":{}"#, &format!(r#""targets":{deep},"raw":{{"x":{deep}}}"#));
    text += &event("c", "0000-01-01T00:00:00.000Z", serde_json::json!({}));
    let site = with("in.jsonl", text);
    for args in [
        &["search", "in.jsonl"][..],
        &["search", "in.jsonl", "--columns", "actor.name,targets.name,time"],
        &["top", "actor", "in.jsonl"],
        &["top", "targets", "in.jsonl"],
        &["stats", "in.jsonl", "--tz", "Pacific/Kiritimati"],
    ] {
        let run = stdout_on_terminal(site.command(args));
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        let shown = run.text().replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert!(!shown.contains(['\u{1b}', '\r', '\u{61c}']), "{args:?}: {shown:?}");
    }
    assert_eq!(site.ok(&["search", "in.jsonl", "--where", "raw.x = 7"]).ids(), ["b"]);
}

#[test]
fn raw_lines_that_lack_their_site_are_warned_of() {
    let site =
        with("in.jsonl", "{\"id\":1,\"summary\":\"User created\",\"created\":\"2026-11-20\"}\n");
    let run = site.ok(&["search", "in.jsonl", "--count"]);
    assert!(run.stderr.contains("raw lines do not say where they come from"), "{}", run.stderr);
}

#[test]
fn a_view_for_sql_names_the_files() {
    let site = pulled();
    let sql = site.ok(&["search", "--sql-schema", "duckdb", "acme.jsonl", "."]).text();
    assert!(sql.starts_with("CREATE OR REPLACE VIEW events AS\n"), "{sql}");
    assert!(sql.contains("['acme.jsonl',\n   './acme-jira.jsonl',\n   './acme.jsonl']"), "{sql}");
    site.run(&["search", "--sql-schema", "duckdb"]).refused(2, &["a view needs files"]);
    site.run(&["search", "--sql-schema", "duckdb", "no"]).refused(3, &["cannot read `no`"]);
    site.run(&["search", "--sql-schema", "spark", "."]).fails(2, &["duckdb"]);
}

#[test]
fn long_values_stay_apart_and_an_empty_file_is_told() {
    let long = |end: &str| serde_json::json!({"action": "a".repeat(600) + end});
    let mut text = event("a", "2026-11-20T09:00:00.000Z", long("1"));
    text += &event("b", "2026-11-20T09:00:00.000Z", long("2"));
    let site = with("in.jsonl", text);
    let rows = site.ok(&["top", "action", "in.jsonl", "--json"]).trees();
    assert_eq!(rows.len(), 2);
    assert_ne!(rows[0]["value"], rows[1]["value"]);
    fs::write(site.path("empty.jsonl"), "").unwrap();
    let run = site.ok(&["search", "empty.jsonl"]);
    assert!(run.stderr.contains("there was no event to read"), "{}", run.stderr);
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let site = pulled();
    let script = r#""$PROGRAM" search --unsorted acme.jsonl acme.jsonl | head -1"#;
    let run = Run::from(site.shell(script).output().unwrap());
    assert_eq!(run.lines().len(), 1);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}
