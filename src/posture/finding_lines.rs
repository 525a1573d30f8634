//! Findings as lines for programs: our own JSON, and OCSF 1.8.0 (Compliance Finding, class 2003).

use serde::Serialize;

use super::comparison::FindingChange;
use super::finding::{PostureFinding, PostureVerdict};
use crate::model::json::write::{ObjectWriter, object};
use crate::model::time::Timestamp;

/// A finding, and how it differs from an earlier one.
#[derive(Serialize)]
struct FindingLine<'a> {
    #[serde(flatten)]
    finding: &'a PostureFinding,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'a FindingChange>,
}

/// Appends the finding as one line of `atlaudit-posture/1`.
///
/// # Errors
/// It cannot be written as JSON.
pub fn append_json_line(
    finding: &PostureFinding,
    change: Option<&FindingChange>,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, &FindingLine { finding, change })?;
    out.push(b'\n');
    Ok(())
}

/// Appends the finding as one line of OCSF; `now` is the time of the run.
pub fn append_ocsf_line(finding: &PostureFinding, now: Timestamp, out: &mut Vec<u8>) {
    object(out, |out| write_ocsf(finding, now, out));
    out.push(b'\n');
}

fn compliance_status(verdict: PostureVerdict) -> (i64, &'static str) {
    match verdict {
        PostureVerdict::Pass => (1, "Pass"),
        PostureVerdict::Review => (2, "Warning"),
        PostureVerdict::Fail => (3, "Fail"),
        PostureVerdict::NotReadable | PostureVerdict::CouldNotRead => (0, "Unknown"),
    }
}

fn severity(verdict: PostureVerdict) -> (i64, &'static str) {
    match verdict {
        PostureVerdict::Pass => (1, "Informational"),
        PostureVerdict::Review | PostureVerdict::NotReadable => (2, "Low"),
        PostureVerdict::CouldNotRead => (3, "Medium"),
        PostureVerdict::Fail => (4, "High"),
    }
}

fn write_ocsf(finding: &PostureFinding, now: Timestamp, out: &mut ObjectWriter<'_>) {
    let (severity_id, severity) = severity(finding.verdict);
    let (status_id, status) = compliance_status(finding.verdict);
    let uid = format!("{}:{}", finding.org_id, finding.check);
    out.constant(r#""class_uid":2003,"class_name":"Compliance Finding""#);
    out.constant(r#""activity_id":1,"activity_name":"Create""#);
    out.constant(r#""category_name":"Findings","category_uid":2"#);
    out.constant(r#""type_name":"Compliance Finding: Create","type_uid":200301"#);
    out.integer("time", now.timestamp_millis());
    out.integer("severity_id", severity_id);
    out.word("severity", severity);
    out.text("message", &finding.summary);
    out.object("metadata", |out| {
        out.constant(r#""version":"1.8.0""#);
        out.word("log_name", "atlaudit-posture");
        out.text("source", &finding.source);
        out.object("product", |out| {
            out.word("name", "atlaudit");
            out.word("vendor_name", "atlaudit");
            out.word("version", env!("CARGO_PKG_VERSION"));
        });
    });
    out.object("finding_info", |out| {
        out.text("uid", &uid);
        out.word("title", finding.title);
        out.text("desc", &finding.summary);
        out.integer("created_time", now.timestamp_millis());
        out.integer("last_seen_time", finding.as_of.timestamp_millis());
        out.texts("data_sources", std::iter::once(finding.basis.as_str()));
    });
    out.object("compliance", |out| {
        out.word("control", finding.check.as_str());
        out.integer("status_id", status_id);
        out.word("status", status);
        out.word("status_code", finding.verdict.as_str());
        out.texts("status_details", std::iter::once(finding.summary.as_str()));
    });
    if let Some(advice) = &finding.advice {
        out.object("remediation", |out| {
            out.text("desc", &format!("{advice} (admin.atlassian.com: {})", finding.console));
        });
    }
    out.objects("resources", finding.items.iter(), |out, item| {
        out.text("uid", &item.id);
        out.text_if_some("name", item.name.as_deref());
        out.text_list("labels", |labels| labels.push(&item.reason));
    });
    out.object("unmapped", |out| {
        out.text("org_id", &finding.org_id);
        out.integer("affected", i64::try_from(finding.affected).unwrap_or(i64::MAX));
        if let Some(of) = finding.of {
            out.integer("of", i64::try_from(of).unwrap_or(i64::MAX));
        }
    });
}
