//! A plain reference of what is unusual, written from `docs/detect.md` alone. For each event it
//! looks back over all events before it, without the bounded memory of the engine. Where the two
//! differ, one of them is wrong.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::alert::{AlertSeverity, MAX_EVIDENCE};
use super::event::{
    AccessChange, AdminClass, DetectionEvent, EventDeed, EventMark, EventPerson, LoginResult,
};
use super::places::{AddressLists, GeoPlace, PlaceOrigin, travel_distance};
use super::{DetectionSetup, DetectionState, JudgedAlert};
use crate::config::detection::{
    AddressListSettings, AddressTag, DetectionThresholds, days, minutes,
};
use crate::model::time::Timestamp;

/// An event that borrows nothing.
type OwnedEvent = DetectionEvent<'static>;

// ---- The reference ----

/// "The last 4 failures for each of these users are looked at."
const FAILURES_A_USER: usize = 4;

/// What the engine and the reference are compared by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ExpectedAlert {
    completed_by: String,
    rule: String,
    severity: AlertSeverity,
    is_learning: bool,
}

/// The evidence that an alert may have; empty where the specification does not name the events.
type EvidenceChoices = Vec<Vec<String>>;

/// An event, and everything before it.
#[derive(Clone, Copy)]
struct JudgedEvent<'a> {
    before: &'a [OwnedEvent],
    event: &'a OwnedEvent,
    limits: &'a DetectionThresholds,
    lists: &'a AddressLists,
}

type ReferenceCheck<T> = fn(&JudgedEvent<'_>) -> T;

/// A detection.
type Detection = (&'static str, ReferenceCheck<bool>, ReferenceCheck<Option<AlertSeverity>>);

/// Each detection: its rule, whose history has to be long enough, and the severity if it is
/// reported.
const DETECTIONS: [Detection; 14] = [
    ("failed_logins", history_is_short, failed_logins),
    ("password_spray", history_is_short, password_spray),
    ("success_after_failures", history_is_short, success_after_failures),
    ("impossible_travel", history_is_short, impossible_travel),
    ("new_country", history_of_person_is_short, new_country),
    ("listed_address", history_is_short, listed_address),
    ("unusual_administration", history_of_person_is_short, unusual_administration),
    ("administration_burst", history_of_person_is_short, administration_burst),
    ("dormant_administrator", history_is_short, dormant_administrator),
    ("disabled_account", history_is_short, disabled_account),
    ("impersonation", history_is_short, impersonation),
    ("impersonation_abuse", history_is_short, impersonation_abuse),
    ("mass_reading", history_of_person_is_short, mass_reading),
    ("source_silence", history_is_short, source_silence),
];

/// The alerts of a history that is sorted by mark.
fn expected(
    history: &[OwnedEvent],
    limits: &DetectionThresholds,
    lists: &AddressLists,
) -> BTreeMap<ExpectedAlert, EvidenceChoices> {
    let mut alerts = BTreeMap::new();
    for (at, event) in history.iter().enumerate() {
        let judged = JudgedEvent { before: &history[..at], event, limits, lists };
        for (rule, is_short, severity_of) in DETECTIONS {
            let Some(severity) = severity_of(&judged) else { continue };
            let is_learning = is_short(&judged);
            let alert = ExpectedAlert {
                completed_by: event.mark.id.clone(),
                rule: rule.to_owned(),
                severity: if is_learning { AlertSeverity::Info } else { severity },
                is_learning,
            };
            let evidence = match rule {
                "success_after_failures" => evidence_of_success(&judged),
                "administration_burst" => evidence_of_burst(&judged),
                _ => Vec::new(),
            };
            alerts.insert(alert, evidence);
        }
    }
    alerts
}

impl<'a> JudgedEvent<'a> {
    fn time(&self) -> Timestamp {
        self.event.time()
    }

    /// All events to this one, with it.
    fn with_this(&self) -> impl Iterator<Item = &'a OwnedEvent> {
        self.before.iter().chain([self.event])
    }

    /// The events of the time of `length` before this one, without it.
    fn within(&self, length: TimeDelta) -> impl Iterator<Item = &'a OwnedEvent> {
        let start = self.time() - length;
        self.before.iter().filter(move |earlier| earlier.time() >= start)
    }

    /// "Until there are acts of people on 7 earlier days (UTC), and 20 of them": before this event.
    fn is_short<'e>(&self, events: impl Iterator<Item = &'e OwnedEvent>) -> bool {
        let all: Vec<i64> = events.map(|event| day_of(event.time())).collect();
        let today = day_of(self.time());
        let earlier: BTreeSet<i64> = all.iter().copied().filter(|day| *day < today).collect();
        all.len() < self.limits.learning_events as usize
            || earlier.len() < self.limits.learning_days as usize
    }
}

/// The person who did it, in whatever way, or whose login it was that failed.
fn person(event: &OwnedEvent) -> Option<&str> {
    let actor = event.actor.as_ref().filter(|_| event.deed.is_of_person);
    actor.map(|actor| &*actor.key)
}

/// The person whose act it is. A login that fails is none: nobody knows who tried it.
fn acting_person(event: &OwnedEvent) -> Option<&str> {
    person(event).filter(|_| event.deed.login != Some(LoginResult::Failure))
}

/// "Places count only where a person acts in a session."
fn place_in_session(event: &OwnedEvent) -> Option<(&str, &GeoPlace)> {
    let place = event.place.as_ref().filter(|_| event.deed.is_interactive)?;
    Some((person(event)?, place))
}

fn country_in_session(event: &OwnedEvent) -> Option<(&str, &str)> {
    let (person, place) = place_in_session(event)?;
    Some((person, place.country_code()?))
}

fn administration(event: &OwnedEvent) -> Option<(&str, AdminClass)> {
    Some((person(event)?, event.deed.administration?))
}

/// The person who became another.
fn impersonator(event: &OwnedEvent) -> Option<&str> {
    person(event).filter(|_| event.deed.is_impersonation)
}

/// The user whose login ended like this.
fn login_user(event: &OwnedEvent, result: LoginResult) -> Option<&str> {
    let user = event.login_subject().filter(|_| event.deed.login == Some(result));
    user.map(|user| &*user.key)
}

/// How many different people these are, without `person`.
fn others<'a>(people: impl Iterator<Item = &'a str>, person: &str) -> usize {
    people.filter(|other| *other != person).collect::<BTreeSet<_>>().len()
}

fn counts<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts: BTreeMap<K, usize> = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Hours of the clock (UTC) since 1970.
fn hour_of(time: Timestamp) -> i64 {
    time.timestamp().div_euclid(3600)
}

/// Days of the clock (UTC) since 1970.
fn day_of(time: Timestamp) -> i64 {
    time.timestamp().div_euclid(86_400)
}

fn history_is_short(judged: &JudgedEvent<'_>) -> bool {
    judged.is_short(judged.before.iter().filter(|earlier| acting_person(earlier).is_some()))
}

/// "The detections on what is usual for a person want as much of that person."
fn history_of_person_is_short(judged: &JudgedEvent<'_>) -> bool {
    let actor = person(judged.event);
    let is_same = |earlier: &&OwnedEvent| actor.is_some() && acting_person(earlier) == actor;
    history_is_short(judged) || judged.is_short(judged.before.iter().filter(is_same))
}

/// Failures that are reported once: from the one at which it is reported until `failure_minutes`
/// pass without one. `failures` are of one user, or from one address.
fn failure_series<'f, 'a>(
    failures: &'f [&'a OwnedEvent],
    limits: &DetectionThresholds,
    is_enough: impl Fn(&[&'a OwnedEvent]) -> bool,
) -> Vec<&'f [&'a OwnedEvent]> {
    let window = minutes(limits.failure_minutes);
    let mut series: Vec<(usize, usize)> = Vec::new();
    for (at, failure) in failures.iter().enumerate() {
        let is_near = |earlier: usize| failure.time() - failures[earlier].time() <= window;
        let continued = series.last_mut().filter(|series| series.1 + 1 == at && is_near(series.1));
        if let Some(series) = continued {
            series.1 = at;
            continue;
        }
        let first = (0..=at).find(|earlier| is_near(*earlier)).unwrap_or(at);
        if is_enough(&failures[first..=at]) {
            series.push((at, at));
        }
    }
    series.into_iter().map(|(first, last)| &failures[first..=last]).collect()
}

fn failures_of_user<'a>(
    events: impl Iterator<Item = &'a OwnedEvent>,
    user: &str,
) -> Vec<&'a OwnedEvent> {
    events.filter(|event| login_user(event, LoginResult::Failure) == Some(user)).collect()
}

fn failures_from_address<'a>(
    events: impl Iterator<Item = &'a OwnedEvent>,
    address: IpAddr,
) -> Vec<&'a OwnedEvent> {
    let is_failure = |event: &&OwnedEvent| {
        event.deed.login == Some(LoginResult::Failure) && event.address == Some(address)
    };
    events.filter(is_failure).collect()
}

fn series_of_user<'f, 'a>(
    failures: &'f [&'a OwnedEvent],
    limits: &DetectionThresholds,
) -> Vec<&'f [&'a OwnedEvent]> {
    failure_series(failures, limits, |recent| recent.len() >= limits.failed_logins as usize)
}

fn sprays_from_address<'f, 'a>(
    failures: &'f [&'a OwnedEvent],
    limits: &DetectionThresholds,
) -> Vec<&'f [&'a OwnedEvent]> {
    failure_series(failures, limits, |recent| {
        let looked_at = recent.iter().rev().take(FAILURES_A_USER * limits.spray_users as usize);
        let users = looked_at.filter_map(|failure| login_user(failure, LoginResult::Failure));
        users.collect::<BTreeSet<_>>().len() >= limits.spray_users as usize
    })
}

/// Medium where the last series begins to be reported with this event.
fn reported_now(series: &[&[&OwnedEvent]], judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let is_now = series
        .last()
        .is_some_and(|series| series.len() == 1 && series[0].mark == judged.event.mark);
    is_now.then_some(AlertSeverity::Medium)
}

fn failed_logins(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let user = login_user(judged.event, LoginResult::Failure)?;
    let failures = failures_of_user(judged.with_this(), user);
    reported_now(&series_of_user(&failures, judged.limits), judged)
}

fn password_spray(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let is_failure = judged.event.deed.login == Some(LoginResult::Failure);
    let address = judged.event.address.filter(|_| is_failure)?;
    let failures = failures_from_address(judged.with_this(), address);
    reported_now(&sprays_from_address(&failures, judged.limits), judged)
}

/// Whether this login is the first of its user that succeeds after `series`; `earlier` are the
/// logins that could have been it.
fn is_first_success<'e>(
    judged: &JudgedEvent<'_>,
    series: &[&OwnedEvent],
    mut earlier: impl Iterator<Item = &'e OwnedEvent>,
) -> bool {
    let longest = minutes(judged.limits.success_minutes);
    let is_success = |login: &OwnedEvent| {
        let last = series.iter().rfind(|failure| failure.mark < login.mark);
        last.is_some_and(|last| login.time() - last.time() <= longest)
    };
    let user = login_user(judged.event, LoginResult::Success);
    let is_of_user = |login: &OwnedEvent| login_user(login, LoginResult::Success) == user;
    is_success(judged.event) && !earlier.any(|login| is_of_user(login) && is_success(login))
}

/// A login that completes a series of its user and one of its address belongs to both.
fn success_after_failures(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let JudgedEvent { before, event, limits, .. } = *judged;
    if event.deed.login != Some(LoginResult::Success) {
        return None;
    }
    let of_user = login_user(event, LoginResult::Success).is_some_and(|user| {
        let failures = failures_of_user(before.iter(), user);
        let logins =
            before.iter().filter(|login| login_user(login, LoginResult::Success) == Some(user));
        let series = series_of_user(&failures, limits);
        series.last().is_some_and(|series| is_first_success(judged, series, logins))
    });
    let from_address = event.address.is_some_and(|address| {
        let failures = failures_from_address(before.iter(), address);
        let logins = before.iter().filter(|login| {
            login.deed.login == Some(LoginResult::Success) && login.address == Some(address)
        });
        let sprays = sprays_from_address(&failures, limits);
        sprays.last().is_some_and(|series| is_first_success(judged, series, logins))
    });
    (of_user || from_address).then_some(AlertSeverity::High)
}

/// "The failures since the beginning of these 30 minutes and the 10 before them, and the success":
/// those of the user, those from the address, or both.
fn evidence_of_success(judged: &JudgedEvent<'_>) -> EvidenceChoices {
    let length = minutes(judged.limits.success_minutes) + minutes(judged.limits.failure_minutes);
    let user = login_user(judged.event, LoginResult::Success);
    let is_of_user =
        |failure: &OwnedEvent| user.is_some() && login_user(failure, LoginResult::Failure) == user;
    let is_from_address =
        |failure: &OwnedEvent| failure.address.is_some() && failure.address == judged.event.address;
    let mut choices: [Vec<String>; 3] = Default::default();
    for failure in judged.within(length) {
        if failure.deed.login != Some(LoginResult::Failure) {
            continue;
        }
        let (is_of_user, is_from_address) = (is_of_user(failure), is_from_address(failure));
        let belongs = [is_of_user, is_from_address, is_of_user || is_from_address];
        for (choice, belongs) in choices.iter_mut().zip(belongs) {
            choice.extend(belongs.then(|| failure.mark.id.clone()));
        }
    }
    let with_success = choices.into_iter().map(|mut choice| {
        choice.push(judged.event.mark.id.clone());
        choice
    });
    with_success.collect()
}

/// Whether nobody can have gone from the one place to the other in that time.
fn is_impossible(from: &OwnedEvent, to: &OwnedEvent, limits: &DetectionThresholds) -> bool {
    let (Some(first), Some(second)) = (&from.place, &to.place) else { return false };
    let Some(distance) = travel_distance(first, second) else { return false };
    let passed = to.time() - from.time();
    let milliseconds = passed.max(TimeDelta::minutes(1)).num_milliseconds() as f64;
    passed <= TimeDelta::hours(limits.travel_hours.into())
        && distance.km > f64::from(limits.travel_km)
        && distance.km * 3_600_000.0 > f64::from(limits.travel_km_per_hour) * milliseconds
}

/// /24 of IPv4, /48 of IPv6.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() >> 8 << 8).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 80 << 80).into(),
    }
}

fn impossible_travel(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let (traveller, _) = place_in_session(judged.event)?;
    let is_stop = |event: &&OwnedEvent| {
        place_in_session(event).is_some_and(|(person, _)| person == traveller)
    };
    let stops: Vec<&OwnedEvent> = judged.with_this().filter(is_stop).collect();
    let [.., from, to] = stops.as_slice() else { return None };
    if !is_impossible(from, to, judged.limits) {
        return None;
    }
    let addresses = from.address.zip(to.address);
    let is_one_network =
        addresses.is_some_and(|(first, second)| network_of(first) == network_of(second));
    let is_trusted = |address| judged.lists.has_tag(address, AddressTag::Trusted);
    let are_trusted =
        addresses.is_some_and(|(first, second)| is_trusted(first) && is_trusted(second));
    // The journey of this event is the last of them.
    let earlier_journeys = stops[..stops.len() - 1].windows(2).filter(|journey| {
        judged.time() - journey[1].time() <= days(30)
            && journey[0].place == from.place
            && journey[1].place == to.place
            && is_impossible(journey[0], journey[1], judged.limits)
    });
    let is_pattern = earlier_journeys.count() >= judged.limits.travel_pattern as usize;
    let is_shared = to.address.is_some_and(|address| {
        let seen = judged.within(days(7)).filter(|earlier| earlier.address == Some(address));
        others(seen.filter_map(acting_person), traveller) >= 3
    });
    let is_quiet = is_one_network || are_trusted || is_pattern || is_shared;
    (!is_quiet).then_some(AlertSeverity::Medium)
}

fn new_country(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let (person, country) = country_in_session(judged.event)?;
    let length = days(judged.limits.country_days);
    let is_known = judged
        .before
        .iter()
        .filter_map(country_in_session)
        .any(|(earlier_person, _)| earlier_person == person);
    let in_country: Vec<&str> = judged
        .within(length)
        .filter_map(country_in_session)
        .filter(|(_, earlier_country)| *earlier_country == country)
        .map(|(earlier_person, _)| earlier_person)
        .collect();
    let address = judged.event.address;
    let is_trusted =
        address.is_some_and(|address| judged.lists.has_tag(address, AddressTag::Trusted));
    if !is_known || in_country.contains(&person) || is_trusted {
        return None;
    }
    Some(match others(in_country.into_iter(), person) {
        0 => AlertSeverity::High,
        1 | 2 => AlertSeverity::Medium,
        _ => AlertSeverity::Low,
    })
}

fn listed_address(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let person = acting_person(judged.event)?;
    let address = judged.event.address?;
    let severity = match () {
        () if judged.lists.has_tag(address, AddressTag::Suspicious) => AlertSeverity::High,
        () if judged.lists.has_tag(address, AddressTag::Anonymous) => AlertSeverity::Medium,
        () => return None,
    };
    let was_reported = judged.before.iter().any(|earlier| {
        judged.time() - earlier.time() <= days(1)
            && acting_person(earlier) == Some(person)
            && earlier.address == Some(address)
    });
    (!was_reported).then_some(severity)
}

/// Who did such an act in the days before; a person as often as they did.
fn actors_of_class<'a>(
    judged: &JudgedEvent<'a>,
    class: AdminClass,
    days_before: u32,
) -> Vec<&'a str> {
    let acts = judged.within(days(days_before)).filter_map(administration);
    acts.filter(|(_, earlier_class)| *earlier_class == class).map(|(actor, _)| actor).collect()
}

fn unusual_administration(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let (person, class) = administration(judged.event)?;
    let is_first = !actors_of_class(judged, class, judged.limits.class_days).contains(&person);
    let is_rare = others(actors_of_class(judged, class, 90).into_iter(), person) < 3;
    (is_first && is_rare).then_some(AlertSeverity::Medium)
}

fn administration_burst(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let (person, _) = administration(judged.event)?;
    let is_act =
        |event: &&OwnedEvent| administration(event).is_some_and(|(actor, _)| actor == person);
    let acts = judged.with_this().filter(is_act).map(|event| hour_of(event.time()));
    let acts_of_hours = counts(acts);
    let (hour, day) = (hour_of(judged.time()), day_of(judged.time()));
    let week_before = acts_of_hours.range((day - 7) * 24..day * 24);
    let most = week_before.map(|(_, acts)| *acts).max().unwrap_or(0);
    let acts = acts_of_hours.get(&hour).copied().unwrap_or(0);
    let is_burst = |acts: usize| {
        acts > judged.limits.burst_acts as usize
            && acts > most * judged.limits.burst_factor as usize
    };
    (is_burst(acts) && !is_burst(acts - 1)).then_some(AlertSeverity::Medium)
}

/// "Of a burst the last 20 acts of the hour."
fn evidence_of_burst(judged: &JudgedEvent<'_>) -> EvidenceChoices {
    let actor = administration(judged.event).map(|(actor, _)| actor);
    let hour = hour_of(judged.time());
    let is_act = |event: &&OwnedEvent| {
        administration(event).map(|(other, _)| other) == actor && hour_of(event.time()) == hour
    };
    let acts: Vec<String> =
        judged.with_this().filter(is_act).map(|event| event.mark.id.clone()).collect();
    vec![acts[acts.len().saturating_sub(20)..].to_vec()]
}

/// The first administrative act since the person did anything again, within 24 hours of that.
fn dormant_administrator(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let (actor, _) = administration(judged.event)?;
    let acts: Vec<&OwnedEvent> =
        judged.with_this().filter(|event| acting_person(event) == Some(actor)).collect();
    let dormant = days(judged.limits.dormant_days);
    let awakening =
        (1..acts.len()).rfind(|&at| acts[at].time() - acts[at - 1].time() >= dormant)?;
    let since = &acts[awakening..acts.len() - 1];
    let is_first = since.iter().all(|earlier| administration(earlier).is_none());
    let is_soon = judged.time() - acts[awakening].time() <= TimeDelta::hours(24);
    (is_first && is_soon).then_some(AlertSeverity::Medium)
}

fn disabled_account(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let person = acting_person(judged.event)?;
    let last_change = judged.before.iter().rposition(|earlier| {
        earlier.deed.access.is_some() && earlier.affected.iter().any(|user| user == person)
    })?;
    let is_disabled = judged.before[last_change].deed.access == Some(AccessChange::Disabled);
    let since = &judged.before[last_change + 1..];
    let was_reported = since.iter().any(|earlier| acting_person(earlier) == Some(person));
    (is_disabled && !was_reported).then_some(AlertSeverity::High)
}

fn impersonation(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let person = impersonator(judged.event)?;
    let is_first = !judged.within(days(90)).any(|earlier| impersonator(earlier) == Some(person));
    let of_day = judged
        .within(TimeDelta::hours(24))
        .chain([judged.event])
        .filter(|event| impersonator(event) == Some(person));
    let became: BTreeSet<&str> =
        of_day.filter_map(|event| event.user.as_ref()).map(|user| &*user.key).collect();
    let are_many = became.len() > judged.limits.impersonations as usize;
    Some(if is_first || are_many { AlertSeverity::High } else { AlertSeverity::Medium })
}

/// Acts after an impersonation are recorded as those of the person who was become; those that are
/// recorded as of the impersonator count as well.
fn impersonation_abuse(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let (actor, class) = administration(judged.event)?;
    let is_sensitive =
        matches!(class, AdminClass::Token | AdminClass::Permission | AdminClass::DataExport);
    let address = judged.event.address.filter(|_| is_sensitive)?;
    let is_after = judged.within(minutes(judged.limits.impersonation_minutes)).any(|earlier| {
        let became = earlier.user.as_ref().map(|user| &*user.key);
        impersonator(earlier).is_some_and(|person| person == actor || became == Some(actor))
            && earlier.address == Some(address)
    });
    is_after.then_some(AlertSeverity::High)
}

/// "Longer than 7 times the gap that most days do not exceed (the median of each day's longest, of
/// the last 14 days with events), and than 10 minutes; from 10 gaps and three days on."
fn source_silence(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let times: Vec<_> = judged.before.iter().map(|event| event.time()).collect();
    let gap = judged.time() - *times.last()?;
    let gaps: Vec<_> = times
        .windows(2)
        .map(|pair| (pair[1].date_naive(), pair[1] - pair[0]))
        .filter(|(_, gap)| *gap > TimeDelta::zero())
        .collect();
    let mut days: Vec<_> = gaps.iter().map(|(day, _)| *day).collect();
    days.dedup();
    let days = &days[days.len().saturating_sub(14)..];
    let spans_days = days
        .first()
        .zip(days.last())
        .is_some_and(|(first, last)| *last - *first >= TimeDelta::days(2));
    if gaps.len() < 10 || !spans_days {
        return None;
    }
    let longest_of = |day| gaps.iter().filter(|(of, _)| of == day).map(|(_, gap)| *gap).max();
    let mut longest: Vec<_> = days.iter().filter_map(longest_of).collect();
    longest.sort_unstable();
    let usual = longest[longest.len() / 2];
    (gap > (usual * 7).max(minutes(10))).then_some(AlertSeverity::Medium)
}

fn minute_of(time: Timestamp) -> i64 {
    time.timestamp().div_euclid(60)
}

/// How many of the events up to `at` are in its minute and the 14 before it.
fn read_within(events: &[&OwnedEvent], at: usize) -> usize {
    let minute = minute_of(events[at].time());
    let is_near = |event: &&&OwnedEvent| minute_of(event.time()) > minute - 15;
    events[..=at].iter().filter(is_near).count()
}

/// Whether the event at `at` is one too many: "what the person read within 15 minutes at most, on
/// nearly all (95 %) of the last 30 days before on which they read anything".
fn is_too_much(events: &[&OwnedEvent], at: usize, limits: &DetectionThresholds) -> bool {
    let mut most_of_days: BTreeMap<i64, usize> = BTreeMap::new();
    for earlier in 0..at {
        let most = most_of_days.entry(day_of(events[earlier].time())).or_default();
        *most = (*most).max(read_within(events, earlier));
    }
    let before = most_of_days.range(..day_of(events[at].time()));
    let mut known: Vec<usize> = before.rev().take(30).map(|(_, most)| *most).collect();
    known.sort_unstable();
    let nearly_all = (known.len() * 95).div_ceil(100);
    let usual = nearly_all.checked_sub(1).map_or(0, |at| known[at]);
    let count = read_within(events, at);
    count > limits.reading as usize && count > usual * limits.reading_factor as usize
}

fn mass_reading(judged: &JudgedEvent<'_>) -> Option<AlertSeverity> {
    let reader = acting_person(judged.event).filter(|_| judged.event.deed.is_reading)?;
    let is_reading =
        |event: &&OwnedEvent| event.deed.is_reading && acting_person(event) == Some(reader);
    let events: Vec<&OwnedEvent> = judged.with_this().filter(is_reading).collect();
    let at = events.len() - 1;
    let was_reported = (0..at).rev().find(|earlier| is_too_much(&events, *earlier, judged.limits));
    let is_reported = was_reported
        .is_some_and(|earlier| minute_of(judged.time()) - minute_of(events[earlier].time()) <= 15);
    (is_too_much(&events, at, judged.limits) && !is_reported).then_some(AlertSeverity::Medium)
}

// ---- HistoryMap ----

const ADDRESSES: [&str; 10] = [
    "198.51.100.7",
    "198.51.100.77",
    "203.0.113.5",
    "2001:db8:17:1::5",
    "192.0.2.66",
    "192.0.2.1",
    "198.18.5.5",
    "2001:db8:17:2::9",
    "2001:db8:18::1",
    "2001:db8:18:7::1",
];

const PLACES: [(&str, Option<&str>); 8] = [
    ("NL", Some("Amsterdam")),
    ("DE", Some("Berlin")),
    ("PT", Some("Lisbon")),
    ("JP", Some("Tokyo")),
    ("IS", Some("Reykjavik")),
    ("AU", Some("Sydney")),
    ("DE", Some("Munich")),
    ("NL", None),
];

const CLASSES: [AdminClass; 8] = [
    AdminClass::Account,
    AdminClass::Group,
    AdminClass::Permission,
    AdminClass::Token,
    AdminClass::App,
    AdminClass::Policy,
    AdminClass::Configuration,
    AdminClass::DataExport,
];

const MOST_EVENTS: usize = 300;
const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;

#[derive(Debug, Clone, Copy)]
enum SketchedAct {
    LoginSuccess,
    LoginFailure,
    Administration(AdminClass),
    SeenImpersonation(usize),
    Reading,
    Access(usize, AccessChange),
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SketchedActor {
    Person,
    App,
    Nobody,
}

/// An event; numbers of people, addresses and places are taken modulo how many there are.
#[derive(Debug, Clone, Copy)]
struct EventSketch {
    /// Milliseconds after the event before it.
    gap: i64,
    person: usize,
    actor: SketchedActor,
    address: Option<usize>,
    place: Option<usize>,
    is_session: bool,
    act: SketchedAct,
}

/// An event that is repeated, by the same person or by one after the other.
#[derive(Debug, Clone)]
struct SketchedBurst {
    first: EventSketch,
    count: usize,
    gap: i64,
    changes_person: bool,
}

#[derive(Debug, Clone)]
pub struct HistoryCase {
    people: usize,
    /// How many there are, and the number of the first.
    addresses: (usize, usize),
    places: usize,
    has_lists: bool,
    limits: DetectionThresholds,
    /// Milliseconds after [`START`].
    start: i64,
    bursts: Vec<SketchedBurst>,
}

fn person_number(number: usize) -> EventPerson<'static> {
    EventPerson {
        key: format!("person-{number}").into(),
        name: Some(format!("Person {number}").into()),
        email: None,
    }
}

impl SketchedAct {
    fn action(self) -> String {
        match self {
            SketchedAct::LoginSuccess | SketchedAct::LoginFailure => "user_login".to_owned(),
            SketchedAct::Administration(class) => format!("{class:?}_changed").to_lowercase(),
            SketchedAct::SeenImpersonation(_) => "user_logged_in_as_user".to_owned(),
            SketchedAct::Reading => "page_viewed".to_owned(),
            SketchedAct::Access(_, AccessChange::Disabled) => "user_disabled_org_access".to_owned(),
            SketchedAct::Access(_, AccessChange::Enabled) => "user_enabled_org_access".to_owned(),
            SketchedAct::Other => "page_updated".to_owned(),
        }
    }
}

impl EventSketch {
    /// As `EventDeed::of` makes it.
    fn deed(&self, is_of_person: bool) -> EventDeed {
        let is_interactive = is_of_person && self.is_session;
        let plain = EventDeed { is_of_person, is_interactive, ..EventDeed::default() };
        match self.act {
            SketchedAct::LoginSuccess => EventDeed {
                login: Some(LoginResult::Success),
                is_interactive: is_of_person,
                ..plain
            },
            SketchedAct::LoginFailure => {
                EventDeed { login: Some(LoginResult::Failure), is_interactive: false, ..plain }
            }
            SketchedAct::Administration(class) => EventDeed {
                administration: Some(class),
                is_reading: class == AdminClass::DataExport,
                ..plain
            },
            SketchedAct::SeenImpersonation(_) => EventDeed { is_impersonation: true, ..plain },
            SketchedAct::Reading => EventDeed { is_reading: true, ..plain },
            SketchedAct::Access(_, change) => EventDeed {
                access: Some(change),
                administration: Some(AdminClass::Account),
                ..plain
            },
            SketchedAct::Other => plain,
        }
    }
}

impl HistoryCase {
    pub fn history(&self) -> Vec<OwnedEvent> {
        let mut events = Vec::new();
        let mut elapsed = 0;
        for burst in &self.bursts {
            for index in 0..burst.count.min(MOST_EVENTS - events.len()) {
                let gap = if index == 0 { burst.first.gap } else { burst.gap };
                // No more days after 200 of them.
                elapsed += if elapsed + gap > 200 * DAY { gap % HOUR } else { gap };
                let mut sketch = burst.first;
                if burst.changes_person {
                    sketch.person += index;
                }
                let time = START + self.start + elapsed;
                events.push(self.event(&sketch, time, events.len()));
            }
        }
        events
    }

    fn event(&self, sketch: &EventSketch, milliseconds: i64, number: usize) -> OwnedEvent {
        let own = sketch.person % self.people;
        let is_of_person = sketch.actor == SketchedActor::Person
            || matches!(sketch.act, SketchedAct::SeenImpersonation(_));
        let actor = match sketch.actor {
            _ if is_of_person => Some(person_number(own)),
            SketchedActor::App => {
                Some(EventPerson { key: "app-1".into(), name: None, email: None })
            }
            SketchedActor::Nobody | SketchedActor::Person => None,
        };
        let user = match sketch.act {
            // Where there is one person only, they become somebody who does nothing.
            SketchedAct::SeenImpersonation(_) if self.people == 1 => Some(99),
            SketchedAct::SeenImpersonation(of) => {
                Some((own + 1 + of % (self.people - 1)) % self.people)
            }
            SketchedAct::Access(of, _) => Some(of % self.people),
            _ => (!is_of_person).then_some(own),
        };
        // Every third suspension is of two users, who are named beside others.
        let affected = match sketch.act {
            SketchedAct::Access(of, _) => {
                vec![of, if number.is_multiple_of(3) { of + 1 } else { of }]
            }
            _ => Vec::new(),
        };
        let affected = affected.into_iter().map(|of| person_number(of % self.people).key);
        let (count, first) = self.addresses;
        let address = sketch.address.map(|number| (number % count + first) % ADDRESSES.len());
        let place = sketch.place.map(|number| PLACES[number % self.places]);
        OwnedEvent {
            has_unreadable_address: false,
            mark: EventMark {
                time: Timestamp::from_timestamp_millis(milliseconds).unwrap(),
                id: format!("event-{number:04}"),
            },
            source: "test".into(),
            action: sketch.act.action().into(),
            actor,
            target: Some(format!("thing {number}").into()),
            user: user.map(person_number),
            affected: affected.map(Cow::into_owned).collect(),
            more_affected: 0,
            address: address.map(|number| ADDRESSES[number].parse().unwrap()),
            place: place.map(|(code, city)| GeoPlace::new(PlaceOrigin::Source, Some(code), city)),
            deed: sketch.deed(is_of_person),
            matches: Vec::new(),
        }
    }

    pub fn setup(&self) -> DetectionSetup {
        let settings = if self.has_lists { address_lists() } else { Vec::new() };
        DetectionSetup::for_tests(self.limits, AddressLists::load(&settings).unwrap())
    }
}

fn address_lists() -> Vec<AddressListSettings> {
    let list = |name: &str, tag: AddressTag, ranges: &[&str]| AddressListSettings {
        name: name.to_owned(),
        tag,
        path: None,
        ranges: ranges.iter().map(|range| (*range).to_owned()).collect(),
    };
    vec![
        list("offices", AddressTag::Trusted, &["203.0.113.0/24", "2001:db8:17::/48"]),
        list("attackers", AddressTag::Suspicious, &["192.0.2.64/26"]),
        list("relays", AddressTag::Anonymous, &["198.18.0.0/15"]),
    ]
}

fn one_of(numbers: &'static [u32]) -> impl Strategy<Value = u32> {
    prop::sample::select(numbers)
}

fn small_limits() -> impl Strategy<Value = DetectionThresholds> {
    let travel =
        (one_of(&[100, 1000]), one_of(&[0, 500]), one_of(&[1, 24]), 1_u32..4, one_of(&[1, 10, 90]));
    let logins = (1_u32..6, 1_u32..5, one_of(&[1, 10]), one_of(&[0, 5, 30]));
    let acts = (0_u32..5, 0_u32..4, one_of(&[1, 10, 180]), one_of(&[1, 10, 90]));
    let impersonations = (0_u32..4, one_of(&[5, 60]));
    let reading = (one_of(&[0, 2, 4, 10]), one_of(&[1, 2, 5]));
    (travel, logins, acts, impersonations, reading).prop_map(
        |(travel, logins, acts, impersonations, reading)| DetectionThresholds {
            travel_km_per_hour: travel.0,
            travel_km: travel.1,
            travel_hours: travel.2,
            travel_pattern: travel.3,
            country_days: travel.4,
            failed_logins: logins.0,
            spray_users: logins.1,
            failure_minutes: logins.2,
            success_minutes: logins.3,
            burst_acts: acts.0,
            burst_factor: acts.1,
            class_days: acts.2,
            dormant_days: acts.3,
            impersonations: impersonations.0,
            impersonation_minutes: impersonations.1,
            reading: reading.0,
            reading_factor: reading.1,
            ..DetectionThresholds::default()
        },
    )
}

fn any_limits() -> impl Strategy<Value = DetectionThresholds> {
    let learning = prop::sample::select(vec![(0_u32, 0_u32), (0, 0), (1, 3), (7, 20)]);
    let limits = prop_oneof![1 => Just(DetectionThresholds::default()), 4 => small_limits()];
    (learning, limits).prop_map(|((learning_days, learning_events), limits)| DetectionThresholds {
        learning_days,
        learning_events,
        ..limits
    })
}

/// Whole seconds and minutes meet the ends of windows of minutes, which are specified. Whether the
/// ends of windows of days count is not, so that longer gaps are uneven.
fn any_gap() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (0_i64..=5).prop_map(|seconds| seconds * SECOND),
        4 => (5_i64..=600).prop_map(|seconds| seconds * SECOND),
        2 => (1_i64..=65).prop_map(|minutes| minutes * MINUTE),
        3 => 10 * MINUTE..5 * HOUR,
        3 => 5 * HOUR..30 * HOUR,
        2 => DAY..12 * DAY,
        1 => 12 * DAY..100 * DAY,
    ]
}

fn any_act() -> impl Strategy<Value = SketchedAct> {
    let change = prop_oneof![2 => Just(AccessChange::Disabled), 1 => Just(AccessChange::Enabled)];
    prop_oneof![
        4 => Just(SketchedAct::LoginSuccess),
        5 => Just(SketchedAct::LoginFailure),
        5 => prop::sample::select(&CLASSES[..]).prop_map(SketchedAct::Administration),
        2 => (0_usize..6).prop_map(SketchedAct::SeenImpersonation),
        4 => Just(SketchedAct::Reading),
        2 => (0_usize..6, change).prop_map(|(of, change)| SketchedAct::Access(of, change)),
        2 => Just(SketchedAct::Other),
    ]
}

fn any_sketch() -> impl Strategy<Value = EventSketch> {
    let actor = prop_oneof![
        8 => Just(SketchedActor::Person),
        1 => Just(SketchedActor::App),
        1 => Just(SketchedActor::Nobody),
    ];
    let address = prop::option::weighted(0.9, 0..ADDRESSES.len());
    let place = prop::option::weighted(0.8, 0..PLACES.len());
    (any_gap(), 0_usize..6, actor, address, place, any::<bool>(), any_act()).prop_map(
        |(gap, person, actor, address, place, is_session, act)| EventSketch {
            gap,
            person,
            actor,
            address,
            place,
            is_session,
            act,
        },
    )
}

fn any_burst() -> impl Strategy<Value = SketchedBurst> {
    let repetition = prop_oneof![
        14 => Just((1_usize, 0_i64, false)),
        3 => (2_usize..=12, 0_i64..=180, any::<bool>()),
        1 => (13_usize..=30, 0_i64..=20, any::<bool>()),
        1 => (1_i64..=10).prop_map(|seconds| (60_usize, seconds, false)),
    ];
    (any_sketch(), repetition).prop_map(|(first, (count, seconds, changes_person))| SketchedBurst {
        first,
        count,
        gap: seconds * SECOND,
        changes_person,
    })
}

pub fn any_case() -> impl Strategy<Value = HistoryCase> {
    (
        1_usize..=6,
        (2_usize..=ADDRESSES.len(), 0..ADDRESSES.len()),
        1_usize..=PLACES.len(),
        any::<bool>(),
        any_limits(),
        0..DAY / SECOND,
        prop::collection::vec(any_burst(), 1..=60),
    )
        .prop_map(|(people, addresses, places, has_lists, limits, start, bursts)| {
            HistoryCase {
                people,
                addresses,
                places,
                has_lists,
                limits,
                start: start * SECOND,
                bursts,
            }
        })
}

// ---- The comparison ----

/// The alerts of the engine, each with its evidence.
fn judged_by_engine(
    history: &[OwnedEvent],
    setup: &DetectionSetup,
) -> Vec<(ExpectedAlert, Vec<String>)> {
    let mut state = DetectionState::default();
    let mut found = Vec::new();
    for event in history {
        for JudgedAlert { alert, .. } in state.judge(setup, event) {
            let key = ExpectedAlert {
                completed_by: event.mark.id.clone(),
                rule: alert.rule.id,
                severity: alert.severity,
                is_learning: alert.is_learning,
            };
            found.push((key, alert.evidence));
        }
    }
    found
}

/// Whether these are the events that the specification names, "as far as they are remembered".
fn is_evidence(found: &[String], choices: &[Vec<String>]) -> bool {
    let fits = |all: &Vec<String>| match found.len() {
        MAX_EVIDENCE if all.len() > MAX_EVIDENCE => {
            let (first, last) = found.split_at(MAX_EVIDENCE / 2);
            all.ends_with(last) && all.windows(first.len()).any(|part| part == first)
        }
        length => all.ends_with(found) && (length == all.len() || length > 4),
    };
    choices.is_empty() || choices.iter().any(fits)
}

/// What is wrong with the evidence of the engine's alerts.
fn wrong_evidence(
    found: &[(ExpectedAlert, Vec<String>)],
    expected: &BTreeMap<ExpectedAlert, EvidenceChoices>,
) -> String {
    let mut text = String::new();
    for (alert, evidence) in found {
        // Ids of these histories are in the order of time.
        let is_sorted = evidence.is_sorted_by(|first, second| first < second);
        if !is_sorted || evidence.last() != Some(&alert.completed_by) {
            let _ = writeln!(text, "{}: not in order up to it: {evidence:?}", line_of(alert));
        }
        if let Some(choices) = expected.get(alert)
            && !is_evidence(evidence, choices)
        {
            let alert = line_of(alert);
            let _ = writeln!(text, "{alert}\n  has      {evidence:?}\n  and not  {choices:?}");
        }
    }
    text
}

/// Alerts that only one of the two has, and alerts that the engine has twice.
fn difference(
    found: &[(ExpectedAlert, Vec<String>)],
    expected: &BTreeMap<ExpectedAlert, EvidenceChoices>,
) -> String {
    let times_found = counts(found.iter().map(|(alert, _)| alert));
    let mut text = String::new();
    for alert in expected.keys().filter(|alert| !times_found.contains_key(alert)) {
        let _ = writeln!(text, "missing:   {}", line_of(alert));
    }
    for (alert, times) in &times_found {
        if !expected.contains_key(*alert) {
            let _ = writeln!(text, "too many:  {}", line_of(alert));
        }
        // A success may complete a series of its user and one of its address.
        if *times > 1 && alert.rule != "success_after_failures" {
            let _ = writeln!(text, "{times} times:   {}", line_of(alert));
        }
    }
    text
}

fn line_of(alert: &ExpectedAlert) -> String {
    let learning = if alert.is_learning { " (learning)" } else { "" };
    format!("{} {} {}{learning}", alert.completed_by, alert.rule, alert.severity)
}

/// A history for people to read, up to its last event.
fn listing(history: &[OwnedEvent]) -> String {
    let mut text = String::new();
    for event in history {
        let key = |person: &Option<EventPerson>| {
            person.as_ref().map_or_else(|| "-".to_owned(), |person| person.key.to_string())
        };
        let address = event.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let place = event.place.as_ref().map_or_else(|| "-".to_owned(), GeoPlace::label);
        let deed = &event.deed;
        let _ = writeln!(
            text,
            "{} {} {} actor={} user={} {address} {place} person={} session={} login={:?}",
            event.mark.time.format("%m-%dT%H:%M:%S%.3f"),
            event.mark.id,
            event.action,
            key(&event.actor),
            key(&event.user),
            deed.is_of_person,
            deed.is_interactive,
            deed.login,
        );
    }
    text
}

pub fn cases() -> u32 {
    std::env::var("ATLAUDIT_CASES").map_or(256, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn the_engine_agrees_with_a_plain_reference(case in any_case()) {
        let history = case.history();
        let setup = case.setup();
        let expected = expected(&history, &case.limits, &setup.lists);
        let found = judged_by_engine(&history, &setup);
        let different = difference(&found, &expected);
        prop_assert!(different.is_empty(), "\n{different}\n{}", listing(&history));
        let wrong = wrong_evidence(&found, &expected);
        prop_assert!(wrong.is_empty(), "\n{wrong}\n{}", listing(&history));
    }
}

/// What never occurs in the histories is not compared.
#[test]
fn every_detection_occurs_in_the_histories() {
    let mut runner = TestRunner::deterministic();
    let mut reported = BTreeSet::new();
    for _ in 0..200 {
        let case = any_case().new_tree(&mut runner).unwrap().current();
        let setup = case.setup();
        let alerts = expected(&case.history(), &case.limits, &setup.lists);
        reported.extend(alerts.into_keys().map(|alert| (alert.rule, alert.severity)));
    }
    for (rule, _, _) in DETECTIONS {
        let severities: &[AlertSeverity] = match rule {
            "success_after_failures" | "disabled_account" | "impersonation_abuse" => {
                &[AlertSeverity::High]
            }
            "new_country" => &[AlertSeverity::Low, AlertSeverity::Medium, AlertSeverity::High],
            "listed_address" | "impersonation" => &[AlertSeverity::Medium, AlertSeverity::High],
            _ => &[AlertSeverity::Medium],
        };
        for severity in severities.iter().chain(&[AlertSeverity::Info]) {
            assert!(
                reported.contains(&(rule.to_owned(), *severity)),
                "no {rule} that is {severity}"
            );
        }
    }
}
