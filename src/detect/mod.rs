//! Finds in events what an attacker does.

pub mod sigma;
