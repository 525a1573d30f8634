//! What differs between the versions of OCSF that are written; all else is the same in both.
//!
//! Source: the schemas of the two releases.

use crate::model::event::EventTarget;
use crate::model::meaning::OcsfClass;

/// A version of OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcsfVersion {
    /// 1.3.0, the newest that Amazon Security Lake takes.
    V1_3,
    /// 1.8.0.
    V1_8,
}

impl OcsfVersion {
    fn is_new(self) -> bool {
        self == OcsfVersion::V1_8
    }

    /// The version, as a field of `metadata`.
    pub fn field(self) -> &'static str {
        match self {
            OcsfVersion::V1_3 => r#""version":"1.3.0""#,
            OcsfVersion::V1_8 => r#""version":"1.8.0""#,
        }
    }

    /// The key in `metadata` of our source's name.
    pub fn source_key(self) -> &'static str {
        if self.is_new() { "source" } else { "log_provider" }
    }

    /// Whether `metadata` has `original_event_uid`. Our own id of an event contains it.
    pub fn has_original_event_uid(self) -> bool {
        self.is_new()
    }

    /// Whether events of this class have an `actor` by the profile `host` alone, which they must
    /// name then.
    pub fn is_actor_of_host(self, class: OcsfClass) -> bool {
        let has_own =
            matches!(class, OcsfClass::AccountChange | OcsfClass::Authentication | OcsfClass::Api);
        !self.is_new() && !has_own
    }

    /// Whether a user can be of the type `Service`.
    pub fn has_services(self) -> bool {
        self.is_new()
    }

    /// Whether a user has a list of credentials with their types, and not the id of one alone.
    pub fn has_credential_types(self) -> bool {
        self.is_new()
    }

    /// Whether an account has several policies, and privileges give access to several resources,
    /// and not to one.
    pub fn has_lists(self) -> bool {
        self.is_new()
    }

    /// Whether the object of a policy has the source's word for its kind.
    pub fn has_policy_types(self) -> bool {
        self.is_new()
    }

    /// Whether the object of the policy `target` says what kind it is.
    pub fn says_policy_kind(self, target: &EventTarget<'_>) -> bool {
        self.has_policy_types() || matches!(target.kind.as_deref(), None | Some("policy"))
    }

    /// Whether an app may have no vendor: no source states one.
    pub fn has_apps_without_vendor(self) -> bool {
        self.is_new()
    }

    /// Whether Group Management may have neither a user nor privileges, as for a group that was
    /// created or deleted.
    pub fn has_groups_alone(self) -> bool {
        self.is_new()
    }

    /// Whether Group Management has a group that is put into another one.
    pub fn has_subgroups(self) -> bool {
        self.is_new()
    }

    /// Whether a class has an activity of this number.
    pub fn has_activity(self, class: OcsfClass, id: u8) -> bool {
        let last = match class {
            // `Unlock` came later.
            OcsfClass::AccountChange => 11,
            // `Account Switch`, and the two of subgroups.
            OcsfClass::Authentication | OcsfClass::GroupManagement => 6,
            _ => return true,
        };
        self.is_new() || id <= last
    }

    /// Whether there are observables of a type: ids of users, names and ids of groups came later.
    pub fn has_observable(self, type_id: u8) -> bool {
        self.is_new() || type_id <= 30
    }
}
