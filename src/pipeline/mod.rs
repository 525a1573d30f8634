//! Owns the way of an event: plan, fetch, step, write, commit, checkpoint.
//!
//! [`run`] alone knows that order. [`plan`], [`walk`], [`slices`], [`collected`], [`step`] and [`silence`] are pure;
//! [`fetch`] asks the server, [`writer`] writes and moves the checkpoint through [`journal`].

pub mod collected;
pub mod error;
pub mod fetch;
pub mod journal;
pub mod plan;
pub mod report;
pub mod run;
pub mod silence;
pub mod slices;
pub mod step;
pub mod stop;
pub mod walk;
pub mod writer;
