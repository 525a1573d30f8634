//! Owns the way of an event: plan, fetch, step, write, commit, checkpoint.
//!
//! [`run`] alone knows that order. [`fetch`] asks the server through a [`reader`]: oldest first by
//! [`ascending`], with [`ahead`] where the server is slow, or slice by slice by [`newest_first`], each
//! slice by [`slice_pages`], which shares what it learns about the server's paging in [`paging_facts`].
//! [`writer`] writes and moves the checkpoint through [`journal`]. [`plan`], [`walk`], [`parts`],
//! [`density`], [`collected`], [`step`] and [`silence`] are pure. What an export keeps beside its events goes from a
//! [`transcript`] into [`pages`]; what it reads is planned by [`bounded`].

mod ahead;
mod ascending;
pub mod bounded;
pub mod collected;
mod density;
pub mod error;
pub mod exported;
pub mod fetch;
pub mod journal;
mod newest_first;
mod packed;
pub mod pages;
mod paging_facts;
mod parts;
pub mod people;
pub mod plan;
pub mod reader;
pub mod report;
pub mod run;
pub mod silence;
mod slice_pages;
pub mod step;
pub mod stop;
mod task;
pub mod transcript;
pub mod walk;
pub mod writer;
