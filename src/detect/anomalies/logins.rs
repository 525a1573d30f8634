//! Failed logins of a user, of many users from one address, and a success after them.

use std::net::IpAddr;

use chrono::TimeDelta;

use super::anomaly_rule::{FAILED_LOGINS, PASSWORD_SPRAY, SUCCESS_AFTER_FAILURES};
use super::{EventJudgement, fact, reason, shown, shown_time};
use crate::config::detection::minutes;
use crate::detect::alert::{AlertReason, AlertSeverity};
use crate::detect::event::{EventPerson, LoginResult};
use crate::detect::history::{HistoryMap, LoginFailures, UserHistories, person_hash};

/// Failures of a user that are kept beyond those that are counted, as evidence.
const MORE_FAILURES: usize = 6;
/// Failures of an address that are kept for each user that is counted.
const FAILURES_A_USER: usize = 4;

impl EventJudgement<'_> {
    /// Judges an attempt to log in.
    pub(super) fn logins(
        &mut self,
        result: LoginResult,
        users: &mut UserHistories,
        sprays: &mut HistoryMap<IpAddr, LoginFailures>,
        max_users: usize,
    ) {
        let event = self.event;
        let Some(subject) = event.login_subject() else {
            return;
        };
        match result {
            LoginResult::Failure => {
                self.failed_logins(subject, users.failures(&subject.key, self.time, max_users));
                if let Some(address) = &event.address {
                    self.password_spray(subject, sprays.of(address, self.time, max_users));
                }
            }
            LoginResult::Success => {
                let series = &mut users.of(&subject.key, self.time, max_users).failures;
                let spray = event.address.and_then(|address| sprays.get_mut(&address));
                self.success_after_failures(subject, series, spray);
            }
        }
    }

    /// Whose login it is, in a sentence.
    fn shown_subject(&self, subject: &EventPerson<'_>) -> String {
        match self.event.deed.is_anonymous && self.event.user.is_none() {
            true => "unknown users".to_owned(),
            false => shown(subject),
        }
    }

    fn failure_window(&self) -> TimeDelta {
        minutes(self.thresholds.failure_minutes)
    }

    fn failed_logins(&mut self, subject: &EventPerson<'_>, series: &mut LoginFailures) {
        let (mark, window) = (&self.event.mark, self.failure_window());
        let least = self.thresholds.failed_logins as usize;
        series.add(mark.clone(), 0, least + MORE_FAILURES);
        if series.is_reported(mark, window) {
            return;
        }
        // One that came late may complete the failures after it.
        let last = series.within(mark.time, mark.time + window).last();
        let end = last.map_or_else(|| mark.clone(), |(last, _)| last.clone());
        let failures: Vec<String> =
            series.within(end.time - window, end.time).map(|(mark, _)| mark.id.clone()).collect();
        if failures.len() < least {
            return;
        }
        let span = self.thresholds.failure_minutes;
        let name = self.shown_subject(subject);
        let title = format!("{} logins of {name} failed within {span} minutes", failures.len());
        let mut finding = FAILED_LOGINS.finding(AlertSeverity::Medium, &subject.key, title);
        finding.why.push(reason(
            "failed_logins",
            failures.len(),
            least,
            format!(
                "{} logins of {name} failed in the {span} minutes before {}; {least} or more \
                 are many.",
                failures.len(),
                shown_time(end.time)
            ),
        ));
        finding.why.extend(self.address_fact());
        finding.evidence = failures;
        finding.silence.push(format!("fewer than {least} logins had failed in {span} minutes"));
        finding.actor = Some(subject.to_owned());
        let is_reported = self.report_once(finding);
        series.name(&end, window, is_reported);
    }

    fn password_spray(&mut self, subject: &EventPerson<'_>, series: &mut LoginFailures) {
        let (mark, window) = (&self.event.mark, self.failure_window());
        let least = self.thresholds.spray_users as usize;
        series.add(mark.clone(), person_hash(&subject.key), least * FAILURES_A_USER);
        if series.is_reported(mark, window) {
            return;
        }
        let last = series.within(mark.time, mark.time + window).last();
        let end = last.map_or_else(|| mark.clone(), |(last, _)| last.clone());
        let mut users: Vec<u64> = Vec::new();
        let mut evidence = Vec::new();
        for (mark, user) in series.within(end.time - window, end.time) {
            if !users.contains(user) {
                users.push(*user);
            }
            evidence.push(mark.id.clone());
        }
        let Some(address) = self.event.address.filter(|_| users.len() >= least) else {
            return;
        };
        let span = self.thresholds.failure_minutes;
        let (count, key) = (users.len(), address.to_string());
        let title = format!("Logins of {count} users failed from {address} in {span} minutes");
        let mut finding = PASSWORD_SPRAY.finding(AlertSeverity::Medium, &key, title);
        finding.why.push(reason(
            "users_with_failed_logins",
            count,
            least,
            format!(
                "From {address}, logins of {count} users failed in the {span} minutes before \
                 {}; {least} or more users are many.",
                shown_time(end.time)
            ),
        ));
        finding.evidence = evidence;
        finding.silence.push(format!("logins of fewer than {least} users had failed from there"));
        let is_reported = self.report_once(finding);
        series.name(&end, window, is_reported);
    }

    fn success_after_failures(
        &mut self,
        subject: &EventPerson<'_>,
        series: &mut LoginFailures,
        spray: Option<&mut LoginFailures>,
    ) {
        let limit = self.thresholds.success_minutes;
        let since = self.time - minutes(limit);
        let user = person_hash(&subject.key);
        let is_own = series.named_since(since, user).is_some();
        let spray = spray.filter(|spray| spray.named_since(since, user).is_some());
        let failed = match &spray {
            _ if is_own => &*series,
            Some(spray) => &**spray,
            None => return,
        };
        let Some(last) = failed.named_since(since, user).cloned() else {
            return;
        };
        let window = since - self.failure_window();
        let mut evidence: Vec<String> = failed
            .within(window, self.time)
            .filter(|(mark, _)| *mark < self.event.mark)
            .map(|(mark, _)| mark.id.clone())
            .collect();
        let count = evidence.len();
        evidence.push(self.event.mark.id.clone());
        let name = self.shown_subject(subject);
        let is_all = count < self.thresholds.failed_logins as usize + MORE_FAILURES;
        let at_least = if is_all { "" } else { "at least " };
        let title = format!("{name} logged in after {at_least}{count} logins had failed");
        let severity = AlertSeverity::High;
        let mut finding = SUCCESS_AFTER_FAILURES.finding(severity, &subject.key, title);
        let whose = match is_own {
            true => format!("of {name}"),
            false => "of several users from this address".to_owned(),
        };
        finding.why.push(reason(
            "minutes_after_failures",
            (self.time - last.time).num_minutes(),
            limit,
            format!(
                "{at_least}{count} logins {whose} had failed, the last at {}; up to {limit} \
                 minutes count.",
                shown_time(last.time)
            ),
        ));
        finding.why.extend(self.address_fact());
        finding.evidence = evidence;
        finding.silence.push(format!("it had succeeded more than {limit} minutes later"));
        finding.actor = Some(subject.to_owned());
        // One that fits both is reported once.
        if self.report_once(finding) {
            let own = Some(series).filter(|_| is_own);
            own.into_iter().chain(spray).for_each(|failed| failed.note_success(user));
        }
    }

    fn address_fact(&self) -> Option<AlertReason> {
        let address = self.event.address?;
        let place = self.event.place.as_ref().map(|place| format!(", {}", place.label()));
        let sentence = format!("The last came from {address}{}.", place.unwrap_or_default());
        Some(fact("address", address, sentence))
    }
}
