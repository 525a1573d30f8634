//! What somebody does who knows how detection works: floods that push others out of its memory,
//! lists that are too long, times that are wrong.

use serde_json::{Value, json};

use super::places::AddressLists;
use super::sigma::RuleSet;
use super::{DetectionAlert, DetectionSetup, DetectionState};
use crate::config::detection::{
    AddressListSettings, AddressTag, AlertException, DetectionThresholds,
};
use crate::filter::ValuePattern;
use crate::model::json::Document;
use crate::model::time::{Timestamp, from_epoch};

/// Judges from the first event on.
fn setup() -> DetectionSetup {
    let limits = DetectionThresholds { learning_days: 0, learning_events: 0, ..Default::default() };
    DetectionSetup::for_tests(limits, AddressLists::load(&[]).unwrap())
}

/// A rule on the action `name`, and one that counts it in groups by `field`.
fn counting(name: &str, field: &str, condition: &str) -> String {
    let kind = if condition.contains("field") { "value_count" } else { "event_count" };
    format!(
        "title: {name}\nname: {name}\nlogsource: {{product: atlassian}}\n\
         detection: {{s: {{action: {name}}}, condition: s}}\n---\n\
         title: many {name}\nname: many {name}\ncorrelation:\n  type: {kind}\n  \
         rules: [{name}]\n  group-by: [{field}]\n  timespan: 1h\n  condition: {condition}\n---\n"
    )
}

fn time(second: i64) -> Timestamp {
    from_epoch(1_700_000_000 + second, 0).unwrap()
}

/// An event of a person in a session at `second`, with an id of its own.
fn event(second: i64, number: usize, more: Value) -> Value {
    let mut event = json!({
        "id": format!("e{number}"), "time": time(second), "action": "page_updated",
        "source": {"name": "acme", "type": "org-events"}, "outcome": "success",
        "actor": {"type": "user", "id": "u1", "auth": {"type": "session"}},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn login(second: i64, number: usize, user: &str, outcome: &str) -> Value {
    event(
        second,
        number,
        json!({"action": "user_login", "category": "authentication", "outcome": outcome,
            "actor": {"type": "user", "id": user}, "client": {"ip": "192.0.2.9"}}),
    )
}

fn judge(state: &mut DetectionState, setup: &DetectionSetup, event: &Value) -> Vec<DetectionAlert> {
    let document = Document::new(event.to_string().into());
    let event = setup.event(&document).unwrap();
    state.judge(setup, &event).into_iter().map(|judged| judged.alert).collect()
}

/// The alerts of all events, each as its rule and the ids of the events.
fn alerts(setup: &DetectionSetup, events: impl IntoIterator<Item = Value>) -> Vec<DetectionAlert> {
    let mut state = DetectionState::default();
    events.into_iter().flat_map(|event| judge(&mut state, setup, &event)).collect()
}

fn of_rule<'a>(alerts: &'a [DetectionAlert], rule: &str) -> Vec<&'a DetectionAlert> {
    alerts.iter().filter(|alert| alert.rule.id == rule).collect()
}

#[test]
fn a_flood_of_one_rule_leaves_the_windows_of_another() {
    let mut setup = setup();
    let text = counting("a", "actor.id", "{gte: 3}") + &counting("b", "client.ip", "{gte: 30}");
    setup.rules = RuleSet::of_text(&text).unwrap();
    let mut events: Vec<_> = (0..2).map(|n| event(n, n as usize, json!({"action": "a"}))).collect();
    events.extend((0..21_000).map(|n: usize| {
        let address = format!("10.{}.{}.{}", n / 65_536, n / 256 % 256, n % 256);
        let flood = json!({"action": "b", "client": {"ip": address}});
        event(2 + n as i64 / 100, 10 + n, flood)
    }));
    events.push(event(300, 2, json!({"action": "a"})));
    assert_eq!(of_rule(&alerts(&setup, events), "many a").len(), 1);
}

#[test]
fn made_up_users_whose_logins_fail_push_nobody_out() {
    let mut setup = setup();
    setup.settings.max_users = 100;
    let at = |second, number, country: &str| {
        event(second, number, json!({"client": {"ip": "192.0.2.1", "country_code": country}}))
    };
    let mut events = vec![at(0, 0, "DE")];
    events.extend((0..1000).map(|n| login(60 + n as i64, 10 + n, &format!("no{n}"), "failure")));
    events.push(at(7200, 1, "JP"));
    assert_eq!(of_rule(&alerts(&setup, events), "new_country").len(), 1);
}

#[test]
fn failures_of_somebody_who_acted_outlast_those_of_made_up_users() {
    let mut setup = setup();
    setup.settings.max_users = 100;
    let mut events = vec![event(0, 0, json!({}))];
    events.extend((1..10).map(|n| login(60, n, "u1", "failure")));
    events.extend((10..1000).map(|n| login(61, n, &format!("no{n}"), "failure")));
    events.push(login(62, 1000, "u1", "failure"));
    assert_eq!(of_rule(&alerts(&setup, events), "failed_logins").len(), 1);
}

#[test]
fn whose_access_was_taken_away_is_not_forgotten_for_those_who_act() {
    let mut setup = setup();
    setup.settings.max_users = 100;
    let suspension = json!({"action": "user_suspended", "actor": {"type": "user", "id": "admin"},
        "targets": [{"type": "user", "id": "gone"}]});
    let mut events = vec![event(0, 0, suspension)];
    let acting = |n: usize, id: String| event(60, n, json!({"actor": {"type": "user", "id": id}}));
    events.extend((1..1000).map(|n| acting(n, format!("u{n}"))));
    events.push(acting(1000, "gone".to_owned()));
    assert_eq!(of_rule(&alerts(&setup, events), "disabled_account").len(), 1);
}

#[test]
fn each_user_who_succeeds_after_a_spray_is_named_once() {
    let failures = (0..5).map(|n| login(n as i64, n, &format!("u{n}"), "failure"));
    let successes = [(60, "u0"), (61, "u3"), (62, "u0"), (63, "u4"), (64, "u3")];
    let succeed = successes.iter().enumerate();
    let succeed = succeed.map(|(n, (second, user))| login(*second, 10 + n, user, "success"));
    let found = alerts(&setup(), failures.chain(succeed));
    let users: Vec<_> = of_rule(&found, "success_after_failures")
        .iter()
        .map(|alert| alert.actor.as_ref().unwrap().id().to_owned())
        .collect();
    assert_eq!(users, ["u0", "u3", "u4"]);
}

#[test]
fn everyone_whom_a_suspension_names_is_marked() {
    let mut targets = vec![json!({"type": "organization", "id": "o"})];
    targets.extend((0..1200).map(|n| json!({"type": "user", "id": format!("t{n}")})));
    let suspension = json!({"action": "user_suspended", "targets": targets});
    let acting = |n: usize, id: &str| event(60, n, json!({"actor": {"type": "user", "id": id}}));
    let setup = setup();
    let mut state = DetectionState::default();
    judge(&mut state, &setup, &event(0, 0, suspension));
    for (n, id) in ["t0", "t1", "t25", "t999"].into_iter().enumerate() {
        let found = judge(&mut state, &setup, &acting(n + 1, id));
        assert_eq!(of_rule(&found, "disabled_account").len(), 1, "{id}");
    }
    assert_eq!(state.forgotten(), 200, "what is beyond the bound is counted");
}

#[test]
fn a_long_list_joins_all_its_groups() {
    let mut setup = setup();
    setup.rules = RuleSet::of_text(&counting("a", "targets.id", "{gte: 2}")).unwrap();
    let with = |n: usize, count: usize| {
        let targets: Vec<_> = (0..count).map(|n| json!({"id": format!("t{n}")})).collect();
        event(n as i64, n, json!({"action": "a", "targets": targets}))
    };
    assert_eq!(of_rule(&alerts(&setup, [with(0, 300), with(1, 300)]), "many a").len(), 300);
    let mut state = DetectionState::default();
    judge(&mut state, &setup, &with(0, 1200));
    assert_eq!(state.uncorrelated(), 200, "what is beyond the bound is counted");
}

#[test]
fn one_address_is_one_group_however_it_is_written() {
    let mut setup = setup();
    setup.rules = RuleSet::of_text(&counting("a", "client.ip", "{gte: 2}")).unwrap();
    for [first, second] in
        [["192.0.2.7", "::ffff:192.0.2.7"], ["2001:db8::a", "2001:DB8:0:0:0:0:0:A"]]
    {
        let from = |n: usize, ip| event(n as i64, n, json!({"action": "a", "client": {"ip": ip}}));
        let found = alerts(&setup, [from(0, first), from(1, second)]);
        assert_eq!(of_rule(&found, "many a").len(), 1, "{first} {second}");
    }
}

#[test]
fn one_act_of_long_ago_ends_no_learning() {
    let limits = DetectionThresholds::default();
    let setup = DetectionSetup::for_tests(limits, AddressLists::load(&[]).unwrap());
    let mut state = DetectionState::default();
    let mut at = |days: i64, number: usize| {
        judge(&mut state, &setup, &event(days * 86_400 + number as i64, number, json!({})));
        state.is_learning(&setup.settings)
    };
    assert!(at(-19_000, 0));
    assert!((1..=30).all(|number| at(0, number)), "two days are not seven");
    assert!((1..6).all(|day| at(day, 30 + day as usize)));
    assert!(!at(7, 40));
}

#[test]
fn a_burst_names_the_acts_of_its_hour() {
    let act = |n: usize, second| event(second, n, json!({"category": "permission"}));
    let found = alerts(&setup(), (0..6).map(|n| act(n, n as i64)));
    let burst = of_rule(&found, "administration_burst");
    assert_eq!(burst[0].evidence, ["e0", "e1", "e2", "e3", "e4", "e5"]);
}

#[test]
fn failures_of_nobody_in_particular_are_not_those_of_somebody_called_anonymous() {
    let failure = |n: usize| {
        let mut event = login(n as i64, n, "x", "failure");
        event["actor"] = json!({"type": "anonymous", "name": "Anonymous"});
        event
    };
    let found = alerts(&setup(), (0..10).map(failure));
    let titles: Vec<_> = found.iter().map(|alert| alert.title.as_str()).collect();
    assert_eq!(titles, ["10 logins of unknown users failed within 10 minutes"]);
}

#[test]
fn an_exception_for_a_rule_that_is_none_is_warned_of() {
    let mut setup = setup();
    setup.rules = RuleSet::of_text(&counting("a", "actor.id", "{gte: 3}")).unwrap();
    let exception = |rule: &str| AlertException {
        rule: Some(ValuePattern::whole(rule)),
        actor: None,
        address: None,
        country: None,
        until: None,
        reason: format!("about {rule}"),
    };
    // What a correlation counts is no alert.
    let rules = ["impossible_travel", "Many A", "failed*", "a", "imposible_travel"];
    setup.settings.exceptions = rules.map(exception).into();
    let warnings = setup.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("`about a`") && warnings[1].contains("`about imposible_travel`"));
}

#[test]
fn what_an_exception_keeps_back_hides_nothing_from_elsewhere() {
    let mut setup = setup();
    setup.settings.exceptions = vec![AlertException {
        rule: None,
        actor: None,
        address: Some("192.0.2.9".parse().unwrap()),
        country: None,
        until: None,
        reason: "a scanner".to_owned(),
    }];
    let suspension = json!({"action": "user_suspended", "targets": [{"type": "user", "id": "u1"}],
        "actor": {"type": "user", "id": "admin"}});
    let mut events = vec![event(0, 0, suspension)];
    events.extend((1..13).map(|n| login(n as i64, n, "u1", "failure")));
    events.push(login(20, 13, "u1", "failure"));
    events.push(login(30, 14, "u1", "success"));
    events.push(login(40, 15, "u1", "success"));
    for event in [13, 15] {
        events[event]["client"] = json!({"ip": "198.51.100.1"});
    }
    let mut state = DetectionState::default();
    let mut found = Vec::new();
    for event in &events {
        let document = Document::new(event.to_string().into());
        let event = setup.event(&document).unwrap();
        found.extend(state.judge(&setup, &event));
    }
    let named = found.iter().map(|judged| (judged.alert.rule.id.as_str(), judged.is_excepted));
    let named: Vec<_> = named.collect();
    let wanted = [
        ("failed_logins", true),
        ("failed_logins", false),
        ("success_after_failures", true),
        ("disabled_account", true),
        ("success_after_failures", false),
        ("disabled_account", false),
    ];
    assert_eq!(named, wanted);
}

#[test]
fn an_exception_that_ends_hides_nothing_from_then_on() {
    let mut setup = setup();
    let list = AddressListSettings {
        name: "exits".to_owned(),
        tag: AddressTag::Anonymous,
        path: None,
        ranges: vec!["192.0.2.9".to_owned()],
    };
    setup.lists = AddressLists::load(&[list]).unwrap();
    setup.settings.exceptions = vec![AlertException {
        rule: Some(ValuePattern::whole("listed_address")),
        actor: None,
        address: None,
        country: None,
        until: Some(time(3 * 3600)),
        reason: "a test of the network".to_owned(),
    }];
    let mut state = DetectionState::default();
    let mut reported = Vec::new();
    for hour in 0..8 {
        let client = json!({"client": {"ip": "192.0.2.9"}});
        let event = event(hour * 3600, hour as usize, client);
        let document = Document::new(event.to_string().into());
        let judged = state.judge(&setup, &setup.event(&document).unwrap());
        reported.extend(judged.into_iter().map(|judged| (hour, judged.is_excepted)));
    }
    assert_eq!(reported, [(0, true), (2, true), (3, false)]);
}

#[test]
fn what_is_remembered_goes_through_postcard() {
    let mut setup = setup();
    let text = counting("a", "actor.id", "{gte: 3}")
        + &counting("user_login", "client.ip", "{gte: 5, field: actor.id}");
    setup.rules = RuleSet::of_text(&text).unwrap();
    let mut state = DetectionState::default();
    let place = json!({"ip": "192.0.2.1", "country_code": "DE", "city": "Berlin"});
    let suspended = json!([{"type": "user", "id": "u9"}]);
    let mut events = vec![
        event(0, 0, json!({"action": "a", "client": place})),
        event(1, 1, json!({"category": "permission"})),
        event(2, 2, json!({"action": "page_viewed", "category": "content"})),
        event(3, 3, json!({"action": "user_suspended", "targets": suspended.clone()})),
        event(4, 4, json!({"action": "user_logged_in_as_user", "targets": suspended})),
        event(100 * 86_400, 5, json!({"action": "a"})),
    ];
    events.extend(
        (6..18).map(|n| login(100 * 86_400 + n as i64, n, &format!("u{}", n % 6), "failure")),
    );
    events.push(login(100 * 86_400 + 20, 20, "u1", "success"));
    for event in &events {
        judge(&mut state, &setup, event);
    }
    let bytes = postcard::to_stdvec(&state).unwrap();
    let mut again: DetectionState = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(postcard::to_stdvec(&again).unwrap().len(), bytes.len());
    let next = login(100 * 86_400 + 21, 21, "u2", "success");
    assert_eq!(judge(&mut again, &setup, &next), judge(&mut state, &setup, &next));
}
