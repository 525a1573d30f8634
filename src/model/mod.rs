//! The vocabulary of all other rooms: names, times, records, events and secrets.
//! Imports nothing of ours.

pub mod address;
pub mod duration;
pub mod endpoint;
pub mod event;
pub mod hashing;
pub mod json;
pub mod meaning;
pub mod name;
pub mod number;
pub mod open_files;
pub mod output_file_state;
pub mod record;
pub mod retention;
pub mod safe_url;
pub mod source_kind;
pub mod text;
pub mod time;
pub mod user_profiles;
