//! Owns what a configuration that was read again changes, in words.

use crate::config::request::FollowRequest;
use crate::config::settings::SourceSettings;

/// What `new` has that `old` has not: `added `x`; removed `y`; changed `z` (output)`. Nothing where
/// nothing is new.
pub fn changes(old: &FollowRequest, new: &FollowRequest) -> Option<String> {
    let find = |among: &FollowRequest, source: &SourceSettings| {
        let mut sources = among.pull.sources.iter();
        sources.find(|other| other.name == source.name).cloned()
    };
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for source in &new.pull.sources {
        match find(old, source) {
            None => added.push(format!("`{}`", source.name)),
            Some(before) if before != *source => {
                let parts = parts(&before, source).join(", ");
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
    let said: Vec<_> = said
        .map(|(what, names)| format!("{what} {}", names.join(", ")))
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// The parts in which two settings of one source differ, as the configuration calls them.
fn parts(old: &SourceSettings, new: &SourceSettings) -> Vec<&'static str> {
    let parts = [
        ("address", old.target != new.target),
        ("credential", old.credential != new.credential),
        (
            "initial_lookback",
            old.initial_lookback != new.initial_lookback,
        ),
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
    use crate::config::env::Env;
    use crate::config::file::Loaded;
    use crate::config::request::PullRequest;
    use std::path::Path;
    use std::time::Duration;

    fn request(config: &str) -> FollowRequest {
        let loaded = Loaded::parse(Path::new("/c"), config.to_owned())
            .ok()
            .unwrap();
        let settings = check::settings(&loaded, &Env::default(), "/s".into()).unwrap();
        FollowRequest {
            pull: PullRequest {
                sources: settings.sources,
                state_dir: "/s".into(),
                now: chrono::Utc::now(),
                one_off: None,
                max_events: None,
                dry_run: false,
                report: None,
                metrics_file: None,
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
        assert_eq!(changes(&old, &old), None);
        let more = "credential = 'env:K'\npage_size = 7\nretry_for = '1s'";
        let new = request(&[source("a", more), source("c", ""), source("d", "")].concat());
        assert_eq!(
            changes(&old, &new).unwrap(),
            "added `d`; removed `b`; changed `a` (credential, page_size, connection)"
        );
    }
}
