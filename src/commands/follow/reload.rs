//! Describes what a reloaded configuration changes.

use crate::config::request::FollowRequest;
use crate::config::settings::SourceSettings;
use crate::model::name::SourceName;

const INITIAL_LOOKBACK: &str = "initial_lookback";

/// The same key if only a first pull would obey it.
const WITHOUT_EFFECT: &str = "initial_lookback, which has no effect after the first pull";

/// The changes from `old` to `new`: `added `x`; removed `y`; changed `z` (output)`, or `None`.
/// `has_history` returns whether a source has brought events, from which it is read on.
pub fn changes(
    old: &FollowRequest,
    new: &FollowRequest,
    has_history: &dyn Fn(&SourceName) -> bool,
) -> Option<String> {
    let find = |among: &FollowRequest, source: &SourceSettings| {
        let mut sources = among.pull.sources.iter();
        sources.find(|other| other.name == source.name).cloned()
    };
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for source in &new.pull.sources {
        match find(old, source) {
            None => added.push(format!("`{}`", source.name)),
            Some(before) if before != *source => {
                let mut parts = changed_keys(&before, source);
                if has_history(&source.name) {
                    let idle = parts.iter_mut().filter(|part| **part == INITIAL_LOOKBACK);
                    idle.for_each(|part| *part = WITHOUT_EFFECT);
                }
                let parts = parts.join(", ");
                changed.push(format!("`{}` ({parts})", source.name));
            }
            Some(_) => {}
        }
    }
    let gone = |source: &&SourceSettings| find(new, source).is_none();
    let removed = old.pull.sources.iter().filter(gone);
    let removed: Vec<_> = removed.map(|source| format!("`{}`", source.name)).collect();
    let said = [("added", added), ("removed", removed), ("changed", changed)];
    let said = said.into_iter().filter(|(_, names)| !names.is_empty());
    let said: Vec<_> = said.map(|(what, names)| format!("{what} {}", names.join(", "))).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// The parts in which two settings of one source differ, as the configuration calls them.
fn changed_keys(old: &SourceSettings, new: &SourceSettings) -> Vec<&'static str> {
    let parts = [
        ("address", old.target != new.target),
        ("credential", old.credential != new.credential),
        (INITIAL_LOOKBACK, old.initial_lookback != new.initial_lookback),
        ("overlap", old.overlap != new.overlap),
        ("late_margin", old.late_margin != new.late_margin),
        ("expires_on", old.expires_on != new.expires_on),
        ("page_size", old.page_size != new.page_size),
        ("concurrency", old.concurrency != new.concurrency),
        ("connection", old.connection != new.connection),
        ("output", old.output != new.output),
    ];
    let differ = parts.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::config::env::ProcessEnv;
    use crate::config::file::ConfigFile;
    use crate::config::request::PullRequest;
    use std::path::Path;
    use std::time::Duration;

    fn request(config: &str) -> FollowRequest {
        let loaded = ConfigFile::parse(Path::new("/c"), config.to_owned()).ok().unwrap();
        let settings = check::settings(&loaded, &ProcessEnv::default(), "/s".into()).unwrap();
        FollowRequest {
            pull: PullRequest {
                sources: settings.sources,
                state_dir: "/s".into(),
                now: chrono::Utc::now(),
                one_off: None,
                max_events: None,
                dry_run: false,
                prints_on_terminal: false,
                report: None,
                metrics_file: None,
                file_mode: None,
            },
            every: Duration::from_secs(1),
        }
    }

    #[test]
    fn what_is_new_is_named() {
        let source = |name: &str, more: &str| {
            format!("[sources.{name}]\ntype = 'org-events'\norg_id = 'o1'\n{more}\n")
        };
        let old = request(&[source("a", ""), source("b", ""), source("c", "")].concat());
        let never = |_: &SourceName| false;
        assert_eq!(changes(&old, &old, &never), None);
        let more = "credential = 'env:K'\npage_size = 7\nretry_for = '1s'";
        let new = request(&[source("a", more), source("c", ""), source("d", "")].concat());
        assert_eq!(
            changes(&old, &new, &never).unwrap(),
            "added `d`; removed `b`; changed `a` (credential, page_size, connection)"
        );
    }

    #[test]
    fn a_lookback_without_effect_is_reported() {
        let source = |name: &str, lookback: &str| {
            format!(
                "[sources.{name}]\ntype = 'org-events'\norg_id = 'o1'\n\
                 initial_lookback = '{lookback}'\n"
            )
        };
        let old = request(&[source("a", "7d"), source("b", "7d")].concat());
        let new = request(&[source("a", "9d"), source("b", "9d")].concat());
        let is_a = |name: &SourceName| name.as_str() == "a";
        assert_eq!(
            changes(&old, &new, &is_a).unwrap(),
            "changed `a` (initial_lookback, which has no effect after the first pull), \
             `b` (initial_lookback)"
        );
    }
}
