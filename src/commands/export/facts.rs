//! Owns what is told of each source of an export: what its checkpoint says of all runs.

use crate::config::settings::SourceSettings;
use crate::evidence::facts::{ExportParameters, DroppedCounts, GapEntry, SourceFacts, WindowEntry};
use crate::model::name::SourceKind;
use crate::model::retention::RetentionLimit;
use crate::model::safe_url::SafeUrl;
use crate::model::source_kind::SourceAddress;
use crate::model::time::{Timestamp, Window};
use crate::pipeline::export_plan::{ExportCoverage, reached};
use crate::state::checkpoint::Checkpoint;

/// What is known of the source of `settings`, whose last run ended with `error`, if with one.
pub fn source_facts(
    settings: &SourceSettings,
    error: Option<String>,
    checkpoint: Option<&Checkpoint>,
    asked: &ExportParameters,
    started: Timestamp,
) -> SourceFacts {
    let kind = settings.target.kind();
    let order = kind.descriptor().order;
    let window = Window {
        from: asked.since,
        to: Some(asked.until),
    };
    let reached = reached(order, window, checkpoint);
    let kept = checkpoint.and_then(|checkpoint| checkpoint.kept.as_ref());
    let error = error.filter(|_| !reached.is_complete);
    SourceFacts {
        name: settings.name.to_string(),
        kind: kind.as_str().to_owned(),
        org_id: match kind.address() {
            SourceAddress::Organization => checkpoint.and_then(organization_of),
            SourceAddress::Site | SourceAddress::Server => None,
        },
        site: settings.target.site(),
        base_url: SafeUrl::new(settings.target.base_url().clone()).to_string(),
        credential: settings.credential.to_string(),
        complete: reached.is_complete,
        order: order.time_field().to_owned(),
        retention: retention(kind, asked, started, &reached),
        windows: windows(&reached),
        gaps: gap(&reached, error.as_deref()).into_iter().collect(),
        dropped: DroppedCounts {
            repeats: kept.map_or(0, |kept| kept.repeats),
            outside: kept.map_or(0, |kept| kept.outside),
        },
        error,
    }
}

/// How far back the source could show events when the first run `started`. Later where the server
/// refused to be asked from there, because a later run was the first to reach it.
fn retention(
    kind: SourceKind,
    asked: &ExportParameters,
    started: Timestamp,
    reached: &ExportCoverage,
) -> Option<RetentionLimit> {
    let limit = kind.descriptor().retention?.limit(asked.since, started)?;
    Some(RetentionLimit {
        earliest: limit.earliest.max(reached.from),
        ..limit
    })
}

/// The organization may be known only to the keyring; the checkpoint has it in its scope.
fn organization_of(checkpoint: &Checkpoint) -> Option<String> {
    let (_, owner) = checkpoint.scope.split_once(':')?;
    (!owner.is_empty()).then(|| owner.to_owned())
}

fn windows(reached: &ExportCoverage) -> Vec<WindowEntry> {
    let span = |from, to, complete| WindowEntry { from, to, complete };
    let ExportCoverage {
        from, until, to, ..
    } = *reached;
    match is_partly_read(reached) {
        true => vec![span(from, until, true), span(until, to, false)],
        false => vec![span(from, to, reached.is_complete)],
    }
}

/// Whether a part was read and a part was not.
fn is_partly_read(reached: &ExportCoverage) -> bool {
    !reached.is_complete && reached.from < reached.until && reached.until < reached.to
}

fn gap(reached: &ExportCoverage, error: Option<&str>) -> Option<GapEntry> {
    (!reached.is_complete).then(|| GapEntry {
        from: match is_partly_read(reached) {
            true => reached.until,
            false => reached.from,
        },
        to: reached.to,
        why: error.unwrap_or("it was not read to its end").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    #[test]
    fn what_was_read_and_what_was_not_tile_the_window() {
        let at = |day: &str| parse_api_time(&format!("2026-11-{day}T00:00:00Z")).unwrap();
        let reached = |until, is_complete| ExportCoverage {
            from: at("01"),
            until: at(until),
            to: at("05"),
            is_complete,
        };
        let told = |reached: &ExportCoverage| {
            let windows: Vec<_> = windows(reached)
                .iter()
                .map(|span| (span.from, span.to, span.complete))
                .collect();
            let gap = gap(reached, Some("no")).map(|gap| (gap.from, gap.to));
            (windows, gap)
        };
        let whole = (at("01"), at("05"));
        let done = (vec![(whole.0, whole.1, true)], None);
        assert_eq!(told(&reached("05", true)), done);
        let nothing = (vec![(whole.0, whole.1, false)], Some(whole));
        assert_eq!(told(&reached("01", false)), nothing);
        assert_eq!(told(&reached("05", false)), nothing);
        let part = vec![(at("01"), at("03"), true), (at("03"), at("05"), false)];
        let amid = (part, Some((at("03"), at("05"))));
        assert_eq!(told(&reached("03", false)), amid);
    }
}
