//! `detect`: alerts of saved events, why they came, and what is no alert.

use std::collections::BTreeSet;
use std::fs;

use atlaudit::sandbox::{Behaviour, DataOptions, SandboxOptions};
use serde_json::{Value, json};

use crate::support::{Run, Site};

/// The address of the incident in the sandbox's organization.
const INTRUDER: &str = "192.0.2.177";

/// The sandbox's whole history of 30 days, all sources, in a file for each.
pub fn history(seed: u64) -> Site {
    // What is drawn depends on the days of the week.
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let data = DataOptions { seed, now, ..DataOptions::default() };
    let options = SandboxOptions { port: 0, data, behaviour: Behaviour::default() };
    let site = Site::new(options).with_all_sources().with_workspaces();
    let range = ["--since", "2026-10-01", "--until", "2026-11-20T12:00:00Z"];
    site.ok(&[&["pull", "--output", "saved/{source}.jsonl"], &range[..]].concat());
    site
}

/// A login, or another act of a session.
pub fn event(id: &str, time: &str, more: Value) -> String {
    let mut event = json!({
        "schema": "atlaudit/1", "id": id, "time": time, "action": "user_login",
        "source": {"name": "acme", "type": "org-events"}, "category": "authentication",
        "observed_time": "2026-11-21T00:00:00.000Z", "outcome": "success", "raw": {},
        "actor": {"type": "user", "id": "u1", "name": "Mei Tanaka", "auth": {"type": "session"}},
        "client": {"ip": "203.0.113.80", "country": "Germany", "country_code": "DE"},
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string() + "\n"
}

/// A site that serves nothing, with `events.jsonl`.
fn with(events: &[String]) -> Site {
    let site = Site::of(0, 0);
    fs::write(site.path("events.jsonl"), events.concat()).unwrap();
    site
}

/// Twelve failed logins within two minutes, then one that succeeds.
fn guessed_password() -> Vec<String> {
    let failure = |second: u32| {
        let time = format!("2026-11-20T09:{:02}:{:02}Z", second / 60, second % 60);
        event(&format!("org:f{second}"), &time, json!({"outcome": "failure"}))
    };
    let mut events: Vec<String> = (0..120).step_by(10).map(failure).collect();
    events.push(event("org:in", "2026-11-20T09:05:00Z", json!({})));
    events
}

fn rules(alerts: &Run) -> Vec<String> {
    let rule = |alert: &Value| alert["rule"]["id"].as_str().unwrap().to_owned();
    alerts.trees().iter().map(rule).collect()
}

#[test]
fn every_step_of_the_incident_is_in_an_alert() {
    let site = history(1);
    let alerts = site.ok(&["detect", "--min-severity", "medium", "saved"]);
    let proved: BTreeSet<String> = alerts
        .trees()
        .iter()
        .flat_map(|alert| alert["evidence"].as_array().unwrap().clone())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    let steps = site.ok(&["search", "--ip", INTRUDER, "saved"]);
    assert_eq!(steps.lines().len(), 19);
    for step in steps.trees() {
        let id = step["id"].as_str().unwrap();
        assert!(proved.contains(id), "{} {id} is in no alert", step["action"]);
    }
}

#[test]
fn a_history_without_the_incident_is_quiet() {
    let mut reported = Vec::new();
    for seed in 1..=3 {
        let site = history(seed);
        let args = ["detect", "saved", "--not-ip", INTRUDER, "--min-severity", "medium"];
        reported.extend(site.ok(&args).trees().into_iter().map(|alert| (seed, alert)));
    }
    assert!(reported.is_empty(), "{reported:#?}");
}

#[test]
fn the_same_events_give_the_same_alerts_in_whatever_files_and_order() {
    let mut events = guessed_password();
    let site = with(&events);
    let wanted = site.ok(&["detect", "--no-learning", "events.jsonl"]).text();
    assert_eq!(wanted.lines().count(), 2, "{wanted}");
    fastrand::Rng::with_seed(7).shuffle(&mut events);
    fs::create_dir(site.path("parts")).unwrap();
    for (at, part) in events.chunks(4).enumerate() {
        // Each event twice: one that was read twice counts once.
        let text = [part, part].concat().concat();
        fs::write(site.path(&format!("parts/{at}.jsonl")), text).unwrap();
    }
    let found = site.ok(&["detect", "--no-learning", "parts"]).text();
    assert!(found == wanted, "{found}");
}

#[test]
fn copies_of_an_event_that_differ_give_the_same_alerts_in_any_order() {
    let mut events = guessed_password();
    events.push(event("org:in", "2026-11-20T09:05:00Z", json!({"actor": {"id": "u1"}})));
    let site = with(&events);
    let forward = site.ok(&["detect", "--no-learning", "events.jsonl"]).text();
    events.reverse();
    fs::write(site.path("events.jsonl"), events.concat()).unwrap();
    let backward = site.ok(&["detect", "--no-learning", "events.jsonl"]).text();
    assert!(forward == backward && forward.lines().count() == 2, "{forward}{backward}");
}

#[test]
fn an_alert_says_who_did_what_why_and_what_would_have_kept_it_quiet() {
    let site = with(&guessed_password());
    let alerts = site.ok(&["detect", "--no-learning", "events.jsonl"]);
    assert_eq!(rules(&alerts), ["failed_logins", "success_after_failures"]);
    let alert = &alerts.trees()[1];
    assert_eq!(alert["schema"], "atlaudit-alert/1");
    assert_eq!(alert["severity"], "high");
    assert_eq!(alert["title"], "Mei Tanaka logged in after 12 logins had failed");
    assert_eq!(alert["actor"], json!({"id": "u1", "name": "Mei Tanaka"}));
    assert_eq!(alert["evidence"].as_array().unwrap().len(), 13);
    assert!(alert["why"][0]["sentence"].as_str().unwrap().contains("up to 30 minutes count"));
    assert!(!alert["silence"].as_array().unwrap().is_empty());
    let id = alert["id"].as_str().unwrap();
    for part in [id, &id[id.len() - 32..][..8]] {
        let explained = site.ok(&["detect", "--no-learning", "events.jsonl", "--explain", part]);
        let text = explained.text();
        assert!(text.starts_with(id) && text.contains("Why:\n- 12 logins of Mei Tanaka"), "{text}");
        assert_eq!(text.matches("org:f").count(), 12, "{text}");
    }
    let hidden = ["--min-severity", "critical", "--explain", id];
    site.ok(&[&["detect", "--no-learning", "events.jsonl"], &hidden[..]].concat());
    site.run(&["detect", "events.jsonl", "--explain", ""])
        .refused(2, &["`--explain <ID>` needs a value"]);
    let unknown = site.run(&["detect", "events.jsonl", "--explain", "nosuch"]);
    unknown.fails(2, &["no alert has this id"]);
}

#[test]
fn a_short_history_only_informs_unless_it_is_learned_or_not_wanted() {
    let site = with(&guessed_password());
    let severities = |args: &[&str]| {
        let run = site.ok(&[&["detect", "events.jsonl"], args].concat());
        let severity = |alert: &Value| (alert["severity"].clone(), alert["learning"].clone());
        (run.trees().iter().map(severity).collect::<Vec<_>>(), run.stderr)
    };
    let mut older = String::new();
    for day in 1..=19 {
        for hour in 8..10 {
            let time = format!("2026-11-{day:02}T{hour:02}:00:00Z");
            older += &event(&format!("org:{day}-{hour}"), &time, json!({}));
        }
    }
    fs::write(site.path("older.jsonl"), older).unwrap();
    let failures: (Value, Value) = (json!("medium"), Value::Null);
    assert_eq!(severities(&["--learn", "older.jsonl"]).0[0], failures);
    let (found, messages) = severities(&["--no-learning"]);
    assert_eq!(found[0], failures);
    assert!(!messages.contains("--learn"), "{messages}");
    let (_, messages) = severities(&[]);
    assert!(messages.contains("--learn FILE"), "{messages}");
}

#[test]
fn a_job_can_fail_on_alerts() {
    let site = with(&guessed_password());
    let args = ["detect", "--no-learning", "events.jsonl", "--fail-on"];
    let run = |severity| site.run(&[&args[..], &[severity]].concat());
    assert_eq!(run("high").code, 10);
    assert_eq!(run("medium").code, 10);
    assert_eq!(run("critical").code, 0);
    assert_eq!(rules(&run("high")).len(), 2, "the alerts are printed all the same");
    run("dangerous").fails(2, &["dangerous", "critical"]);
}

#[test]
fn exceptions_keep_alerts_back_and_are_counted() {
    let mut site = with(&guessed_password());
    site.set_detect(
        "[[detect.except]]\nrule = 'failed_*'\nactor = 'u?'\nreason = 'a test'\n\
         [[detect.except]]\nrule = '*'\naddress = '198.51.100.0/24'\nreason = 'elsewhere'\n\
         [[detect.except]]\nrule = 'success*'\nuntil = '2026-11-20'\nreason = 'over'\n",
    );
    let run = site.ok(&["detect", "--no-learning", "events.jsonl"]);
    assert_eq!(rules(&run), ["success_after_failures"]);
    assert!(run.stderr.contains("1 kept back by exceptions"), "{}", run.stderr);
    // People choose their names: an exception for somebody must not cover whoever takes theirs.
    site.set_detect("[[detect.except]]\nactor = '*tanaka*'\nreason = 'a test'\n");
    assert_eq!(rules(&site.ok(&["detect", "--no-learning", "events.jsonl"])).len(), 2);
    for (wrong, words) in [
        ("rule = 'x'", "`detect.except.reason` is missing"),
        ("rule = 'x'\nreason = ' '", "`detect.except.reason`: is empty"),
        ("reason = 'all'", "names a rule, an actor, an address or a country"),
        ("country = 'Iceland'\nreason = 'x'", "is no code of a country"),
    ] {
        site.set_detect(&format!("[[detect.except]]\n{wrong}\n"));
        let run = site.run(&["detect", "events.jsonl"]);
        assert_eq!(run.code, 6, "{wrong}");
        assert!(run.stderr.contains(words), "{wrong}: {}", run.stderr);
    }
}

#[test]
fn numbers_and_lists_are_those_of_the_configuration() {
    let mut site = with(&guessed_password());
    site.set_detect(
        "[[detect.lists]]\ntag = 'suspicious'\nname = 'feed'\nranges = ['203.0.113.0/24']\n\
         [detect.thresholds]\nfailed_logins = 20\n",
    );
    let run = site.ok(&["detect", "--no-learning", "events.jsonl"]);
    assert_eq!(rules(&run), ["listed_address"]);
    let alert = &run.trees()[0];
    assert!(alert["why"][0]["sentence"].as_str().unwrap().contains("the list `feed`"), "{alert}");
    for (wrong, words) in [
        ("[detect.thresholds]\nfailed_login = 1\n", "did you mean `failed_logins`?"),
        ("[detect.thresholds]\nfailed_logins = 0\n", "a number is 0"),
        ("[[detect.lists]]\nranges = ['203.0.113.0/24']\n", "`detect.lists.tag` is missing"),
        ("[[detect.lists]]\ntag = 'bad'\npath = 'x'\n", "is no tag of addresses"),
        ("[[detect.lists]]\ntag = 'trusted'\npath = 'no-such-file'\n", "no-such-file"),
        ("[detect]\ngeoip = 'no-such.mmdb'\n", "no-such.mmdb"),
    ] {
        site.set_detect(wrong);
        let run = site.run(&["detect", "events.jsonl"]);
        assert_eq!(run.code, 6, "{wrong}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{wrong}: {}", run.stderr);
    }
}

#[test]
fn the_table_and_the_schemas_of_siems_have_the_same_alerts() {
    let site = with(&guessed_password());
    let args = ["detect", "--no-learning", "events.jsonl", "--format"];
    let shown = |format| site.ok(&[&args[..], &[format]].concat());
    let table = shown("table").text();
    let titles = "TIME (UTC)           SEVERITY  ID        ALERT\n2026-11-20 09:01:30  medium";
    assert!(table.starts_with(titles), "{table}");
    let alerts = shown("alerts").trees();
    for (alert, ecs) in alerts.iter().zip(shown("ecs").trees()) {
        assert_eq!(ecs["event"]["kind"], "alert");
        assert_eq!(ecs["event"]["id"], alert["id"]);
        assert_eq!(ecs["threat"]["technique"]["id"], alert["rule"]["attack"]);
    }
    for (alert, finding) in alerts.iter().zip(shown("ocsf").trees()) {
        assert_eq!(finding["class_uid"], 2004);
        assert_eq!(finding["finding_info"]["uid"], alert["id"]);
    }
}

#[test]
fn coverage_says_what_can_be_found_and_what_cannot() {
    let site = with(&guessed_password());
    let text = site.ok(&["detect", "events.jsonl", "--coverage"]).text();
    let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert!(row("Many failed logins").starts_with("can "), "{text}");
    assert!(row("Many failed logins").contains("12 events are failed logins"), "{text}");
    assert!(row("Far more content read").starts_with("cannot"), "{text}");
    assert!(row("listed address").contains("no list of addresses"), "{text}");
    let messages = site.ok(&["detect", "events.jsonl", "--coverage"]).stderr;
    assert!(!messages.contains("alert"), "nothing was judged: {messages}");
}

#[test]
fn what_cannot_be_judged_is_said() {
    let mut events = guessed_password();
    events.push("not json\n".to_owned());
    events.push(event("org:no-time", "soon", json!({})));
    let site = with(&events);
    let run = site.run(&["detect", "--no-learning", "events.jsonl"]);
    run.fails(3, &["1 event has no time", "not JSON"]);
    assert_eq!(rules(&run).len(), 2, "the rest is judged");
    let looking = site.run(&["detect", "--no-learning", "events.jsonl", "--fail-on", "high"]);
    assert_eq!(looking.code, 10, "the alert matters more than the line");
}

#[test]
fn a_source_is_judged_as_it_is_now() {
    let site = Site::of(150, 0);
    let run = site.ok(&["detect", "--source", "acme", "--since", "60d", "--no-learning"]);
    assert!(rules(&run).contains(&"success_after_failures".to_owned()), "{}", run.text());
    assert!(!site.state().join("acme.json").exists(), "a checkpoint");
}

#[test]
fn a_silence_of_a_source_is_told_when_it_ends() {
    let hourly = (0..72).map(|hour| {
        let time = format!("2026-11-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
        event(&format!("org:h{hour}"), &time, json!({}))
    });
    let mut events: Vec<String> = hourly.collect();
    // Seven hours are seven times the usual gap.
    events.push(event("org:usual", "2026-11-04T06:00:00Z", json!({})));
    events.push(event("org:late", "2026-11-04T14:00:00Z", json!({})));
    let other = json!({"source": {"name": "other", "type": "jira-audit"}});
    events.push(event("jira:x:1", "2026-11-04T10:00:00Z", other));
    let site = with(&events);
    let run = site.ok(&["detect", "--no-learning", "events.jsonl"]);
    assert_eq!(rules(&run), ["source_silence"]);
    let alert = &run.trees()[0];
    assert_eq!(alert["evidence"], json!(["org:usual", "org:late"]));
    assert_eq!(alert["title"], "No event of `acme` came for 8 hours");
}

#[test]
fn the_end_of_our_own_key_is_told() {
    let act = |id: &str, action: &str, key: &str| {
        let target = json!([{"type": "api_key", "id": "k1", "name": key}]);
        let more = json!({"action": action, "category": "token", "targets": target});
        event(id, "2026-11-20T09:00:00Z", more)
    };
    let mut site = with(&[
        act("org:1", "api_token_created", "audit collector"),
        act("org:2", "api_token_revoked", "another"),
        act("org:3", "api_token_revoked", "audit collector"),
    ]);
    let own = |run: &Run| rules(run).iter().filter(|rule| *rule == "own_key").count();
    let args = ["detect", "--no-learning", "events.jsonl"];
    assert_eq!(own(&site.ok(&args)), 0);
    site.set("acme", "key_name", "audit collector");
    let run = site.ok(&args);
    assert_eq!(own(&run), 1);
    let alerts = run.trees();
    let alert = alerts.iter().find(|alert| alert["rule"]["id"] == "own_key").unwrap();
    assert_eq!((&alert["severity"], &alert["evidence"]), (&json!("high"), &json!(["org:3"])));
}
