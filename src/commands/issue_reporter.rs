//! Reports what cannot be read of saved events.

use std::mem;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::request::EventInput;
use crate::model::text::{counted, group_digits, plural, without_numbers};
use crate::saved::ReadIssue;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// Unreadable lines are reported together by input and reason, up to so many of these.
const MAX_KINDS: usize = 20;

/// So many ranges of unreadable lines are named each time, the others counted.
const MAX_RANGES: usize = 20;

/// The hint for the first line that cannot be read.
const CONVERTIBLE_FORMATS: &str = "only lines that were written as normalized or raw can be read, \
     one JSON object a line; ecs and ocsf lead to no other form";

/// Reports what cannot be read: lines at the end, all else when it happens. Clones report together,
/// so that a command can report what a thread found that still waits for more.
#[derive(Clone)]
pub struct IssueReporter<C> {
    console: C,
    issues: Arc<Mutex<FoundIssues>>,
}

#[derive(Default)]
struct FoundIssues {
    /// How many lines had each kind of issue that is only warned of.
    counts: [u64; 3],
    unreadable: Vec<UnreadableLines>,
    /// Lines beyond these.
    unlisted: u64,
}

/// Lines of an input that cannot be read for the same reason.
struct UnreadableLines {
    input: String,
    /// Why, without what differs from line to line.
    kind: String,
    /// Why the first cannot be read.
    why: String,
    count: u64,
    /// The first and last lines of ranges.
    ranges: Vec<(u64, u64)>,
}

impl<C: Deref<Target = StderrConsole>> IssueReporter<C> {
    /// Reports to `console`.
    pub fn new(console: C) -> IssueReporter<C> {
        IssueReporter { console, issues: Arc::default() }
    }

    fn issues(&self) -> MutexGuard<'_, FoundIssues> {
        self.issues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an issue: the first of its kind, the others with `-v`.
    pub fn report(&self, issue: &ReadIssue<'_>) {
        let mut issues = self.issues();
        let [invalid_utf8, unparsed, unreadable_times] = &mut issues.counts;
        let count = match issue {
            ReadIssue::UnreadableInput(..)
            | ReadIssue::UnreadableRest(..)
            | ReadIssue::UnreadableLine(..) => &mut 0,
            ReadIssue::InvalidUtf8(..) => invalid_utf8,
            ReadIssue::Unparsed(..) => unparsed,
            ReadIssue::UnreadableTime(..) => unreadable_times,
        };
        *count += 1;
        // Warns of the first of its kind, reports the others with `-v`.
        let first = if *count == 1 { Level::Warning } else { Level::Info };
        let (level, message) = match issue {
            ReadIssue::UnreadableInput(input, why) => {
                let message = ConsoleMessage::new(format!("cannot read {input}"));
                let hint = "check the name, and that this user may read it";
                (Level::Error, message.because(why.to_string()).hint(hint))
            }
            ReadIssue::UnreadableRest(input, number, why) => {
                let what = format!("cannot read {input} from line {number} on");
                let hint = "everything before it was read; get an undamaged copy for the rest";
                (Level::Error, ConsoleMessage::new(what).because(why).hint(hint))
            }
            ReadIssue::UnreadableLine(input, number, why) => {
                issues.add_line(input, *number, why);
                let what = format!("cannot read line {number} of {input}");
                (Level::Info, ConsoleMessage::new(what).because(why))
            }
            ReadIssue::InvalidUtf8(input, number) => {
                let what = "contains invalid UTF-8; replaced with U+FFFD in the output";
                (first, ConsoleMessage::new(format!("line {number} of {input} {what}")))
            }
            ReadIssue::Unparsed(input, number) => {
                let what =
                    "could not be understood; it is written as `unparsed`, with its raw text";
                let text = format!("the record in line {number} of {input} {what}");
                (first, ConsoleMessage::new(text))
            }
            ReadIssue::UnreadableTime(input, number) => {
                let what = "has a time that cannot be read; its event has no time, and \
                            `labels.time_unreadable` (or `processed_time_unreadable`) holds what \
                            the source wrote";
                let text = format!("the record in line {number} of {input} {what}");
                (first, ConsoleMessage::new(text))
            }
        };
        self.console.say(level, &message);
    }

    /// Reports the lines that cannot be read, together if it is for one reason.
    pub fn finish(&self) {
        let mut hint = Some(CONVERTIBLE_FORMATS.to_owned());
        let FoundIssues { unreadable, unlisted, .. } = mem::take(&mut *self.issues());
        for lines in unreadable {
            let message = ConsoleMessage { hint: hint.take(), ..lines.message() };
            self.console.say(Level::Error, &message);
        }
        if unlisted > 0 {
            let lines = plural(unlisted, "more line", "more lines");
            self.console.error(format!(
                "cannot read {lines}, of other files or for other reasons; `-v` shows each"
            ));
        }
    }
}

impl FoundIssues {
    fn add_line(&mut self, input: &EventInput, number: u64, why: &str) {
        let (input, kind) = (input.to_string(), without_numbers(why));
        let is_same = |known: &&mut UnreadableLines| known.input == input && known.kind == kind;
        let is_full = self.unreadable.len() >= MAX_KINDS;
        match self.unreadable.iter_mut().find(is_same) {
            Some(lines) => lines.add(number),
            None if !is_full => self.unreadable.push(UnreadableLines {
                input,
                kind,
                why: why.to_owned(),
                count: 1,
                ranges: vec![(number, number)],
            }),
            None => self.unlisted += 1,
        }
    }
}

impl UnreadableLines {
    fn add(&mut self, number: u64) {
        self.count += 1;
        let is_full = self.ranges.len() >= MAX_RANGES;
        match self.ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ if !is_full => self.ranges.push((number, number)),
            _ => {}
        }
    }

    /// `cannot read 9 lines of `in`: 1, 3 to 10`
    fn message(&self) -> ConsoleMessage {
        let UnreadableLines { input, why, count, .. } = self;
        if let ([(first, _)], 1) = (self.ranges.as_slice(), count) {
            return ConsoleMessage::new(format!("cannot read line {first} of {input}"))
                .because(why);
        }
        let named: u64 = self.ranges.iter().map(|(first, last)| last - first + 1).sum();
        let mut ranges: Vec<_> = self.ranges.iter().map(range_text).collect();
        if named < *count {
            ranges.push(format!("and {} more (-v shows each)", group_digits(count - named)));
        }
        let what =
            format!("cannot read {} of {input}: {}", counted(*count, "line"), ranges.join(", "));
        let first = self.ranges.first().map_or(0, |(first, _)| *first);
        ConsoleMessage::new(what).because(format!("line {first}: {why}"))
    }
}

fn range_text((first, last): &(u64, u64)) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}
