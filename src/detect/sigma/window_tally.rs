//! The events of a window, and how often it has each rule and value, kept up to date as it slides.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// An event in a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowEvent {
    /// When it happened.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub time: Timestamp,
    /// Its id.
    pub id: String,
    /// A bit for each of the correlation's rules that it matches.
    pub inputs: u64,
    /// The values that are counted; each once.
    pub values: Vec<String>,
    /// Where it is another correlation's finding, that one's evidence.
    pub evidence: Vec<String>,
    /// Whether the window that it ends fits.
    pub fits: bool,
    /// Whether its episode was reported.
    pub is_reported: bool,
}

impl WindowEvent {
    /// How many texts it keeps.
    pub fn weight(&self) -> usize {
        1 + self.values.len() + self.evidence.len()
    }
}

/// How often a window has each rule and each value.
#[derive(Debug, Clone, Default)]
pub struct WindowTally {
    /// The window: places in the group's list of events.
    range: Range<usize>,
    /// By the place of the rule's bit.
    inputs: HashMap<u32, usize>,
    values: HashMap<String, usize>,
}

impl WindowTally {
    /// The tally of one window.
    pub fn of(events: &VecDeque<WindowEvent>, range: Range<usize>) -> WindowTally {
        let mut tally = WindowTally::default();
        tally.slide(events, range);
        tally
    }

    /// Moves on to the window at `to`: what both share is not counted again.
    pub fn slide(&mut self, events: &VecDeque<WindowEvent>, to: Range<usize>) {
        let is_behind = to.start < self.range.start || to.end < self.range.end;
        if is_behind || to.start >= self.range.end {
            *self = WindowTally { range: to.start..to.start, ..WindowTally::default() };
        }
        let Range { start, end } = self.range.clone();
        events.range(end..to.end).for_each(|event| self.add(event));
        events.range(start..to.start).for_each(|event| self.remove(event));
        self.range = to;
    }

    /// The list has an event more at `at`, or that one has become another.
    pub fn note_change(&mut self, at: usize) {
        if at < self.range.end {
            *self = WindowTally::default();
        }
    }

    /// `event` was the first of the list.
    pub fn note_removal(&mut self, event: &WindowEvent) {
        if self.range.start == 0 && self.range.end > 0 {
            self.remove(event);
        }
        let Range { start, end } = self.range;
        self.range = start.saturating_sub(1)..end.saturating_sub(1);
    }

    /// A bit for each rule.
    pub fn inputs(&self) -> u64 {
        self.inputs.keys().fold(0, |inputs, bit| inputs | 1 << bit)
    }

    /// How many different values there are.
    pub fn value_count(&self) -> u64 {
        self.values.len() as u64
    }

    fn add(&mut self, event: &WindowEvent) {
        bits(event.inputs).for_each(|bit| raise(&mut self.inputs, &bit));
        event.values.iter().for_each(|value| raise(&mut self.values, value));
    }

    fn remove(&mut self, event: &WindowEvent) {
        bits(event.inputs).for_each(|bit| lower(&mut self.inputs, &bit));
        event.values.iter().for_each(|value| lower(&mut self.values, value));
    }
}

fn raise<K: Hash + Eq + Clone>(counts: &mut HashMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => _ = counts.insert(key.clone(), 1),
    }
}

fn lower<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn bits(inputs: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |bit| inputs >> bit & 1 == 1)
}
