//! Records that no server should send: torn text, endless nesting, ids that are missing or used
//! twice.

use atlaudit::sandbox::{Api, Fault};
use chrono::{TimeDelta, Utc};

use super::{BOTH, Bench, End, WHOLE, each, fails};

/// An empty bench with these records, a second apart.
fn bench_with_records(api: Api, texts: &[String]) -> Bench {
    let bench = Bench::new(api, 0);
    for (n, text) in (0..).zip(texts) {
        let at = Utc::now() - TimeDelta::hours(1) + TimeDelta::seconds(n);
        bench.add(text.clone(), at);
    }
    bench
}

/// The file holds these texts, each once, whatever was around them; and stays so.
fn keeps(bench: &Bench, texts: &[String]) {
    let mut wanted = texts.to_vec();
    wanted.sort();
    for _ in 0..2 {
        bench.pull(&WHOLE);
        let file = bench.site.read(bench.name());
        let events = file.events().into_iter();
        let mut raws: Vec<_> = events.map(|event| event.raw.get().to_owned()).collect();
        raws.sort();
        // Not assert_eq: some of these texts are long.
        assert!(raws == wanted, "{} and {}", raws.len(), wanted.len());
    }
}

#[test]
fn any_record_content_is_preserved() {
    let nested = |open: &str, inner: &str, close: &str| {
        let (open, close) = (open.repeat(10_000), close.repeat(10_000));
        format!(
            r#"{{"id":"deep","attributes":{open}{inner}{close},"changedValues":{open}{inner}{close}}}"#
        )
    };
    let text = |text: &str| text.to_owned();
    let cases: [(&str, Vec<String>); 8] = [
        ("10,000 arrays deep", vec![nested("[", "", "]")]),
        ("10,000 objects deep", vec![nested("{\"a\":", "1", "}")]),
        (
            "unknown fields",
            vec![text(
                r#"{"id":"u","new":{"x":[1,{"y":null}]},"attributes":{"action":"a","future":{"z":1.10}}}"#,
            )],
        ),
        (
            "lone surrogates",
            vec![text(r#"{"id":"\ud800","summary":"\udc00","attributes":{"action":"x\ud800y"}}"#)],
        ),
        (
            "NUL",
            vec![text(r#"{"id":"n\u0000","summary":"\u0000","attributes":{"action":"\u0000"}}"#)],
        ),
        ("without an id", vec![text(r#"{"a":1}"#), text(r#"{"a":2}"#), text("{}")]),
        (
            "a number for an id",
            vec![text(r#"{"id":12345678901234567890123}"#), text(r#"{"id":1.5e300}"#)],
        ),
        (
            "no text and no number for an id",
            vec![text(r#"{"id":null}"#), text(r#"{"id":{"a":1}}"#), text(r#"{"id":[]}"#)],
        ),
    ];
    each(&BOTH, &cases, |bench, texts| {
        keeps(&bench_with_records(bench.api, texts), texts);
    });
}

#[test]
fn an_id_with_two_contents_gives_two_events_and_is_reported() {
    let texts = [r#"{"id":"x","a":1}"#, r#"{"id":"x","a":2}"#, r#"{"id":"y"}"#].map(str::to_owned);
    each(&BOTH, &[("x twice", ())], |bench, ()| {
        let bench = bench_with_records(bench.api, &texts);
        let run = bench.pull(&WHOLE);
        assert!(run.stderr.contains("both are written"), "{}", run.stderr);
        assert!(run.stderr.contains("1 with a repeated id"), "{}", run.stderr);
        assert_eq!(bench.report()["id_clashes"], 1);
        let ids = bench.written();
        assert!(ids[0].ends_with(":x") && ids[1].contains(":x~"), "{ids:?}");
        keeps(&bench, &texts);
    });
}

#[test]
fn max_events_between_two_contents_of_one_id_loses_neither() {
    each(&BOTH, &[("in one millisecond", ())], |bench, ()| {
        let bench = Bench::new(bench.api, 0);
        let at = Utc::now() - TimeDelta::hours(1);
        let at_text = at.format("%Y-%m-%dT%H:%M:%S%.3f+0000");
        for n in 1..=2 {
            let text = format!(
                r#"{{"id":"x","n":{n},"created":"{at_text}","attributes":{{"action":"a","time":"{at_text}"}}}}"#
            );
            bench.add(text, at);
        }
        let cut = End { complete: false, ..WHOLE };
        bench.pull_with(&["--max-events", "1"], &cut);
        for _ in 0..2 {
            bench.pull(&WHOLE);
            assert_eq!(bench.written().len(), 2);
        }
    });
}

#[test]
fn invalid_utf_8_is_replaced_with_a_warning() {
    each(&BOTH, &[("in a string", ())], |bench, ()| {
        let text = r#"{"id":"bad","created":"SPOILT","attributes":{"action":"SPOILT"}}"#;
        let at = Utc::now() - TimeDelta::minutes(30);
        bench.add(text.to_owned(), at);
        let spoilt = Fault::BadByte("SPOILT".to_owned());
        bench.site.control.inject_always(bench.api, spoilt);
        let run = bench.pull(&WHOLE);
        assert!(run.stderr.contains("warning: "), "{}", run.stderr);
        assert!(run.stderr.contains("invalid UTF-8"), "{}", run.stderr);
        assert_eq!(bench.report()["mended_pages"], 1);
        let file = String::from_utf8(bench.site.read(bench.name()).stdout).unwrap();
        assert!(file.contains("\u{fffd}POILT"), "{file}");
        // The server mends it: it is the same record all the same.
        bench.recovers();
    });
}

#[test]
fn invalid_utf_8_outside_a_string_is_not_a_page() {
    each(&BOTH, &[("a bracket", ())], |bench, ()| {
        bench.script_forever(Fault::BadByte("[".to_owned()));
        bench.pull(&fails(3, &["cannot be read"]));
        bench.recovers();
    });
}
