//! `rules check`, `rules list` and `rules test`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Run, blank};

/// A folder of rules.
struct RuleFolder {
    folder: tempfile::TempDir,
}

impl RuleFolder {
    fn of(files: &[(&str, &str)]) -> RuleFolder {
        let folder = RuleFolder { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(folder.path()).unwrap();
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("rules")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Run {
        let home: &Path = self.folder.path();
        Run::from(blank(home, home).current_dir(home).args(args).output().unwrap())
    }

    fn check(&self) -> Run {
        self.run(&["rules", "check", "rules"])
    }
}

/// A rule whose selection is `selection`.
fn rule(selection: &str) -> String {
    format!(
        "title: Odd login\nid: odd-login\nlevel: high\nlogsource:\n  product: atlassian\n\
         detection:\n  selection:\n    {selection}\n  condition: selection\n"
    )
}

const COUNTING: &str = "title: Many logins\nid: many-logins\ncorrelation:\n  type: event_count\n  \
    rules:\n    - odd-login\n  group-by:\n    - actor.id\n  timespan: 5m\n  \
    condition:\n    gte: 2\n";

#[test]
fn rules_that_are_right_are_counted() {
    let folder = RuleFolder::of(&[("a.yml", &rule("action: x")), ("deep/er/b.yaml", COUNTING)]);
    folder.write("notes.txt", "no rule");
    folder.write(".hidden.yml", "no rule");
    let run = folder.check();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("1 rule and 1 correlation can be used"), "{}", run.stderr);
    let file = folder.run(&["rules", "check", "rules/a.yml"]);
    assert_eq!(file.code, 0, "{}", file.stderr);
}

#[test]
fn everything_that_is_wrong_is_listed_with_file_and_line() {
    let folder = RuleFolder::of(&[
        ("a.yml", &rule("action|odd: x")),
        ("b.yml", "title: [\n"),
        ("c.yml", &rule("actor.nmae: x").replace("odd-login", "c")),
        ("d.yml", &COUNTING.replace("event_count", "value_avg")),
        ("e.yml", &rule("action: x").replace("odd-login", "e")),
    ]);
    let run = folder.check();
    assert_eq!(run.code, 6, "{}", run.stderr);
    for words in [
        "rules/a.yml:8: the modifier `odd` is not supported",
        "rules/b.yml:2: no valid YAML",
        "rules/c.yml:8: no field of `actor` is called `nmae`",
        "rules/d.yml:4: the type `value_avg` is not supported",
        "4 problems in the rules of `rules`",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert!(!run.stderr.contains("e.yml"), "{}", run.stderr);
}

#[test]
fn a_folder_without_rules_is_refused() {
    let folder = RuleFolder::of(&[("readme.md", "")]);
    folder.check().refused(6, &["there is no rule in `rules`", "*.yml"]);
    let none = folder.run(&["rules", "check", "elsewhere"]);
    assert_eq!(none.code, 6);
    assert!(none.stderr.contains("elsewhere: cannot be read"), "{}", none.stderr);
}

#[test]
fn the_list_fits_on_a_terminal_and_has_the_rules_of_a_folder() {
    let folder = RuleFolder::of(&[("a.yml", &rule("action: x"))]);
    let run = folder.run(&["rules", "list", "--rules", "rules"]);
    let text = run.text();
    assert!(text.starts_with("LEVEL          TITLE"), "{text}");
    assert!(text.contains("high           Odd login\n               odd-login\n"), "{text}");
    assert!(text.contains("\n               rules/a.yml\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let lines = folder.run(&["rules", "list", "--json"]).trees();
    assert!(lines.len() >= 40);
    let added = lines.iter().find(|line| line["title"] == "Organization admin added").unwrap();
    assert_eq!(added["origin"], "built-in");
    assert!(added["attack"].as_array().unwrap().contains(&json!("T1098")));
    assert!(lines.iter().all(|line| line["false_positives"][0].is_string()));
}

#[test]
fn examples_beside_rules_are_tested() {
    let event = |action: &str| json!({"source": {"type": "org-events"}, "action": action});
    let examples = |fits: &str, other: &str| {
        json!({"true": [event(fits)], "false": [event(other)]}).to_string()
    };
    let folder = RuleFolder::of(&[("a.yml", &rule("action: x"))]);
    let test = || folder.run(&["rules", "test", "rules"]);
    test().refused(6, &["no rule has examples", "NAME.json"]);
    folder.write("a.json", &examples("x", "y"));
    let run = test();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("1 file tested with 2 events"), "{}", run.stderr);
    for (text, words) in [
        (examples("y", "z"), "a.json: event 1 of `true` matches no rule of the file"),
        (examples("x", "x"), "a.json: event 1 of `false` matches a rule of the file"),
        ("{".to_owned(), "a.json: no valid JSON"),
        ("{}".to_owned(), "a.json: it has no events in `true`"),
    ] {
        folder.write("a.json", &text);
        let run = test();
        assert_eq!(run.code, 6, "{}", run.stderr);
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn the_examples_of_a_correlation_are_histories() {
    let event = |second: u32, who: &str| {
        json!({"id": second.to_string(), "time": format!("2026-11-30T08:00:{second:02}Z"),
            "source": {"type": "org-events"}, "action": "x", "actor": {"id": who}})
    };
    let folder = RuleFolder::of(&[("a.yml", &rule("action: x")), ("b.yml", COUNTING)]);
    let text =
        json!({"true": [event(1, "a"), event(2, "a")], "false": [event(1, "a"), event(2, "b")]});
    folder.write("b.json", &text.to_string());
    let run = folder.run(&["rules", "test", "rules"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("1 file without examples"), "{}", run.stderr);
    let text = json!({"true": [event(1, "a")], "false": [event(1, "a"), event(2, "a")]});
    folder.write("b.json", &text.to_string());
    let run = folder.run(&["rules", "test", "rules"]);
    for words in ["the events of `true` give no finding", "the events of `false` give a finding"] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn hostile_rules_end_with_an_error_soon() {
    let list = |item: &str, count: usize| format!("action: [{}]", item.repeat(count));
    let bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n";
    let chain: String = (0..300)
        .map(|n| {
            COUNTING
                .replace("many-logins", &format!("c{n}"))
                .replace("odd-login", &format!("c{}", n + 1))
                + "---\n"
        })
        .collect();
    let cases = [
        (bomb.to_owned(), "write it out"),
        ("[".repeat(200_000), "`[` or `{`"),
        ("- ".repeat(100_000), "nested more than"),
        (rule(&list("1,", 120_000)), "more than 2000 values"),
        (rule("action|re: '(a{1000}){1000}'"), "compiles to too much"),
        (rule("action|re: '(\\w{50}){50}'"), "compiles to too much"),
        (rule(&format!("action: '{}'", "*a".repeat(100_000))), "the pattern has more than"),
        (rule("action|windash: '--------'"), "`windash` of more than"),
        (
            rule("action: x")
                .replace("condition: selection", &format!("condition: {}x", "(".repeat(3000))),
            "nested more than",
        ),
        (
            rule("action: x").replace(
                "condition: selection",
                &format!("condition: {}selection", "not ".repeat(900)),
            ),
            "nested more than",
        ),
        ("title: x\n---\n".repeat(20_000), "the rule has no `logsource`"),
        (chain, "it refers to"),
        ("a".repeat(300 << 10), "larger than 256 KiB"),
        (format!("title: {}", "\u{1b}[2J".repeat(1000)), "no valid YAML"),
    ];
    for (text, words) in cases {
        let folder = RuleFolder::of(&[("x.yml", &text)]);
        let begin = Instant::now();
        let run = folder.check();
        // The program under test is not optimised, and other tests run beside it.
        assert!(begin.elapsed() < Duration::from_secs(20), "{words}: {:?}", begin.elapsed());
        assert_eq!(run.code, 6, "{words}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        assert!(run.stderr.len() < 200_000, "{words}: {} bytes", run.stderr.len());
    }
}
