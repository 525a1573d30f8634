//! Alerts in the schemas of SIEMs: ECS 9.4 (`event.kind: alert`) and OCSF 1.8.0 (Detection Finding,
//! class 2004).

use super::alert::{ALERT_SCHEMA, AlertSeverity, DetectionAlert};
pub use crate::config::detection::AlertSchema;
use crate::model::json::write::{ObjectWriter, object};

impl AlertSchema {
    /// Appends the line of `alert`, with its newline.
    pub fn append_line(self, alert: &DetectionAlert, out: &mut Vec<u8>) {
        match self {
            AlertSchema::Alerts => alert.append_line(out),
            AlertSchema::Ecs => {
                object(out, |out| write_ecs(alert, out));
                out.push(b'\n');
            }
            AlertSchema::Ocsf => {
                object(out, |out| write_ocsf(alert, out));
                out.push(b'\n');
            }
        }
    }
}

/// What Elastic's alerts have as `event.severity`.
fn ecs_severity(severity: AlertSeverity) -> i64 {
    match severity {
        AlertSeverity::Info => 10,
        AlertSeverity::Low => 21,
        AlertSeverity::Medium => 47,
        AlertSeverity::High => 73,
        AlertSeverity::Critical => 99,
    }
}

fn write_ecs(alert: &DetectionAlert, out: &mut ObjectWriter<'_>) {
    out.time("@timestamp", alert.time);
    out.constant(r#""ecs":{"version":"9.4.0"}"#);
    out.text("message", &alert.title);
    out.object("event", |out| {
        out.word("kind", "alert");
        out.text("id", &alert.id);
        out.text("action", &alert.action);
        out.word("dataset", "atlaudit.alerts");
        out.word("module", "atlaudit");
        out.integer("severity", ecs_severity(alert.severity));
        out.text("reason", &sentences(alert));
    });
    out.object("rule", |out| {
        out.text("id", &alert.rule.id);
        out.text("name", &alert.rule.name);
        out.word("ruleset", "atlaudit");
    });
    out.object("threat", |out| {
        if !alert.rule.attack.is_empty() {
            out.word("framework", "MITRE ATT&CK");
        }
        out.object("technique", |out| {
            out.texts("id", alert.rule.attack.iter().map(String::as_str));
        });
    });
    out.object("user", |out| {
        if let Some(actor) = &alert.actor {
            out.text("id", actor.id());
            out.text_if_some("name", actor.name.as_deref());
            out.text_if_some("email", actor.email.as_deref());
        }
    });
    out.object("source", |out| {
        if let Some(address) = alert.address {
            out.text("ip", &address.to_string());
        }
        out.object("geo", |out| {
            let place = alert.place.as_ref();
            out.text_if_some("country_iso_code", place.and_then(|place| place.country_code()));
            out.text_if_some("city_name", place.and_then(|place| place.city.as_deref()));
        });
    });
    // What ECS has no field for lies where events have it too.
    out.object("atlassian", |out| {
        out.word("schema", ALERT_SCHEMA);
        out.object("source", |out| out.text("name", &alert.source));
        out.word("severity", alert.severity.as_str());
        out.texts("evidence", alert.evidence.iter().map(String::as_str));
        out.texts("silence", alert.silence.iter().map(String::as_str));
    });
}

fn ocsf_severity(severity: AlertSeverity) -> (i64, &'static str) {
    match severity {
        AlertSeverity::Info => (1, "Informational"),
        AlertSeverity::Low => (2, "Low"),
        AlertSeverity::Medium => (3, "Medium"),
        AlertSeverity::High => (4, "High"),
        AlertSeverity::Critical => (5, "Critical"),
    }
}

fn write_ocsf(alert: &DetectionAlert, out: &mut ObjectWriter<'_>) {
    let (severity_id, severity) = ocsf_severity(alert.severity);
    // First, as in the lines of events: recovery of a torn file knows them by it.
    out.constant(r#""class_uid":2004,"class_name":"Detection Finding""#);
    out.constant(r#""activity_id":1,"activity_name":"Create""#);
    out.constant(r#""category_name":"Findings","category_uid":2"#);
    out.constant(r#""type_name":"Detection Finding: Create","type_uid":200401"#);
    out.constant(r#""status":"New","status_id":1,"is_alert":true"#);
    out.integer("time", alert.time.timestamp_millis());
    out.integer("severity_id", severity_id);
    out.word("severity", severity);
    out.text("message", &alert.title);
    out.object("metadata", |out| {
        out.constant(r#""version":"1.8.0","profiles":["security_control"]"#);
        out.text("uid", &alert.id);
        out.word("log_name", "atlaudit-alerts");
        out.text("source", &alert.source);
        out.object("product", |out| {
            out.word("name", "atlaudit");
            out.word("vendor_name", "atlaudit");
            out.word("version", env!("CARGO_PKG_VERSION"));
        });
    });
    out.object("finding_info", |out| {
        out.text("uid", &alert.id);
        out.text("title", &alert.title);
        out.text("desc", &sentences(alert));
        out.integer("created_time", alert.time.timestamp_millis());
        out.object("analytic", |out| {
            out.text("uid", &alert.rule.id);
            out.text("name", &alert.rule.name);
            out.constant(r#""type":"Rule","type_id":1"#);
        });
        out.objects("attacks", alert.rule.attack.iter(), |out, id| {
            out.object("technique", |out| out.text("uid", id));
        });
        out.objects("related_events", alert.evidence.iter(), |out, id| out.text("uid", id));
    });
    out.objects("evidences", std::iter::once(alert), |out, alert| {
        out.object("actor", |out| {
            out.object("user", |out| {
                if let Some(actor) = &alert.actor {
                    out.text("uid", actor.id());
                    out.text_if_some("name", actor.name.as_deref());
                    out.text_if_some("email_addr", actor.email.as_deref());
                }
            });
        });
        out.object("src_endpoint", |out| {
            if let Some(address) = alert.address {
                out.text("ip", &address.to_string());
            }
        });
    });
    out.object("unmapped", |out| {
        out.texts("silence", alert.silence.iter().map(String::as_str));
    });
}

fn sentences(alert: &DetectionAlert) -> String {
    let sentences: Vec<&str> = alert.why.iter().map(|reason| reason.sentence.as_str()).collect();
    sentences.join(" ")
}
