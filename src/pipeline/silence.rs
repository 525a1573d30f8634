//! Decides when a source without events is unusual, and what the user should check. No I/O.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::model::source_kind::SourceAddress;
use crate::model::time::in_words;
use crate::model::time::{Timestamp, Window, format_millis};
use crate::normalise::RecordOrigin;
use crate::state::checkpoint::Checkpoint;
use crate::state::event_gaps::EventGaps;

/// A silence that someone should know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SourceSilence {
    /// No event has come since the history began.
    NothingEver {
        /// Where it begins.
        #[serde(serialize_with = "millis")]
        since: Timestamp,
    },
    /// A one-off window holds no event.
    NothingInWindow {
        /// The newest event that the source's checkpoint knows, where that lies outside of the
        /// window: then the source works, and its window is merely quiet.
        #[serde(
            rename = "newest_event",
            serialize_with = "some_millis",
            skip_serializing_if = "Option::is_none"
        )]
        newest: Option<Timestamp>,
    },
    /// No event has come for much longer than usual.
    Unusual {
        /// The place of the newest event.
        #[serde(serialize_with = "millis")]
        since: Timestamp,
        /// How long ago that is.
        #[serde(rename = "silent_ms", serialize_with = "as_millis")]
        silent: Duration,
        /// The gap that most days do not exceed.
        #[serde(rename = "usual_gap_ms", serialize_with = "as_millis")]
        usual_gap: Duration,
    },
}

impl SourceSilence {
    /// The silence of a source at `now`, as far as its history makes it one.
    pub fn from_checkpoint(history: &Checkpoint, now: Timestamp) -> Option<SourceSilence> {
        match (history.events, history.watermark) {
            (0, _) => Some(SourceSilence::NothingEver { since: history.since }),
            (_, newest) => SourceSilence::unusual(newest?, &history.event_gaps, now),
        }
    }

    /// The silence of a one-off `window` that holds no event. `newest` is the newest event known.
    /// One that lies inside of the window should have been found again: it excuses nothing. But a
    /// view begins at the newest event, and one that was processed then may have happened before.
    pub fn in_window(window: Option<Window>, newest: Option<Timestamp>) -> SourceSilence {
        let is_inside = |window: Window, at| window.from != at && window.contains(at);
        let is_outside =
            |newest: &Timestamp| !window.is_some_and(|window| is_inside(window, *newest));
        SourceSilence::NothingInWindow { newest: newest.filter(is_outside) }
    }

    /// Whether it is to be expected, so that there is nothing to check.
    pub fn is_expected(&self) -> bool {
        matches!(self, SourceSilence::NothingInWindow { newest: Some(_) })
    }

    /// The silence of a source whose newest event lies at `newest`, if `rhythm` makes it unusual.
    pub fn unusual(newest: Timestamp, rhythm: &EventGaps, now: Timestamp) -> Option<SourceSilence> {
        let usual_gap = rhythm.usual_gap()?;
        // Negative where a clock was set back: that says nothing.
        let silent = (now - newest).to_std().ok()?;
        rhythm.unusual(silent)?;
        Some(SourceSilence::Unusual { since: newest, silent, usual_gap })
    }

    /// The message: the figures, and what to check. `window` is the one-off's.
    pub fn describe(
        &self,
        origin: &RecordOrigin,
        lookback: Duration,
        window: Option<Window>,
    ) -> String {
        let what = match self {
            SourceSilence::NothingEver { since } => format!(
                "no event has come since {}, where its history begins",
                format_millis(*since)
            ),
            SourceSilence::NothingInWindow { newest: Some(newest) } => {
                let newest = format_millis(*newest);
                return format!("no event in this time range (the newest known is of {newest})");
            }
            SourceSilence::NothingInWindow { newest: None } => {
                "no events in this time range".to_owned()
            }
            SourceSilence::Unusual { silent, usual_gap, .. } => format!(
                "no event for {}; usually one comes at least every {}",
                in_words(*silent),
                in_words(*usual_gap)
            ),
        };
        let dates = match (self, window) {
            (SourceSilence::NothingInWindow { .. }, Some(window)) => window_dates(window),
            (SourceSilence::NothingEver { .. }, _) => format!(
                "the dates (this machine's clock, and whether `initial_lookback`, {}, reaches far \
                 enough back)",
                in_words(lookback)
            ),
            _ => "the dates (this machine's clock)".to_owned(),
        };
        format!("{what}; if that surprises you, check {}, and {dates}", access_checks(origin))
    }
}

/// What an empty answer may be owed to, where a server does not say so.
fn access_checks(origin: &RecordOrigin) -> String {
    let descriptor = origin.kind.descriptor();
    let scope = match descriptor.address {
        SourceAddress::Organization => &origin.org_id,
        SourceAddress::Site | SourceAddress::Server => &origin.site,
    };
    let cloud_id = origin.workspace.as_ref().map(|workspace| workspace.cloud_id.as_str());
    let scope = scope.as_deref().or(cloud_id).unwrap_or("none");
    format!("{} ({scope})", descriptor.access_checks)
}

fn window_dates(window: Window) -> String {
    let until = window.to.map_or("now".to_owned(), format_millis);
    format!("the dates (from {} until {until}, in UTC)", format_millis(window.from))
}

fn millis<S: Serializer>(time: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&format_millis(*time))
}

fn some_millis<S: Serializer>(time: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, out),
        None => out.serialize_none(),
    }
}

fn as_millis<S: Serializer>(span: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceKind;
    use crate::model::time::{after, parse_api_time};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    fn origin(kind: SourceKind) -> RecordOrigin {
        RecordOrigin {
            org_id: Some("org-1".to_owned()),
            site: Some("acme.example".to_owned()),
            ..RecordOrigin::named("acme", kind)
        }
    }

    /// An event every `gap`, for a little more than two days; the newest.
    fn steady_gaps(gap: Duration) -> (Timestamp, EventGaps) {
        let mut rhythm = EventGaps::default();
        let mut newest = at("2026-11-01T08:00:00Z");
        while newest < at("2026-11-03T09:00:00Z") {
            let next = after(newest, gap);
            rhythm.moved(newest, next);
            newest = next;
        }
        (newest, rhythm)
    }

    #[test]
    fn seven_times_the_usual_gap_is_still_usual_and_more_is_not() {
        let (newest, rhythm) = steady_gaps(HOUR);
        let after_all = |span| SourceSilence::unusual(newest, &rhythm, after(newest, span));
        assert_eq!(after_all(7 * HOUR), None);
        let silent = 7 * HOUR + Duration::from_millis(1);
        let unusual = SourceSilence::Unusual { since: newest, silent, usual_gap: HOUR };
        assert_eq!(after_all(silent), Some(unusual));
    }

    #[test]
    fn ten_minutes_are_no_silence_however_busy_the_source() {
        let (newest, rhythm) = steady_gaps(Duration::from_secs(2));
        let after_all = |span| SourceSilence::unusual(newest, &rhythm, after(newest, span));
        let ten_minutes = Duration::from_secs(600);
        assert_eq!(after_all(ten_minutes), None);
        assert!(after_all(ten_minutes + Duration::from_millis(1)).is_some());
    }

    #[test]
    fn a_clock_set_back_before_the_newest_event_reports_no_silence() {
        let (newest, rhythm) = steady_gaps(HOUR);
        let earlier = at("2025-01-01T00:00:00Z");
        assert_eq!(SourceSilence::unusual(newest, &rhythm, earlier), None);
    }

    #[test]
    fn what_is_not_known_yet_is_not_judged() {
        let newest = at("2025-01-01T00:00:00Z");
        let now = at("2026-01-01T00:00:00Z");
        assert_eq!(SourceSilence::unusual(newest, &EventGaps::default(), now), None);
    }

    #[test]
    fn every_text_names_what_to_check() {
        let silences = [
            SourceSilence::NothingEver { since: at("2026-11-13T12:00:00Z") },
            SourceSilence::NothingInWindow { newest: None },
            SourceSilence::Unusual {
                since: at("2026-11-17T08:00:00Z"),
                silent: 76 * HOUR,
                usual_gap: 9 * HOUR,
            },
        ];
        let window = Window { from: at("2026-11-01T00:00:00Z"), to: None };
        let own = [
            (
                SourceKind::OrgEvents,
                ["Guard", "organization admin", "`read:events:admin`", "org-1"],
            ),
            (
                SourceKind::JiraAudit,
                ["Free", "`Administer Jira`", "`read:audit-log:jira`", "acme.example"],
            ),
        ];
        for (kind, own) in own {
            for silence in &silences {
                let text = silence.describe(&origin(kind), 168 * HOUR, Some(window));
                let all = ["plan", "role", "scope", "expiry", "audit logging", "dates"];
                for word in all.iter().chain(&own) {
                    assert!(text.contains(word), "`{word}` in: {text}");
                }
            }
        }
        let [ever, in_window, unusual] = silences.map(|silence| {
            silence.describe(&origin(SourceKind::OrgEvents), 168 * HOUR, Some(window))
        });
        assert!(ever.starts_with("no event has come since 2026-11-13T12:00:00.000Z"));
        assert!(ever.contains("`initial_lookback`, 7 days"), "{ever}");
        assert!(in_window.contains("from 2026-11-01T00:00:00.000Z until now, in UTC"));
        assert!(unusual.starts_with(
            "no event for 3 days 4 hours; usually one comes at least every 9 hours; "
        ));
    }

    #[test]
    fn a_quiet_window_of_a_source_that_works_has_nothing_to_check() {
        let window =
            Window { from: at("2026-11-20T16:00:00Z"), to: Some(at("2026-11-20T17:00:00Z")) };
        let text = |silence: &SourceSilence| {
            silence.describe(&origin(SourceKind::OrgEvents), 168 * HOUR, Some(window))
        };
        let earlier = SourceSilence::in_window(Some(window), Some(at("2026-11-20T15:24:00Z")));
        assert!(earlier.is_expected());
        assert_eq!(
            text(&earlier),
            "no event in this time range (the newest known is of 2026-11-20T15:24:00.000Z)"
        );
        assert_eq!(
            serde_json::to_string(&earlier).unwrap(),
            r#"{"kind":"nothing_in_window","newest_event":"2026-11-20T15:24:00.000Z"}"#
        );
        let later = SourceSilence::in_window(Some(window), Some(at("2026-11-20T17:00:00Z")));
        assert!(later.is_expected());
        assert!(SourceSilence::in_window(Some(window), Some(window.from)).is_expected());
        // An event that was written before and is not served any more is no quiet hour.
        for newest in [Some(at("2026-11-20T16:30:00Z")), None] {
            let silence = SourceSilence::in_window(Some(window), newest);
            assert!(!silence.is_expected());
            assert!(text(&silence).contains("Guard"), "{}", text(&silence));
            assert_eq!(serde_json::to_string(&silence).unwrap(), r#"{"kind":"nothing_in_window"}"#);
        }
    }

    #[test]
    fn a_machine_reads_the_figures() {
        let unusual = SourceSilence::Unusual {
            since: at("2026-11-17T08:00:00Z"),
            silent: 76 * HOUR,
            usual_gap: 9 * HOUR,
        };
        insta::assert_snapshot!(
            serde_json::to_string(&unusual).unwrap(),
            @r#"{"kind":"unusual","since":"2026-11-17T08:00:00.000Z","silent_ms":273600000,"usual_gap_ms":32400000}"#
        );
    }
}
