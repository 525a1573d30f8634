//! Owns how much of a file of lines is looked at: a few bytes can be packed that unpack to any number of lines.

use super::problems::LineProblem;
use crate::evidence::manifest::LinesEntry;

/// Lines beyond those that are said: of a small change the exact place is told.
const EXTRA_LINES: u64 = 1000;

/// Bytes of text beyond those that are said.
const EXTRA_BYTES: u64 = 1024 * 1024;

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub struct SurveyLimits(Option<(u64, u64)>);

impl SurveyLimits {
    /// All of it: of a file that this program has just written.
    pub const NONE: SurveyLimits = SurveyLimits(None);

    /// What the manifest says that there is, and a little more.
    pub fn of(said: &LinesEntry) -> SurveyLimits {
        SurveyLimits(Some((said.lines, said.text_bytes)))
    }

    /// Whether a line is looked at behind so many.
    pub fn allows_line_after(self, lines: u64) -> bool {
        self.0
            .is_none_or(|(said, _)| lines < said.saturating_add(EXTRA_LINES))
    }

    /// Bytes of text that are looked at.
    pub fn text_bytes(self) -> u64 {
        self.0
            .map_or(u64::MAX, |(_, said)| said.saturating_add(EXTRA_BYTES))
    }

    /// What is told of a file that has more.
    pub fn exceeded_problem(self) -> LineProblem {
        let (lines, text_bytes) = self.0.unwrap_or_default();
        LineProblem::ExceedsManifest { lines, text_bytes }
    }
}
