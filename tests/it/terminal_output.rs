//! What a terminal obeys never reaches one, and leaves no field of ours; `raw` keeps it in files
//! and pipes.

use std::collections::BTreeSet;

use atlaudit::sandbox::CONTROLS;

use crate::support::{Site, blank, small, stdout_on_terminal};

const FORMATS: [&str; 4] = ["normalized", "ecs", "ocsf", "raw"];

/// Whether a terminal obeys `c`, or shows a line in a different order for it. Lines themselves end
/// with one.
fn is_control(c: char) -> bool {
    let is_line = c == '\n';
    c.is_control() && !is_line || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn controls(text: &str) -> BTreeSet<char> {
    text.chars().filter(|&c| is_control(c)).collect()
}

/// A site whose records hold such characters in each name.
fn site() -> Site {
    let mut options = small(60, 40);
    options.behaviour.terminal_controls = true;
    Site::new(options)
}

/// The names of the actors in normalized events.
fn has_name(line: &str) -> bool {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    let mut names = ["/actor/name", "/targets/0/name"].into_iter();
    names.any(|path| {
        let name = event.pointer(path).and_then(serde_json::Value::as_str);
        name.is_some_and(|name| name.starts_with(CONTROLS))
    })
}

#[test]
fn no_format_shows_control_characters_on_a_terminal() {
    let site = site();
    site.ok(&["pull", "--since", "40d", "--output", "{source}.norm"]);
    for format in FORMATS {
        let pull = ["pull", "acme", "--since", "40d", "--format", format];
        let convert = ["convert", "acme.norm", "--format", format];
        let device = ["--output", "/dev/stdout"];
        for (args, more) in [(&pull[..], &[][..]), (&convert[..], &[]), (&convert[..], &device)] {
            let run = stdout_on_terminal(site.command(&[args, more].concat()));
            assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
            let text = String::from_utf8(run.stdout.clone()).unwrap();
            assert_eq!(controls(&text), BTreeSet::new(), "{args:?}");
            // The same events come to a pipe: nothing is lost by the escapes.
            let piped = site.ok(args);
            let say = |line: &str| {
                let mut tree: serde_json::Value = serde_json::from_str(line).unwrap();
                // The time of the run.
                tree["observed_time"].take();
                tree["event"]["ingested"].take();
                tree["metadata"]["processed_time"].take();
                tree
            };
            let shown: Vec<_> = run.lines().into_iter().map(say).collect();
            let piped: Vec<_> = piped.lines().into_iter().map(say).collect();
            assert_eq!(shown.len(), 60, "{args:?}");
            assert_eq!(shown, piped, "{args:?}");
        }
    }
}

#[test]
fn in_a_pipe_only_raw_keeps_control_characters() {
    let site = site();
    for source in ["acme", "acme-jira"] {
        for format in FORMATS {
            let run = site.ok(&["pull", source, "--since", "40d", "--format", format]);
            let lines = run.lines();
            assert!(!lines.is_empty());
            for line in &lines {
                let ours = match format {
                    "raw" => "",
                    "normalized" => line.split_once(",\"raw\":").unwrap().0,
                    _ => line,
                };
                assert_eq!(controls(ours), BTreeSet::new(), "{format}: {line}");
            }
            let text = lines.concat();
            let has_any = matches!(format, "raw" | "normalized");
            assert_eq!(text.contains(CONTROLS), has_any, "{source} {format}");
            assert!(format != "normalized" || lines.iter().any(|line| has_name(line)));
        }
    }
}

#[test]
fn the_demo_shows_no_control_characters() {
    let (home, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = blank(home.path(), tmp.path());
    command.args(["demo", "--color", "never"]);
    let run = stdout_on_terminal(command);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.contains("These are the last 12 of"), "{text}");
    assert_eq!(controls(&text), BTreeSet::new());
}
