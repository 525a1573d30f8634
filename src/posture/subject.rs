//! What the checks of one organization look at.

use super::org_inventory::OrgInventory;
use super::policy_history::PolicyHistory;
use crate::config::posture::PostureSettings;
use crate::model::time::Timestamp;

/// What the checks of one organization look at.
pub struct PostureSubject<'a> {
    /// The source whose key is used.
    pub source: &'a str,
    /// The organization.
    pub org_id: &'a str,
    /// The time that ages are counted from.
    pub now: Timestamp,
    /// The numbers, and what a person declared.
    pub settings: &'a PostureSettings,
    /// The lists of the admin APIs.
    pub inventory: &'a OrgInventory,
    /// What events tell, where any were read.
    pub history: Option<&'a PolicyHistory>,
}
