//! Administration that is unusual for a person, and accounts that should not act at all.

use chrono::TimeDelta;

use super::anomaly_rule::{
    ADMINISTRATION_BURST, DISABLED_ACCOUNT, DORMANT_ADMINISTRATOR, UNUSUAL_ADMINISTRATION,
};
use super::{EventJudgement, fact, reason, shown, shown_day, shown_time};
use crate::config::detection::days;
use crate::detect::alert::AlertSeverity;
use crate::detect::event::{AccessChange, AdminClass, EventMark, EventPerson};
use crate::detect::history::{HistoryMap, OrganizationHistory, UserHistory, person_hash};
use crate::model::text::visible;

/// Days in which others do acts of a class.
const COLLEAGUE_DAYS: u32 = 90;
/// So many people make a class of acts a usual one.
const COLLEAGUES: usize = 3;
/// Hours after its first act in which an account that was dormant is watched.
const AWAKE_HOURS: i64 = 24;
/// Days that a burst is compared with.
const BURST_DAYS: i32 = 7;

impl EventJudgement<'_> {
    /// Judges an administrative act.
    pub(super) fn administration(
        &mut self,
        actor: &EventPerson<'_>,
        user: &mut UserHistory,
        organization: &mut OrganizationHistory,
        is_new: bool,
    ) {
        let Some(class) = self.event.deed.administration else {
            return;
        };
        self.dormant_administrator(actor, user);
        self.unusual_administration(actor, user, organization, class, is_new);
        self.administration_burst(actor, user, is_new);
    }

    fn unusual_administration(
        &mut self,
        actor: &EventPerson<'_>,
        user: &mut UserHistory,
        organization: &mut OrganizationHistory,
        class: AdminClass,
        is_new: bool,
    ) {
        let thresholds = self.thresholds;
        let since = self.time - days(thresholds.class_days);
        let own = user.classes.entry(class).or_default();
        let is_first = !own.is_since(since);
        let last = own.last();
        own.note(self.time);
        let people = organization.classes.entry(class).or_default();
        let hash = person_hash(&actor.key);
        let others = people.others(hash, self.time - days(COLLEAGUE_DAYS));
        people.note(hash, self.time);
        if is_first && others < COLLEAGUES {
            let (name, action) = (shown(actor), visible(&self.event.action));
            let what = class.what();
            let title = format!("{name} changes {what} for the first time: {action}");
            let key = format!("{}\n{what}", actor.key);
            let mut finding = UNUSUAL_ADMINISTRATION.finding(AlertSeverity::Medium, &key, title);
            let window = thresholds.class_days;
            let sentence = match last {
                None => format!("{name} never changed {what} before."),
                Some(last) => format!(
                    "{name} last changed {what} on {}; after {window} days it is new again.",
                    shown_day(last)
                ),
            };
            let last = last.map_or_else(|| "never".to_owned(), shown_day);
            finding.why = vec![
                reason("last_act_of_class", last, format!("{window} days"), sentence),
                reason(
                    "colleagues_with_class",
                    others,
                    COLLEAGUES,
                    format!(
                        "{others} other people did so in {COLLEAGUE_DAYS} days; from {COLLEAGUES} \
                         on it is usual."
                    ),
                ),
            ];
            finding.evidence = vec![self.event.mark.id.clone()];
            finding.silence.push(format!("{COLLEAGUES} other people had changed {what}"));
            finding.is_learning = is_new;
            self.found.push(finding);
        }
    }

    fn administration_burst(
        &mut self,
        actor: &EventPerson<'_>,
        user: &mut UserHistory,
        is_new: bool,
    ) {
        let thresholds = self.thresholds;
        user.acts.add(&self.event.mark);
        let most = user.acts.most_before(self.time, BURST_DAYS);
        let count = user.acts.count;
        let limit = thresholds.burst_acts.max(thresholds.burst_factor.saturating_mul(most));
        // Reported when it becomes too much, and not again in this hour.
        if user.acts.is_current(self.time) && count > limit && !user.acts.is_reported {
            let name = shown(actor);
            let hour = self.time.format("%Y-%m-%d %H:00 UTC");
            let title = format!("{name} did {count} administrative acts within an hour");
            let key = format!("{}\n{hour}", actor.key);
            let mut finding = ADMINISTRATION_BURST.finding(AlertSeverity::Medium, &key, title);
            finding.why.push(reason(
                "acts_in_hour",
                count,
                limit,
                format!(
                    "{name} did {count} administrative acts in the hour from {hour} on. In the \
                     {BURST_DAYS} days before it were {most} in an hour at most; more than \
                     {limit} are too many ({} at least, or {} times the most).",
                    thresholds.burst_acts, thresholds.burst_factor
                ),
            ));
            finding.evidence = user.acts.last_until(&self.event.mark);
            finding.silence.push(format!("{name} had done as much in the week before"));
            finding.is_learning = is_new;
            user.acts.is_reported = self.report_once(finding);
        }
    }

    /// Reported once each time that the account wakes.
    fn dormant_administrator(&mut self, actor: &EventPerson<'_>, user: &mut UserHistory) {
        let awake = TimeDelta::zero()..=TimeDelta::hours(AWAKE_HOURS);
        let woke = user.woke.as_ref();
        let Some(woke) = woke.filter(|woke| awake.contains(&(self.time - woke.mark.time))) else {
            return;
        };
        let window = self.thresholds.dormant_days;
        let name = shown(actor);
        let idle = (woke.mark.time - woke.last).num_days();
        let action = visible(&self.event.action);
        let title = format!("{name} administrates after {idle} days without an act: {action}");
        let severity = AlertSeverity::Medium;
        let mut finding = DORMANT_ADMINISTRATOR.finding(severity, &actor.key, title);
        finding.why = vec![
            reason(
                "days_without_act",
                idle,
                window,
                format!(
                    "{name} did something at {} for the first time since {}, {idle} days before; \
                     from {window} days on an account is dormant.",
                    shown_time(woke.mark.time),
                    shown_day(woke.last)
                ),
            ),
            reason(
                "hours_since_awakening",
                (self.time - woke.mark.time).num_hours(),
                AWAKE_HOURS,
                format!("This act came within {AWAKE_HOURS} hours of that."),
            ),
        ];
        finding.evidence = vec![woke.mark.id.clone(), self.event.mark.id.clone()];
        finding.evidence.dedup();
        finding.silence.push(format!("{name} had done anything within {window} days"));
        if self.report_once(finding) {
            user.woke = None;
        }
    }

    /// Judges whether a person may act at all. Reported once each time that the access is taken
    /// away.
    pub(super) fn disabled_account(
        &mut self,
        actor: &EventPerson<'_>,
        known: &mut HistoryMap<String, Option<EventMark>>,
    ) {
        let disabled = known.get(&*actor.key).cloned().flatten();
        let Some(disabled) = disabled.filter(|mark| *mark < self.event.mark) else {
            return;
        };
        let name = shown(actor);
        let action = visible(&self.event.action);
        let title = format!("{name} acts although the access was taken away: {action}");
        let mut finding = DISABLED_ACCOUNT.finding(AlertSeverity::High, &actor.key, title);
        finding.why.push(fact(
            "access_taken_away",
            shown_time(disabled.time),
            format!(
                "The access of {name} was taken away at {}, and nothing says that it was given \
                 back.",
                shown_time(disabled.time)
            ),
        ));
        finding.evidence = vec![disabled.id, self.event.mark.id.clone()];
        finding.silence.push("the access had been given back before".to_owned());
        if self.report_once(finding) {
            known.remove(&*actor.key);
        }
    }

    /// Notes what becomes of the access of the users that the event is about.
    pub(super) fn access_change(
        &mut self,
        change: AccessChange,
        known: &mut HistoryMap<String, Option<EventMark>>,
        max_users: usize,
    ) {
        for key in &self.event.affected {
            match change {
                AccessChange::Disabled => {
                    *known.of(key.as_str(), self.time, max_users) = Some(self.event.mark.clone());
                }
                AccessChange::Enabled => _ = known.remove(key.as_str()),
            }
        }
    }
}
