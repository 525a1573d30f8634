//! Converts saved events to another format: reads lines from files, packed or plain, back to records, and normalises
//! and renders these as a pull does.
//!
//! `lines (I/O, is it JSON?) -> saved_line (what is it?) -> normalise, render -> sink (I/O)`
//!
//! Nothing here uses the network or a state; one thread does it all.

mod lines;
mod run;
mod saved_line;

pub use run::{ConvertContext, ConvertCounts, ConvertError, ConvertIssue, run};
