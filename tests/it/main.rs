//! The integration tests: the real program in a blank HOME, against the sandbox on loopback.
//!
//! One file a topic. [`support`] has what they share; [`layers`] reads the source instead of
//! running it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what must hold by unwrapping it"
)]

mod support;

mod actions;
mod ahead;
mod all_sources;
mod backfill;
mod captcha;
mod causes;
mod cdn;
mod check;
mod clock;
mod collect;
mod completions;
mod config;
mod content_coding;
mod contrib;
mod convert;
mod crash;
mod cron;
mod cursors;
mod demo;
mod detect;
mod disk_full;
mod ecs;
mod environment;
mod expiry;
mod export;
mod faults;
mod file_imports;
mod files;
mod follow;
mod forwarded_addresses;
mod full_minutes;
mod gateway;
mod human;
mod imports;
mod init;
mod interrupt;
mod jira;
mod keep;
mod key_store;
mod keyring;
mod kill;
mod late;
mod layers;
mod limits;
mod live_alerts;
mod local_refusals;
mod login;
mod many;
mod no_ids;
mod object_output;
mod ocsf;
mod odd_paging;
mod organization;
mod output;
mod page_errors;
mod parquet;
mod paths;
mod people;
mod posture;
mod posture_declared;
mod posture_output;
mod read_only;
mod refusals;
mod report;
mod respond;
mod resume;
mod retention;
mod rules;
mod search;
mod secrets;
mod security_lake;
mod shared_file;
mod shared_limits;
mod shippers;
mod signals;
mod silence;
mod source_kinds;
mod start_up;
mod state;
mod status;
mod stuck;
mod system_wide;
mod terminal;
mod terminal_output;
mod time_zones;
mod tls;
mod unattended;
mod unreadable_times;
mod verbatim;
mod verbose;
mod verify;
mod window;
mod workspace;
mod workspace_queries;
