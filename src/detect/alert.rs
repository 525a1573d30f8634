//! An alert: what was found, why, and which events prove it. See `docs/detect.md`.

use std::net::IpAddr;

use super::event::{DetectionEvent, EventPerson};
use super::places::GeoPlace;
pub use crate::config::detection::AlertSeverity;
use crate::model::hashing::text_hash;
use crate::model::json::write::{ObjectWriter, object};
use crate::model::text::visible;
use crate::model::time::Timestamp;

/// The version of the format of alerts.
pub const ALERT_SCHEMA: &str = "atlaudit-alert/1";

/// Events that an alert names.
pub const MAX_EVIDENCE: usize = 100;

/// One thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertReason {
    /// What was compared, in snake_case.
    pub compared: &'static str,
    /// What was found: a number with its unit, a name, a time.
    pub found: String,
    /// What it was compared with.
    pub limit: Option<String>,
    /// Both, as a sentence.
    pub sentence: String,
}

/// The rule of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRule {
    /// Its id: a word for an anomaly, the id of a Sigma rule.
    pub id: String,
    /// What it finds.
    pub name: String,
    /// Techniques of ATT&CK.
    pub attack: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectionAlert {
    /// Names the rule, what it is about and the evidence: the same wherever it is found again.
    pub id: String,
    /// The time of the event that completed it.
    pub time: Timestamp,
    /// The rule that found it.
    pub rule: AlertRule,
    /// How much it matters.
    pub severity: AlertSeverity,
    /// The history was too short to judge; without that it would matter more.
    pub is_learning: bool,
    /// The event came after later ones had been judged.
    pub is_late: bool,
    /// Who did what.
    pub title: String,
    /// The source of the event that completed it.
    pub source: String,
    /// What that event did.
    pub action: String,
    /// Who it is about.
    pub actor: Option<EventPerson<'static>>,
    /// Where that event came from.
    pub address: Option<IpAddr>,
    /// Where that is.
    pub place: Option<GeoPlace>,
    /// Everything that was compared.
    pub why: Vec<AlertReason>,
    /// The ids of the events, in the order of time.
    pub evidence: Vec<String>,
    /// What would have kept it quiet.
    pub silence: Vec<String>,
}

/// What a detection says; the event that completed it says the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionFinding {
    /// The rule that found it.
    pub rule: AlertRule,
    /// How much it matters.
    pub severity: AlertSeverity,
    /// The history was too short to judge.
    pub is_learning: bool,
    /// Who did what.
    pub title: String,
    /// What it is about.
    pub key: String,
    /// Who it is about.
    pub actor: Option<EventPerson<'static>>,
    /// Everything that was compared.
    pub why: Vec<AlertReason>,
    /// The ids of the events, in the order of time.
    pub evidence: Vec<String>,
    /// What would have kept it quiet.
    pub silence: Vec<String>,
}

impl DetectionAlert {
    /// The alert of what was found when `event` was judged.
    pub fn new(
        finding: DetectionFinding,
        event: &DetectionEvent<'_>,
        is_late: bool,
    ) -> DetectionAlert {
        let mut evidence = finding.evidence;
        // The first and the latest tell most.
        if evidence.len() > MAX_EVIDENCE {
            evidence.drain(MAX_EVIDENCE / 2..evidence.len() - MAX_EVIDENCE / 2);
        }
        let mut named = vec![finding.rule.id.as_str(), finding.key.as_str()];
        named.extend(evidence.iter().map(String::as_str));
        let severity = match finding.is_learning {
            true => AlertSeverity::Info,
            false => finding.severity,
        };
        DetectionAlert {
            id: format!("alert:{}:{}", finding.rule.id, text_hash(&named)),
            time: event.time(),
            rule: finding.rule,
            severity,
            is_learning: finding.is_learning,
            is_late,
            title: finding.title,
            source: event.source.to_string(),
            action: event.action.to_string(),
            actor: finding.actor.or_else(|| event.actor.as_ref().map(EventPerson::to_owned)),
            address: event.address,
            place: event.place.clone(),
            why: finding.why,
            evidence,
            silence: finding.silence,
        }
    }

    /// The part of its id that a table has room for.
    pub fn short_id(&self) -> &str {
        let hash = self.id.rsplit(':').next().unwrap_or(&self.id);
        hash.get(..8).unwrap_or(hash)
    }

    /// Appends its line, with its newline.
    pub fn append_line(&self, out: &mut Vec<u8>) {
        object(out, |out| self.write(out));
        out.push(b'\n');
    }

    fn write(&self, out: &mut ObjectWriter<'_>) {
        out.word("schema", ALERT_SCHEMA);
        out.text("id", &self.id);
        out.time("time", self.time);
        out.word("severity", self.severity.as_str());
        if self.is_learning {
            out.json("learning", b"true");
        }
        if self.is_late {
            out.json("late", b"true");
        }
        out.text("title", &self.title);
        out.object("rule", |out| {
            out.text("id", &self.rule.id);
            out.text("name", &self.rule.name);
            out.texts("attack", self.rule.attack.iter().map(String::as_str));
        });
        out.object("source", |out| out.text("name", &self.source));
        out.text("action", &self.action);
        out.object("actor", |out| {
            if let Some(actor) = &self.actor {
                out.text("id", actor.id());
                out.text_if_some("name", actor.name.as_deref());
                out.text_if_some("email", actor.email.as_deref());
            }
        });
        out.object("client", |out| {
            if let Some(address) = self.address {
                out.text("ip", &address.to_string());
            }
            if let Some(place) = &self.place {
                place.write(out);
            }
        });
        out.objects("why", self.why.iter(), |out, reason| {
            out.word("compared", reason.compared);
            out.text("found", &reason.found);
            out.text_if_some("limit", reason.limit.as_deref());
            out.text("sentence", &reason.sentence);
        });
        out.texts("evidence", self.evidence.iter().map(String::as_str));
        out.texts("silence", self.silence.iter().map(String::as_str));
    }

    /// Its reasoning, as sentences, safe to show.
    pub fn explanation(&self) -> String {
        let mut text = format!("{}\n\n{} ({})", self.id, visible(&self.title), self.severity);
        if self.is_learning {
            text += "\nThe history before it is short, so it counts as info.";
        }
        if self.is_late {
            text += "\nThe event came late, after later ones had been judged.";
        }
        text += "\n\nWhy:";
        for reason in &self.why {
            text += &format!("\n- {}", visible(&reason.sentence));
        }
        text += "\n\nProved by:";
        for id in &self.evidence {
            text += &format!("\n- {}", visible(id));
        }
        if !self.silence.is_empty() {
            text += "\n\nIt would have been quiet if:";
            for silence in &self.silence {
                text += &format!("\n- {}", visible(silence));
            }
        }
        text + "\n"
    }
}
