//! Reports what cannot be read of saved events.

use crate::saved::ReadIssue;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// Up to so many unreadable lines are reported each, the others with `-v`: the file may not be a
/// log at all.
const MAX_LINE_ERRORS: u64 = 20;

/// The hint for the first line that cannot be read.
const CONVERTIBLE_FORMATS: &str = "only lines that were written as normalized or raw can be read, \
     one JSON object a line; ecs and ocsf lead to no other form";

/// Reports what cannot be read, when it happens.
pub struct IssueReporter<'a> {
    console: &'a StderrConsole,
    /// How many lines had each kind of issue.
    counts: [u64; 4],
}

impl<'a> IssueReporter<'a> {
    /// Reports to `console`.
    pub fn new(console: &'a StderrConsole) -> IssueReporter<'a> {
        IssueReporter { console, counts: [0; 4] }
    }

    /// Reports an issue: the first of its kind, the others with `-v`.
    pub fn report(&mut self, issue: &ReadIssue<'_>) {
        let [lines, invalid_utf8, unparsed, unreadable_times] = &mut self.counts;
        let count = match issue {
            ReadIssue::UnreadableInput(..) | ReadIssue::UnreadableRest(..) => &mut 0,
            ReadIssue::UnreadableLine(..) => lines,
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
                let what = format!("cannot read line {number} of {input}");
                let hint = (*count == 1).then(|| CONVERTIBLE_FORMATS.to_owned());
                let level = if *count <= MAX_LINE_ERRORS { Level::Error } else { Level::Info };
                (level, ConsoleMessage { hint, ..ConsoleMessage::new(what).because(why) })
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
        let is_line = matches!(issue, ReadIssue::UnreadableLine(..));
        if is_line && *count == MAX_LINE_ERRORS + 1 {
            let text = "more lines cannot be read; `-v` shows each, the summary has their count";
            self.console.warn(text);
        }
    }
}
