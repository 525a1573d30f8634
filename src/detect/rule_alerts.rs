//! Makes alerts of the rules that events match.

use super::alert::{AlertReason, AlertRule, AlertSeverity, DetectionFinding};
use super::anomalies::{ActorStanding, KnownAddress};
use super::event::DetectionEvent;
use super::sigma::{CorrelationFinding, RuleInfo, RuleLevel, RuleSet};
use crate::model::text::visible;

/// On so many of the last 30 days somebody administrates whose work it is.
const ADMIN_DAYS: usize = 2;

/// What the rules of one event find.
pub fn of_event(
    rules: &RuleSet,
    event: &DetectionEvent<'_>,
    standing: &ActorStanding,
) -> Vec<DetectionFinding> {
    let mut findings = Vec::new();
    for matched in &event.matches {
        let Some(rule) = rules.rules().get(matched.rule).filter(|rule| rule.emits) else {
            continue;
        };
        let who = event.actor.as_ref().map_or("somebody", |actor| actor.shown());
        let target = event.target.as_ref().map(|target| format!(" ({})", visible(target)));
        let title = format!("{}: {}{}", rule.title, visible(who), target.unwrap_or_default());
        let why = matched.matched.iter().map(|(field, value)| AlertReason {
            compared: "field",
            found: format!("{field}: {value}"),
            limit: None,
            sentence: format!("The field `{field}` is `{}`.", visible(value)),
        });
        findings.push(finding(rule, title, &event.mark.id, why.collect(), standing));
        if let Some(finding) = findings.last_mut() {
            finding.evidence = vec![event.mark.id.clone()];
        }
    }
    findings
}

/// What a rule of several events finds.
pub fn of_correlation(
    rules: &RuleSet,
    found: CorrelationFinding,
    standing: &ActorStanding,
) -> Option<DetectionFinding> {
    let rule = rules.rules().get(found.rule)?;
    let group: Vec<&str> = found.group.iter().map(|(_, value)| value.as_str()).collect();
    let group = visible(&group.join(", "));
    let why = vec![AlertReason {
        compared: "count",
        found: found.count.to_string(),
        limit: None,
        sentence: format!(
            "{} within the rule's time fulfil its condition{}.",
            found.count,
            match group.is_empty() {
                true => String::new(),
                false => format!(", together by `{group}`"),
            }
        ),
    }];
    let title = match group.is_empty() {
        true => rule.title.clone(),
        false => format!("{}: {group}", rule.title),
    };
    let mut finding = finding(rule, title, &group, why, standing);
    finding.evidence = found.evidence;
    Some(finding)
}

fn finding(
    rule: &RuleInfo,
    title: String,
    key: &str,
    mut why: Vec<AlertReason>,
    standing: &ActorStanding,
) -> DetectionFinding {
    let stated = match rule.level {
        RuleLevel::Informational => AlertSeverity::Info,
        RuleLevel::Low => AlertSeverity::Low,
        RuleLevel::Medium => AlertSeverity::Medium,
        RuleLevel::High => AlertSeverity::High,
        RuleLevel::Critical => AlertSeverity::Critical,
    };
    let mut silence = rule.false_positives.clone();
    let mut severity = stated;
    // The user's own rules say how much they matter.
    if rule.origin.is_built_in() && stated > AlertSeverity::Low && stated < AlertSeverity::Critical
    {
        let (is_usual, reason) = standing_reason(standing, stated);
        if is_usual {
            severity = AlertSeverity::Low;
        }
        why.push(reason);
    }
    if rule.origin.is_built_in() {
        silence.push("an exception names the rule and this actor".to_owned());
    }
    DetectionFinding {
        rule: AlertRule {
            id: rule.id.clone(),
            name: rule.title.clone(),
            // Tactics are words; techniques are what alerts name.
            attack: rule.attack.iter().filter(|id| id.starts_with('T')).cloned().collect(),
        },
        severity,
        is_learning: rule.origin.is_built_in()
            && standing.is_learning
            && stated < AlertSeverity::Critical,
        title,
        key: key.to_owned(),
        actor: None,
        why,
        evidence: Vec::new(),
        silence,
    }
}

/// Whether it is usual that the actor administrates, and the reason that says so.
fn standing_reason(standing: &ActorStanding, stated: AlertSeverity) -> (bool, AlertReason) {
    let days = standing.admin_days;
    let address = match standing.address {
        KnownAddress::Since(since) => {
            format!("they use this address since {}", since.format("%Y-%m-%d"))
        }
        KnownAddress::New => "this address is not known of them from an earlier day".to_owned(),
        KnownAddress::NotStated => "the event has no address".to_owned(),
    };
    let facts = format!("they administrated on {days} of the 30 days before");
    let is_usual = days >= ADMIN_DAYS && standing.address != KnownAddress::New;
    let sentence = match is_usual {
        true => format!(
            "It is the work of this person: {facts}, and {address}. So it is low, not {stated}."
        ),
        false => format!(
            "It is not the usual work of this person: {facts} (from {ADMIN_DAYS} on it is), and \
             {address}."
        ),
    };
    let reason = AlertReason {
        compared: "standing",
        found: if is_usual { "usual" } else { "unusual" }.to_owned(),
        limit: Some(format!("{ADMIN_DAYS} days")),
        sentence,
    };
    (is_usual, reason)
}
