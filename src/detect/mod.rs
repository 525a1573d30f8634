//! Finds in events what an attacker does.

#[allow(dead_code, reason = "what matches and counts is used by detection only")]
pub mod sigma;
