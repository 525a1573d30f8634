//! Collects from one or several sources at once: connections and shared limits, starts and ends,
//! run records, messages and metrics. The commands use it; it uses the pipeline.

pub mod action_catalogue;
pub mod collector;
pub mod connector;
pub mod expiry;
pub mod failure_notices;
mod file_turns;
pub mod metrics;
pub mod org_lists;
pub mod progress_publisher;
pub mod run_registry;
pub mod signals;
pub mod source_end;
pub mod summary;
