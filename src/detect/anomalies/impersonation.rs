//! People who log in as others, and what they do then.

use super::anomaly_rule::{IMPERSONATION, IMPERSONATION_ABUSE};
use super::{EventJudgement, fact, reason, shown, shown_time};
use crate::config::detection::{days, minutes};
use crate::detect::alert::AlertSeverity;
use crate::detect::event::{AdminClass, EventPerson};
use crate::detect::history::{SeenImpersonation, UserHistories, UserHistory, person_hash};
use crate::model::text::visible;

/// Impersonations that are kept.
const MAX_KEPT: usize = 16;
/// Days after which somebody who impersonates is new to it again.
const NEW_AFTER_DAYS: u32 = 90;
/// What is sensitive after an impersonation.
const SENSITIVE: [AdminClass; 3] =
    [AdminClass::Token, AdminClass::Permission, AdminClass::DataExport];

impl EventJudgement<'_> {
    /// Judges an impersonation, or an act after one.
    pub(super) fn impersonation(&mut self, actor: &EventPerson<'_>, user: &mut UserHistory) {
        if self.event.deed.is_impersonation {
            self.new_impersonation(actor, user);
        } else if let Some(class) = self.event.deed.administration
            && SENSITIVE.contains(&class)
        {
            self.impersonation_abuse(actor, user, class);
        }
    }

    fn new_impersonation(&mut self, actor: &EventPerson<'_>, user: &mut UserHistory) {
        let event = self.event;
        let whom = event.user.as_ref();
        let name = shown(actor);
        let shown_whom = whom.map_or_else(|| "another person".to_owned(), shown);
        let known = &mut user.impersonated;
        let is_first = known.iter().all(|known| known.mark.time < self.time - days(NEW_AFTER_DAYS));
        let limit = self.thresholds.impersonations as usize;
        let impersonation = SeenImpersonation {
            mark: event.mark.clone(),
            address: event.address,
            other: whom.map_or(0, |whom| person_hash(&whom.key)),
            sentence: format!("{name} logged in as {shown_whom}"),
        };
        add(known, impersonation, MAX_KEPT.max(limit + 1));
        let mut people: Vec<u64> = known
            .iter()
            .filter(|known| known.mark.time > self.time - days(1) && known.mark <= event.mark)
            .map(|known| known.other)
            .collect();
        people.sort_unstable();
        people.dedup();
        let severity = match is_first || people.len() > limit {
            true => AlertSeverity::High,
            false => AlertSeverity::Medium,
        };
        let title = format!("{name} logged in as {shown_whom}");
        let always = format!("{title}: that always counts.");
        let mut finding = IMPERSONATION.finding(severity, &actor.key, title);
        finding.why = vec![
            fact("impersonated", &shown_whom, always),
            fact(
                "first_time",
                is_first,
                match is_first {
                    true => format!("{name} did so for the first time in {NEW_AFTER_DAYS} days."),
                    false => format!("{name} did so before, within {NEW_AFTER_DAYS} days."),
                },
            ),
            reason(
                "people_in_a_day",
                people.len(),
                limit,
                format!(
                    "It was {} in 24 hours; more than {limit} are many.",
                    match people.len() {
                        1 => "one person".to_owned(),
                        count => format!("{count} people"),
                    }
                ),
            ),
        ];
        finding.evidence = vec![event.mark.id.clone()];
        finding.silence.push("an exception names the rule and this actor".to_owned());
        self.found.push(finding);
    }

    /// Notes for a person that another has become them: what is done then may be recorded as
    /// theirs.
    pub(super) fn taken_over(&mut self, users: &mut UserHistories, max_users: usize) {
        let event = self.event;
        let (Some(actor), Some(whom)) = (&event.actor, &event.user) else {
            return;
        };
        let impersonation = SeenImpersonation {
            mark: event.mark.clone(),
            address: event.address,
            other: person_hash(&actor.key),
            sentence: format!("{} logged in as {}", shown(actor), shown(whom)),
        };
        let taken_over = &mut users.of(&whom.key, self.time, max_users).taken_over;
        add(taken_over, impersonation, MAX_KEPT);
    }

    fn impersonation_abuse(
        &mut self,
        actor: &EventPerson<'_>,
        user: &UserHistory,
        class: AdminClass,
    ) {
        let event = self.event;
        let limit = self.thresholds.impersonation_minutes;
        let since = self.time - minutes(limit);
        let known = user.impersonated.iter().chain(&user.taken_over).filter(|known| {
            known.mark < event.mark
                && known.mark.time >= since
                && known.address.is_some()
                && known.address == event.address
        });
        let Some(last) = known.max_by(|a, b| a.mark.cmp(&b.mark)) else {
            return;
        };
        let action = visible(&event.action);
        let after = (self.time - last.mark.time).num_minutes();
        let title = format!("{}, and {after} minutes later: {action}", last.sentence);
        let severity = AlertSeverity::High;
        let mut finding = IMPERSONATION_ABUSE.finding(severity, &actor.key, title);
        finding.why = vec![
            fact(
                "impersonation",
                shown_time(last.mark.time),
                format!("{} at {}.", last.sentence, shown_time(last.mark.time)),
            ),
            reason(
                "minutes_later",
                after,
                limit,
                format!(
                    "{after} minutes later, from the same address, came `{action}` of {}, which \
                     concerns {}; up to {limit} minutes count.",
                    shown(actor),
                    class.what()
                ),
            ),
        ];
        finding.evidence = vec![last.mark.id.clone(), event.mark.id.clone()];
        finding.silence.push("it had come from another address, or later".to_owned());
        self.found.push(finding);
    }
}

/// Keeps the latest of each person and address, by time.
fn add(known: &mut Vec<SeenImpersonation>, mut latest: SeenImpersonation, max: usize) {
    let is_same =
        |known: &SeenImpersonation| known.other == latest.other && known.address == latest.address;
    if let Some(at) = known.iter().position(is_same) {
        let before = known.remove(at);
        if before.mark > latest.mark {
            latest = before;
        }
    }
    let at = known.partition_point(|known| known.mark < latest.mark);
    known.insert(at, latest);
    if known.len() > max {
        known.remove(0);
    }
}
