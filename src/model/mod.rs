//! The vocabulary of all other folders: names, times, records, events, source kinds.
//! Imports nothing of ours.

pub mod address;
pub mod event;
pub mod hashing;
pub mod json;
pub mod meaning;
pub mod name;
pub mod open_files;
pub mod output_file_state;
pub mod record;
pub mod source_kind;
pub mod text;
pub mod time;
pub mod typed_time;
pub mod user_zone;
pub mod workspace;
