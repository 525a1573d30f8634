//! The page as a whole: what it says of exports that are complete, incomplete, changed and hostile.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A folder with these lines of events, by source, and its manifest.
fn export(sources: &[(&str, &[String])]) -> (tempfile::TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("events")).unwrap();
    let entries = sources.iter().map(|(name, lines)| {
        let file = format!("events/{name}.jsonl.zst");
        let frames = lines
            .iter()
            .flat_map(|line| zstd::encode_all([line, "\n"].concat().as_bytes(), 1).unwrap());
        std::fs::write(dir.path().join(&file), frames.collect::<Vec<_>>()).unwrap();
        entry(name, &file, lines.len())
    });
    let names = sources.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let manifest = json!({
        "schema": "atlaudit/manifest/1",
        "complete": true,
        "asked": {"since": "2026-11-02T00:00:00Z", "until": "2026-11-03T00:00:00Z",
        "sources": names, "keep_bodies": false},
        "started": "2026-11-20T10:00:00Z",
        "finished": "2026-11-20T10:00:09.500Z",
        "runs": [{"started": "2026-11-20T10:00:00Z", "finished": "2026-11-20T10:00:09.500Z",
        "ended": "finished"}],
        "made_by": {"program": "atlaudit", "version": "0.1.0", "build": "test",
        "command": ["export", "acme"], "user": "mei"},
        "clock": {"skew_ms": 93_000, "at": "2026-11-20T10:01:33Z",
        "server": "2026-11-20T10:00:00Z"},
        "sources": entries.collect::<Vec<_>>(),
        "files": [{"file": "events/acme.jsonl.zst", "bytes": 7, "sha256": "00ff"}],
    });
    (dir, serde_json::from_value(manifest).unwrap())
}

fn entry(name: &str, file: &str, lines: usize) -> Value {
    let chained = json!({"file": file, "lines": lines, "bytes": 7, "text_bytes": 9,
    "sha256": "00ff", "chain": "c0de", "marks": []});
    json!({
        "name": name, "type": "org-events", "org_id": "org-1", "base_url": "https://api.example/",
        "credential": "keyring",
        "complete": true, "order": "processed_time", "windows": [], "gaps": [],
        "dropped": {"repeats": 1, "outside": 2},
        "counts": {"responses": 2, "pages": 1, "served": lines + 6, "repeats": 1, "outside": 2,
        "read_again": 3,
            "written": lines, "unparsed": 0, "out_of_order": 0},
        "retries": [{"at": "2026-11-20T10:00:03Z", "line": 1, "status": 429,
        "error": "too many requests", "waited_ms": 4_500}],
        "waited_ms": 4_500, "events": chained, "pages": chained,
    })
}

fn page(dir: &Path, manifest: &Manifest) -> String {
    html(dir, manifest).unwrap()
}

/// The page without its head, a line for each place where a tag follows another.
fn body(page: &str) -> String {
    let (_, body) = page.split_once("<body>").unwrap();
    body.replace("><", ">\n<")
}

fn event(actor: &str, outcome: &str) -> String {
    json!({
        "schema": "atlaudit/1", "id": "org:1", "time": "2026-11-02T09:30:00.123Z",
        "action": "policy_updated", "category": "policy",
        "outcome": outcome, "message": actor, "actor": {"name": actor},
        "targets": [{"type": actor, "name": actor}],
        "client": {"ip": actor, "country": actor},
    })
    .to_string()
}

#[test]
fn a_small_page() {
    let lines = [
        event("Mei Tanaka", "success"),
        event("<script>alert(1)</script>", "failure"),
        "{}".to_owned(),
    ];
    let (dir, manifest) = export(&[("acme", &lines)]);
    insta::assert_snapshot!(body(&page(dir.path(), &manifest)));
}

#[test]
fn the_same_events_make_the_same_page() {
    let lines =
        (0..300).map(|at| event(&format!("actor {}", at % 40), "success")).collect::<Vec<_>>();
    let (dir, manifest) = export(&[("acme", &lines), ("beta", &lines)]);
    let first = page(dir.path(), &manifest);
    assert!(first.contains("30 other actors in 440 events."));
    for _ in 0..5 {
        assert!(page(dir.path(), &manifest) == first);
    }
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let (dir, manifest) = export(&[("acme", &[event("Mei", "success")])]);
    let page = page(dir.path(), &manifest);
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
    let body = page.split_once("</head>").unwrap().1;
    for tag in body.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let mut words = tag.split_whitespace();
        let name = words.next().unwrap();
        assert!(
            !["script", "img", "link", "iframe", "object", "embed", "form", "base"].contains(&name),
            "{tag}"
        );
        for word in words {
            assert!(
                !word.starts_with("on") && !word.starts_with("src") && !word.starts_with("style"),
                "{tag}"
            );
            assert!(!word.starts_with("href") || word.starts_with("href=\"#"), "{tag}");
        }
    }
    for forbidden in ["@import", "url(h", "://"] {
        let outside = page.replace("https://api.example/", "");
        assert!(!outside.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn missing_parts_are_reported() {
    let lines = [event("Mei", "success")];
    let (dir, mut manifest) = export(&[("acme", &lines), ("beta", &[])]);
    assert!(page(dir.path(), &manifest).contains("This export is complete"));
    let gap =
        json!({"from": "2026-11-02T01:00:00Z", "to": "2026-11-02T03:00:00Z", "why": "503 <b>"});
    manifest.sources[1].facts.gaps.push(serde_json::from_value(gap).unwrap());
    let contradicting = page(dir.path(), &manifest);
    manifest.complete = false;
    let incomplete = page(dir.path(), &manifest);
    for (page, contradicts) in [(contradicting, true), (incomplete, false)] {
        assert!(page.contains("This export is incomplete"));
        assert!(page.contains("1 of 2 sources could not be read"));
        assert!(page.contains("2 hours") && page.contains("503 &lt;b&gt;"));
        assert_eq!(page.contains("contradicts itself"), contradicts);
    }
    manifest.asked.sources.push("gamma".to_owned());
    assert!(
        page(dir.path(), &manifest)
            .contains("<b>gamma</b> was asked for, and nothing is known of it")
    );
}

#[test]
fn only_a_file_that_can_be_read_makes_a_page() {
    let lines = [event("Mei", "success"), event("Mei", "success")];
    let (dir, mut manifest) = export(&[("acme", &lines), ("beta", &[])]);
    // That of a source which was never read is not there.
    std::fs::remove_file(dir.path().join("events/beta.jsonl.zst")).unwrap();
    assert!(html(dir.path(), &manifest).is_err());
    manifest.sources[1].events.sha256.clear();
    assert!(html(dir.path(), &manifest).is_ok());
    let file = dir.path().join("events/acme.jsonl.zst");
    let packed = std::fs::read(&file).unwrap();
    std::fs::write(&file, &packed[..packed.len() - 5]).unwrap();
    assert!(html(dir.path(), &manifest).is_err());
}

#[test]
fn no_event_at_all() {
    let (dir, manifest) = export(&[("acme", &[])]);
    let page = page(dir.path(), &manifest);
    for text in [
        "No event was served at all",
        "No event has a time",
        "There is no event",
        "No event is recorded as a failure",
        "No login succeeded like this",
        "Nothing can be called new",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_manifest_that_makes_no_sense_makes_a_page() {
    let (dir, mut manifest) = export(&[("acme", &[event("Mei", "success")])]);
    manifest.asked.until = manifest.asked.since - chrono::TimeDelta::days(3);
    manifest.sources[0].counts.served = u64::MAX;
    manifest.sources[0].counts.repeats = u64::MAX;
    manifest.sources[0].waited_ms = u64::MAX;
    if let Some(clock) = &mut manifest.clock {
        clock.skew_ms = i64::MIN;
    }
    let page = page(dir.path(), &manifest);
    assert!(page.contains("These numbers do not add up"));
    assert!(page.contains("Not shown: 1 event outside of the window"));
}

#[test]
fn inexact_counts_are_reported() {
    let often = (0..50).map(|_| event("often", "success"));
    let once = (0..10_500).map(|at| event(&format!("actor {at}"), "success"));
    let lines = once.chain(often).collect::<Vec<_>>();
    let (dir, manifest) = export(&[("acme", &lines)]);
    let page = page(dir.path(), &manifest);
    assert!(page.contains("There are more than 10,000 different actors"));
    // Each count is too low by what was taken from all to make room.
    assert!(page.contains("<bdi>often</bdi>"));
    assert!(!page.contains("10,501 other actors"));
    let rare =
        "There are more than 10,000 different actors, too many to say which of them are rare.";
    assert!(page.contains(rare));
    let spread = (0..10_500).map(|at| {
        event_at(at / 8, "page_viewed", &json!({"client": {"ip": format!("2001:db8::{at:x}")}}))
    });
    let (dir, manifest) = export(&[("acme", &spread.collect::<Vec<_>>())]);
    let new = section(&html(dir.path(), &manifest).unwrap(), "new");
    assert!(new.contains("10,000 different addresses, too many to say which of them are new."));
    assert!(!new.contains("2001:db8"));
}

/// An event of minute `minute` of the window.
fn event_at(minute: usize, action: &str, of: &Value) -> String {
    let mut event = json!({
        "schema": "atlaudit/1", "action": action, "category": "content", "outcome": "success",
        "time": format!("2026-11-02T{:02}:{:02}:00Z", minute / 60, minute % 60),
        "actor": {"type": "user", "id": "712020:1", "name": "Mei Tanaka"},
        "client": {"ip": "192.0.2.1", "country": "Austria", "country_code": "AT"},
    });
    for (key, value) in of.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string()
}

/// A section of a page, without its tags.
fn section(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("<section id=\"{id}\">")).unwrap();
    let (section, _) = rest.split_once("</section>").unwrap();
    let texts = section.split('<').filter_map(|part| part.split_once('>'));
    let texts = texts.map(|(_, text)| text.trim()).filter(|text| !text.is_empty());
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn an_intrusion_is_seen() {
    let mut lines: Vec<_> =
        (0..990).map(|minute| event_at(minute, "page_viewed", &json!({}))).collect();
    let iceland = json!({"ip": "192.0.2.177", "country": "Iceland", "country_code": "IS"});
    let henk = json!({"type": "user", "id": "712020:2", "name": "Henk Dijkstra"});
    let by_henk = |minute, action, category, outcome, more: Value| {
        let mut of = json!({"category": category, "outcome": outcome, "actor": henk,
            "client": iceland});
        for (key, value) in more.as_object().unwrap() {
            of[key] = value.clone();
        }
        event_at(minute, action, &of)
    };
    let guess =
        |minute, outcome| by_henk(minute, "user_login", "authentication", outcome, json!({}));
    // Lines are in the order of processing, which is not quite that of time.
    lines.push(guess(1_005, "success"));
    lines.extend((1_000..1_005).rev().map(|minute| guess(minute, "failure")));
    let token = json!({"actor": {"type": "user", "id": "712020:2", "name": "Henk Dijkstra",
        "auth": {"type": "api-token", "token_id": "t9", "token_label": "backup"}}});
    for (minute, action, category, more) in [
        (1_010, "user_logged_in_as_user", "authentication", json!({})),
        (1_011, "ts_api_token_creation", "token", json!({})),
        (1_012, "export_audit_log", "data_export", token),
        (1_013, "app_installed", "app", json!({"targets": [{"type": "app", "name": "Bot"}]})),
    ] {
        lines.push(by_henk(minute, action, category, "success", more));
    }
    let (dir, manifest) = export(&[("acme", &lines)]);
    let page = page(dir.path(), &manifest);
    let logins = section(&page, "logins");
    let found = "Henk Dijkstra 712020:2 5 5 2026-11-02 16:40:00 2026-11-02 16:45:00 192.0.2.177 \
                 Iceland";
    assert!(logins.ends_with(found), "{logins}");
    let new = section(&page, "new");
    for text in [
        ": before 2 November 2026, 01:45 UTC.",
        "Countries Country Events First (UTC) First action By Iceland 10 2026-11-02 16:40:00",
        "Administrators Administrator Events First (UTC) First action Henk Dijkstra 712020:2 4 \
         2026-11-02 16:50:00 user_ logged_ in_ as_ user",
        "backup t9 1 2026-11-02 16:52:00",
        "Bot 1 2026-11-02 16:53:00",
        "192.0.2.177 10 2026-11-02 16:40:00",
    ] {
        assert!(new.contains(text), "{text}: {new}");
    }
    let changes = section(&page, "changes");
    assert!(changes.contains("Impersonation 1 Tokens 1 Data exports 1 Apps 1"), "{changes}");
    let (_, sensitive) = changes.split_once("Impersonation, tokens and data exports").unwrap();
    assert!(sensitive.contains("All 3 events, the oldest first."), "{changes}");
    let rare = section(&page, "rare");
    for text in [
        "Henk Dijkstra 712020:2 10 5 2026-11-02 16:40:00",
        "Countries Country Events Failed First (UTC) Last (UTC) Iceland 10 5 2026-11-02 16:40:00",
        "export_audit_log 1 – 2026-11-02 16:52:00",
    ] {
        assert!(rare.contains(text), "{text}: {rare}");
    }
    assert!(!rare.contains("page_viewed") && !rare.contains("Austria"), "{rare}");
}

#[test]
fn the_last_events_are_shown_as_well_as_the_first() {
    let lines: Vec<_> = (0..2_500)
        .map(|at| event_at(at / 2, &format!("action_{at}"), &json!({"category": "token"})))
        .collect();
    let (dir, manifest) = export(&[("acme", &lines)]);
    let page = page(dir.path(), &manifest);
    let events = section(&page, "events");
    assert!(events.starts_with("Events The first 1,000 and the last 1,000 of 2,500 events"));
    assert!(events.contains("500 events between these are in the files under events/ ."));
    let changes = section(&page, "changes");
    for at in [0, 999, 1_000, 1_499, 1_500, 2_499] {
        let is_shown = events.contains(&format!(" action_ {at} "));
        assert_eq!(is_shown, !(1_000..1_500).contains(&at), "{at}");
    }
    assert!(changes.contains("The first 100 and the last 100 of 2,500 events"));
    assert!(changes.contains(" action_ 2400 ") && !changes.contains(" action_ 2399 "));
}

#[test]
fn each_of_several_sources_has_a_picture() {
    let lines: Vec<_> = (0..300).map(|minute| event_at(minute, "a", &json!({}))).collect();
    let failed = event_at(0, "b", &json!({"outcome": "failure"}));
    let (dir, mut manifest) = export(&[("acme", &lines), ("beta", &[failed])]);
    let gap = json!({"from": "2026-11-02T01:00:00Z", "to": "2026-11-02T03:00:00Z", "why": "503"});
    manifest.sources[1].facts.gaps.push(serde_json::from_value(gap).unwrap());
    let several = page(dir.path(), &manifest);
    let time = section(&several, "time");
    assert!(time.contains("acme 300 events, at most 15 in a bar (from 2026-11-02 00:00 UTC)"));
    assert!(time.contains("beta 1 event, 1 failed, at most 1 in a bar"), "{time}");
    assert_eq!(several.matches("class=\"spark\"").count(), 2);
    assert_eq!(several.matches("class=\"gap\" x=\"4.00\" width=\"8.00\"").count(), 1);
    let new = section(&several, "new");
    assert!(new.contains("acme until 2026-11-02 01:45"), "{new}");
    assert!(new.contains("What was first seen in beta is not called new"), "{new}");
    let (dir, manifest) = export(&[("acme", &lines)]);
    assert!(!page(dir.path(), &manifest).contains("By source"));
}

/// The tags of a page, by their names, without those that stand for a hidden character.
fn tags(page: &str) -> Vec<&str> {
    let page = page.split_once("<body>").unwrap().1;
    let tags = page.split('<').skip(1).map(|rest| rest.split(['>', ' ', '\n']).next().unwrap());
    tags.filter(|tag| !matches!(*tag, "span" | "/span" | "small" | "/small")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_a_text_holds_changes_no_tag(
        text in "([<>&\"'/=!\\-]|script|style|title|svg|--|\\PC|\u{202e}|\\n){1,30}",
    ) {
        let of = |text: &str| {
            let lines = [event(text, "failure"), event(text, "success")];
            let (dir, mut manifest) = export(&[("acme", &lines)]);
            manifest.made_by.command.push(text.to_owned());
            manifest.made_by.host = Some(text.to_owned());
            manifest.sources[0].facts.error = Some(text.to_owned());
            manifest.sources[0].facts.complete = false;
            manifest.sources[0].retries[0].error = text.to_owned();
            manifest.runs[0].ended = text.to_owned();
            page(dir.path(), &manifest)
        };
        prop_assume!(!text.trim().is_empty());
        let (page, plain) = (of(&text), of("x"));
        prop_assert_eq!(tags(&page), tags(&plain));
        // Nothing from outside reaches the page without being made visible.
        let is_hidden = page.contains('\u{202e}');
        prop_assert!(!is_hidden);
    }
}

#[test]
fn arguments_are_as_they_can_be_typed() {
    let arguments = ["export", "acme", "--output", "a b", "it's", ""];
    let text: String = arguments.map(shell_argument).concat();
    assert_eq!(text, r" export acme --output 'a b' 'it'\''s' ''");
}
