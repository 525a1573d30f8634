//! Owns the numbers of OCSF 1.8.0: `class_uid`, and `activity_id` by class and deed.

use crate::model::event::{Event, UNPARSED};
use crate::model::meaning::{Deed, OcsfClass};

/// `activity_id` of what the class has no activity for; the source's own word stands beside it.
const OTHER: u8 = 99;

/// `activity_id` and `activity_name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcsfActivity<'e> {
    /// The number within the class.
    pub id: u8,
    /// The schema's caption of that number, or the action.
    pub name: &'e str,
}

impl<'e> OcsfActivity<'e> {
    /// What `event` did, within `class`.
    ///
    /// OCSF has 0 for an activity that cannot be determined, and 99 for one that matches no number and has a label in the
    /// source. An action that we do not know is of the second kind: the source says what was done. Only where
    /// the action itself could not be read is nothing known.
    pub fn of(class: OcsfClass, event: &'e Event<'_>) -> OcsfActivity<'e> {
        match activity_id(class, event.meaning.deed) {
            _ if event.action == UNPARSED => OcsfActivity {
                id: 0,
                name: "Unknown",
            },
            Some((id, deed)) => OcsfActivity {
                id,
                name: deed.as_str(),
            },
            None => OcsfActivity {
                id: OTHER,
                name: &event.action,
            },
        }
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
        OcsfClass::Api => 6003,
    }
}

/// The fields that are the same in every event of a class.
pub fn class_fields(class: OcsfClass) -> &'static str {
    macro_rules! fields {
        ($class:literal, $name:literal, $category:literal, $category_name:literal) => {
            concat!(
                r#""class_uid":"#,
                $class,
                r#","class_name":""#,
                $name,
                r#"","category_uid":"#,
                $category,
                r#","category_name":""#,
                $category_name,
                r#"""#
            )
        };
        (iam $class:literal, $name:literal) => {
            fields!($class, $name, 3, "Identity & Access Management")
        };
        (app $class:literal, $name:literal) => {
            fields!($class, $name, 6, "Application Activity")
        };
    }
    match class {
        OcsfClass::AccountChange => fields!(iam 3001, "Account Change"),
        OcsfClass::Authentication => fields!(iam 3002, "Authentication"),
        OcsfClass::EntityManagement => fields!(iam 3004, "Entity Management"),
        OcsfClass::UserAccess => fields!(iam 3005, "User Access Management"),
        OcsfClass::GroupManagement => fields!(iam 3006, "Group Management"),
        OcsfClass::WebResources => fields!(app 6001, "Web Resources Activity"),
        OcsfClass::Api => fields!(app 6003, "API Activity"),
    }
}

/// The activity that a deed is in a class, and the deed whose name that activity bears: to an account, to be
/// suspended and to be deactivated is to be disabled. Nothing where the class knows no such activity.
pub fn activity_id(class: OcsfClass, deed: Deed) -> Option<(u8, Deed)> {
    let deed = match (class, deed) {
        (OcsfClass::AccountChange, Deed::Activate | Deed::Resume) => Deed::Enable,
        (OcsfClass::AccountChange, Deed::Deactivate | Deed::Suspend) => Deed::Disable,
        (_, deed) => deed,
    };
    let id = match class {
        OcsfClass::AccountChange => account_change(deed),
        OcsfClass::Authentication => authentication(deed),
        OcsfClass::EntityManagement => entity_management(deed),
        OcsfClass::UserAccess => user_access(deed),
        OcsfClass::GroupManagement => group_management(deed),
        OcsfClass::WebResources => web_resources(deed),
        OcsfClass::Api => api(deed),
    };
    Some((id?, deed))
}

fn account_change(deed: Deed) -> Option<u8> {
    Some(match deed {
        Deed::Create => 1,
        Deed::Enable => 2,
        Deed::PasswordChange => 3,
        Deed::PasswordReset => 4,
        Deed::Disable => 5,
        Deed::Delete => 6,
        Deed::AttachPolicy => 7,
        Deed::DetachPolicy => 8,
        Deed::Lock => 9,
        Deed::MfaEnable => 10,
        Deed::MfaDisable => 11,
        Deed::Unlock => 12,
        _ => return None,
    })
}

fn authentication(deed: Deed) -> Option<u8> {
    Some(match deed {
        Deed::Logon => 1,
        Deed::Logoff => 2,
        Deed::AccountSwitch => 7,
        _ => return None,
    })
}

fn entity_management(deed: Deed) -> Option<u8> {
    Some(match deed {
        Deed::Create => 1,
        Deed::Read => 2,
        Deed::Update => 3,
        Deed::Delete => 4,
        Deed::Move => 5,
        Deed::Enroll => 6,
        Deed::Unenroll => 7,
        Deed::Enable => 8,
        Deed::Disable => 9,
        Deed::Activate => 10,
        Deed::Deactivate => 11,
        Deed::Suspend => 12,
        Deed::Resume => 13,
        _ => return None,
    })
}

fn user_access(deed: Deed) -> Option<u8> {
    Some(match deed {
        Deed::Assign => 1,
        Deed::Revoke => 2,
        _ => return None,
    })
}

fn group_management(deed: Deed) -> Option<u8> {
    Some(match deed {
        Deed::Assign => 1,
        Deed::Revoke => 2,
        Deed::AddUser => 3,
        Deed::RemoveUser => 4,
        Deed::Delete => 5,
        Deed::Create => 6,
        Deed::AddSubgroup => 7,
        Deed::RemoveSubgroup => 8,
        _ => return None,
    })
}

fn web_resources(deed: Deed) -> Option<u8> {
    Some(match deed {
        Deed::Create => 1,
        Deed::Read => 2,
        Deed::Update => 3,
        Deed::Delete => 4,
        Deed::Search => 5,
        Deed::Import => 6,
        Deed::Export => 7,
        Deed::Share => 8,
        _ => return None,
    })
}

fn api(deed: Deed) -> Option<u8> {
    Some(match deed {
        Deed::Create => 1,
        Deed::Read => 2,
        Deed::Update => 3,
        Deed::Delete => 4,
        _ => return None,
    })
}
