//! The classes of OCSF: their numbers, categories and activities.

use crate::model::event::UNPARSED;
use crate::model::meaning::{Deed, OcsfClass};
use crate::render::ocsf::render_plan::RenderPlan;

/// `activity_id` of what the class has no activity for; the source's own word stands beside it.
const OTHER: u8 = 99;

/// `activity_id` and `activity_name` of what was done: the number, and the schema's caption of it
/// or the action.
///
/// OCSF has 0 for an activity that cannot be determined, and 99 for one that matches no number and
/// has a label in the source. An action that we do not know is of the second kind: the source says
/// what was done. Only where the action itself could not be read is nothing known.
pub fn activity<'e>(plan: &RenderPlan<'e>) -> (u8, &'e str) {
    let event = plan.event;
    match activity_id(plan.class, plan.deed) {
        _ if event.action == UNPARSED => (0, "Unknown"),
        Some((id, deed)) if plan.version.has_activity(plan.class, id) => (id, deed.as_str()),
        _ => (OTHER, &event.action),
    }
}

/// The class's number.
pub fn class_uid(class: OcsfClass) -> u16 {
    match class {
        OcsfClass::AccountChange => 3001,
        OcsfClass::Authentication => 3002,
        OcsfClass::EntityManagement => 3004,
        OcsfClass::UserAccess => 3005,
        OcsfClass::GroupManagement => 3006,
        OcsfClass::WebResources => 6001,
        OcsfClass::ApplicationLifecycle => 6002,
        OcsfClass::Api => 6003,
    }
}

/// The fields of the category that a class is of.
pub fn category_fields(class: OcsfClass) -> &'static str {
    match class {
        OcsfClass::WebResources | OcsfClass::ApplicationLifecycle | OcsfClass::Api => {
            r#""category_uid":6,"category_name":"Application Activity""#
        }
        _ => r#""category_uid":3,"category_name":"Identity & Access Management""#,
    }
}

/// The activity that a deed is in a class, and the deed whose name that activity bears: to an
/// account, to be suspended and to be deactivated is to be disabled. Nothing where the class knows
/// no such activity.
pub fn activity_id(class: OcsfClass, deed: Deed) -> Option<(u8, Deed)> {
    let deed = match (class, deed) {
        (OcsfClass::AccountChange, Deed::Activate | Deed::Resume) => Deed::Enable,
        (OcsfClass::AccountChange, Deed::Deactivate | Deed::Suspend) => Deed::Disable,
        (OcsfClass::ApplicationLifecycle, Deed::Create) => Deed::Install,
        (OcsfClass::ApplicationLifecycle, Deed::Delete) => Deed::Remove,
        (OcsfClass::ApplicationLifecycle, Deed::Activate) => Deed::Enable,
        (OcsfClass::ApplicationLifecycle, Deed::Deactivate) => Deed::Disable,
        (_, deed) => deed,
    };
    let mut activities = activities(class).iter();
    let id = match (class, deed) {
        (OcsfClass::Authentication, Deed::AccountSwitch) => 7,
        // 3 to 5 are starts and stops.
        (OcsfClass::ApplicationLifecycle, Deed::Enable) => 6,
        (OcsfClass::ApplicationLifecycle, Deed::Disable) => 7,
        (OcsfClass::ApplicationLifecycle, Deed::Update) => 8,
        _ => u8::try_from(activities.position(|activity| *activity == deed)?).ok()? + 1,
    };
    Some((id, deed))
}

/// The activities of a class, in the order of their numbers from 1 on.
fn activities(class: OcsfClass) -> &'static [Deed] {
    use Deed::*;
    match class {
        OcsfClass::AccountChange => &[
            Create,
            Enable,
            PasswordChange,
            PasswordReset,
            Disable,
            Delete,
            AttachPolicy,
            DetachPolicy,
            Lock,
            MfaEnable,
            MfaDisable,
            Unlock,
        ],
        OcsfClass::Authentication => &[Logon, Logoff],
        OcsfClass::EntityManagement => &[
            Create, Read, Update, Delete, Move, Enroll, Unenroll, Enable, Disable, Activate,
            Deactivate, Suspend, Resume,
        ],
        OcsfClass::UserAccess => &[Assign, Revoke],
        OcsfClass::GroupManagement => {
            &[Assign, Revoke, AddUser, RemoveUser, Delete, Create, AddSubgroup, RemoveSubgroup]
        }
        OcsfClass::WebResources => &[Create, Read, Update, Delete, Search, Import, Export, Share],
        OcsfClass::ApplicationLifecycle => &[Install, Remove],
        OcsfClass::Api => &[Create, Read, Update, Delete],
    }
}
