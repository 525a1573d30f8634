//! Writes what [`crate::fetch`] reads: removes repeats, filters, normalises and renders records,
//! appends the lines, and moves the checkpoint after the output is durable.
//!
//! [`run`] starts the reader and the writer of one source. [`writer`] keeps the commit order
//! (`docs/design.md`, section 4): [`run_output`] makes lines durable, then [`checkpoint_writer`]
//! saves the checkpoint. [`alert_output`] judges what is written. [`record_processor`] and
//! [`silence`] do no I/O. [`export_run`] is what an export adds.

mod alert_notifier;
mod alert_output;
pub mod backfill_run;
pub mod checkpoint_writer;
#[cfg(test)]
mod clock_tests;
pub mod error;
pub mod export_run;
pub mod file_retention;
pub mod record_processor;
pub mod report;
pub mod run;
pub mod run_output;
pub mod silence;
pub mod source_context;
pub mod stop;
mod table_sink;
pub mod unfinished_files;
pub mod writer;
