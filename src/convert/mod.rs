//! Owns the way of lines that were kept earlier: from files, packed or plain, back to records, and
//! through the same normalising and rendering as a pull's.
//!
//! `input (I/O) -> lines -> text (is it JSON?) -> kept (what is it?) -> normalise, render -> sink (I/O)`
//!
//! Nothing here asks the network or a state; one thread does it all.

mod input;
mod saved_line;
mod lines;
mod run;
mod json_line;

pub use run::{ConvertContext, ConvertCounts, ConvertError, ConvertIssue, run};
