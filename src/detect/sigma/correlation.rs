//! Evaluates correlations by the time of events.
//!
//! An event of a group, in the order of time and id, ends a window that reaches the rule's timespan
//! back; events of one millisecond are in the order of their ids. A window that fits the condition
//! is reported once: what follows within the timespan, and fits too, is the same **episode**. A
//! late event is put where it belongs, and the windows that it is in are judged again.
//!
//! Each correlation has a bound of its own, so that a flood of what one counts leaves the windows
//! of the others. Over it, first leave the events that no window has any more (they are kept for
//! late ones only), then those of long windows that no condition needs, then the groups with the
//! fewest events; what could still have counted is reported.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::correlation_rule::{CorrelationRule, MAX_WINDOW, RuleExpression, WindowTest, fits};
use super::window_tally::{WindowEvent, WindowTally};
use super::{RuleMatch, RuleSet};
use crate::model::time::Timestamp;

/// The most texts (ids, values, names of groups) that the windows of a correlation keep.
const MAX_TEXTS: usize = 20_000;

/// The most of all correlations together.
const MAX_ALL_TEXTS: usize = 200_000;

/// The most ids that a finding names.
const MAX_EVIDENCE: usize = MAX_WINDOW;

/// The ids that an event keeps which is another correlation's finding: the first and the last.
const CHAINED_EVIDENCE: usize = 20;

/// How much longer than two windows an event is kept for those that are late, in hours.
const LATE_HOURS: i64 = 24;

/// The windows of all correlations.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CorrelationState {
    /// By [`CorrelationRule::key`].
    windows: BTreeMap<String, CorrelationWindows>,
    forgotten: u64,
    #[serde(skip)]
    is_bound: bool,
}

/// The groups of a correlation, by the values that their events share.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct CorrelationWindows {
    groups: BTreeMap<Vec<String>, GroupWindow>,
    /// How many texts they keep.
    weight: usize,
}

/// Events of one group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct GroupWindow {
    /// In the order of time and id.
    events: VecDeque<WindowEvent>,
    /// How many texts they keep.
    weight: usize,
    /// Of the window that was judged last.
    #[serde(skip)]
    tally: WindowTally,
}

/// A window that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationFinding {
    /// The correlation's index in the list of rules.
    pub rule: usize,
    /// The time of the event that made the window fit.
    pub time: Timestamp,
    /// What the events share: names of fields, or aliases, and values.
    pub group: Vec<(String, String)>,
    /// What was counted: events, values or rules.
    pub count: u64,
    /// The ids of the window's events, in the order of time.
    pub evidence: Vec<String>,
}

impl CorrelationState {
    /// Takes an event and the rules that it matches, and returns what is to be reported, the
    /// earlier correlations first. Of an event that matches nothing, nothing is kept.
    pub fn add(
        &mut self,
        rules: &RuleSet,
        time: Timestamp,
        id: &str,
        matches: &[RuleMatch],
    ) -> Vec<CorrelationFinding> {
        let mut found = self.add_with_silent(rules, time, id, matches);
        let infos = rules.rules();
        found.retain(|finding| infos.get(finding.rule).is_some_and(|info| info.emits));
        found
    }

    /// The same, with what is only counted by other correlations.
    pub fn add_with_silent(
        &mut self,
        rules: &RuleSet,
        time: Timestamp,
        id: &str,
        matches: &[RuleMatch],
    ) -> Vec<CorrelationFinding> {
        if matches.iter().all(|found| found.groups.is_empty()) {
            return Vec::new();
        }
        self.bind(rules);
        let count = rules.correlations().len().max(1);
        let most = MAX_TEXTS.min(MAX_ALL_TEXTS / count);
        // What each correlation gets; one that counts another stands behind it.
        let mut waiting: BTreeMap<usize, Vec<GroupEvent>> = BTreeMap::new();
        for found in matches.iter().flat_map(|found| &found.groups) {
            self.forgotten += found.left_out;
            let event = WindowEvent {
                time,
                id: id.to_owned(),
                inputs: 1 << found.input,
                values: found.values.clone(),
                evidence: Vec::new(),
                fits: false,
                is_reported: false,
            };
            let groups = found.groups.iter().cloned();
            let events = groups.map(|group| GroupEvent { group, event: event.clone() });
            waiting.entry(found.correlation).or_default().extend(events);
        }
        let mut reported = Vec::new();
        while let Some((place, events)) = waiting.pop_first() {
            let Some(correlation) = rules.correlations().get(place) else {
                continue;
            };
            for event in events {
                for (finding, event_id) in self.insert(correlation, event, most) {
                    for &(user, input) in rules.uses_of(finding.rule) {
                        let event = chained(rules, user, input, &finding, &event_id);
                        waiting.entry(user).or_default().extend(event);
                    }
                    reported.push(finding);
                }
            }
        }
        reported
    }

    /// How many events and groups left before their time, because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets the windows of correlations that are no longer there, or say something else.
    fn bind(&mut self, rules: &RuleSet) {
        if !self.is_bound {
            let keys: BTreeSet<_> = rules.correlations().iter().map(|rule| &rule.key).collect();
            self.windows.retain(|key, _| keys.contains(key));
            self.is_bound = true;
        }
    }

    /// Puts an event into its group, of which at most `most` texts are kept; what is to be
    /// reported, with the id of the event that ends the window.
    fn insert(
        &mut self,
        correlation: &CorrelationRule,
        event: GroupEvent,
        most: usize,
    ) -> Vec<(CorrelationFinding, String)> {
        let GroupEvent { group: values, event } = event;
        let time = event.time;
        let windows = self.windows.entry(correlation.key.clone()).or_default();
        let group = windows.groups.entry(values.clone()).or_insert_with(|| {
            windows.weight += values.len();
            GroupWindow::default()
        });
        let before = group.weight;
        let found = group.insert(correlation, event, &mut self.forgotten);
        windows.weight = windows.weight + group.weight - before;
        if windows.weight > most {
            self.forgotten += windows.make_room(correlation, time, most);
        }
        let names = correlation.group_by.iter().cloned();
        let shared: Vec<_> = names.zip(values).collect();
        let findings = found.into_iter().map(|window| {
            let FittingWindow { time, id, count, evidence } = window;
            let group = shared.clone();
            (CorrelationFinding { rule: correlation.rule, time, group, count, evidence }, id)
        });
        findings.collect()
    }
}

impl CorrelationWindows {
    /// Makes room at `time` for a sixteenth of `most` texts; returns how many events and groups
    /// left for it that could still have counted.
    fn make_room(&mut self, correlation: &CorrelationRule, time: Timestamp, most: usize) -> u64 {
        let most = most - most / 16;
        let begin = earlier(time, correlation.span);
        for group in self.groups.values_mut() {
            while group.events.front().is_some_and(|event| event.time < begin) {
                group.remove_first();
            }
        }
        self.groups.retain(|_, group| !group.events.is_empty());
        let mut forgotten = 0;
        if self.weigh() > most {
            let share = (most / self.groups.len().max(1)).max(correlation.needed());
            for group in self.groups.values_mut() {
                while group.events.len() > share {
                    group.remove_first();
                    forgotten += u64::from(!correlation.counts_events());
                }
            }
        }
        if self.weigh() > most {
            let sizes = self.groups.iter();
            let mut sizes: Vec<_> = sizes
                .map(|(key, group)| (group.events.len(), group.newest(), key.clone()))
                .collect();
            sizes.sort_unstable();
            for (_, _, key) in sizes {
                if self.weight <= most {
                    break;
                }
                if let Some(group) = self.groups.remove(&key) {
                    self.weight -= key.len() + group.weight;
                    forgotten += 1;
                }
            }
        }
        forgotten
    }

    fn weigh(&mut self) -> usize {
        self.weight = self.groups.iter().map(|(key, group)| key.len() + group.weight).sum();
        self.weight
    }
}

/// An event, and the group that it belongs to.
struct GroupEvent {
    group: Vec<String>,
    event: WindowEvent,
}

/// What a correlation's finding is to another that counts it; nothing where it lacks a field.
fn chained(
    rules: &RuleSet,
    user: usize,
    input: usize,
    finding: &CorrelationFinding,
    id: &str,
) -> Option<GroupEvent> {
    let counted = rules.correlations().get(user)?.inputs.get(input)?;
    let value_of = |field: &String| {
        let pair = finding.group.iter().find(|(name, _)| name == field);
        pair.map(|(_, value)| value.clone())
    };
    let group: Option<Vec<_>> = counted.group_fields.iter().map(value_of).collect();
    let event = WindowEvent {
        time: finding.time,
        id: id.to_owned(),
        inputs: 1 << input,
        values: counted.value_field.iter().filter_map(value_of).collect(),
        evidence: ends_of(&finding.evidence),
        fits: false,
        is_reported: false,
    };
    Some(GroupEvent { group: group?, event })
}

/// The first and the last of many ids.
fn ends_of(ids: &[String]) -> Vec<String> {
    let last = ids.len().saturating_sub(CHAINED_EVIDENCE / 2);
    let is_end = |at: usize| at < CHAINED_EVIDENCE / 2 || at >= last;
    let ends = ids.iter().enumerate().filter(|(at, _)| is_end(*at));
    ends.map(|(_, id)| id.clone()).collect()
}

/// A window that fits and was not reported.
struct FittingWindow {
    time: Timestamp,
    id: String,
    count: u64,
    evidence: Vec<String>,
}

impl GroupWindow {
    fn insert(
        &mut self,
        correlation: &CorrelationRule,
        event: WindowEvent,
        forgotten: &mut u64,
    ) -> Vec<FittingWindow> {
        let time = event.time;
        let first = self.place(event);
        let end = later(time, correlation.span);
        let mut last = first;
        while self.events.get(last).is_some_and(|event| event.time <= end) {
            let is_fit = self.is_fit(correlation, last);
            if let Some(event) = self.events.get_mut(last) {
                event.fits = is_fit;
            }
            last += 1;
        }
        let found = self.report_episodes(correlation, first, last);
        self.trim(correlation, time, forgotten);
        found
    }

    /// Puts an event where it belongs, and returns the place. What is there already gets what is
    /// new.
    fn place(&mut self, event: WindowEvent) -> usize {
        let wanted = (event.time, event.id.as_str());
        let is_before = |other: &WindowEvent| (other.time, other.id.as_str()) < wanted;
        let at = match self.events.back() {
            Some(newest) if is_before(newest) => self.events.len(),
            _ => self.events.partition_point(is_before),
        };
        match self.events.get_mut(at) {
            Some(same) if (same.time, same.id.as_str()) == wanted => {
                self.weight -= same.weight();
                same.inputs |= event.inputs;
                same.values.extend(event.values);
                same.values.sort();
                same.values.dedup();
                self.weight += same.weight();
            }
            _ => {
                self.weight += event.weight();
                self.events.insert(at, event);
            }
        }
        self.tally.note_change(at);
        at
    }

    /// The episodes of the windows that end in `first..last`, unless they were reported.
    fn report_episodes(
        &mut self,
        correlation: &CorrelationRule,
        first: usize,
        last: usize,
    ) -> Vec<FittingWindow> {
        let mut found = Vec::new();
        let mut at = first;
        while at < last {
            if !self.fits_at(at) {
                at += 1;
                continue;
            }
            let (mut start, mut end) = (at, at);
            // What was reported is not reported again, whatever came before it.
            while !self.is_reported_at(start)
                && let Some(before) = self.fit_before(correlation, start)
            {
                start = before;
            }
            let mut is_reported = self.is_reported_at(start);
            while let Some(after) = self.fit_after(correlation, end) {
                is_reported |= self.is_reported_at(after);
                end = after;
            }
            if !is_reported {
                found.extend(self.window(correlation, start));
            }
            for event in self.events.range_mut(start..=end).filter(|event| event.fits) {
                event.is_reported = true;
            }
            at = end + 1;
        }
        found
    }

    fn fits_at(&self, at: usize) -> bool {
        self.events.get(at).is_some_and(|event| event.fits)
    }

    fn is_reported_at(&self, at: usize) -> bool {
        self.events.get(at).is_some_and(|event| event.is_reported)
    }

    /// The last window before that of `at` that fits, no more than the timespan earlier.
    fn fit_before(&self, correlation: &CorrelationRule, at: usize) -> Option<usize> {
        let begin = earlier(self.events.get(at)?.time, correlation.span);
        let before = (0..at).rev().zip(self.events.range(..at).rev());
        let mut near = before.take_while(|(_, event)| event.time >= begin);
        near.find(|(_, event)| event.fits).map(|(place, _)| place)
    }

    /// The first window behind that of `at` that fits, no more than the timespan later.
    fn fit_after(&self, correlation: &CorrelationRule, at: usize) -> Option<usize> {
        let end = later(self.events.get(at)?.time, correlation.span);
        let after = (at + 1..).zip(self.events.range(at + 1..));
        let mut near = after.take_while(|(_, event)| event.time <= end);
        near.find(|(_, event)| event.fits).map(|(place, _)| place)
    }

    /// Where the window begins that the event at `end` ends.
    fn window_start(&self, correlation: &CorrelationRule, end: usize) -> usize {
        let last = self.events.get(end).map_or(Timestamp::MIN_UTC, |event| event.time);
        let begin = earlier(last, correlation.span);
        self.events.partition_point(|event| event.time < begin)
    }

    /// Whether the window that the event at `end` ends fits.
    fn is_fit(&mut self, correlation: &CorrelationRule, end: usize) -> bool {
        let start = self.window_start(correlation, end);
        if !correlation.counts_events() {
            self.tally.slide(&self.events, start..end + 1);
        }
        let (inputs, all) = (self.tally.inputs(), correlation.all_inputs());
        match &correlation.test {
            WindowTest::EventCount(comparisons) => fits(comparisons, (end + 1 - start) as u64),
            WindowTest::ValueCount(comparisons) => fits(comparisons, self.tally.value_count()),
            WindowTest::RuleCount(comparisons) => fits(comparisons, u64::from(inputs.count_ones())),
            WindowTest::AllRules => inputs == all,
            WindowTest::Rules(expression) => holds(expression, inputs),
            WindowTest::Sequence => {
                inputs == all && is_sequence(self.events.range(start..=end), all)
            }
        }
    }

    /// Describes the window that the event at `end` ends.
    fn window(&self, correlation: &CorrelationRule, end: usize) -> Option<FittingWindow> {
        let last = self.events.get(end)?;
        let start = self.window_start(correlation, end);
        let tally = WindowTally::of(&self.events, start..end + 1);
        let count = match &correlation.test {
            WindowTest::EventCount(_) => (end + 1 - start) as u64,
            WindowTest::ValueCount(_) => tally.value_count(),
            _ => u64::from(tally.inputs().count_ones()),
        };
        Some(FittingWindow {
            time: last.time,
            id: last.id.clone(),
            count,
            evidence: evidence(self.events.range(start..=end)),
        })
    }

    /// Forgets what no event that is late at `time` can need, and what is too much. One that is
    /// dated in the future makes none of those old that come after it.
    fn trim(&mut self, correlation: &CorrelationRule, time: Timestamp, forgotten: &mut u64) {
        let begin = earlier(time, correlation.span * 2 + TimeDelta::hours(LATE_HOURS));
        while self.events.front().is_some_and(|event| event.time < begin) {
            self.remove_first();
        }
        let in_window = earlier(time, correlation.span);
        while self.events.len() > MAX_WINDOW {
            let oldest = self.remove_first();
            let counted = oldest.is_some_and(|event| event.time >= in_window);
            *forgotten += u64::from(counted && !correlation.counts_events());
        }
    }

    fn newest(&self) -> Option<Timestamp> {
        self.events.back().map(|event| event.time)
    }

    fn remove_first(&mut self) -> Option<WindowEvent> {
        let event = self.events.pop_front()?;
        self.weight -= event.weight();
        self.tally.note_removal(&event);
        Some(event)
    }
}

/// Whether there are events of all rules, each no earlier than that of the rule before.
fn is_sequence<'a>(events: impl Iterator<Item = &'a WindowEvent>, all: u64) -> bool {
    let events: Vec<_> = events.collect();
    let mut next = 0_u32;
    // Events of one time are in any order.
    for same in events.chunk_by(|a, b| a.time == b.time) {
        let inputs = same.iter().fold(0, |inputs, event| inputs | event.inputs);
        while inputs.checked_shr(next).is_some_and(|rest| rest & 1 == 1) {
            next += 1;
        }
    }
    next >= all.count_ones()
}

fn holds(expression: &RuleExpression, seen: u64) -> bool {
    match expression {
        RuleExpression::Input(input) => seen >> input & 1 == 1,
        RuleExpression::And(parts) => parts.iter().all(|part| holds(part, seen)),
        RuleExpression::Or(parts) => parts.iter().any(|part| holds(part, seen)),
        RuleExpression::Not(part) => !holds(part, seen),
    }
}

/// The ids of events, in order; each once.
fn evidence<'a>(events: impl Iterator<Item = &'a WindowEvent>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    for event in events {
        let own = std::slice::from_ref(&event.id);
        let of_event = if event.evidence.is_empty() { own } else { &event.evidence };
        ids.extend(of_event.iter().filter(|id| known.insert(id.as_str())).cloned());
    }
    ids.truncate(MAX_EVIDENCE);
    ids
}

fn earlier(time: Timestamp, by: TimeDelta) -> Timestamp {
    time.checked_sub_signed(by).unwrap_or(Timestamp::MIN_UTC)
}

fn later(time: Timestamp, by: TimeDelta) -> Timestamp {
    time.checked_add_signed(by).unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
#[path = "correlation_tests.rs"]
mod tests;
