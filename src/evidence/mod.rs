//! What makes an export evidence: hash chains over its lines, manifest, checksums, signature and
//! report, and their verification.

pub mod error;
pub mod event_comparison;
mod export_report;
pub mod folder;
pub mod hash;
mod line_problems;
pub mod manifest;
mod packed_lines;
pub mod page;
mod readme;
pub mod request;
pub mod seal;
pub mod sign;
pub mod survey;
#[cfg(test)]
mod test_export;
pub mod verify;
