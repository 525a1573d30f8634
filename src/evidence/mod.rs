//! Owns what makes an export evidence: the chains over its lines, its manifest, its sums and signature,
//! its page for people, and their checking.

pub mod event_comparison;
mod assemble;
pub mod chain;
pub mod error;
pub mod facts;
pub mod folder;
mod hash;
mod packed_lines;
pub mod manifest;
pub mod page;
mod readme;
mod report;
pub mod request;
pub mod seal;
pub mod sign;
mod sums;
pub mod survey;
#[cfg(test)]
mod testing;
pub mod verify;
mod atomic_file;
