//! Writes a line in OCSF, the Open Cybersecurity Schema Framework: one object a line, of the class
//! that the action means, or of Entity Management where the event lacks what that class requires.
//! Two versions are written; [`OcsfVersion`] has all that differs.
//!
//! Nothing is invented to fill a class: [`render_plan`] says what each requires and chooses.
//! Nothing is lost: what has no place in OCSF is in `unmapped` under the keys of a normalized
//! event, and the record is in `raw_data`. No profile is claimed that the version does not demand:
//! the one of clouds requires the provider of a cloud, and a Data Center has none.

mod acted_on;
mod attributes;
mod classes;
mod endpoint;
mod observables;
mod ocsf_version;
mod people;
mod render_plan;
mod target_kind;

use crate::model::event::Event;
use crate::model::json::write::{ObjectWriter, object};
use crate::model::meaning::Outcome;
use crate::model::record::Record;

use render_plan::RenderPlan;

pub use ocsf_version::OcsfVersion;

/// Appends the event as one event of a version of OCSF.
pub fn append(version: OcsfVersion, event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    let plan = RenderPlan::of(version, event);
    object(out, |out| {
        head(&plan, out);
        attributes::write_metadata(&plan, record, out);
        out.object("actor", |out| plan.actor.write(version, out));
        out.object("src_endpoint", |out| plan.src_endpoint.write(out));
        attributes::write_of_class(&plan, out);
        observables::write(&plan, out);
        out.object("unmapped", |out| attributes::write_unmapped(&plan, out));
        out.json_as_text("raw_data", record.doc.text());
    });
}

/// What kind of event it is, how it ended, and when.
fn head(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    let (class, event) = (plan.class, plan.event);
    let class_uid = i64::from(classes::class_uid(class));
    out.integer("class_uid", class_uid);
    out.word("class_name", class.as_str());
    out.constant(classes::category_fields(class));
    let (activity_id, activity_name) = classes::activity(plan);
    let id = i64::from(activity_id);
    out.integer("activity_id", id);
    out.text("activity_name", activity_name);
    out.integer("type_uid", class_uid * 100 + id);
    out.text("type_name", &[class.as_str(), ": ", activity_name].concat());
    // The severity is that of the event to those who must act on it. No source states one, and an
    // outcome proves none: a failed login is not worse than an export that succeeded. Users who
    // know what matters to them set it downstream.
    out.constant(r#""severity_id":1,"severity":"Informational""#);
    out.constant(match event.outcome {
        Outcome::Success => r#""status_id":1,"status":"Success""#,
        Outcome::Failure => r#""status_id":2,"status":"Failure""#,
        Outcome::Unknown => r#""status_id":0,"status":"Unknown""#,
    });
    out.integer("time", event.best_time().timestamp_millis());
    out.text_if_some("message", event.message.as_deref());
}

#[cfg(test)]
mod any_event_tests;
#[cfg(test)]
mod class_tests;
#[cfg(test)]
mod sample_events_tests;
#[cfg(test)]
mod schema_rules_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;
