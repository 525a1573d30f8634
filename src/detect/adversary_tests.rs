//! What somebody does who knows how detection works: floods that push others out of its memory,
//! lists that are too long, times that are wrong.

use serde_json::{Value, json};

use super::places::AddressLists;
use super::sigma::RuleSet;
use super::{DetectionAlert, DetectionSetup, DetectionState, EventJudge};
use crate::config::detection::DetectionThresholds;
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

fn judge(judge: &mut EventJudge<'_>, setup: &DetectionSetup, event: &Value) -> Vec<DetectionAlert> {
    let event = setup.event(&Document::new(event.to_string().into())).unwrap();
    judge.judge(&event).into_iter().map(|judged| judged.alert).collect()
}

/// The alerts of all events, each as its rule and the ids of the events.
fn alerts(setup: &DetectionSetup, events: impl IntoIterator<Item = Value>) -> Vec<DetectionAlert> {
    let mut state = EventJudge::new(setup, DetectionState::default());
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
fn a_long_list_joins_all_its_groups() {
    let mut setup = setup();
    setup.rules = RuleSet::of_text(&counting("a", "targets.id", "{gte: 2}")).unwrap();
    let with = |n: usize, count: usize| {
        let targets: Vec<_> = (0..count).map(|n| json!({"id": format!("t{n}")})).collect();
        event(n as i64, n, json!({"action": "a", "targets": targets}))
    };
    assert_eq!(of_rule(&alerts(&setup, [with(0, 300), with(1, 300)]), "many a").len(), 300);
    let mut state = EventJudge::new(&setup, DetectionState::default());
    judge(&mut state, &setup, &with(0, 1200));
    assert_eq!(state.state().uncorrelated(), 200, "what is beyond the bound is counted");
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
fn what_is_remembered_goes_through_postcard() {
    let mut setup = setup();
    let text = counting("a", "actor.id", "{gte: 3}")
        + &counting("user_login", "client.ip", "{gte: 5, field: actor.id}");
    setup.rules = RuleSet::of_text(&text).unwrap();
    let mut state = EventJudge::new(&setup, DetectionState::default());
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
    let bytes = postcard::to_stdvec(state.state()).unwrap();
    let read: DetectionState = postcard::from_bytes(&bytes).unwrap();
    let mut again = EventJudge::new(&setup, read);
    assert_eq!(postcard::to_stdvec(again.state()).unwrap().len(), bytes.len());
    let next = login(100 * 86_400 + 21, 21, "u2", "success");
    assert_eq!(judge(&mut again, &setup, &next), judge(&mut state, &setup, &next));
}
