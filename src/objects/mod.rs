//! Reads and writes objects in a store such as S3, with conditions that make each write happen
//! once.
//!
//! Only GET and PUT are used: no list, copy, delete or multipart upload, so that a policy can be
//! narrow and no leftovers need to be cleaned up.
//!
//! A refused condition is never believed. A write whose answer was lost and that was repeated is
//! refused because of itself; a store may also answer that somebody else was first when nobody was.
//! What is there is read back and compared.

mod object_client;
mod object_error;
mod store_connection;
mod store_probe;

pub use object_client::ObjectClient;
#[cfg(test)]
pub use object_client::{CreateOutcome, SwapOutcome};
pub use object_error::ObjectError;
pub use store_probe::check_conditions;
