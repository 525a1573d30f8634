//! Output in Parquet: the same events as in lines, each once, in files that are whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use atlaudit::sandbox::{Api, Fault};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;

use crate::support::{
    Site, crash_at, crash_pull_at, each_once, jira_ids, org_ids, status, table_rows,
};

/// All files below `folder` whose names end as those of Parquet do.
fn tables(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(tables(&path)),
            false if path.extension().is_some_and(|ending| ending == "parquet") => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// The rows of a file as JSON, without what is absent.
fn rows(path: &Path) -> Vec<Value> {
    table_rows(fs::read(path).unwrap())
}

/// A line as a row has it: times are numbers, and what has keys of its own is a text.
fn as_row(line: &str, texts: &[&str]) -> Value {
    let mut event: Value = serde_json::from_str(line).unwrap();
    for key in ["time", "processed_time", "observed_time"] {
        if let Some(time) = event[key].as_str() {
            let time = time.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
            event[key] = time.timestamp_millis().into();
        }
    }
    let fields: std::collections::BTreeMap<&str, &serde_json::value::RawValue> =
        serde_json::from_str(line).unwrap();
    for key in texts.iter().filter(|key| fields.contains_key(**key)) {
        event[*key] = fields[key].get().into();
    }
    if event["labels"].is_null() {
        event.as_object_mut().unwrap().remove("labels");
    }
    for key in ["time", "processed_time"] {
        if event[key].is_null() {
            event.as_object_mut().unwrap().remove(key);
        }
    }
    event
}

/// The ids in the files below `folder`.
fn ids(folder: &Path) -> Vec<String> {
    let rows = tables(folder).into_iter().flat_map(|path| rows(&path));
    rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// The names of the files that wait, and of what is noted of them.
fn waiting(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("_atlaudit")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The one file with lines that wait.
fn waiting_lines(folder: &Path) -> PathBuf {
    let names = waiting(folder);
    let lines: Vec<_> = names.iter().filter(|name| name.ends_with(".jsonl")).collect();
    assert_eq!(lines.len(), 1, "{names:?}");
    folder.join("_atlaudit").join(lines[0])
}

/// A site whose sources were pulled into `all.jsonl`, as normalized events.
fn saved() -> Site {
    let site = Site::new(crate::support::small(60, 40)).with_all_sources();
    let pulled = site.ok(&["pull", "--since", "60d"]);
    fs::write(site.path("all.jsonl"), pulled.stdout).unwrap();
    site
}

#[test]
fn a_file_holds_what_the_lines_hold_in_the_order_of_time() {
    let site = saved();
    for (format, texts) in [
        ("normalized", vec!["labels", "raw"]),
        ("ocsf", vec!["unmapped"]),
        ("ocsf-1.3", vec!["unmapped"]),
    ] {
        let lines = site.ok(&["convert", "all.jsonl", "--format", format]);
        let name = format!("{format}.parquet");
        let run = site.ok(&["convert", "all.jsonl", "--format", format, "-o", &name]);
        assert!(run.stdout.is_empty());
        let rows = rows(&site.path(&name));
        let times: Vec<_> = rows.iter().filter_map(|row| row["time"].as_i64()).collect();
        assert!(times.is_sorted() && times.len() > 100, "{format}");
        let text = |event: &Value| event.to_string();
        let mut got: Vec<_> = rows.iter().map(text).collect();
        let mut wanted: Vec<_> =
            lines.lines().iter().map(|line| as_row(line, &texts).to_string()).collect();
        got.sort();
        wanted.sort();
        let differs = got.iter().zip(&wanted).find(|(got, wanted)| got != wanted);
        assert!(got == wanted, "{format}: {differs:#?}");
    }
}

#[test]
fn the_columns_are_those_that_schema_prints() {
    let site = saved();
    for format in ["normalized", "ocsf", "ocsf-1.3"] {
        let name = format!("{format}.parquet");
        site.ok(&["convert", "all.jsonl", "--format", format, "-o", &name]);
        let reader = SerializedFileReader::new(File::open(site.path(&name)).unwrap()).unwrap();
        let metadata = reader.metadata().file_metadata();
        let mut written = Vec::new();
        parquet::schema::printer::print_schema(&mut written, metadata.schema());
        let printed = site.ok(&["schema", "--parquet", format]).text();
        // Parquet's printer has other words for the same.
        let words = [("REQUIRED", "required"), ("OPTIONAL", "optional"), ("REPEATED", "repeated")];
        let types = [("BYTE_ARRAY", "binary"), ("INT64", "int64"), ("INT32", "int32")];
        let printed = words
            .iter()
            .chain(&types)
            .fold(printed, |text, (to, from)| text.replace(&format!("{from} "), &format!("{to} ")));
        assert_eq!(String::from_utf8(written).unwrap().trim(), printed.trim());
        let versions = metadata.key_value_metadata().unwrap();
        assert_eq!(versions[0].key, "atlaudit.schema");
        let group = reader.metadata().row_group(0);
        assert_eq!(group.sorting_columns().unwrap().len(), 1);
        let with_filter = group.columns().iter().filter(|it| it.bloom_filter_offset().is_some());
        let with_filter: Vec<_> = with_filter.map(|it| it.column_path().string()).collect();
        assert_eq!(with_filter, [if format == "normalized" { "id" } else { "metadata.uid" }]);
    }
}

#[test]
fn folders_are_named_by_source_and_day() {
    let site = saved();
    let template = "lake/feed={source}/day={event_day}/events.parquet";
    site.ok(&["convert", "all.jsonl", "-o", template]);
    let found = tables(&site.path("lake"));
    assert!(found.len() > 20, "{found:?}");
    for path in &found {
        for row in rows(path) {
            let time = row["time"].as_i64().unwrap();
            let day = chrono::DateTime::from_timestamp_millis(time).unwrap().format("%Y-%m-%d");
            let source = row["source"]["name"].as_str().unwrap();
            let wanted = format!("lake/feed={source}/day={day}/events.parquet");
            assert_eq!(*path, site.path(&wanted));
        }
    }
    each_once(&ids(&site.path("lake")), &site.read("all.jsonl").ids());
    // Nothing is written over what is there, and nothing beside it.
    let again = site.run(&["convert", "all.jsonl", "-o", template]);
    again.refused(8, &["exists already", "day="]);
    assert_eq!(tables(&site.path("lake")), found);
    let parts = fs::read_dir(site.path("lake/feed=acme")).unwrap();
    assert!(parts.flatten().all(|day| fs::read_dir(day.path()).unwrap().count() == 1));
}

#[test]
fn no_event_makes_an_empty_file_that_engines_read() {
    let site = Site::of(0, 0);
    fs::write(site.path("none.jsonl"), "").unwrap();
    site.ok(&["convert", "none.jsonl", "-o", "none.parquet"]);
    assert_eq!(rows(&site.path("none.parquet")), Vec::<Value>::new());
    site.ok(&["pull", "acme", "-o", "out/{source}.parquet"]);
    assert_eq!(tables(&site.path("out")), Vec::<PathBuf>::new());
}

#[test]
fn what_parquet_cannot_be_is_refused_with_the_way_out() {
    let site = saved();
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--encoding", "parquet"], &["standard output", "--output"]),
        (&["-o", "x.parquet", "--format", "ecs"], &["normalized", "ocsf"]),
        (&["-o", "x.parquet", "--format", "raw"], &["normalized", "ocsf"]),
        (&["-o", "x.parquet", "--compression", "gzip"], &["compressed inside"]),
        (&["-o", "x/source={source}/x.parquet"], &["`source=`", "feed={source}"]),
        (&["-o", "x/Time={event_day}/x.parquet"], &["`Time=`"]),
        (&["-o", "x/{event_day}.jsonl"], &["{event_day}", "--encoding parquet"]),
        (&["-o", "x.parquet", "--encoding", "jsonl"], &["named as Parquet"]),
    ];
    for (args, words) in cases {
        site.run(&[&["convert", "all.jsonl"], args].concat()).refused(6, words);
    }
    assert!(!site.path("x.parquet").exists());
    site.run(&["schema", "--parquet", "raw"]).refused(6, &["`normalized`, `ocsf` and `ocsf-1.3`"]);
}

/// What each run finds: two or three pages, and as many commits.
const EVENTS: usize = 8;

/// A site of which each page is a commit, and each commit a file where it is `rotated`.
fn pulled(source: &str, rotate: &str) -> Site {
    let mut site = Site::of(EVENTS, EVENTS);
    site.set_output("path", "out/day={event_day}/{source}.parquet");
    site.set_output("encoding", "parquet");
    site.set_output("rotate", rotate);
    site.set(source, "page_size", 4);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "4");
    site
}

/// The files hold each event of the source once.
fn assert_whole(what: &str, site: &Site, source: &str) {
    let served = match source {
        "acme" => org_ids(&site.control.ids(Api::OrgEvents)),
        _ => jira_ids(&site.control.ids(Api::JiraAudit)),
    };
    let (mut got, mut served) = (ids(&site.path("out")), served);
    got.sort();
    served.sort();
    assert!(got == served, "{what}: {} of {}", got.len(), served.len());
    assert_eq!(waiting(&site.path("out")), Vec::<String>::new(), "{what}");
}

#[test]
fn a_crash_at_any_point_loses_nothing_and_repeats_nothing() {
    for (source, rotate) in [("acme", "1KiB"), ("acme-jira", "never")] {
        let mut points = Vec::new();
        for passage in 1.. {
            let mut site = pulled(source, rotate);
            let Some(point) = crash_at(&mut site, source, &passage.to_string()) else {
                break;
            };
            let before = tables(&site.path("out"));
            let content: Vec<_> = before.iter().map(|path| fs::read(path).unwrap()).collect();
            site.control.add(if source == "acme" { Api::OrgEvents } else { Api::JiraAudit }, 3);
            let run = site.ok(&["pull", source]);
            let what = format!("{source} {rotate}: passage {passage}, {point}");
            assert!(!run.stderr.contains("no longer in its folder"), "{what}: {}", run.stderr);
            assert_whole(&what, &site, source);
            // What a reader has seen stays as it was.
            for (path, content) in before.iter().zip(content) {
                assert!(fs::read(path).unwrap() == content, "{what}: {}", path.display());
            }
            points.push(point);
        }
        for point in ["TablesWritten", "TableNamed", "WaitingRemoved"] {
            assert!(points.iter().any(|passed| passed == point), "{source} {rotate}: {point}");
        }
    }
}

#[test]
fn a_backfill_that_dies_on_the_way_to_a_file_loses_and_repeats_nothing() {
    for (source, rotate, point) in [
        ("acme", "1KiB", "TablesWritten"),
        ("acme", "never", "TableNamed"),
        ("acme-jira", "never", "WaitingRemoved"),
        ("acme-jira", "1KiB", "TableNamed"),
    ] {
        let mut site = pulled(source, rotate);
        let api = if source == "acme" { Api::OrgEvents } else { Api::JiraAudit };
        site.set(source, "initial_lookback", "1s");
        site.ok(&["pull", source]);
        let backfill = [source, "--backfill", "60d"];
        assert_eq!(crash_pull_at(&mut site, &backfill, point).as_deref(), Some(point));
        site.control.add(api, 3);
        site.ok(&["pull", source]);
        site.ok(&["pull", source, "--backfill", "60d"]);
        assert_whole(&format!("{source} {rotate} {point}"), &site, source);
    }
}

#[test]
fn events_wait_for_their_hour_and_are_not_lost_with_a_new_name_or_another_encoding() {
    let mut site = pulled("acme", "100MiB");
    site.ok(&["pull", "acme"]);
    assert_eq!(ids(&site.path("out")), Vec::<String>::new());
    waiting_lines(&site.path("out"));
    site.control.add(Api::OrgEvents, 3);
    // Who turns to lines must say what becomes of what waits, for nobody would make it.
    site.set_output("encoding", "jsonl");
    site.set_output("path", "lines/{source}.jsonl");
    site.run(&["pull", "acme"]).refused(6, &["_atlaudit", "former output", "atlaudit convert"]);
    site.set_output("encoding", "parquet");
    site.set_output("path", "out/day={event_day}/{source}.parquet");
    site.set_output("rotate", "never");
    // Lines keep the format that they have, and are no file of the other one.
    site.set_output("format", "ocsf");
    site.set_output("path", "out/ocsf/day={event_day}/{source}.parquet");
    site.ok(&["pull", "acme"]);
    for path in tables(&site.path("out")) {
        let is_ocsf = path.starts_with(site.path("out/ocsf"));
        let has_class = |row: &Value| row["class_uid"].is_number();
        assert!(rows(&path).iter().all(|row| has_class(row) == is_ocsf), "{}", path.display());
    }
    assert_eq!(waiting(&site.path("out")), Vec::<String>::new());
    let rows: Vec<_> = tables(&site.path("out")).iter().flat_map(|path| rows(path)).collect();
    let id =
        |row: &Value| row["id"].as_str().or(row["metadata"]["uid"].as_str()).map(str::to_owned);
    let mut got: Vec<_> = rows.iter().filter_map(id).collect();
    let mut served = org_ids(&site.control.ids(Api::OrgEvents));
    got.sort();
    served.sort();
    assert_eq!(got, served);

    let mut site = pulled("acme", "100MiB");
    site.ok(&["pull", "acme"]);
    site.set_output("path", "out/dt={event_day}/{source}.parquet");
    site.set_output("rotate", "never");
    site.control.add(Api::OrgEvents, 3);
    site.ok(&["pull", "acme"]);
    assert_whole("another name", &site, "acme");
    assert!(tables(&site.path("out")).iter().all(|path| path.to_str().unwrap().contains("dt=")));
}

#[test]
fn what_a_dead_run_began_to_name_keeps_its_names_and_is_not_named_again() {
    let mut site = pulled("acme", "never");
    site.set_env("ATLAUDIT_CRASH_AT", "TableNamed");
    assert_eq!(site.run(&["pull", "acme"]).code, 128 + 6);
    site.unset_env("ATLAUDIT_CRASH_AT");
    // A loader took the one that had its name.
    let named = tables(&site.path("out"));
    assert_eq!(named.len(), 1);
    let taken = rows(&named[0]).len();
    fs::remove_file(&named[0]).unwrap();
    site.set_output("path", "out/dt={event_day}/{source}.parquet");
    site.ok(&["pull", "acme"]);
    assert_eq!(ids(&site.path("out")).len() + taken, site.control.ids(Api::OrgEvents).len());
    assert_eq!(waiting(&site.path("out")), Vec::<String>::new());
}

#[test]
fn a_window_becomes_one_file_of_the_very_name() {
    let site = Site::of(EVENTS, EVENTS);
    site.ok(&["pull", "acme", "--since", "60d", "-o", "window.parquet"]);
    let found = rows(&site.path("window.parquet"));
    assert_eq!(found.len(), site.control.ids(Api::OrgEvents).len());
    assert!(!site.path("_atlaudit").exists());
    let again = ["pull", "acme", "--since", "60d", "-o", "window.parquet"];
    site.run(&again).fails(8, &["exists already"]);
    site.run(&["pull", "acme", "--since", "60d", "-o", "/dev/null", "--encoding", "parquet"])
        .fails(8, &["/dev/null"]);
    assert!(!Path::new("/dev/null.parquet").exists());
}

#[test]
fn odd_events_have_their_place_too() {
    let site = Site::of(0, 0);
    let line = |source: &str, raw: &str| {
        format!(
            r#"{{"schema":"atlaudit/1","id":"jira:a:{source}","source":{{"name":"{source}","type":"jira-audit","site":"a"}},"observed_time":"2026-11-20T09:30:00.000Z","action":"unparsed","category":"other","outcome":"unknown","raw":{raw}}}"#
        )
    };
    let lines = [line("acme", "null"), line("a/../b", r#"{"id":1}"#)].join("\n");
    fs::write(site.path("odd.jsonl"), lines).unwrap();
    site.ok(&["convert", "odd.jsonl", "-o", "odd/feed={source}/day={event_day}/e.parquet"]);
    let found = tables(&site.path("odd"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("feed=__HIVE_DEFAULT_PARTITION__/day=2026-11-20/e.parquet"));
    assert_eq!(rows(&found[1])[0]["raw"], "null");
}

#[test]
fn two_runs_never_publish_the_same_lines() {
    let mut site = pulled("acme", "100MiB");
    site.ok(&["pull", "acme"]);
    site.set_output("rotate", "never");
    let file = waiting_lines(&site.path("out"));
    let held = File::open(&file).unwrap();
    held.lock().unwrap();
    site.run(&["pull", "acme"]).fails(8, &["is being written by another run"]);
    drop(held);
    site.ok(&["pull", "acme"]);
    assert_whole("after it", &site, "acme");
}

#[test]
fn what_reads_lines_says_that_it_does_not_read_parquet() {
    let site = saved();
    site.ok(&["convert", "all.jsonl", "-o", "lake/feed={source}/day={event_day}/e.parquet"]);
    fs::copy(site.path("all.jsonl"), site.path("lake/all.jsonl")).unwrap();
    let wanted = site.ok(&["search", "all.jsonl"]).lines().len();
    let run = site.run(&["search", "lake"]);
    run.fails(3, &["it is Parquet, which engines such as DuckDB read"]);
    assert_eq!((run.lines().len(), run.stderr.matches("Parquet").count()), (wanted, 1));
    let first = tables(&site.path("lake"))[0].to_str().unwrap().to_owned();
    let run = site.run(&["convert", &first]);
    run.fails(3, &["it is Parquet"]);
    assert_eq!(run.stderr.matches("error:").count(), 1, "{}", run.stderr);
}

#[test]
fn going_to_another_name_and_back_over_a_crash_loses_and_repeats_nothing() {
    for point in ["TablesWritten", "TableNamed", "WaitingRemoved"] {
        let mut site = pulled("acme", "100MiB");
        let (here, there) =
            ("out/day={event_day}/{source}.parquet", "out/dt={event_day}/{source}.parquet");
        let go = |site: &mut Site, path: &str| {
            site.set_output("path", path);
            site.control.add(Api::OrgEvents, 3);
        };
        go(&mut site, here);
        site.ok(&["pull", "acme"]);
        go(&mut site, there);
        site.set_env("ATLAUDIT_CRASH_AT", point);
        assert_eq!(site.run(&["pull", "acme"]).code, 128 + 6);
        site.unset_env("ATLAUDIT_CRASH_AT");
        go(&mut site, here);
        site.ok(&["pull", "acme"]);
        site.set_output("rotate", "never");
        go(&mut site, there);
        site.ok(&["pull", "acme"]);
        assert_whole(point, &site, "acme");
    }
}

#[test]
fn a_window_that_is_not_read_to_its_end_becomes_no_file() {
    let mut site = Site::of(40, EVENTS);
    site.set("acme", "page_size", 4);
    site.set("acme", "retry_for", "1s");
    site.control.inject_times(Api::OrgEvents, Fault::Pass, 2);
    site.control.inject_times(Api::OrgEvents, status(403, None, "{}"), 9);
    let window = ["pull", "acme", "--since", "60d", "-o", "window.parquet"];
    site.run(&window).fails(4, &["403"]);
    assert_eq!(tables(&site.path(".")), Vec::<PathBuf>::new());
    site.control.clear_faults(Api::OrgEvents);
    let run = site.ok(&window);
    assert!(run.stderr.contains("window.parquet"), "{}", run.stderr);
    assert_eq!(rows(&site.path("window.parquet")).len(), 40);
    // The table on the terminal changes nothing of that.
    site.ok(&[&window[..4], &["-o", "human.parquet", "--human"]].concat());
    assert_eq!(rows(&site.path("human.parquet")).len(), 40);
}
