//! What detection remembers: of each user, of each address, of the whole organization. Bounded:
//! those who were seen longest ago are forgotten first, and counted.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::net::IpAddr;

use chrono::TimeDelta;
use foldhash::quality::RandomState;
use hashbrown::{Equivalent, HashMap};
use serde::{Deserialize, Serialize};

use super::event::{AdminClass, EventMark};
use super::places::{CountryCode, GeoPlace};
use crate::model::hashing::quick_hash;
use crate::model::time::Timestamp;
use crate::state::event_gaps::EventGaps;

/// How much is kept of each kind; where there is more, the oldest goes.
pub const MAX_PLACES: usize = 8;
const MAX_PATTERNS: usize = 16;
const MAX_COUNTRIES: usize = 16;
const MAX_ADDRESSES: usize = 16;
const MAX_PEOPLE: usize = 4;
/// Days of which something is counted: today and 30 before.
const MAX_DAYS: usize = 31;

/// What is remembered by a key, at most so many. Attackers choose some of the keys: their hashes
/// differ in each run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize + Eq + Hash, T: Serialize",
    deserialize = "K: Deserialize<'de> + Eq + Hash, T: Deserialize<'de>"
))]
pub struct HistoryMap<K, T> {
    by_key: HashMap<K, KeptHistory<T>, RandomState>,
    /// How many have been forgotten to make room.
    pub forgotten: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptHistory<T> {
    #[serde(with = "chrono::serde::ts_microseconds")]
    last: Timestamp,
    history: T,
}

impl<K, T> Default for HistoryMap<K, T> {
    fn default() -> HistoryMap<K, T> {
        HistoryMap { by_key: HashMap::default(), forgotten: 0 }
    }
}

impl<K: Clone + Ord + Hash, T: Default> HistoryMap<K, T> {
    /// The history of `key`, which is seen at `time`; at most `max` are kept.
    pub fn of<Q>(&mut self, key: &Q, time: Timestamp, max: usize) -> &mut T
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        if self.by_key.len() >= max && !self.by_key.contains_key(key) {
            self.make_room(max);
        }
        let new = || KeptHistory { last: time, history: T::default() };
        let kept = self.by_key.entry_ref(key).or_insert_with(new);
        kept.last = kept.last.max(time);
        &mut kept.history
    }

    /// The history of `key`, if there is one.
    pub fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&T> {
        self.by_key.get(key).map(|kept| &kept.history)
    }

    /// The history of `key`, if there is one, which is not seen for that.
    pub fn get_mut<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut T> {
        self.by_key.get_mut(key).map(|kept| &mut kept.history)
    }

    /// Takes the history of `key` away.
    pub fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q) -> Option<T> {
        self.by_key.remove(key).map(|kept| kept.history)
    }

    /// A sixteenth at once: to find the oldest costs a look at all.
    fn make_room(&mut self, max: usize) {
        let mut ages: Vec<(Timestamp, K)> =
            self.by_key.iter().map(|(key, kept)| (kept.last, key.clone())).collect();
        ages.sort_unstable();
        let count = (max / 16).max(1).max((self.by_key.len() + 1).saturating_sub(max));
        for (_, key) in ages.into_iter().take(count) {
            self.by_key.remove(&key);
            self.forgotten += 1;
        }
    }
}

/// What is remembered of users. Those who only ever failed to log in may be made up: they are kept
/// apart, so that they do not push out other users.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UserHistories {
    known: HistoryMap<String, UserHistory>,
    strangers: HistoryMap<String, LoginFailures>,
}

impl UserHistories {
    /// The history of a user who does something at `time`; at most `max` are kept.
    pub fn of(&mut self, key: &str, time: Timestamp, max: usize) -> &mut UserHistory {
        let failures = self.strangers.remove(key);
        let user = self.known.of(key, time, max);
        if let Some(failures) = failures {
            user.failures = failures;
        }
        user
    }

    /// The failed logins of a user, who fails again at `time`.
    pub fn failures(&mut self, key: &str, time: Timestamp, max: usize) -> &mut LoginFailures {
        match self.known.get_mut(key) {
            Some(user) => &mut user.failures,
            None => self.strangers.of(key, time, max),
        }
    }

    /// The history of a user, if there is one.
    pub fn get(&self, key: &str) -> Option<&UserHistory> {
        self.known.get(key)
    }

    /// How many have been forgotten to make room.
    pub fn forgotten(&self) -> u64 {
        self.known.forgotten + self.strangers.forgotten
    }
}

/// What is remembered of a user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UserHistory {
    /// The first and the last event, and how many there were.
    pub seen: SeenSpan,
    /// The days of these.
    pub days: SeenDays,
    /// The last places, by time.
    pub places: SeenPlaces,
    /// Journeys that nobody can make, and still were made.
    pub patterns: TravelPatterns,
    /// The countries.
    pub countries: Vec<SeenCountry>,
    /// The addresses.
    pub addresses: Vec<SeenAddress>,
    /// Failed logins.
    pub failures: LoginFailures,
    /// Classes of administrative acts, and when each was last seen.
    pub classes: BTreeMap<AdminClass, SeenSpan>,
    /// Administrative acts in an hour.
    pub acts: HourlyCounts,
    /// What was read in a quarter of an hour.
    pub reading: ReadingHistory,
    /// Whom they became.
    pub impersonated: Vec<SeenImpersonation>,
    /// Who became them.
    pub taken_over: Vec<SeenImpersonation>,
    /// When they did something again after a long time, and what they had done before.
    pub woke: Option<AccountAwakening>,
    /// The listed addresses that an alert has reported, with the last use of each.
    pub listed: Vec<SeenAddress>,
}

/// How often a source has events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRhythm {
    /// The gaps between them.
    pub gaps: EventGaps,
    /// The last one.
    pub last: Option<EventMark>,
}

/// From when until when something was seen, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSpan {
    range: Option<SeenRange>,
    /// How often.
    pub count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct SeenRange {
    #[serde(with = "chrono::serde::ts_microseconds")]
    first: Timestamp,
    #[serde(with = "chrono::serde::ts_microseconds")]
    last: Timestamp,
}

impl SeenSpan {
    /// Notes that it was seen.
    pub fn note(&mut self, time: Timestamp) {
        self.count += 1;
        self.range = Some(match self.range {
            None => SeenRange { first: time, last: time },
            Some(range) => SeenRange { first: range.first.min(time), last: range.last.max(time) },
        });
    }

    /// When it was seen first.
    pub fn first(&self) -> Option<Timestamp> {
        self.range.map(|range| range.first)
    }

    /// When it was seen last.
    pub fn last(&self) -> Option<Timestamp> {
        self.range.map(|range| range.last)
    }

    /// Whether it was seen since `time`.
    pub fn is_since(&self, time: Timestamp) -> bool {
        self.last().is_some_and(|last| last >= time)
    }
}

/// On how many days something was seen. A single event of another century is one day, not a long
/// history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenDays {
    count: u32,
    /// The last of them, in the order in which they were noted.
    recent: Vec<i32>,
}

/// Days of which is known that they were counted.
const MAX_RECENT_DAYS: usize = 16;

impl SeenDays {
    /// Notes that it was seen.
    pub fn note(&mut self, time: Timestamp) {
        let day = day_of(time);
        if !self.recent.contains(&day) {
            self.count += 1;
            self.recent.push(day);
            if self.recent.len() > MAX_RECENT_DAYS {
                self.recent.remove(0);
            }
        }
    }

    /// How many there were, without the day of `time`.
    pub fn without(&self, time: Timestamp) -> u32 {
        self.count - u32::from(self.recent.contains(&day_of(time)))
    }
}

/// A place where a user was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenPlace {
    /// When, by which event.
    pub mark: EventMark,
    /// From which address.
    pub address: Option<IpAddr>,
    /// Where.
    pub place: GeoPlace,
}

/// The places where a user was last, by time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenPlaces(Vec<SeenPlace>);

/// The journeys of a user that nobody can make; the one that was made last comes last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TravelPatterns(Vec<TravelPattern>);

/// A journey that nobody can make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct TravelPattern {
    /// From where to where.
    hash: u64,
    /// When, in microseconds after 1970 began; the last few.
    times: Vec<i64>,
}

/// A country where a user was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenCountry {
    /// Its code.
    pub code: CountryCode,
    /// When.
    pub seen: SeenSpan,
}

/// An address that a user used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenAddress {
    /// The address.
    pub address: IpAddr,
    /// When.
    pub seen: SeenSpan,
}

/// Someone became someone else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenImpersonation {
    /// When.
    pub mark: EventMark,
    /// From which address.
    pub address: Option<IpAddr>,
    /// A hash of whom they became, or of who became them.
    pub other: u64,
    /// Who became whom, for a sentence.
    pub sentence: String,
}

/// A user who had not done anything for long does something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountAwakening {
    /// By this event.
    pub mark: EventMark,
    /// The last event before.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub last: Timestamp,
}

impl SeenPlaces {
    /// Notes that the user is where they were last, if so: someone who stays is known by the last
    /// event there.
    pub fn stays(&mut self, mark: &EventMark, address: Option<IpAddr>, place: &GeoPlace) -> bool {
        let last = self.0.last_mut().filter(|last| last.mark < *mark);
        let same = last.filter(|last| last.address == address && last.place == *place);
        same.is_some_and(|last| {
            last.mark.set(mark);
            true
        })
    }

    /// Where the user was last before `mark`, and first after it.
    pub fn neighbours(&self, mark: &EventMark) -> (Option<&SeenPlace>, Option<&SeenPlace>) {
        let after = self.0.partition_point(|seen| seen.mark < *mark);
        (after.checked_sub(1).and_then(|at| self.0.get(at)), self.0.get(after))
    }

    /// Notes a place.
    pub fn add(&mut self, seen: SeenPlace) {
        let at = self.0.partition_point(|known| known.mark < seen.mark);
        self.0.insert(at, seen);
        if self.0.len() > MAX_PLACES {
            self.0.remove(0);
        }
    }
}

impl TravelPatterns {
    /// Notes a journey, and returns how often it was made since `since`, before this one: up to
    /// `max` times.
    pub fn add(&mut self, hash: u64, time: Timestamp, since: Timestamp, max: usize) -> usize {
        let since = since.timestamp_micros();
        let at = self.0.iter().position(|known| known.hash == hash);
        let mut pattern = match at {
            Some(at) => self.0.remove(at),
            None => TravelPattern { hash, times: Vec::new() },
        };
        pattern.times.retain(|known| *known >= since);
        let before = pattern.times.len();
        pattern.times.push(time.timestamp_micros());
        if pattern.times.len() > max.max(1) {
            pattern.times.remove(0);
        }
        self.0.push(pattern);
        if self.0.len() > MAX_PATTERNS {
            self.0.remove(0);
        }
        before
    }
}

impl UserHistory {
    /// Notes it where this is the first event after a time of `idle` or longer.
    pub fn note_awakening(&mut self, mark: &EventMark, idle: TimeDelta) {
        if let Some(last) = self.seen.last().filter(|last| *last <= mark.time - idle) {
            self.woke = Some(AccountAwakening { mark: mark.clone(), last });
        }
    }

    /// When a country was seen, and notes that it is seen now.
    pub fn add_country(&mut self, code: CountryCode, time: Timestamp) -> SeenSpan {
        if let Some(known) = self.countries.iter_mut().find(|known| known.code == code) {
            let before = known.seen;
            known.seen.note(time);
            return before;
        }
        let mut seen = SeenSpan::default();
        seen.note(time);
        self.countries.push(SeenCountry { code, seen });
        drop_oldest(&mut self.countries, MAX_COUNTRIES, |country| country.seen);
        SeenSpan::default()
    }

    /// When an address was used first, and notes that it is used now.
    pub fn add_address(&mut self, address: IpAddr, time: Timestamp) -> Option<Timestamp> {
        note_address(&mut self.addresses, address, time).first()
    }
}

/// When an address was seen before, and notes that it is seen now.
pub fn note_address(known: &mut Vec<SeenAddress>, address: IpAddr, time: Timestamp) -> SeenSpan {
    if let Some(known) = known.iter_mut().find(|known| known.address == address) {
        let before = known.seen;
        known.seen.note(time);
        return before;
    }
    let mut seen = SeenSpan::default();
    seen.note(time);
    known.push(SeenAddress { address, seen });
    drop_oldest(known, MAX_ADDRESSES, |known| known.seen);
    SeenSpan::default()
}

fn drop_oldest<T>(items: &mut Vec<T>, max: usize, seen: impl Fn(&T) -> SeenSpan) {
    if items.len() > max {
        let oldest = (0..items.len()).min_by_key(|&at| items.get(at).map(|item| seen(item).last()));
        if let Some(oldest) = oldest {
            items.remove(oldest);
        }
    }
}

/// Failed logins of a user, or from an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginFailures {
    /// The last failures, by time, with a hash of the user.
    failures: Vec<(EventMark, u64)>,
    /// The last failure of a series that an alert has named.
    named: Option<EventMark>,
    /// No exception kept that alert back.
    is_reported: bool,
    /// Hashes of the users whose success after that series an alert has reported.
    succeeded: Vec<u64>,
}

/// Users whose success was reported.
const MAX_SUCCEEDED: usize = 1000;

impl LoginFailures {
    /// Notes a failure; at most `max` are kept.
    pub fn add(&mut self, mark: EventMark, user: u64, max: usize) {
        let at = self.failures.partition_point(|(known, _)| *known < mark);
        self.failures.insert(at, (mark, user));
        if self.failures.len() > max {
            self.failures.remove(0);
        }
    }

    /// The failures from `since` to `until`, by time.
    pub fn within(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = &(EventMark, u64)> {
        self.failures.iter().filter(move |(mark, _)| since <= mark.time && mark.time <= until)
    }

    /// Whether a failure at `mark` belongs to a series that an alert has reported: no more than
    /// `pause` lies between it and the last one. If it belongs to one, the series is prolonged.
    pub fn is_reported(&mut self, mark: &EventMark, pause: TimeDelta) -> bool {
        let named = self.named.as_mut();
        let near = named.filter(|named| (mark.time - named.time).abs() <= pause);
        near.is_some_and(|named| {
            if *mark > *named {
                *named = mark.clone();
            }
            self.is_reported
        })
    }

    /// Notes that an alert names the series up to `mark`, and whether it is reported.
    pub fn name(&mut self, mark: &EventMark, pause: TimeDelta, is_reported: bool) {
        let before = self.named.take();
        let before = before.filter(|named| (mark.time - named.time).abs() <= pause);
        if before.is_none() {
            self.succeeded.clear();
        }
        self.named = before.max(Some(mark.clone()));
        self.is_reported = is_reported;
    }

    /// The last failure of the series that an alert has named, if it is not older than `since`, and
    /// no alert has reported a success of `user` after it.
    pub fn named_since(&self, since: Timestamp, user: u64) -> Option<&EventMark> {
        let is_reported = self.succeeded.contains(&user);
        self.named.as_ref().filter(|named| named.time >= since && !is_reported)
    }

    /// Notes that an alert reports a success of `user` after the series.
    pub fn note_success(&mut self, user: u64) {
        if !self.succeeded.contains(&user) {
            self.succeeded.push(user);
            if self.succeeded.len() > MAX_SUCCEEDED {
                self.succeeded.remove(0);
            }
        }
    }
}

/// How often something was done in an hour of the clock, on the last days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourlyCounts {
    /// The hour that is counted, in hours after 1970 began.
    hour: i64,
    /// How many in that hour.
    pub count: u32,
    /// The last of these.
    last: Vec<EventMark>,
    /// An alert has reported that hour.
    pub is_reported: bool,
    /// The most in one hour of each day, in days after 1970 began.
    days: BTreeMap<i32, u32>,
}

/// Events of the hour that are kept as evidence.
const MAX_ACTS: usize = 20;

impl HourlyCounts {
    /// Counts an event. One of an hour that is over counts for its day only.
    pub fn add(&mut self, mark: &EventMark) {
        let hour = mark.time.timestamp().div_euclid(3600);
        if hour > self.hour {
            (self.hour, self.count, self.is_reported) = (hour, 0, false);
            self.last.clear();
        }
        let day = day_of(mark.time);
        if hour == self.hour {
            self.count += 1;
            insert_mark(&mut self.last, mark, MAX_ACTS);
            let most = self.days.entry(day).or_default();
            *most = self.count.max(*most);
        } else {
            self.days.entry(day).or_insert(1);
        }
        while self.days.len() > MAX_DAYS {
            self.days.pop_first();
        }
    }

    /// The last events of the hour, up to `mark`.
    pub fn last_until(&self, mark: &EventMark) -> Vec<String> {
        ids_until(&self.last, mark)
    }

    /// Whether the hour of `time` is the one that is counted.
    pub fn is_current(&self, time: Timestamp) -> bool {
        time.timestamp().div_euclid(3600) == self.hour
    }

    /// The most in an hour of the `days` days before that of `time`.
    pub fn most_before(&self, time: Timestamp, days: i32) -> u32 {
        let today = day_of(time);
        self.days.range(today.saturating_sub(days)..today).map(|(_, most)| *most).max().unwrap_or(0)
    }

    /// On how many of the `days` days before that of `time` it was done.
    pub fn days_before(&self, time: Timestamp, days: i32) -> usize {
        let today = day_of(time);
        self.days.range(today.saturating_sub(days)..today).count()
    }
}

/// How much was read in a quarter of an hour, on the last days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingHistory {
    /// Events in a minute, in minutes after 1970 began; of the last quarter of an hour only.
    minutes: BTreeMap<i64, u32>,
    /// The most in a quarter of an hour of each day.
    days: BTreeMap<i32, u32>,
    /// The last events.
    last: Vec<EventMark>,
    /// Until when an alert has named what is read.
    named_until: Option<i64>,
}

/// Minutes in which reading is counted.
const READING_MINUTES: i64 = 15;
const MAX_READINGS: usize = 5;

impl ReadingHistory {
    /// Counts an event, and returns how many there were in the quarter of an hour up to it.
    pub fn add(&mut self, mark: &EventMark) -> u32 {
        let minute = minute_of(mark.time);
        *self.minutes.entry(minute).or_default() += 1;
        let newest = self.minutes.last_key_value().map_or(minute, |(newest, _)| *newest);
        self.minutes.retain(|known, _| *known > newest - 2 * READING_MINUTES);
        let count = self.minutes.range(minute - READING_MINUTES + 1..=minute);
        let count: u32 = count.map(|(_, count)| *count).sum();
        let most = self.days.entry(day_of(mark.time)).or_default();
        *most = count.max(*most);
        while self.days.len() > MAX_DAYS {
            self.days.pop_first();
        }
        insert_mark(&mut self.last, mark, MAX_READINGS);
        count
    }

    /// What is read in a quarter of an hour on all but one of twenty of the days before that of
    /// `time`, and how many days these are.
    pub fn usual(&self, time: Timestamp) -> (u32, usize) {
        let mut before: Vec<u32> = self.days.range(..day_of(time)).map(|(_, most)| *most).collect();
        before.sort_unstable();
        let at = (before.len() * 95).div_ceil(100).saturating_sub(1);
        (before.get(at).copied().unwrap_or(0), before.len())
    }

    /// Whether an alert has reported what is read at `time`. If so, it keeps reporting it.
    pub fn is_reported(&mut self, time: Timestamp) -> bool {
        let is_reported = self.named_until.is_some_and(|until| minute_of(time) <= until);
        if is_reported {
            self.name(time);
        }
        is_reported
    }

    /// Notes that an alert reports what is read at `time`.
    pub fn name(&mut self, time: Timestamp) {
        let until = minute_of(time) + READING_MINUTES;
        self.named_until = Some(until.max(self.named_until.unwrap_or(0)));
    }

    /// The last events, up to `mark`.
    pub fn last_until(&self, mark: &EventMark) -> Vec<String> {
        ids_until(&self.last, mark)
    }
}

/// Keeps the latest `max`, by time.
fn insert_mark(last: &mut Vec<EventMark>, mark: &EventMark, max: usize) {
    let at = last.partition_point(|known| known < mark);
    last.insert(at, mark.clone());
    if last.len() > max {
        last.remove(0);
    }
}

fn ids_until(last: &[EventMark], mark: &EventMark) -> Vec<String> {
    last.iter().filter(|known| *known <= mark).map(|known| known.id.clone()).collect()
}

/// The people who did something last, a few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentPeople {
    seen: Vec<(u64, SeenSpan)>,
}

impl RecentPeople {
    /// Notes that someone did it.
    pub fn note(&mut self, person: u64, time: Timestamp) {
        match self.seen.iter_mut().find(|(known, _)| *known == person) {
            Some((_, seen)) => seen.note(time),
            None => {
                let mut seen = SeenSpan::default();
                seen.note(time);
                self.seen.push((person, seen));
                drop_oldest(&mut self.seen, MAX_PEOPLE, |(_, seen)| *seen);
            }
        }
    }

    /// How many others did it since `since`; at most four are remembered.
    pub fn others(&self, person: u64, since: Timestamp) -> usize {
        let others = self.seen.iter().filter(|(known, _)| *known != person);
        others.filter(|(_, seen)| seen.is_since(since)).count()
    }
}

/// What is remembered of everybody together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OrganizationHistory {
    /// The events of people.
    pub seen: SeenSpan,
    /// The days of these.
    pub days: SeenDays,
    /// Who was in each country.
    pub countries: BTreeMap<CountryCode, RecentPeople>,
    /// Who did administrative acts of each class.
    pub classes: BTreeMap<AdminClass, RecentPeople>,
}

/// A hash of a person's key.
pub fn person_hash(key: &str) -> u64 {
    quick_hash(key.as_bytes())
}

fn minute_of(time: Timestamp) -> i64 {
    time.timestamp().div_euclid(60)
}

/// The day of a time, in days after 1970 began.
pub fn day_of(time: Timestamp) -> i32 {
    i32::try_from(time.timestamp().div_euclid(86_400)).unwrap_or(0)
}
