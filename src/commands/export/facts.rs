//! What the manifest says of an export: of the program and machine that made it, and of each
//! source.

use std::fs;
use std::path::Path;

use crate::config::env::ProcessEnv;
use crate::config::settings::SourceSettings;
use crate::evidence::manifest::{
    DroppedCounts, ExportParameters, GapEntry, MadeBy, SourceFacts, WindowEntry,
};
use crate::model::address::SafeUrl;
use crate::model::name::SourceKind;
use crate::model::source_kind::{RetentionLimit, SourceAddress};
use crate::model::text::printable;
use crate::model::time::{Timestamp, Window};
use crate::pipeline::export_run::{ExportCoverage, export_coverage};
use crate::state::checkpoint::Checkpoint;

/// What the manifest says of the source of `settings`, whose last run ended with `error` or well.
pub fn source_facts(
    settings: &SourceSettings,
    error: Option<String>,
    checkpoint: Option<&Checkpoint>,
    asked: &ExportParameters,
    started: Timestamp,
) -> SourceFacts {
    let kind = settings.target.kind();
    let order = kind.descriptor().order;
    let window = Window { from: asked.since, to: Some(asked.until) };
    let reached = export_coverage(order, window, checkpoint);
    let kept = checkpoint.and_then(|checkpoint| checkpoint.export_progress.as_ref());
    let error = error.filter(|_| !reached.is_complete);
    let windows = windows(&reached);
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
        gaps: gaps(&windows, error.as_deref()),
        windows,
        dropped: DroppedCounts {
            repeats: kept.map_or(0, |kept| kept.repeats),
            outside: kept.map_or(0, |kept| kept.outside),
        },
        error,
    }
}

/// The earliest event that the source could show when the first run `started`. It is later if the
/// server refused that start, because a later run was the first to reach it.
fn retention(
    kind: SourceKind,
    asked: &ExportParameters,
    started: Timestamp,
    reached: &ExportCoverage,
) -> Option<RetentionLimit> {
    let limit = kind.descriptor().retention?.limit(asked.since, started)?;
    Some(RetentionLimit { earliest: limit.earliest.max(reached.from), ..limit })
}

/// The organization may be stored only in the keyring; the scope of the checkpoint names it.
fn organization_of(checkpoint: &Checkpoint) -> Option<String> {
    let (_, owner) = checkpoint.scope.split_once(':')?;
    (!owner.is_empty()).then(|| owner.to_owned())
}

/// What was read to its end, and what was not.
fn windows(reached: &ExportCoverage) -> Vec<WindowEntry> {
    let span = |from, to, complete| WindowEntry { from, to, complete };
    let ExportCoverage { from, until, to, is_complete } = *reached;
    match !is_complete && from < until && until < to {
        true => vec![span(from, until, true), span(until, to, false)],
        false => vec![span(from, to, is_complete)],
    }
}

fn gaps(windows: &[WindowEntry], error: Option<&str>) -> Vec<GapEntry> {
    let why = error.unwrap_or("it was not read to its end");
    let unread = windows.iter().filter(|window| !window.complete);
    unread.map(|gap| GapEntry { from: gap.from, to: gap.to, why: why.to_owned() }).collect()
}

/// The link that names the system's time zone.
const LOCAL_TIME: &str = "/etc/localtime";

/// The program, the machine and the user that make the export.
pub fn made_by(env: &ProcessEnv) -> MadeBy {
    let typed = std::env::args_os().skip(1);
    MadeBy {
        program: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: build(),
        command: typed.map(|word| word.to_string_lossy().into_owned()).collect(),
        host: host(),
        user: user(env),
        time_zone: env
            .var_text("TZ")
            .map(zone_from_env)
            .or_else(|| zone_from_path(&fs::read_link(LOCAL_TIME).ok()?)),
    }
}

/// `x86_64-linux-gnu, release`.
fn build() -> String {
    let libc = match () {
        () if cfg!(target_env = "gnu") => "-gnu",
        () if cfg!(target_env = "musl") => "-musl",
        () => "",
    };
    let kind = match cfg!(debug_assertions) {
        true => "debug",
        false => "release",
    };
    let (machine, system) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{machine}-{system}{libc}, {kind}")
}

fn host() -> Option<String> {
    let name = rustix::system::uname();
    let name = printable(&name.nodename().to_string_lossy());
    (!name.is_empty()).then_some(name)
}

/// The user's name, if the environment has it, and number.
fn user(env: &ProcessEnv) -> Option<String> {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| env.var_text(name));
    Some(match name {
        Some(name) => format!("{} (uid {})", printable(name), env.user),
        None => format!("uid {}", env.user),
    })
}

/// `TZ` may begin with a colon, and may be a path.
fn zone_from_env(text: &str) -> String {
    let text = text.strip_prefix(':').unwrap_or(text);
    zone_from_path(Path::new(text)).unwrap_or_else(|| printable(text))
}

/// `Europe/Berlin` of `/usr/share/zoneinfo/Europe/Berlin`.
fn zone_from_path(path: &Path) -> Option<String> {
    let (_, zone) = path.to_str()?.split_once("zoneinfo/")?;
    Some(printable(zone)).filter(|zone| !zone.is_empty())
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
        let stated = |reached: &ExportCoverage| {
            let windows = windows(reached);
            let gaps = gaps(&windows, Some("no"));
            let gap = gaps.first().map(|gap| (gap.from, gap.to));
            let spans = windows.iter().map(|span| (span.from, span.to, span.complete));
            (spans.collect::<Vec<_>>(), gap)
        };
        let whole = (at("01"), at("05"));
        let done = (vec![(whole.0, whole.1, true)], None);
        assert_eq!(stated(&reached("05", true)), done);
        let nothing = (vec![(whole.0, whole.1, false)], Some(whole));
        assert_eq!(stated(&reached("01", false)), nothing);
        assert_eq!(stated(&reached("05", false)), nothing);
        let part = vec![(at("01"), at("03"), true), (at("03"), at("05"), false)];
        let inside = (part, Some((at("03"), at("05"))));
        assert_eq!(stated(&reached("03", false)), inside);
    }

    #[test]
    fn a_time_zone_in_every_form() {
        let of_link = |path: &str| zone_from_path(Path::new(path));
        let link = of_link("/usr/share/zoneinfo/Europe/Berlin");
        assert_eq!(link.as_deref(), Some("Europe/Berlin"));
        let mac = of_link("/var/db/timezone/zoneinfo/America/New_York");
        assert_eq!(mac.as_deref(), Some("America/New_York"));
        assert_eq!(of_link("/etc/other"), None);
        assert_eq!(of_link("/usr/share/zoneinfo/"), None);
        assert_eq!(zone_from_env(":/usr/share/zoneinfo/UTC"), "UTC");
        assert_eq!(zone_from_env("CET-1CEST"), "CET-1CEST");
    }

    #[test]
    fn a_user_has_a_name_and_a_number() {
        let mut env = ProcessEnv::with([("USER", "ada")], "/");
        env.user = 1000;
        assert_eq!(user(&env).as_deref(), Some("ada (uid 1000)"));
        let nameless = ProcessEnv::with([("USER", "")], "/");
        assert_eq!(user(&nameless).as_deref(), Some("uid 0"));
    }
}
