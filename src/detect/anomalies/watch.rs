//! The watch is blinded: a source falls silent, or the collector's own key is taken away.

use super::anomaly_rule::{OWN_KEY, SOURCE_SILENCE};
use super::{EventJudgement, fact, reason, shown, shown_time};
use crate::detect::alert::AlertSeverity;
use crate::detect::event::AdminClass;
use crate::detect::history::{HistoryMap, SourceRhythm};
use crate::model::text::visible;
use crate::model::time::in_words;

/// Sources that are remembered.
const MAX_SOURCES: usize = 1000;

/// Words in the action that takes a key away, or makes the old one useless.
const KEY_LOSS_WORDS: [&str; 6] = ["revok", "delet", "remov", "disabl", "rotat", "expir"];

impl EventJudgement<'_> {
    /// Judges the gap that the event ends in its source.
    pub(super) fn silence(&mut self, sources: &mut HistoryMap<String, SourceRhythm>) {
        let source = &*self.event.source;
        let rhythm = sources.of(source, self.time, MAX_SOURCES);
        let Some(last) = rhythm.last.as_mut() else {
            rhythm.last = Some(self.event.mark.clone());
            return;
        };
        // One that is late ends no gap.
        if self.event.mark <= *last {
            return;
        }
        let gap = (self.time - last.time).to_std().unwrap_or_default();
        let unusual = rhythm.gaps.unusual(gap).map(|longest| (longest, last.clone()));
        rhythm.gaps.moved(last.time, self.time);
        last.set(&self.event.mark);
        let Some((longest, last)) = unusual else {
            return;
        };
        let (silent, usual) = (in_words(gap), in_words(longest));
        let title = format!("No event of `{}` came for {silent}", visible(source));
        let mut finding = SOURCE_SILENCE.finding(AlertSeverity::Medium, source, title);
        finding.why.push(reason(
            "silence",
            &silent,
            &usual,
            format!(
                "Between {} and {} there is no event of `{}`: {silent}. Longer than {usual} is \
                 unusual, which is 7 times the gap that most days do not exceed.",
                shown_time(last.time),
                shown_time(self.time),
                visible(source)
            ),
        ));
        finding.evidence = vec![last.id, self.event.mark.id.clone()];
        finding.silence.push("a holiday, or a log that was always this quiet".to_owned());
        self.found.push(finding);
    }

    /// Judges an act on a key with which a source is read.
    pub(super) fn own_key(&mut self, own_keys: &[String]) {
        let event = self.event;
        let is_loss = || KEY_LOSS_WORDS.iter().any(|word| event.action.contains(word));
        let target =
            event.target.as_ref().filter(|target| own_keys.iter().any(|key| key == *target));
        let is_of_key = event.deed.administration == Some(AdminClass::Token);
        let Some(key) = target.filter(|_| is_of_key && is_loss()) else {
            return;
        };
        let key = visible(key);
        let name = event.actor.as_ref().map_or("Somebody".to_owned(), shown);
        let title = format!("{name} took the collector's own key away: {key}");
        let mut finding = OWN_KEY.finding(AlertSeverity::High, &key, title);
        finding.why.push(fact(
            "key",
            &key,
            format!("`{key}` is the `key_name` of a source; `{}` ends what it can read.", {
                visible(&event.action)
            }),
        ));
        finding.evidence = vec![event.mark.id.clone()];
        finding.silence.push("the key had another name than `key_name` says".to_owned());
        self.found.push(finding);
    }
}
