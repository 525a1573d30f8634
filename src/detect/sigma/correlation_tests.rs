use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::detect::sigma::RuleSet;
use crate::model::json::Document;
use crate::model::time::from_epoch;

/// Rules `a`, `b` and `c` on the action of that name, and one that counts.
fn rule_text(correlation: &str) -> String {
    let single = |name: &str| {
        format!(
            "title: {name}\nname: {name}\nlogsource: {{product: atlassian}}\n\
             detection: {{s: {{action: {name}}}, condition: s}}\n---\n"
        )
    };
    format!("{}{}{}{correlation}", single("a"), single("b"), single("c"))
}

fn counting(kind: &str, names: &str, condition: &str) -> String {
    format!(
        "title: counting\nname: counting\ncorrelation:\n  type: {kind}\n  rules: [{names}]\n  \
         group-by: [actor.id]\n  timespan: 3s\n{condition}"
    )
}

fn rules_of(correlation: &str) -> RuleSet {
    RuleSet::of_text(&rule_text(correlation)).unwrap()
}

/// An event: seconds, id, action, group and counted value.
type Sample = (i64, String, char, Option<char>, Option<char>);

fn sample(second: i64, id: &str, action: char) -> Sample {
    (second, id.to_owned(), action, Some('x'), None)
}

fn text(value: Option<char>) -> Value {
    value.map_or(Value::Null, |value| value.to_string().into())
}

fn time(second: i64) -> Timestamp {
    from_epoch(1_700_000_000 + second, 0).unwrap()
}

fn add(state: &mut CorrelationState, rules: &RuleSet, sample: &Sample) -> Vec<CorrelationFinding> {
    let (second, id, action, group, value) = sample;
    let event = json!({"source": {"type": "org-events"}, "action": action.to_string(),
        "actor": {"id": text(*group)}, "labels": {"v": text(*value)}});
    let document = Document::new(event.to_string().into());
    state.add(rules, time(*second), id, &rules.matches(document.root()))
}

/// The findings, each as its second, what was counted and the evidence.
fn reported(rules: &RuleSet, samples: &[Sample]) -> Vec<(i64, u64, String)> {
    let mut state = CorrelationState::default();
    let found = samples.iter().flat_map(|sample| add(&mut state, rules, sample));
    let shown = found.map(|finding| {
        let second = (finding.time - time(0)).num_seconds();
        (second, finding.count, finding.evidence.join(" "))
    });
    shown.collect()
}

fn shown(second: i64, count: u64, evidence: &str) -> (i64, u64, String) {
    (second, count, evidence.to_owned())
}

#[test]
fn an_episode_is_reported_once() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 2}"));
    let at = |second: i64| sample(second, &format!("e{second:02}"), 'a');
    let samples: Vec<_> = [0, 2, 4, 6, 20, 30, 33].map(at).into();
    let wanted = [shown(2, 2, "e00 e02"), shown(33, 2, "e30 e33")];
    assert_eq!(reported(&rules, &samples), wanted);
}

#[test]
fn a_late_event_of_another_day_completes_nothing() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 5}"));
    let mut samples: Vec<_> =
        (0..4).map(|n| sample(90_000 + n % 2, &format!("e{n}"), 'a')).collect();
    samples.push(sample(0, "late", 'a'));
    assert_eq!(reported(&rules, &samples), []);
    samples.push(sample(90_000, "e5", 'a'));
    assert_eq!(reported(&rules, &samples), [shown(90_001, 5, "e0 e2 e5 e1 e3")]);
}

#[test]
fn a_late_event_is_judged_in_each_window_that_it_is_in() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 3}"));
    let samples =
        [sample(0, "e0", 'a'), sample(3, "e3", 'a'), sample(20, "e9", 'a'), sample(1, "e1", 'a')];
    assert_eq!(reported(&rules, &samples), [shown(3, 3, "e0 e1 e3")]);
}

#[test]
fn an_event_without_the_group_joins_none() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 2}"));
    let samples = [(0, "1".to_owned(), 'a', None, None), (1, "2".to_owned(), 'a', None, None)];
    assert_eq!(reported(&rules, &samples), []);
}

#[test]
fn events_of_one_second_are_in_any_order() {
    let rules = rules_of(&counting("temporal_ordered", "a, b", ""));
    assert_eq!(reported(&rules, &[sample(5, "1", 'b'), sample(5, "2", 'a')]), [shown(5, 2, "1 2")]);
    assert_eq!(reported(&rules, &[sample(4, "1", 'b'), sample(5, "2", 'a')]), []);
}

#[test]
fn a_condition_in_words_names_rules() {
    let rules = rules_of(&counting("temporal", "a, b, c", "  condition: a and not b and c"));
    let samples =
        [sample(0, "1", 'b'), sample(1, "2", 'a'), sample(2, "3", 'c'), sample(4, "4", 'a')];
    assert_eq!(reported(&rules, &samples), [shown(4, 2, "2 3 4")]);
}

#[test]
fn correlations_count_correlations() {
    let chain = "name: outer\ntitle: outer\ncorrelation:\n  type: temporal_ordered\n  \
        rules: [counting, b]\n  group-by: [actor.id]\n  timespan: 10s\n---\n";
    let rules =
        rules_of(&format!("{chain}{}", counting("event_count", "a", "  condition: {gte: 2}")));
    let infos: Vec<_> = rules.rules().iter().map(|info| (info.id.as_str(), info.emits)).collect();
    let silent = [("a", false), ("b", false), ("c", true), ("counting", false), ("outer", true)];
    assert_eq!(infos, silent);
    let samples = [sample(0, "1", 'a'), sample(1, "2", 'a'), sample(8, "3", 'b')];
    assert_eq!(reported(&rules, &samples), [shown(8, 2, "1 2 3")]);
}

#[test]
fn an_alias_is_another_field_in_each_rule() {
    let text = counting("temporal", "a, b", "  aliases: {who: {a: actor.id, b: labels.v}}");
    let rules = rules_of(&text.replace("[actor.id]", "[who]"));
    let samples = [
        (0, "1".to_owned(), 'a', Some('x'), Some('y')),
        (1, "2".to_owned(), 'b', Some('y'), Some('x')),
    ];
    assert_eq!(reported(&rules, &samples), [shown(1, 2, "1 2")]);
}

#[test]
fn state_goes_through_postcard_and_leaves_changed_rules() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 2}"));
    let mut state = CorrelationState::default();
    assert!(add(&mut state, &rules, &sample(0, "1", 'a')).is_empty());
    let bytes = postcard::to_stdvec(&state).unwrap();
    let mut read: CorrelationState = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(add(&mut read, &rules, &sample(1, "2", 'a')).len(), 1);
    let changed = rules_of(&counting("event_count", "a", "  condition: {gte: 3}"));
    let mut read: CorrelationState = postcard::from_bytes(&bytes).unwrap();
    assert!(add(&mut read, &changed, &sample(1, "2", 'a')).is_empty());
    let weights: Vec<_> = read.windows.values().map(|windows| windows.weight).collect();
    assert_eq!(weights, [2]);
}

/// An event of rule `a`, put into a group.
fn put(
    state: &mut CorrelationState,
    rules: &RuleSet,
    (group, second, n): (&str, i64, usize),
    most: usize,
) -> usize {
    let event = WindowEvent {
        time: time(second),
        id: format!("{n:06}"),
        inputs: 1,
        values: Vec::new(),
        evidence: Vec::new(),
        fits: false,
        is_reported: false,
    };
    let event = GroupEvent { group: vec![group.to_owned()], event };
    state.insert(&rules.correlations()[0], event, most).len()
}

#[test]
fn groups_with_many_events_outlast_a_flood_of_others() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 4}"));
    let mut state = CorrelationState::default();
    for n in 0..3 {
        put(&mut state, &rules, ("one", 0, n), 200);
    }
    for n in 3..1003 {
        put(&mut state, &rules, (&format!("flood{n}"), 1, n), 200);
        let windows = state.windows.values().next().unwrap();
        assert!(windows.weight <= 200);
        let kept = windows.groups.iter().map(|(key, group)| key.len() + group.weight);
        assert_eq!(windows.weight, kept.sum::<usize>());
    }
    assert_eq!(put(&mut state, &rules, ("one", 2, 2000), 200), 1);
    let groups = state.windows.values().next().unwrap().groups.len();
    assert_eq!(state.forgotten() as usize, 1001 - groups);
}

#[test]
fn events_that_no_condition_needs_leave_before_groups_do() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 4}"));
    let mut state = CorrelationState::default();
    put(&mut state, &rules, ("quiet", 0, 0), 200);
    for n in 1..2000 {
        put(&mut state, &rules, (["p", "q", "r"][n % 3], 1, n), 200);
    }
    assert_eq!(
        (1..4).map(|n| put(&mut state, &rules, ("quiet", 2, 2000 + n), 200)).sum::<usize>(),
        1
    );
    assert_eq!(state.forgotten(), 0);
}

#[test]
fn what_no_window_has_any_more_leaves_first() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 4}"));
    let mut state = CorrelationState::default();
    for n in 0..1000 {
        put(&mut state, &rules, (&format!("g{}", n / 3), n as i64 / 3 * 4, n), 200);
    }
    assert_eq!(state.forgotten(), 0);
}

#[test]
fn an_event_of_the_future_makes_none_of_the_next_old() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 3}"));
    let mut samples = vec![sample(1_000_000_000, "far", 'a')];
    samples.extend((0..3).map(|n| sample(n, &format!("e{n}"), 'a')));
    assert_eq!(reported(&rules, &samples), [shown(2, 3, "e0 e1 e2")]);
    let mut state = CorrelationState::default();
    put(&mut state, &rules, ("far", 1_000_000_000, 0), 200);
    put(&mut state, &rules, ("one", 0, 1), 200);
    put(&mut state, &rules, ("one", 0, 2), 200);
    for n in 3..1000 {
        put(&mut state, &rules, (&format!("flood{n}"), 1, n), 200);
    }
    assert_eq!(put(&mut state, &rules, ("one", 2, 1000), 200), 1);
}

#[test]
fn values_of_a_long_window_are_counted_once() {
    let rules = rules_of(&counting("value_count", "a", "  condition: {gte: 3, field: labels.v}"));
    let mut state = CorrelationState::default();
    let mut found = 0;
    for n in 0..3000 {
        let value = if n < 2999 { ['1', '2'][n % 2] } else { '3' };
        let sample = (1 + n as i64 / 1000, format!("{n:06}"), 'a', Some('x'), Some(value));
        found += add(&mut state, &rules, &sample).len();
    }
    assert_eq!(found, 1);
}

/// What holds of a window, said plainly.
struct PlainTest {
    kind: &'static str,
    names: &'static str,
    condition: &'static str,
    holds: fn(&[&Sample]) -> Option<u64>,
    /// More events never make it false.
    is_lasting: bool,
}

fn when(is_met: bool, count: usize) -> Option<u64> {
    is_met.then_some(count as u64)
}

fn different<T: Ord>(items: impl Iterator<Item = T>) -> usize {
    items.collect::<BTreeSet<_>>().len()
}

fn has(window: &[&Sample], action: char) -> bool {
    window.iter().any(|sample| sample.2 == action)
}

const TESTS: [PlainTest; 7] = [
    PlainTest {
        kind: "event_count",
        names: "a",
        condition: "  condition: {gte: 3}",
        holds: |window| when(window.len() >= 3, window.len()),
        is_lasting: true,
    },
    PlainTest {
        kind: "event_count",
        names: "a, b",
        condition: "  condition: {gt: 1, lte: 3}",
        holds: |window| when((2..=3).contains(&window.len()), window.len()),
        is_lasting: false,
    },
    PlainTest {
        kind: "value_count",
        names: "a, c",
        condition: "  condition: {gte: 2, field: labels.v}",
        holds: |window| {
            let count = different(window.iter().filter_map(|sample| sample.4));
            when(count >= 2, count)
        },
        is_lasting: true,
    },
    PlainTest {
        kind: "temporal",
        names: "a, b, c",
        condition: "",
        holds: |window| when(different(window.iter().map(|sample| sample.2)) == 3, 3),
        is_lasting: true,
    },
    PlainTest {
        kind: "temporal",
        names: "a, b, c",
        condition: "  condition: {eq: 2}",
        holds: |window| when(different(window.iter().map(|sample| sample.2)) == 2, 2),
        is_lasting: false,
    },
    PlainTest {
        kind: "temporal",
        names: "a, b, c",
        condition: "  condition: a and not (b or c)",
        holds: |window| when(has(window, 'a') && !has(window, 'b') && !has(window, 'c'), 1),
        is_lasting: false,
    },
    PlainTest {
        kind: "temporal_ordered",
        names: "a, b, c",
        condition: "",
        holds: |window| {
            let at = |action| window.iter().filter(move |sample| sample.2 == action);
            let is_met =
                at('a').any(|a| at('b').any(|b| b.0 >= a.0 && at('c').any(|c| c.0 >= b.0)));
            when(is_met, 3)
        },
        is_lasting: true,
    },
];

/// The episodes of a history that is seen whole: the finding of each, and the ids of the events
/// that end its windows.
fn episodes(test: &PlainTest, history: &[Sample]) -> Vec<((i64, u64, String), Vec<String>)> {
    let mut sorted: Vec<&Sample> =
        history.iter().filter(|sample| test.names.contains(sample.2)).collect();
    sorted.sort();
    let mut found = Vec::new();
    for group in ['x', 'y'] {
        let events: Vec<_> =
            sorted.iter().copied().filter(|sample| sample.3 == Some(group)).collect();
        let mut before: Option<&Sample> = None;
        let mut open = 0;
        for (end, last) in events.iter().enumerate() {
            let window: Vec<_> =
                events[..=end].iter().copied().filter(|s| last.0 - s.0 <= 3).collect();
            let joins = before.is_some_and(|before| last.0 - before.0 <= 3);
            let Some(count) = (test.holds)(&window) else {
                continue;
            };
            before = Some(last);
            if joins {
                let (_, ends): &mut (_, Vec<String>) = &mut found[open];
                ends.push(last.1.clone());
                continue;
            }
            let ids: Vec<_> = window.iter().map(|sample| sample.1.as_str()).collect();
            found.push(((last.0, count, ids.join(" ")), vec![last.1.clone()]));
            open = found.len() - 1;
        }
    }
    found
}

fn histories() -> impl Strategy<Value = Vec<Sample>> {
    let choice = |words: &'static str| proptest::sample::select(words.chars().collect::<Vec<_>>());
    let maybe = move |words| proptest::option::weighted(0.9, choice(words));
    let parts = (0..25_i64, choice("abc"), maybe("xxxy"), maybe("123"));
    proptest::collection::vec(parts, 0..24).prop_map(|parts| {
        let numbered = parts.into_iter().enumerate();
        let named = numbered.map(|(n, (second, action, group, value))| {
            (second, format!("e{:02}", n * 7 % 24), action, group, value)
        });
        named.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_agrees_with_a_reference_that_sees_everything(
        history in histories(),
        which in 0..TESTS.len(),
    ) {
        let test = &TESTS[which];
        let rules = rules_of(&counting(test.kind, test.names, test.condition));
        let mut sorted = history.clone();
        sorted.sort();
        let known = episodes(test, &history).into_iter();
        let mut wanted: Vec<_> = known.map(|(found, _)| found).collect();
        wanted.sort();
        let mut found = reported(&rules, &sorted);
        found.sort();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn in_any_order_each_episode_is_reported_and_nothing_else(
        history in histories(),
        which in 0..TESTS.len(),
    ) {
        let test = &TESTS[which];
        prop_assume!(test.is_lasting);
        let rules = rules_of(&counting(test.kind, test.names, test.condition));
        let mut state = CorrelationState::default();
        let samples = history.iter();
        let found: Vec<_> = samples.flat_map(|sample| add(&mut state, &rules, sample)).collect();
        let wanted = episodes(test, &history);
        let reported_of = |ends: &[String]| {
            let is_of = |finding: &&CorrelationFinding| {
                finding.evidence.iter().any(|id| ends.contains(id))
            };
            found.iter().filter(is_of).count()
        };
        for (episode, ends) in &wanted {
            prop_assert!(reported_of(ends) > 0, "{:?} {:?}", episode, found);
        }
        for finding in &found {
            let last = finding.evidence.last().unwrap();
            prop_assert!(wanted.iter().any(|(_, ends)| ends.contains(last)), "{:?}", finding);
        }
    }
}

#[test]
fn a_window_reaches_back_by_its_timespan() {
    let rules = rules_of(&counting("event_count", "a", "  condition: {gte: 2}"));
    assert_eq!(rules.correlations()[0].span, TimeDelta::seconds(3));
    assert_eq!(reported(&rules, &[sample(0, "1", 'a'), sample(3, "2", 'a')]).len(), 1);
    assert_eq!(reported(&rules, &[sample(0, "1", 'a'), sample(4, "2", 'a')]).len(), 0);
}
