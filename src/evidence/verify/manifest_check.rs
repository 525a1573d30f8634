//! Owns the comparing of the manifest with the one that the files make.

use super::{ExportCheck, SourceSurvey, MANIFEST, Manifest};
use crate::evidence::assemble;
use crate::evidence::manifest::{ExportCounts, SourceEntry};
use crate::model::time::{Timestamp, format_millis};

impl ExportCheck<'_> {
    /// Makes the manifest again, and tells what of it is another.
    pub(super) fn check_manifest(&mut self, said: &Manifest, found: &[Option<SourceSurvey>]) {
        self.check_manifest_text(said);
        let Some(found) = all_or_none(found) else { return };
        let facts = assemble::facts(said);
        let Some(made) = assemble::manifest(&facts, &found, said.files.clone()) else {
            let what = "tells of no run: nobody can have made this export";
            return self.findings.add(MANIFEST, what);
        };
        for ((said, made), found) in said.sources.iter().zip(&made.sources).zip(&found) {
            self.check_source_entry(said, made, found);
        }
        let heads = [
            ("complete", said.complete == made.complete),
            ("started", said.started == made.started),
            ("finished", said.finished == made.finished),
        ];
        for (key, is_same) in heads {
            if !is_same {
                let what = format!("`{key}` is not what the rest of it makes");
                self.findings.add(MANIFEST, what);
            }
        }
        let mut pairs = said.sources.iter().zip(&found);
        let are_pages_same = pairs.all(|(said, found)| found.pages.covers_file(&said.pages));
        if said.clock != made.clock && are_pages_same {
            let what = "`clock` is not what the first answer makes";
            self.findings.add(MANIFEST, what);
        }
    }

    /// The manifest is written as it always is: nothing stands in it that was not read.
    fn check_manifest_text(&mut self, said: &Manifest) {
        let text = super::load::read_limited(&self.dir.join(MANIFEST), super::load::MAX_FILE_BYTES);
        let is_ours = said.made_by.version == env!("CARGO_PKG_VERSION");
        if is_ours && !self.is_manifest_suspect && text.is_ok_and(|text| text != said.text()) {
            let what = "is not written as atlaudit writes it, or says more than a manifest does";
            self.findings.add(MANIFEST, what);
        }
    }

    fn check_source_entry(&mut self, said: &SourceEntry, made: &SourceEntry, found: &SourceSurvey) {
        let name = &made.facts.name;
        let tell = |check: &mut Self, key: &str, said: String, made: String| {
            let what = format!("source `{name}`: says {said} for `{key}`; the files make {made}");
            check.findings.add(MANIFEST, what);
        };
        // Where a file is another one, that was told, and what follows from it is another too.
        let are_events_same = found.events.covers_file(&said.events);
        let are_pages_same = found.pages.covers_file(&said.pages);
        let time = |time: Option<Timestamp>| time.map_or("nothing".to_owned(), format_millis);
        if are_events_same {
            for (key, said, made) in [
                ("first", said.first, made.first),
                ("last", said.last, made.last),
            ] {
                if said != made {
                    tell(self, key, time(said), time(made));
                }
            }
        }
        if are_pages_same {
            if said.waited_ms != made.waited_ms {
                let (said, made) = (said.waited_ms, made.waited_ms);
                tell(self, "waited_ms", said.to_string(), made.to_string());
            }
            if said.retries != made.retries {
                let what = format!("source `{name}`: `retries` is not what the answers make");
                self.findings.add(MANIFEST, what);
            }
        }
        for (key, of, said, made) in counts(&said.counts, &made.counts) {
            let is_told = match of {
                CountOrigin::Events => are_events_same,
                CountOrigin::Pages => are_pages_same,
                CountOrigin::Both => are_events_same && are_pages_same,
            };
            if is_told && said != made {
                tell(self, key, said.to_string(), made.to_string());
            }
        }
        if are_events_same && are_pages_same {
            self.check_balance(name, &made.counts);
        }
    }

    /// What was served was written or dropped, and nothing else.
    fn check_balance(&mut self, name: &str, counts: &ExportCounts) {
        let parts = [
            counts.written,
            counts.repeats,
            counts.outside,
            counts.read_again,
        ];
        let sum = parts.into_iter().fold(0, u64::saturating_add);
        if sum != counts.served {
            let served = counts.served;
            let what = format!(
                "source `{name}`: {sum} records were written or dropped, but {served} served"
            );
            self.findings.add(MANIFEST, what);
        }
    }
}

/// All of them, where none is missing.
fn all_or_none(found: &[Option<SourceSurvey>]) -> Option<Vec<&SourceSurvey>> {
    found.iter().map(Option::as_ref).collect()
}

/// Which files a count follows from.
#[derive(Clone, Copy)]
enum CountOrigin {
    Events,
    Pages,
    Both,
}

fn counts(said: &ExportCounts, made: &ExportCounts) -> [(&'static str, CountOrigin, u64, u64); 7] {
    [
        ("responses", CountOrigin::Pages, said.responses, made.responses),
        ("pages", CountOrigin::Pages, said.pages, made.pages),
        ("served", CountOrigin::Pages, said.served, made.served),
        ("read_again", CountOrigin::Both, said.read_again, made.read_again),
        ("written", CountOrigin::Events, said.written, made.written),
        ("unparsed", CountOrigin::Events, said.unparsed, made.unparsed),
        (
            "out_of_order",
            CountOrigin::Events,
            said.out_of_order,
            made.out_of_order,
        ),
    ]
}
