//! Owns the way of an event: plan, fetch, step, write, commit, checkpoint.
//!
//! [`run`] alone knows that order. [`fetch`] asks the server through a [`reader`]: oldest first by
//! [`cursor_reader`], with [`prefetch`] where the server is slow, or slice by slice by [`slice_reader`], each
//! slice by [`slice_pages`], which shares what it learns about the server's paging in [`paging_facts`].
//! [`writer`] writes and moves the checkpoint through [`checkpoint_writer`]. [`plan`], [`pagination`], [`segment_queue`],
//! [`density`], [`slice_scan`], [`record_processor`] and [`silence`] are pure. What an export keeps beside its events goes from a
//! [`attempt_record`] into [`attempt_file`]; what it reads is planned by [`export_plan`].

pub mod attempt_file;
pub mod attempt_record;
pub mod checkpoint_writer;
mod compressed_page;
mod cursor_reader;
mod density;
pub mod error;
pub mod export_plan;
pub mod export_run;
pub mod fetch;
pub mod pagination;
mod paging_facts;
pub mod plan;
mod prefetch;
pub mod reader;
pub mod record_processor;
pub mod report;
pub mod run;
mod segment_queue;
pub mod silence;
mod slice_pages;
mod slice_reader;
pub mod slice_scan;
pub mod stop;
mod task;
pub mod user_directory;
pub mod writer;
