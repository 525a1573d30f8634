//! Judges how an organization is set up: each check compares what the admin APIs list, what events
//! tell and what a person declared with the settings, and says where its verdict comes from.
//!
//! Absence of data is never a pass: what no API shows is `not readable`, what could have been read
//! and was not is `could not read`.

mod account_checks;
mod comparison;
mod event_checks;
mod finding;
mod finding_lines;
mod finding_table;
mod judge;
mod org_inventory;
mod policy_checks;
mod policy_history;
mod records;
mod subject;
mod token_checks;

pub use comparison::{FindingChange, PostureSnapshot};
pub use finding::{PostureFinding, PostureVerdict};
pub use finding_lines::{append_json_line, append_ocsf_line};
pub use finding_table::{finding_table, verdict_counts};
pub use judge::{judge_posture, lists_needed, needs_policy_members};
pub use org_inventory::{
    OrgInventory, UnreadList, accounts_without_mfa, has_failed_resource, member_policies,
};
pub use policy_history::PolicyHistory;
#[cfg(feature = "respond")]
pub use records::{ApiToken, OrgUser, policy_member_address};
pub use subject::PostureSubject;
