//! Impossible travel, new countries, listed addresses.

use std::net::IpAddr;

use chrono::TimeDelta;

use super::anomaly_rule::{IMPOSSIBLE_TRAVEL, LISTED_ADDRESS, NEW_COUNTRY};
use super::{EventJudgement, fact, reason, shown, shown_day, shown_time};
use crate::config::detection::{AddressTag, days, minutes};
use crate::detect::alert::{AlertSeverity, DetectionFinding};
use crate::detect::event::EventPerson;
use crate::detect::history::{
    OrganizationHistory, RecentPeople, SeenPlace, TravelPatterns, UserHistory, note_address,
    person_hash,
};
use crate::detect::places::{DistanceBasis, GeoPlace, TravelDistance, travel_distance};
use crate::model::hashing::quick_hash;

/// Days in which a journey is known, and in which people share an address.
const PATTERN_DAYS: u32 = 30;
const SHARED_DAYS: u32 = 7;
/// So many people make an address a shared one.
const SHARED_BY: usize = 3;

/// A journey that nobody can make.
struct ImpossibleJourney<'a> {
    from: &'a SeenPlace,
    to: &'a SeenPlace,
    distance: TravelDistance,
    /// Kilometres an hour.
    speed: f64,
    /// How often it was made before.
    before: usize,
}

impl EventJudgement<'_> {
    /// Judges where a person is.
    pub(super) fn places(
        &mut self,
        actor: &EventPerson<'_>,
        user: &mut UserHistory,
        people: Option<&RecentPeople>,
        organization: &mut OrganizationHistory,
        is_new: bool,
    ) {
        self.listed_address(actor, user);
        let (true, Some(place)) = (self.event.deed.is_interactive, &self.event.place) else {
            return;
        };
        if !user.places.stays(&self.event.mark, self.event.address, place) {
            self.arrival(actor, user, people, place);
        }
        self.new_country(actor, user, organization, place, is_new);
    }

    /// Judges the journeys to a place that is another than the last, and from there.
    fn arrival(
        &mut self,
        actor: &EventPerson<'_>,
        user: &mut UserHistory,
        people: Option<&RecentPeople>,
        place: &GeoPlace,
    ) {
        let seen = SeenPlace {
            mark: self.event.mark.clone(),
            address: self.event.address,
            place: place.clone(),
        };
        let hash = person_hash(&actor.key);
        let is_shared = people
            .is_some_and(|people| people.others(hash, self.time - days(SHARED_DAYS)) >= SHARED_BY);
        let (before, after) = user.places.neighbours(&seen.mark);
        for (from, to) in [(before, Some(&seen)), (Some(&seen), after)] {
            if let (Some(from), Some(to)) = (from, to) {
                self.impossible_travel(actor, &mut user.patterns, (from, to), is_shared);
            }
        }
        user.places.add(seen);
    }

    fn impossible_travel(
        &mut self,
        actor: &EventPerson<'_>,
        patterns: &mut TravelPatterns,
        (from, to): (&SeenPlace, &SeenPlace),
        is_shared: bool,
    ) {
        let thresholds = self.thresholds;
        let elapsed = to.mark.time - from.mark.time;
        if elapsed > minutes(thresholds.travel_hours.saturating_mul(60)) {
            return;
        }
        let Some(distance) = travel_distance(&from.place, &to.place) else {
            return;
        };
        // Seconds are not known better.
        let hours = elapsed.max(TimeDelta::minutes(1)).num_milliseconds() as f64 / 3_600_000.0;
        let speed = distance.km / hours;
        let is_same_network =
            from.address.zip(to.address).is_some_and(|(from, to)| shares_network(from, to));
        if distance.km <= f64::from(thresholds.travel_km)
            || speed <= f64::from(thresholds.travel_km_per_hour)
        {
            return;
        }
        let is_trusted = |place: &SeenPlace| {
            let tag = AddressTag::Trusted;
            place.address.is_some_and(|address| self.lists.has_tag(address, tag))
        };
        let both_trusted = is_trusted(from) && is_trusted(to);
        let journey = format!("{}\n{}", from.place.label(), to.place.label());
        let since = to.mark.time - days(PATTERN_DAYS);
        let limit = thresholds.travel_pattern as usize;
        let hash = quick_hash(journey.as_bytes());
        let before = patterns.add(hash, to.mark.time, since, limit);
        if both_trusted || is_shared || is_same_network || before >= limit {
            return;
        }
        let journey = ImpossibleJourney { from, to, distance, speed, before };
        let finding = self.travel_finding(actor, &journey);
        self.found.push(finding);
    }

    fn travel_finding(
        &self,
        actor: &EventPerson<'_>,
        journey: &ImpossibleJourney<'_>,
    ) -> DetectionFinding {
        let ImpossibleJourney { from, to, distance, speed, before } = journey;
        let thresholds = self.thresholds;
        let elapsed = to.mark.time - from.mark.time;
        let name = shown(actor);
        let (here, there) = (to.place.label(), from.place.label());
        let minutes = elapsed.num_minutes();
        let title = format!("{name} was in {there} and {minutes} minutes later in {here}");
        let mut finding = IMPOSSIBLE_TRAVEL.finding(AlertSeverity::Medium, &actor.key, title);
        let basis = match distance.basis {
            DistanceBasis::Coordinates => "between the two places, less how exactly they are known",
            DistanceBasis::Borders => {
                "between the borders of the two countries, where these are \
                                       nearest to each other"
            }
        };
        finding.why = vec![
            reason(
                "distance_km",
                format!("{:.0}", distance.km),
                thresholds.travel_km,
                format!(
                    "It is {:.0} km {basis}; more than {} km count.",
                    distance.km, thresholds.travel_km
                ),
            ),
            reason(
                "speed_km_h",
                format!("{speed:.0}"),
                thresholds.travel_km_per_hour,
                format!(
                    "In the time from {} to {} that is {speed:.0} km/h; more than {} km/h \
                     cannot be.",
                    shown_time(from.mark.time),
                    shown_time(to.mark.time),
                    thresholds.travel_km_per_hour
                ),
            ),
            fact("from", &there, place_sentence("before", from)),
            fact("to", &here, place_sentence("after", to)),
            reason(
                "same_journey_before",
                before,
                thresholds.travel_pattern,
                format!(
                    "{name} made this journey {before} times in the {PATTERN_DAYS} days before; \
                     from {} times on it is usual.",
                    thresholds.travel_pattern
                ),
            ),
        ];
        finding.evidence = vec![from.mark.id.clone(), to.mark.id.clone()];
        finding.silence = vec![
            "both addresses are on a list with the tag `trusted`".to_owned(),
            format!(
                "{SHARED_BY} other people had used the second address within {SHARED_DAYS} days"
            ),
        ];
        finding
    }

    fn new_country(
        &mut self,
        actor: &EventPerson<'_>,
        user: &mut UserHistory,
        organization: &mut OrganizationHistory,
        place: &GeoPlace,
        is_new: bool,
    ) {
        let Some(code) = place.country else {
            return;
        };
        let since = self.time - days(self.thresholds.country_days);
        // The first country of a user is not new: nothing is known to compare it with.
        let is_first = user.countries.is_empty();
        let seen = user.add_country(code, self.time);
        let hash = person_hash(&actor.key);
        let people = organization.countries.entry(code).or_default();
        let others = people.others(hash, since);
        people.note(hash, self.time);
        if is_first || seen.is_since(since) || self.is_trusted {
            return;
        }
        let severity = match others {
            0 => AlertSeverity::High,
            1 | 2 => AlertSeverity::Medium,
            _ => AlertSeverity::Low,
        };
        let name = shown(actor);
        let title = format!("{name} acts from {} for the first time", place.label());
        let mut finding =
            NEW_COUNTRY.finding(severity, &format!("{}\n{}", actor.key, code.as_str()), title);
        let window = self.thresholds.country_days;
        let last = match seen.last() {
            None => format!("{name} was never seen in this country before."),
            Some(last) => format!(
                "{name} was last seen in this country on {}; after {window} days it is new again.",
                shown_day(last)
            ),
        };
        let last_seen = seen.last().map_or_else(|| "never".to_owned(), shown_day);
        finding.why = vec![
            reason("last_seen_in_country", last_seen, format!("{window} days"), last),
            reason(
                "colleagues_in_country",
                others,
                SHARED_BY,
                format!(
                    "{} in that country in {window} days: with nobody it is high, from \
                     {SHARED_BY} on low.",
                    match others {
                        0 => "No other person was".to_owned(),
                        1 => "One other person was".to_owned(),
                        _ => format!("{others} other people were"),
                    }
                ),
            ),
        ];
        if let Some(first) = user.seen.first() {
            let since = shown_day(first);
            let sentence = format!("{name} is known since {since}.");
            finding.why.push(fact("known_since", since, sentence));
        }
        finding.evidence = vec![self.event.mark.id.clone()];
        finding.silence.push("the address is on a list with the tag `trusted`".to_owned());
        finding.is_learning = is_new;
        self.found.push(finding);
    }

    /// Reported again when the person has not used the address for a day. An act that an exception
    /// keeps back begins no such day: the next one may be reported.
    fn listed_address(&mut self, actor: &EventPerson<'_>, user: &mut UserHistory) {
        let Some(address) = self.event.address else {
            return;
        };
        let with_tag = |tag| self.lists.find(address).find(|listed| listed.tag == tag);
        let listed = with_tag(AddressTag::Suspicious).or_else(|| with_tag(AddressTag::Anonymous));
        let Some(listed) = listed else {
            return;
        };
        if self.is_trusted {
            return;
        }
        let known = user.listed.iter().find(|known| known.address == address);
        if known.is_some_and(|known| known.seen.is_since(self.time - days(1))) {
            note_address(&mut user.listed, address, self.time);
            return;
        }
        let severity = match listed.tag {
            AddressTag::Suspicious => AlertSeverity::High,
            AddressTag::Anonymous | AddressTag::Trusted => AlertSeverity::Medium,
        };
        let name = shown(actor);
        let tag = listed.tag.as_str();
        let title = format!("{name} acts from the {tag} address {address}");
        let mut finding =
            LISTED_ADDRESS.finding(severity, &format!("{}\n{address}", actor.key), title);
        finding.why.push(fact(
            "list",
            listed.list,
            format!(
                "{address} is in {} of the list `{}`, whose tag is `{tag}`.",
                listed.range, listed.list
            ),
        ));
        finding.evidence = vec![self.event.mark.id.clone()];
        finding.silence.push("the address is on a list with the tag `trusted`, too".to_owned());
        if self.report_once(finding) {
            note_address(&mut user.listed, address, self.time);
        }
    }
}

fn place_sentence(word: &str, seen: &SeenPlace) -> String {
    let address = seen.address.map(|address| format!(", at {address}")).unwrap_or_default();
    format!("The place {word}: {}{address}, {}.", seen.place.label(), seen.place.origin_in_words())
}

/// Whether two addresses are neighbours, as those of one provider are: /24 of IPv4, /48 of IPv6.
fn shares_network(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..3] == b.octets()[..3],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..3] == b.segments()[..3],
        _ => false,
    }
}
