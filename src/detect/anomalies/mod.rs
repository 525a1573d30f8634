//! What no rule of one event can say: what is unusual for this person, at this place, at this time.
//!
//! Each file has one detection or a few that share what they remember. All look only at the time of
//! events, and return everything that they compared.

mod administration;
pub mod anomaly_rule;
mod impersonation;
mod logins;
mod places;
mod reading;
mod watch;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use self::anomaly_rule::AnomalyRule;
use super::alert::{AlertReason, AlertRule, AlertSeverity, DetectionAlert, DetectionFinding};
use super::event::{DetectionEvent, EventMark, EventPerson, LoginResult};
use super::history::{
    HistoryMap, LoginFailures, OrganizationHistory, RecentPeople, SeenDays, SeenSpan, SourceRhythm,
    UserHistories, UserHistory, day_of, person_hash,
};
use super::places::AddressLists;
use crate::config::detection::{
    AddressTag, AlertException, DetectSettings, DetectionThresholds, days, minutes,
};
use crate::model::text::visible;
use crate::model::time::Timestamp;

impl AnomalyRule {
    /// The rule that alerts name.
    pub fn rule(&self) -> AlertRule {
        AlertRule {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            attack: self.attack.iter().map(|&id| id.to_owned()).collect(),
        }
    }

    /// A finding, without evidence and reasons yet.
    fn finding(&self, severity: AlertSeverity, key: &str, title: String) -> DetectionFinding {
        DetectionFinding {
            rule: self.rule(),
            severity,
            is_learning: false,
            title,
            key: key.to_owned(),
            actor: None,
            why: Vec::new(),
            evidence: Vec::new(),
            silence: Vec::new(),
        }
    }
}

/// What is remembered from one event to the next. What an attacker can fill without an account
/// (failed logins) pushes nothing else out, and those who act do not push out users whose access
/// was taken away.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AnomalyState {
    users: UserHistories,
    /// When the access was taken away, by user.
    disabled: HistoryMap<String, Option<EventMark>>,
    /// Who acted, by address.
    people: HistoryMap<IpAddr, RecentPeople>,
    /// Failed logins, by address.
    sprays: HistoryMap<IpAddr, LoginFailures>,
    organization: OrganizationHistory,
    /// How often sources have events.
    sources: HistoryMap<String, SourceRhythm>,
    /// When an exception last kept back what is reported once, by the rule and what it is about.
    kept_back: HistoryMap<String, SeenSpan>,
    /// Users whose loss of access was not noted, because an event named too many.
    unmarked: u64,
}

/// What the detections of one event share.
struct EventJudgement<'a> {
    event: &'a DetectionEvent<'a>,
    time: Timestamp,
    thresholds: &'a DetectionThresholds,
    lists: &'a AddressLists,
    exceptions: &'a [AlertException],
    kept_back: &'a mut HistoryMap<String, SeenSpan>,
    max_users: usize,
    /// The user whose list says that the address is one of ours.
    is_trusted: bool,
    found: Vec<DetectionFinding>,
}

/// Who acted, and whether that is usual for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorStanding {
    /// On how many of the last 30 days they administrated.
    pub admin_days: usize,
    /// The address that they act from.
    pub address: KnownAddress,
    /// The history is too short to judge.
    pub is_learning: bool,
}

/// Whether an address is known of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownAddress {
    /// They used it on an earlier day: since then.
    Since(Timestamp),
    /// They did not.
    New,
    /// The event has none.
    NotStated,
}

impl AnomalyState {
    /// Users and addresses that were forgotten to make room.
    pub fn forgotten(&self) -> u64 {
        let maps = self.disabled.forgotten + self.people.forgotten + self.sprays.forgotten;
        self.users.forgotten() + maps + self.unmarked
    }

    /// Whether nothing can be called unusual at the last event that was judged.
    pub fn is_learning(&self, thresholds: &DetectionThresholds) -> bool {
        let last = self.organization.seen.last().unwrap_or_default();
        self.organization.is_learning(last, thresholds)
    }

    /// How usual it is that the actor of `event` administrates, before it is judged.
    pub fn standing(
        &self,
        event: &DetectionEvent<'_>,
        thresholds: &DetectionThresholds,
    ) -> ActorStanding {
        let time = event.time();
        let history = event.actor.as_ref().and_then(|actor| self.users.get(&actor.key));
        let first_seen = |address| {
            let addresses = history.map_or(&[][..], |history| &history.addresses);
            let known = addresses.iter().find(|known| known.address == address)?;
            known.seen.first().filter(|first| day_of(*first) < day_of(time))
        };
        ActorStanding {
            admin_days: history.map_or(0, |history| history.acts.days_before(time, 30)),
            address: match event.address {
                None if event.has_unreadable_address => KnownAddress::New,
                None => KnownAddress::NotStated,
                Some(address) => first_seen(address).map_or(KnownAddress::New, KnownAddress::Since),
            },
            is_learning: self.organization.is_learning(time, thresholds),
        }
    }

    /// What is unusual of `event`, which comes after the ones that were judged before, or late.
    pub fn judge(
        &mut self,
        event: &DetectionEvent<'_>,
        settings: &DetectSettings,
        lists: &AddressLists,
    ) -> Vec<DetectionFinding> {
        let (thresholds, max_users) = (&settings.thresholds, settings.max_users);
        let time = event.time();
        let tagged = |tag| event.address.is_some_and(|address| lists.has_tag(address, tag));
        let mut judgement = EventJudgement {
            event,
            time,
            thresholds,
            lists,
            exceptions: &settings.exceptions,
            kept_back: &mut self.kept_back,
            max_users,
            is_trusted: tagged(AddressTag::Trusted),
            found: Vec::new(),
        };
        let is_learning = self.organization.is_learning(time, thresholds);
        judgement.silence(&mut self.sources);
        judgement.own_key(&settings.own_keys);
        if let Some(result) = event.deed.login {
            judgement.logins(result, &mut self.users, &mut self.sprays, max_users);
        }
        if let Some(actor) = &event.actor
            && event.deed.is_of_person
            && event.deed.login != Some(LoginResult::Failure)
        {
            let user = self.users.of(&actor.key, time, max_users);
            let people = event.address.map(|address| self.people.of(&address, time, max_users));
            let is_new = is_learning || user.is_new(time, thresholds);
            user.note_awakening(&event.mark, days(thresholds.dormant_days));
            judgement.places(actor, user, people.as_deref(), &mut self.organization, is_new);
            judgement.disabled_account(actor, &mut self.disabled);
            judgement.administration(actor, user, &mut self.organization, is_new);
            judgement.impersonation(actor, user);
            judgement.reading(actor, user, is_new);
            user.seen.note(time);
            user.days.note(time);
            self.organization.seen.note(time);
            self.organization.days.note(time);
            if let Some(people) = people {
                people.note(person_hash(&actor.key), time);
            }
            if let Some(address) = event.address {
                user.add_address(address, time);
            }
        }
        if event.deed.is_impersonation && event.deed.is_of_person {
            judgement.taken_over(&mut self.users, max_users);
        }
        if let Some(change) = event.deed.access {
            judgement.access_change(change, &mut self.disabled, max_users);
            self.unmarked += event.more_affected;
        }
        judgement.found.iter_mut().for_each(|finding| finding.is_learning |= is_learning);
        judgement.found
    }
}

impl EventJudgement<'_> {
    /// Takes a finding that is reported once, and returns whether it is reported now. Where an
    /// exception keeps it back it is not: the next may come from elsewhere. So it is found again
    /// and again, and counts once an hour.
    fn report_once(&mut self, finding: DetectionFinding) -> bool {
        let is_excepted = !self.exceptions.is_empty() && {
            let alert = DetectionAlert::new(finding.clone(), self.event, false);
            self.exceptions.iter().any(|exception| exception.covers(&alert))
        };
        if is_excepted {
            let key = format!("{}\n{}", finding.rule.id, finding.key);
            let last = self.kept_back.of(key.as_str(), self.time, self.max_users);
            if last.is_since(self.time - minutes(60)) {
                return false;
            }
            last.note(self.time);
        }
        self.found.push(finding);
        !is_excepted
    }
}

impl UserHistory {
    /// Whether too little is known of the user to call anything unusual.
    fn is_new(&self, time: Timestamp, thresholds: &DetectionThresholds) -> bool {
        is_short(&self.seen, &self.days, time, thresholds)
    }
}

impl OrganizationHistory {
    fn is_learning(&self, time: Timestamp, thresholds: &DetectionThresholds) -> bool {
        is_short(&self.seen, &self.days, time, thresholds)
    }
}

/// Whether it is too little to call anything at `time` unusual.
fn is_short(
    seen: &SeenSpan,
    days: &SeenDays,
    time: Timestamp,
    thresholds: &DetectionThresholds,
) -> bool {
    seen.count < u64::from(thresholds.learning_events)
        || days.without(time) < thresholds.learning_days
}

/// A reason with something that it was compared with.
fn reason(
    compared: &'static str,
    found: impl ToString,
    limit: impl ToString,
    sentence: String,
) -> AlertReason {
    AlertReason { compared, found: found.to_string(), limit: Some(limit.to_string()), sentence }
}

/// A reason that stands for itself.
fn fact(compared: &'static str, found: impl ToString, sentence: String) -> AlertReason {
    AlertReason { compared, found: found.to_string(), limit: None, sentence }
}

/// A person in a sentence.
fn shown(person: &EventPerson<'_>) -> String {
    visible(person.shown())
}

/// A time in a sentence.
fn shown_time(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A day in a sentence.
fn shown_day(time: Timestamp) -> String {
    time.format("%Y-%m-%d").to_string()
}
