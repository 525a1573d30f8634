//! Owns what makes an export evidence: the chains over its lines, its manifest, its sums and signature,
//! its page for people, and their checking.

pub mod facts;
pub mod manifest;
pub mod page;
pub mod report;
