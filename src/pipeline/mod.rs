//! Writes what [`crate::fetch`] reads: removes repeats, filters, normalises and renders records, appends
//! the lines, and moves the checkpoint after the output is durable.
//!
//! [`run`] starts the reader and the writer of one source. Only [`writer`] knows the commit order
//! (`docs/design.md`, section 4); it moves the checkpoint through [`checkpoint_writer`].
//! [`record_processor`] and [`silence`] do no I/O. An export adds [`export_plan`], [`export_run`] and
//! [`attempt_file`].

pub mod attempt_file;
pub mod checkpoint_writer;
#[cfg(test)]
mod clock_tests;
pub mod error;
pub mod export_plan;
pub mod export_run;
pub mod record_processor;
pub mod report;
pub mod run;
pub mod silence;
pub mod stop;
pub mod writer;
