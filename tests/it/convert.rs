//! `convert`: lines kept earlier come out as a pull would write them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use atlaudit::sandbox::{Api, JIRA_SITE, ORG_ID};
use flate2::write::GzEncoder;

use crate::support::{PROMPT, Run, Running, Site, eventually};

/// A line of each kind that needs nothing to be known beside it.
const RAW: &str =
    r#"{"id":"1","attributes":{"time":"2026-11-20T09:30:00Z","action":"user_login"}}"#;

/// A site whose sources were pulled into `acme.norm`, `acme.raw`, `acme-jira.norm` and
/// `acme-jira.raw`.
fn pulled(events: usize, records: usize) -> Site {
    let site = Site::of(events, records);
    site.ok(&["pull", "--since", "60d", "--output", "{source}.norm"]);
    let raw = ["--format", "raw", "--output", "{source}.raw"];
    site.ok(&[&["pull", "--since", "60d"], &raw[..]].concat());
    site
}

/// A site that serves nothing, with a file.
fn with(name: &str, content: impl AsRef<[u8]>) -> Site {
    let site = Site::of(0, 0);
    fs::write(site.path(name), content).unwrap();
    site
}

/// Runs it with `input` on standard input.
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

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The numbers of the lines that were reported as unreadable.
fn unreadable_lines(run: &Run) -> Vec<u64> {
    let mut numbers = Vec::new();
    let number = |text: &str| text.trim().parse::<u64>().unwrap();
    for line in run.stderr.lines() {
        if let Some(rest) = line.strip_prefix("error: cannot read line ") {
            numbers.push(number(rest.split(' ').next().unwrap()));
        } else if let Some((_, ranges)) = line.split_once(" lines of `in`: ") {
            for range in ranges.split(", ").filter(|range| !range.starts_with("and ")) {
                let (first, last) = range.split_once(" to ").unwrap_or((range, range));
                numbers.extend(number(first)..=number(last));
            }
        }
    }
    numbers.sort_unstable();
    numbers
}

/// Lines without the times of receipt, which differ.
fn timeless(run: &Run) -> Vec<String> {
    let cut = |line: &&str| {
        let (before, after) = line.split_once(r#","observed_time":""#).unwrap();
        format!("{before}{}", after.split_once('"').unwrap().1)
    };
    run.lines().iter().map(cut).collect()
}

#[test]
fn raw_lines_become_what_a_pull_normalizes() {
    let site = pulled(300, 150);
    for name in ["acme", "acme-jira"] {
        let run = site.ok(&["convert", "--source", name, &format!("{name}.raw")]);
        let wanted = site.read(&format!("{name}.norm"));
        assert_eq!(timeless(&run), timeless(&wanted), "{name}");
    }
}

#[test]
fn raw_lines_of_both_kinds_in_one_file() {
    let site = pulled(50, 50);
    let both = ["acme", "acme-jira"].map(|name| site.read(&format!("{name}.raw")).stdout);
    fs::write(site.path("both.raw"), both.concat()).unwrap();
    let flags = ["--org-id", ORG_ID, "--site", JIRA_SITE];
    let run = site.ok(&[&["convert", "both.raw"], &flags[..]].concat());
    let norm = ["acme", "acme-jira"].map(|name| timeless(&site.read(&format!("{name}.norm"))));
    let named = |line: &String| {
        let line = line.replace(r#""name":"acme","#, r#""name":"org-events","#);
        line.replace(r#""name":"acme-jira","#, r#""name":"jira-audit","#)
    };
    let wanted: Vec<_> = norm.concat().iter().map(named).collect();
    assert_eq!(timeless(&run), wanted);
}

#[test]
fn normalized_lines_stay_as_they_are_and_give_the_raw_ones() {
    let site = pulled(300, 150);
    for name in ["acme", "acme-jira"] {
        let file = format!("{name}.norm");
        let same = site.ok(&["convert", &file]);
        assert!(same.stdout == site.read(&file).stdout, "{name}");
        let raw = site.ok(&["convert", "--format", "raw", &file]);
        assert!(raw.stdout == site.read(&format!("{name}.raw")).stdout);
    }
}

#[test]
fn what_cannot_be_recreated_is_kept() {
    // Two records of one id, and one that is no object: `id~hash` and the record `null`.
    let site = Site::of(0, 0);
    let at = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    for text in [RAW, r#"{"id":"1","attributes":{"action":"other"}}"#, "null", "[1]"] {
        site.control.add_json(Api::OrgEvents, text.to_owned(), at);
    }
    site.ok(&["pull", "acme", "--output", "acme.norm"]);
    let norm = site.read("acme.norm");
    assert!(norm.ids()[1].starts_with("org:1~"), "{:?}", norm.ids());
    assert_eq!(norm.ids().len(), 4);
    let same = site.ok(&["convert", "acme.norm"]);
    assert!(same.stdout == norm.stdout);
    let raw = site.ok(&["convert", "acme.norm", "--format", "raw"]);
    assert_eq!(raw.lines()[2..], ["null", "[1]"]);
    assert!(!raw.stderr.contains("unparsed"), "{}", raw.stderr);
    let again = run_with_input(&site, &["convert", "--source", "acme"], &raw.stdout);
    assert_eq!((again.code, again.lines().len()), (0, 4), "{}", again.stderr);
    assert_eq!(again.trees()[3]["action"], "unparsed");
}

#[test]
fn an_organization_that_the_configuration_does_not_name_is_reported() {
    let mut site = with("in", RAW);
    site.unset("acme", "org_id");
    let run = site.ok(&["convert", "--source", "acme", "in"]);
    assert!(run.stderr.contains("--org-id"), "{}", run.stderr);
    let run = site.ok(&["convert", "-q", "--source", "acme", "--org-id", "o-1", "in"]);
    assert_eq!(run.trees()[0]["source"]["org_id"], "o-1");
    assert_eq!(run.stderr, "");
}

#[test]
fn packed_or_plain_from_files_or_standard_input() {
    let site = pulled(120, 0);
    let text = site.read("acme.norm").stdout;
    let half = text.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let zstd = |part: &[u8]| zstd::stream::encode_all(part, 3).unwrap();
    let (first, second) = text.split_at(half);
    for (what, packed) in [
        ("plain", text.clone()),
        ("gzip members", [gzip(first), gzip(second)].concat()),
        ("zstd frames", [zstd(first), zstd(second)].concat()),
    ] {
        fs::write(site.path("in"), &packed).unwrap();
        assert!(site.ok(&["convert", "in"]).stdout == text, "{what}");
        for args in [&["convert"][..], &["convert", "-"]] {
            let run = run_with_input(&site, args, &packed);
            assert!(run.code == 0 && run.stdout == text, "{what}: {args:?}");
        }
    }
    let run = run_with_input(&site, &["convert", "acme.norm", "-", "in"], &gzip(first));
    let wanted = [&text[..], first, &text].concat();
    assert!(run.stdout == wanted, "{}", run.stderr);
}

#[test]
fn an_output_is_packed_as_requested() {
    let site = pulled(120, 0);
    let text = site.read("acme.norm").stdout;
    site.ok(&["convert", "acme.norm", "--compression", "gzip", "-o", "new"]);
    let mut found = Vec::new();
    let file = fs::File::open(site.path("new.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut found).unwrap();
    assert!(found == text);
    let run = site.ok(&["convert", "new.gz", "--compression", "zstd"]);
    assert!(zstd::stream::decode_all(&run.stdout[..]).unwrap() == text);
}

#[test]
fn unreadable_lines_are_reported_with_their_numbers_and_the_rest_is_converted() {
    let lines: [&[u8]; 12] = [
        RAW.as_bytes(),
        b"",
        b"{\"torn\":",
        b"{\"secret\":\"word\"}",
        b"   \t",
        b"{\"id\":\"n\",\"attributes\":{\"action\":\"a\0b\"}}",
        b"\x00\x01\x02",
        b"{\"schema\":\"atlaudit/2\",\"raw\":{}}",
        b"{\"schema\":\"atlaudit/1\",\"raw\":{}}",
        b"{} {}",
        b"\xff\xfe{\x00}\x00",
        RAW.as_bytes(),
    ];
    let site = with("in", lines.join(&b'\n'));
    let run = site.run(&["convert", "in"]);
    assert_eq!(run.code, 3);
    assert_eq!(run.ids(), ["org:1", "org:1"]);
    assert_eq!(unreadable_lines(&run), [3, 4, 6, 7, 8, 9, 10, 11], "{}", run.stderr);
    assert!(run.stderr.contains("8 lines could not be read"));
    assert!(!run.stderr.contains("secret") && !run.stderr.contains("word"));
    let run = site.run(&["-q", "--log-format", "json", "convert", "in"]);
    let messages = run.stderr.lines().map(serde_json::from_str);
    let messages: Vec<serde_json::Value> = messages.map(Result::unwrap).collect();
    assert!(messages.len() < 8, "no summary, and no message a line: {}", run.stderr);
    assert!(messages.iter().all(|message| message["level"] == "error"));
}

#[test]
fn a_file_that_is_no_log_is_not_reported_line_by_line() {
    let site = with("in", "no log\n".repeat(5_000));
    let run = site.run(&["convert", "in"]);
    let all: Vec<_> = (1..=5_000).collect();
    assert!((run.code, unreadable_lines(&run)) == (3, all), "{}", run.stderr);
    let errors = run.stderr.matches("error: ").count();
    assert_eq!((errors, run.stderr.matches("  hint: ").count()), (1, 1), "{}", run.stderr);
    let first = "because: line 1: ";
    assert!(run.stderr.contains(first) && run.stderr.contains("5,000 lines could not be read"));
    let run = site.run(&["convert", "-v", "in"]);
    assert_eq!(run.stderr.matches("cannot read line ").count(), 5_000);
}

#[test]
fn many_ranges_of_unreadable_lines_are_named_and_the_rest_is_counted() {
    let text = format!("no log\nno log\n{RAW}\n").repeat(30);
    let run = with("in", text).run(&["convert", "in"]);
    let first: Vec<u64> = (0..20).flat_map(|at| [3 * at + 1, 3 * at + 2]).collect();
    assert_eq!((run.code, unreadable_lines(&run)), (3, first), "{}", run.stderr);
    assert!(run.stderr.contains("cannot read 60 lines of `in`: 1 to 2, 4 to 5"), "{}", run.stderr);
    assert!(run.stderr.contains(", and 20 more (-v shows each)\n"), "{}", run.stderr);
    // Of more inputs than are named, the rest is counted.
    let names: Vec<_> = (0..25).map(|at| format!("in{at}")).collect();
    let site = with("in0", "no log\nno log\n");
    names.iter().skip(1).for_each(|name| drop(fs::copy(site.path("in0"), site.path(name))));
    let words: Vec<_> = ["convert"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let run = site.run(&words);
    assert_eq!((run.code, run.stderr.matches("cannot read 2 lines of `in").count()), (3, 20));
    assert!(run.stderr.contains("cannot read 10 more lines, of other files"), "{}", run.stderr);
    assert!(run.stderr.contains("50 lines could not be read"), "{}", run.stderr);
}

#[test]
fn a_signal_does_not_hide_which_lines_could_not_be_read() {
    let site = Site::of(0, 0);
    let mut command = site.command(&["convert"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::as_it_is(command);
    let mut stdin = running.child().stdin.take().unwrap();
    let mut stdout = running.child().stdout.take().unwrap();
    stdin.write_all(format!("no log\nno log\n{RAW}\n").as_bytes()).unwrap();
    // Once that is written, the lines before it have been read.
    stdout.read_exact(&mut [0; 10]).unwrap();
    running.signal("INT");
    let run = running.end();
    run.fails(3, &["cannot read 2 lines of standard input: 1 to 2", "interrupted"]);
}

#[test]
fn marks_and_line_ends_of_other_systems() {
    let text = format!("\u{feff}{RAW}\r\n\r\n{RAW}\r\n{RAW}");
    for packed in [text.clone().into_bytes(), gzip(text.as_bytes())] {
        let run = with("in", packed).ok(&["convert", "--format", "raw", "in"]);
        assert_eq!(run.lines(), [RAW; 3]);
    }
}

/// A line of a Data Center's log file, as a server with French texts writes it.
const FILE_LINE: &str = r#"{"affectedObjects":[{"id":"JIRAUSER10100","name":"bo","type":"USER"}],"auditType":{"action":"Utilisateur ajouté au groupe","actionI18nKey":"jira.auditing.user.added.to.group","area":"USER_MANAGEMENT","category":"gestion des groupes","categoryI18nKey":"jira.auditing.category.groupmanagement","level":"BASE"},"author":{"id":"10000","name":"ada","type":"ApplicationUser"},"changedValues":[],"extraAttributes":[],"method":"Browser","source":"198.51.100.7","system":"https://jira.example","timestamp":{"epochSecond":1795167000,"nano":154999999},"version":"1.0"}"#;

#[test]
fn the_log_file_of_a_data_center() {
    let (line, torn) = (FILE_LINE, &FILE_LINE[..100]);
    let site = with("in", format!("{line}\r\n\r\n{line}\r\n{torn}"));
    let run = site.run(&["convert", "--site", "jira.example", "in"]);
    assert_eq!((run.code, unreadable_lines(&run)), (3, vec![4]), "{}", run.stderr);
    let [first, second] = &run.trees()[..] else { panic!("{}", run.stderr) };
    assert_eq!(first["source"]["type"], "datacenter-audit");
    assert_eq!(first["time"], "2026-11-20T09:30:00.154Z");
    assert_eq!(first["action"], "user_added_to_group");
    assert_eq!(first["category"], "group");
    assert_eq!(first["outcome"], "success");
    let id = first["id"].as_str().unwrap();
    assert!(id.starts_with("dc:jira.example:"), "{id}");
    assert_eq!(second["id"], format!("{id}.2"), "equal lines are two events");
    let raw = site.run(&["convert", "--format", "raw", "in"]);
    assert_eq!(raw.lines(), [line; 2]);
}

#[test]
fn invalid_utf_8_is_replaced_as_in_a_pull() {
    let line = b"{\"id\":\"1\",\"attributes\":{\"time\":\"2026-11-20T09:30:00Z\",\"action\":\"a\xffb\"}}\n".repeat(3);
    let run = with("in", line).ok(&["convert", "in"]);
    assert_eq!(run.trees()[2]["action"], "a\u{fffd}b");
    let warnings = run.stderr.matches("warning: line 1 of `in`").count();
    assert_eq!((warnings, run.stderr.lines().count()), (1, 2), "{}", run.stderr);
}

#[test]
fn a_packed_file_that_breaks_off() {
    let site = pulled(200, 0);
    let text = site.read("acme.norm").stdout;
    for packed in [gzip(&text), zstd::stream::encode_all(&text[..], 3).unwrap()] {
        fs::write(site.path("in"), &packed[..packed.len() / 2]).unwrap();
        let run = site.run(&["convert", "in", "-", "-o", "out"]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert!(run.stderr.contains("breaks off"), "{}", run.stderr);
        let out = site.read("out");
        let next = format!("from line {} on", out.lines().len() + 1);
        assert!(run.stderr.contains(&next), "{next}: {}", run.stderr);
        assert!(text.starts_with(&out.stdout));
        fs::remove_file(site.path("out")).unwrap();
    }
}

#[test]
fn inputs_that_cannot_be_read_do_not_stop_the_others() {
    let site = with("in", RAW);
    let run = site.run(&["convert", "nowhere", "in", ".", "in"]);
    assert_eq!((run.code, run.ids().len()), (3, 2), "{}", run.stderr);
    for word in ["cannot read `nowhere`", "cannot read `.`", "2 files"] {
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
    site.run(&["convert", "nowhere", "-o", "out"]).refused(3, &["`nowhere`"]);
    assert!(!site.path("out").exists());
}

#[test]
fn a_line_without_an_end() {
    let long = format!("{RAW}\n\"{}\"\n{RAW}\n", "x".repeat(70 << 20));
    let run = run_with_input(&with("x", ""), &["convert"], long.as_bytes());
    assert_eq!((run.code, run.ids().len()), (3, 2), "{}", run.stderr);
    assert_eq!(unreadable_lines(&run), [2]);
    assert!(run.stderr.contains("longer than 64 MiB"), "{}", run.stderr);
}

#[test]
fn a_deep_line_is_a_line() {
    let deep = format!(
        r#"{{"id":"d","attributes":{{"action":"a","x":{}{}}}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let run = with("in", &deep).ok(&["convert", "--format", "raw", "in"]);
    assert!(run.lines() == [deep]);
}

#[test]
fn a_raw_jira_record_needs_its_site() {
    let jira = r#"{"id":7,"summary":"User created"}"#;
    let site = with("in", format!("{RAW}\n\n{jira}\n"));
    let run = site.run(&["convert", "in", "-o", "out"]);
    run.refused(2, &["line 3 of `in`", "--site", "--source"]);
    assert_eq!(leftovers(&site), ["in"]);
    let run = site.ok(&["convert", "in", "--site", "a.example"]);
    assert_eq!(run.ids(), ["org:1", "jira:a.example:7"]);
    let run = site.ok(&["convert", "in", "--format", "raw"]);
    assert_eq!(run.lines(), [RAW, jira]);
}

/// The files in the test's folder, but for HOME and TMPDIR.
fn leftovers(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.path(".")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "home" && name != "tmp").collect();
    names.sort();
    names
}

#[test]
fn an_output_file_is_its_owners_and_never_written_over() {
    let site = with("in", RAW);
    let script = r#"umask 022; exec "$PROGRAM" convert in --output new/out"#;
    let run = Run::from(site.shell(script).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mode = fs::metadata(site.path("new/out")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let run = site.run(&["convert", "in", "-o", "new/out"]);
    run.refused(8, &["exists already", "new/out"]);
    site.run(&["convert", "in", "-o", "in"]).refused(8, &["exists already"]);
    assert_eq!(site.read("in").stdout, RAW.as_bytes());
    site.run(&["convert", "in", "-o", "new"]).refused(8, &["new"]);
    // As `mktemp` leaves one.
    fs::write(site.path("empty"), "").unwrap();
    site.ok(&["convert", "in", "-o", "empty"]);
    assert_eq!(site.read("empty").ids(), ["org:1"]);
    site.ok(&["convert", "in", "-o", "/dev/null"]);
    assert_eq!(leftovers(&site), ["empty", "in", "new"]);
}

#[test]
fn a_full_disk_leaves_no_partial_file() {
    let site = with("in", format!("{RAW}\n").repeat(5_000));
    let script = r#"ulimit -f 100; exec "$PROGRAM" convert in -o out"#;
    let run = Run::from(site.shell(script).output().unwrap());
    run.refused(8, &["write the output file", "disk is not full"]);
    assert_eq!(leftovers(&site), ["in"]);
    site.run(&["convert", "in", "-o", "/dev/full"]).refused(8, &["/dev/full"]);
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let site = with("in", format!("{RAW}\n").repeat(20_000));
    let script = r#"("$PROGRAM" convert in; echo "code $?" >&2) | head -n 1"#;
    let run = Run::from(site.shell(script).output().unwrap());
    assert_eq!((run.lines().len(), run.stderr.as_str()), (1, "code 8\n"));
}

#[test]
fn available_lines_are_written_before_reading_more() {
    let site = Site::of(0, 0);
    let mut command = site.command(&["convert"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::as_it_is(command);
    let mut stdin = running.child().stdin.take().unwrap();
    let mut stdout = running.child().stdout.take().unwrap();
    stdin.write_all(format!("{RAW}\n").as_bytes()).unwrap();
    let mut first = [0; 10];
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{\"schema\":");
}

#[test]
fn a_signal_ends_it_at_once_and_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let site = Site::of(0, 0);
        let mut command = site.command(&["convert", "-o", "out"]);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::as_it_is(command);
        let mut stdin = running.child().stdin.take().unwrap();
        stdin.write_all(format!("{RAW}\n").as_bytes()).unwrap();
        eventually("a file in the making", || !leftovers(&site).is_empty());
        let start = Instant::now();
        running.signal(signal);
        let run = running.end();
        run.refused(3, &["interrupted"]);
        assert!(start.elapsed() < PROMPT);
        assert!(leftovers(&site).is_empty(), "{:?}", leftovers(&site));
        drop(stdin);
    }
}

#[test]
fn nothing_but_the_lines_is_touched() {
    let site = with("in", RAW);
    // Neither a HOME nor a state is its concern.
    let mut command = Command::new(env!("CARGO_BIN_EXE_atlaudit"));
    command.env_clear().args(["convert", "in"]).current_dir(site.path("."));
    let run = Run::from(command.output().unwrap());
    assert_eq!((run.code, run.ids()), (0, vec!["org:1".to_owned()]), "{}", run.stderr);
    assert!(!site.state().exists());
    site.run(&["convert", "in", "--source", "nobody"]).refused(6, &["`nobody`"]);
}

#[test]
fn a_configuration_that_is_named_and_not_there_is_refused() {
    // It may name rows that say what actions mean.
    let site = with("in", RAW);
    site.run(&["convert", "in", "--config", "nowhere"]).refused(6, &["nowhere", "--config"]);
}

#[test]
fn what_cannot_be_converted_is_reported_with_what_can() {
    let site = Site::of(5, 0);
    for format in ["ecs", "ocsf"] {
        site.ok(&["pull", "acme", "--since", "31d", "--format", format, "-o", format]);
        let run = site.run(&["convert", format]);
        assert_eq!((run.code, run.stdout.len()), (3, 0));
        assert!(run.stderr.contains(&format!("an event as `{format}`")), "{}", run.stderr);
        assert_eq!(run.stderr.matches("  hint: ").count(), 1, "{}", run.stderr);
        assert!(run.stderr.contains("written as normalized or raw"), "{}", run.stderr);
    }
    fs::write(site.path("garbage"), "no JSON\n{\n").unwrap();
    let run = site.run(&["convert", "garbage"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("one JSON object a line"), "{}", run.stderr);
}

#[test]
fn a_line_from_before_countries_had_codes_gets_one() {
    let raw = r#"{"id":"e1","attributes":{"action":"user_login","location":{"ip":"198.51.100.7","countryName":"Korea, Republic of"}}}"#;
    let old = format!(
        r#"{{"schema":"atlaudit/1","id":"org:e1","source":{{"name":"acme","type":"org-events"}},"observed_time":"2026-11-21T00:00:00.000Z","action":"user_login","category":"authentication","outcome":"success","client":{{"ip":"198.51.100.7","country":"Korea, Republic of"}},"raw":{raw}}}"#
    );
    let site = Site::of(0, 0);
    fs::write(site.path("old"), old + "\n").unwrap();
    for (format, path) in [
        ("normalized", "/client/country_code"),
        ("ecs", "/source/geo/country_iso_code"),
        ("ocsf", "/src_endpoint/location/country"),
    ] {
        let trees = site.ok(&["convert", "--format", format, "old"]).trees();
        let codes: Vec<_> = trees.iter().map(|tree| tree.pointer(path).cloned()).collect();
        assert_eq!(codes, [Some("KR".into())], "{format}");
    }
}
