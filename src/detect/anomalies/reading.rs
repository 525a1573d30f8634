//! Far more content read or exported than a person usually does.

use super::anomaly_rule::MASS_READING;
use super::{EventJudgement, reason, shown, shown_time};
use crate::detect::alert::AlertSeverity;
use crate::detect::event::EventPerson;
use crate::detect::history::UserHistory;

impl EventJudgement<'_> {
    /// Judges how much a person has read.
    pub(super) fn reading(
        &mut self,
        actor: &EventPerson<'_>,
        user: &mut UserHistory,
        is_new: bool,
    ) {
        if !self.event.deed.is_reading {
            return;
        }
        let thresholds = self.thresholds;
        let count = user.reading.add(&self.event.mark);
        if count <= thresholds.reading {
            return;
        }
        let (usual, known_days) = user.reading.usual(self.time);
        let limit = thresholds.reading.max(thresholds.reading_factor.saturating_mul(usual));
        if count <= limit || user.reading.is_reported(self.time) {
            return;
        }
        let name = shown(actor);
        let title = format!("{name} read or exported {count} things within 15 minutes");
        let mut finding = MASS_READING.finding(AlertSeverity::Medium, &actor.key, title);
        finding.why.push(reason(
            "things_in_15_minutes",
            count,
            limit,
            format!(
                "{name} read or exported {count} things in the 15 minutes up to {}. On the \
                 {known_days} days before that are known it were {usual} at most on nearly all; \
                 more than {limit} are too many ({} at least, or {} times as many).",
                shown_time(self.time),
                thresholds.reading,
                thresholds.reading_factor
            ),
        ));
        finding.evidence = user.reading.last_until(&self.event.mark);
        finding.silence.push(format!("{name} usually read a fifth as much"));
        finding.is_learning = is_new;
        if self.report_once(finding) {
            user.reading.name(self.time);
        }
    }
}
