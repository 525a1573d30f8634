//! Owns the form of a line in OCSF 1.8.0, the Open Cybersecurity Schema Framework: one object a line, of the class
//! that the action means, or of Entity Management where the event lacks what that class requires.
//!
//! Nothing is invented to fill a class: [`class`] says what each requires and chooses. Nothing is lost: what has no
//! place in OCSF is in `unmapped` under the keys of a normalized event, and the record is in `raw_data`. No profile is
//! claimed: the one of clouds requires the provider of a cloud, and a Data Center has none.

mod activity;
mod actor;
mod check;
mod class;
mod country;
mod endpoint;
mod entity;
mod metadata;
mod observables;
mod people;
mod place;
mod subject;
mod unmapped;

use crate::model::event::{Event, Outcome};
use crate::model::json::write::{Fields, object};
use crate::model::meaning::OcsfClass;
use crate::model::record::Record;

use activity::Activity;
use class::Plan;

/// The version of the schema.
const VERSION: &str = "1.8.0";

/// Appends the event as one OCSF event.
pub fn append(event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    let plan = Plan::of(event);
    object(out, |out| {
        head(&plan, out);
        metadata::write(event, record, out);
        out.object("actor", |out| plan.actor.write(out));
        out.object("src_endpoint", |out| plan.from.write(out));
        subject::write(&plan, out);
        observables::write(&plan, out);
        out.object("unmapped", |out| unmapped::write(&plan, out));
        out.json_as_text("raw_data", record.doc.text());
    });
}

/// What kind of event it is, how it ended, and when.
fn head(plan: &Plan<'_>, out: &mut Fields<'_>) {
    let (class, event) = (plan.class, plan.event);
    let class_uid = i64::from(activity::class_uid(class));
    out.integer("class_uid", class_uid);
    out.word("class_name", class.as_str());
    out.integer("category_uid", class_uid / 1000);
    out.word("category_name", category_name(class));
    let activity = Activity::of(class, event);
    out.integer("activity_id", i64::from(activity.id));
    out.text("activity_name", activity.name);
    out.integer("type_uid", class_uid * 100 + i64::from(activity.id));
    out.joined("type_name", &[class.as_str(), ": ", activity.name]);
    // The severity is that of the event to whoever must act on it. No source states one, and an outcome proves none: a
    // failed login is not worse than an export that succeeded. Whoever knows what matters to them sets it downstream.
    out.json("severity_id", b"1");
    out.word("severity", "Informational");
    let (status_id, status) = match event.outcome {
        Outcome::Success => (1, "Success"),
        Outcome::Failure => (2, "Failure"),
        Outcome::Unknown => (0, "Unknown"),
    };
    out.integer("status_id", status_id);
    out.word("status", status);
    out.integer("time", plan.time.timestamp_millis());
    out.maybe("message", event.message.as_deref());
}

fn category_name(class: OcsfClass) -> &'static str {
    match class {
        OcsfClass::AccountChange
        | OcsfClass::Authentication
        | OcsfClass::EntityManagement
        | OcsfClass::UserAccess
        | OcsfClass::GroupManagement => "Identity & Access Management",
        OcsfClass::WebResources | OcsfClass::Api => "Application Activity",
    }
}

#[cfg(test)]
mod any_event_tests;
#[cfg(test)]
mod class_tests;
#[cfg(test)]
mod composed;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
