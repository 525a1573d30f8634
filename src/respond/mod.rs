//! Responds to an incident: plans a change of one account or key, asks for it, makes it once, and
//! records what was done.
//!
//! A plan is made of what was read. It is applied only if the same plan comes out of what is read
//! then, so that nothing but what a person saw is ever sent. Each request is recorded durably
//! before it leaves, and none is sent a second time.

mod account_state;
mod application;
mod guards;
mod org_access;
mod planning;
mod record;
mod response_plan;

#[cfg(test)]
mod any_sequence_tests;

pub use account_state::PlanOptions;
pub use application::{AppliedResponse, PlanApplication, ResponseEnd};
pub use org_access::{LookupError, OrgAccess};
pub use planning::{PlanInput, PlanRefusal, make_plan, steps_of_plan};
pub use record::{OpenIntent, ResponseRecord, check_record, is_record};
pub use response_plan::ResponsePlan;
