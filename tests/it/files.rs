//! Packed and rotated output, and what other programs do to the files meanwhile.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{
    Outputs, Run, Running, Site, each_once, eventually, jira_ids, org_ids, unpacked, whole,
};
use atlaudit::sandbox::Api;

const SOURCES: [&str; 2] = ["acme-jira", "acme"];

/// A site that writes `out/<source>.jsonl`, packed and rotated like this.
fn site(compression: &str, rotate: &str) -> Site {
    Site::of(120, 80)
        .with_output("path", "out/{source}.jsonl")
        .with_output("compression", compression)
        .with_output("rotate", rotate)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

fn holds_all(site: &Site, what: &str) {
    for source in SOURCES {
        let outputs = Outputs::new(site.path("out"), source);
        whole(what, site, source, &outputs.read());
    }
}

#[test]
fn packed_files_unpack_and_are_continued() {
    for (compression, suffix) in [("gzip", "gz"), ("zstd", "zst")] {
        let site = site(compression, "never");
        site.ok(&["pull"]);
        site.control.add(Api::OrgEvents, 30);
        site.control.add(Api::JiraAudit, 30);
        site.ok(&["pull"]);
        let wanted = SOURCES.map(|source| format!("{source}.jsonl.{suffix}"));
        assert_eq!(names(&site.path("out")), wanted);
        holds_all(&site, compression);
    }
}

#[test]
fn a_run_without_news_leaves_no_file_that_does_not_unpack() {
    for compression in ["gzip", "zstd"] {
        let mut site = site(compression, "never");
        site.ok(&["pull"]);
        fs::rename(site.path("out"), site.path("taken")).unwrap();
        site.ok(&["pull"]);
        assert_eq!(names(&site.path("out")), Vec::<String>::new());
        site.set_output("path", "taken/{source}.jsonl");
        site.ok(&["pull"]);
        assert_eq!(names(&site.path("taken")).len(), 2);
    }
}

#[test]
fn packed_standard_output_of_two_sources_unpacks() {
    let site = Site::of(3_000, 1_000);
    let mut wanted = org_ids(&site.control.ids(Api::OrgEvents));
    wanted.extend(jira_ids(&site.control.ids(Api::JiraAudit)));
    for compression in ["gzip", "zstd"] {
        let packed = site.ok(&["pull", "--since", "31d", "--compression", compression]).stdout;
        let mut stdout = Vec::new();
        match compression {
            "gzip" => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut stdout),
            _ => zstd::stream::read::Decoder::new(&packed[..]).unwrap().read_to_end(&mut stdout),
        }
        .unwrap();
        let run = Run { code: 0, stdout, stderr: String::new() };
        each_once(&run.ids(), &wanted);
    }
}

#[test]
fn files_of_a_size_sort_in_the_order_of_writing() {
    let mut site = site("none", "20KiB");
    for source in SOURCES {
        site.set(source, "page_size", 10);
    }
    for _ in 0..3 {
        site.ok(&["pull"]);
        site.control.add(Api::OrgEvents, 40);
        site.control.add(Api::JiraAudit, 40);
    }
    std::thread::sleep(Duration::from_millis(5));
    site.ok(&["pull"]);
    holds_all(&site, "rotated");
    let finished: Vec<_> =
        names(&site.path("out")).into_iter().filter(|name| name.starts_with("acme-2")).collect();
    assert!(finished.len() > 4, "{finished:?}");
    for name in finished {
        let length = fs::metadata(site.path("out").join(&name)).unwrap().len();
        // A page of ten events is at most some twenty kilobytes more.
        assert!((20 << 10..45 << 10).contains(&length), "{name}: {length}");
    }
}

#[test]
fn a_new_hour_finishes_the_file_of_the_last_one_also_without_news() {
    for (rotate, hours) in [("hourly", 1), ("daily", 24)] {
        let site = site("zstd", rotate);
        site.ok(&["pull", "acme"]);
        let state = site.state().join("acme.json");
        let mut checkpoint: serde_json::Value =
            serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
        let begun = chrono::Utc::now() - chrono::TimeDelta::hours(hours);
        checkpoint["outputs"][0]["begun"] = begun.to_rfc3339().into();
        fs::write(&state, checkpoint.to_string()).unwrap();
        site.ok(&["pull", "acme"]);
        let finished = begun.format("acme-%Y%m%dT%H%M%S%.3fZ.jsonl.zst").to_string();
        assert_eq!(names(&site.path("out")), [finished]);
        site.control.add(Api::OrgEvents, 10);
        site.ok(&["pull", "acme"]);
        let outputs = Outputs::new(site.path("out"), "acme");
        whole(rotate, &site, "acme", &outputs.read());
    }
}

#[test]
fn standard_output_is_not_rotated() {
    let mut site = Site::of(10, 10);
    site.set_output("rotate", "daily");
    site.run(&["pull"]).refused(6, &["standard output", "output.path"]);
    // A look at it for once is no mistake of the configuration.
    site.set_output("path", "{source}");
    site.ok(&["pull", "--since", "31d", "--output", "-"]);
}

/// A run of `acme` that has committed some events and waits for the next page.
fn start_and_wait_for_output(site: &mut Site) -> Running {
    site.set("acme", "page_size", 10);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(100));
    let running = site.start(&["pull", "acme"]);
    eventually("events on disk", || fs::metadata(current(site)).is_ok_and(|facts| facts.len() > 0));
    running
}

/// The file that is written to.
fn current(site: &Site) -> PathBuf {
    let plain = site.path("out/acme.jsonl");
    match plain.exists() {
        true => plain,
        false => site.path("out/acme.jsonl.gz"),
    }
}

#[test]
fn a_file_that_is_renamed_under_a_run_is_let_go() {
    for compression in ["none", "gzip"] {
        let mut site = site(compression, "never");
        let running = start_and_wait_for_output(&mut site);
        let path = current(&site);
        // Sorts before the current one, as the finished ones of our own do.
        let suffix = if compression == "gzip" { ".gz" } else { "" };
        let renamed = site.path(&format!("out/acme-2.jsonl{suffix}"));
        fs::rename(&path, &renamed).unwrap();
        let run = running.end();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(current(&site).exists());
        let outputs = Outputs::new(site.path("out"), "acme");
        whole(compression, &site, "acme", &outputs.read());
    }
}

#[test]
fn a_file_that_was_renamed_under_a_killed_run_is_truncated_where_it_is() {
    for compression in ["none", "gzip"] {
        let mut site = site(compression, "never");
        let mut running = start_and_wait_for_output(&mut site);
        running.child().kill().unwrap();
        running.end();
        let path = current(&site);
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        if compression == "none" {
            // As of a commit that was under way.
            std::io::Write::write_all(&mut file, b"{\"schema\":\"atl").unwrap();
        }
        let suffix = if compression == "gzip" { ".gz" } else { "" };
        fs::rename(&path, site.path(&format!("out/acme-2.jsonl{suffix}"))).unwrap();
        let run = site.ok(&["pull", "acme"]);
        let is_cut = run.stderr.contains("truncated");
        assert!(is_cut || compression != "none", "{}", run.stderr);
        let outputs = Outputs::new(site.path("out"), "acme");
        whole(compression, &site, "acme", &outputs.read());
    }
}

#[test]
fn a_file_that_is_copied_and_cut_between_two_runs_continues() {
    for compression in ["none", "gzip"] {
        let mut site = site(compression, "never");
        site.set("acme", "page_size", 10);
        site.ok(&["pull", "acme"]);
        let path = current(&site);
        let suffix = if compression == "gzip" { ".gz" } else { "" };
        fs::copy(&path, site.path(&format!("out/acme-2.jsonl{suffix}"))).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        site.control.add(Api::OrgEvents, 40);
        site.ok(&["pull", "acme"]);
        let outputs = Outputs::new(site.path("out"), "acme");
        whole(compression, &site, "acme", &outputs.read());
    }
}

#[test]
fn a_state_that_is_an_older_copy_repeats_nothing_in_the_file() {
    let site = site("none", "never");
    site.ok(&["pull", "acme"]);
    let state = site.state().join("acme.json");
    let older = fs::read(&state).unwrap();
    site.control.add(Api::OrgEvents, 40);
    site.ok(&["pull", "acme"]);
    fs::write(&state, older).unwrap();
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("moved aside"), "{}", run.stderr);
    whole("an older copy", &site, "acme", &site.read("out/acme.jsonl"));
}

#[test]
fn half_a_line_of_a_killed_one_off_run_does_not_stay() {
    let mut site = site("none", "never");
    let one_off = ["pull", "acme", "--since", "31d", "--output", "own.jsonl"];
    // One half behind the other, as a write that was under way leaves it.
    site.set_env("ATLAUDIT_CRASH_AT", "HalfAppended");
    assert_eq!(site.run(&one_off).code, 128 + 6);
    site.unset_env("ATLAUDIT_CRASH_AT");
    let path = site.path("own.jsonl");
    assert!(!fs::read(&path).unwrap().ends_with(b"\n"));
    let run = site.ok(&one_off);
    assert!(run.stderr.contains("moved aside"), "{}", run.stderr);
    let mut ids = site.read("own.jsonl").ids();
    // It remembers nothing: what the first had written comes again.
    assert!(ids.len() > 120);
    ids = ids.split_off(ids.len() - 120);
    assert_eq!(ids, org_ids(&site.control.ids(Api::OrgEvents)));
}

/// What a program makes of a file.
fn unpacked_by(program: &str, args: &[&str], file: &Path) -> Vec<u8> {
    let mut command = Command::new(program);
    let output = command.args(args).arg(file).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {}", file.display());
    output.stdout
}

/// Needs gzip and zstd.
#[test]
#[ignore = "needs the programs zcat and zstd; the gate runs it"]
fn the_usual_tools_unpack_every_committed_part() {
    let tools: [(&str, &str, &str, &[&str]); 2] =
        [("gzip", "gz", "zcat", &[]), ("zstd", "zst", "zstd", &["-dc"])];
    for (compression, suffix, program, args) in tools {
        let mut site = site(compression, "never");
        site.set("acme", "page_size", 10);
        site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
        site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(60));
        let path = site.path(&format!("out/acme.jsonl.{suffix}"));
        let state = site.state().join("acme.json");
        let mut running = site.start(&["pull", "acme"]);
        let mut parts = 0;
        while !running.has_ended() {
            let checkpoint = fs::read(&state).unwrap_or_default();
            let checkpoint: serde_json::Value =
                serde_json::from_slice(&checkpoint).unwrap_or_default();
            let committed = checkpoint["outputs"][0]["committed"].as_u64().unwrap_or(0);
            if committed > 0 {
                let part = site.path(&format!("part.{suffix}"));
                let bytes = fs::read(&path).unwrap();
                fs::write(&part, &bytes[..usize::try_from(committed).unwrap()]).unwrap();
                let text = unpacked_by(program, args, &part);
                assert!(text.ends_with(b"\n"));
                parts += 1;
            }
        }
        assert_eq!(running.end().code, 0);
        assert!(parts > 3, "{parts}");
        let written =
            Run { code: 0, stdout: unpacked_by(program, args, &path), stderr: String::new() };
        whole(program, &site, "acme", &written);
    }
}

#[test]
fn a_file_that_is_removed_under_a_run_is_no_success() {
    let mut site = site("none", "never");
    site.set("acme", "page_size", 10);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(100));
    let running = site.start(&["pull", "acme"]);
    let path = site.path("out/acme.jsonl");
    eventually("lines that are not committed", || {
        fs::metadata(&path).is_ok_and(|facts| facts.len() > 0)
    });
    fs::remove_file(&path).unwrap();
    running.end().refused(8, &["was removed", "delaycompress"]);
    site.ok(&["pull", "acme"]);
    whole("removed", &site, "acme", &site.read("out/acme.jsonl"));
}

#[test]
fn two_sources_that_take_turns_in_one_file_leave_each_others_lines_alone() {
    for compression in ["none", "gzip"] {
        let mut site = site(compression, "never");
        let pull = |name| ["pull", name, "--output", "out/one.jsonl"];
        site.ok(&pull("acme"));
        site.ok(&pull("acme-jira"));
        site.control.add(Api::OrgEvents, 20);
        site.control.add(Api::JiraAudit, 20);
        site.set_env("ATLAUDIT_CRASH_AT", "Packed");
        assert_eq!(site.run(&pull("acme-jira")).code, 128 + 6);
        site.unset_env("ATLAUDIT_CRASH_AT");
        // It closes what the other left open.
        site.ok(&pull("acme"));
        std::thread::sleep(Duration::from_millis(5));
        site.ok(&pull("acme-jira"));
        site.ok(&pull("acme"));
        let written = Outputs::new(site.path("out"), "one").read();
        let mut wanted = org_ids(&site.control.ids(Api::OrgEvents));
        wanted.extend(jira_ids(&site.control.ids(Api::JiraAudit)));
        each_once(&written.ids(), &wanted);
        assert_eq!(names(&site.path("out")).len(), 1);
    }
}

/// The files that were moved aside, by what they hold.
fn moved_aside(site: &Site) -> Vec<Vec<u8>> {
    let names = names(&site.path("out")).into_iter();
    names
        .filter(|name| name.contains(".unfinished-"))
        .map(|name| fs::read(site.path("out").join(name)).unwrap())
        .collect()
}

/// A run of `acme` that dies with lines in its file that are not committed.
fn die_uncommitted(site: &mut Site, point: &str) {
    site.set_env("ATLAUDIT_CRASH_AT", point);
    assert_eq!(site.run(&["pull", "acme"]).code, 128 + 6);
    site.unset_env("ATLAUDIT_CRASH_AT");
}

#[test]
fn lines_of_another_program_after_a_killed_run_are_moved_aside() {
    for (compression, suffix) in [("none", ""), ("gzip", ".gz"), ("zstd", ".zst")] {
        for theirs in ["{\"theirs\":1}\n", "text of theirs\n", "half of th", "hi\n"] {
            let mut site = site(compression, "never");
            site.ok(&["pull", "acme"]);
            site.control.add(Api::OrgEvents, 40);
            die_uncommitted(&mut site, "Packed");
            let path = site.path(&format!("out/acme.jsonl{suffix}"));
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            std::io::Write::write_all(&mut file, theirs.as_bytes()).unwrap();
            let run = site.ok(&["pull", "acme"]);
            let what = format!("{compression} {theirs:?}: {}", run.stderr);
            assert!(run.stderr.contains("moved aside"), "{what}");
            let aside = moved_aside(&site);
            assert_eq!(aside.len(), 1, "{what}");
            assert!(aside[0].ends_with(theirs.as_bytes()), "{what}");
            let written = Run { code: 0, stdout: unpacked(&path), stderr: String::new() };
            whole(&what, &site, "acme", &written);
        }
    }
}

#[test]
fn a_killed_runs_own_lines_are_discarded_in_each_format_that_names_their_source() {
    for format in ["normalized", "ecs", "ocsf", "raw"] {
        for point in ["HalfAppended", "Appended"] {
            let mut site = site("none", "never");
            site.set_output("format", format);
            die_uncommitted(&mut site, point);
            let before = site.read("out/acme.jsonl").stdout;
            assert!(!before.is_empty() || point == "HalfAppended", "{format}");
            let run = site.ok(&["pull", "acme"]);
            assert_eq!(site.read("out/acme.jsonl").lines().len(), 120, "{format}");
            let aside = moved_aside(&site);
            match format {
                // A raw record may be another program's as well.
                "raw" => assert_eq!(aside, [before], "{}", run.stderr),
                _ => assert!(aside.is_empty(), "{format} {point}: {}", run.stderr),
            }
        }
    }
}

#[test]
fn a_file_that_is_shorter_than_its_account_is_reported_with_both_lengths() {
    for was_killed in [false, true] {
        let mut site = site("none", "never");
        site.ok(&["pull", "acme"]);
        let path = site.path("out/acme.jsonl");
        let committed = fs::metadata(&path).unwrap().len();
        if was_killed {
            site.control.add(Api::OrgEvents, 40);
            die_uncommitted(&mut site, "StateDurable");
        }
        let lines = fs::read_to_string(&path).unwrap();
        let first = lines.find('\n').unwrap() + 1;
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(first as u64).unwrap();
        let lengths = format!("has {first} bytes, and {committed} were committed to it");
        let run = site.ok(&["pull", "acme"]);
        assert!(run.stderr.contains(&lengths), "{}", run.stderr);
        let again = site.ok(&["pull", "acme"]).stderr;
        assert!(!again.contains("were committed"), "once: {again}");
    }
}
