//! What is detected, and with which numbers: the settings of `[detect]`.

use std::fmt;
use std::path::PathBuf;

use chrono::TimeDelta;
use serde::Deserialize;

use crate::config::error::HintedError;
use crate::filter::{AddressRange, ValuePattern};
use crate::model::text::printable;
use crate::model::time::Timestamp;

/// Users, and addresses, that are remembered.
const DEFAULT_MAX_USERS: u32 = 50_000;

/// What is detected, and how.
#[derive(Debug, Clone)]
pub struct DetectSettings {
    /// Folders of rules beside the built-in ones.
    pub rules: Vec<PathBuf>,
    /// Lists of addresses.
    pub lists: Vec<AddressListSettings>,
    /// A database of places (MaxMind DB).
    pub geoip: Option<PathBuf>,
    /// Users, and addresses, that are remembered.
    pub max_users: usize,
    /// What is no alert.
    pub exceptions: Vec<AlertException>,
    /// The numbers that are compared with.
    pub thresholds: DetectionThresholds,
    /// What the organizations call the keys that sources are read with.
    pub own_keys: Vec<String>,
}

impl Default for DetectSettings {
    fn default() -> DetectSettings {
        DetectSettings {
            rules: Vec::new(),
            lists: Vec::new(),
            geoip: None,
            max_users: DEFAULT_MAX_USERS as usize,
            exceptions: Vec::new(),
            thresholds: DetectionThresholds::default(),
            own_keys: Vec::new(),
        }
    }
}

/// The schema of the lines of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertSchema {
    /// Our own.
    Alerts,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework.
    Ocsf,
}

impl AlertSchema {
    /// The schema with that word.
    pub fn from_word(word: &str) -> Result<AlertSchema, HintedError> {
        match word {
            "alerts" => Ok(AlertSchema::Alerts),
            "ecs" => Ok(AlertSchema::Ecs),
            "ocsf" => Ok(AlertSchema::Ocsf),
            _ => Err(HintedError::new(format!("`{}` is no format of alerts", printable(word)))
                .hint("the formats are alerts, ecs and ocsf")),
        }
    }
}

/// A list of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressListSettings {
    /// What alerts call it.
    pub name: String,
    /// What its addresses are.
    pub tag: AddressTag,
    /// A file with one address or CIDR range a line.
    pub path: Option<PathBuf>,
    /// Addresses and CIDR ranges.
    pub ranges: Vec<String>,
}

/// How much an alert matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum AlertSeverity {
    /// For the record: the history is too short to judge.
    Info,
    /// Unusual, and usually harmless.
    Low,
    /// To be looked at on the same day.
    Medium,
    /// To be looked at now.
    High,
    /// Surely harm.
    Critical,
}

impl AlertSeverity {
    /// All of them, the least first.
    pub const ALL: [AlertSeverity; 5] = [
        AlertSeverity::Info,
        AlertSeverity::Low,
        AlertSeverity::Medium,
        AlertSeverity::High,
        AlertSeverity::Critical,
    ];

    /// The severity with that word.
    pub fn from_word(word: &str) -> Result<AlertSeverity, HintedError> {
        let found = AlertSeverity::ALL.into_iter().find(|severity| severity.as_str() == word);
        found.ok_or_else(|| {
            HintedError::new(format!("`{}` is no severity", printable(word)))
                .hint("the severities are info, low, medium, high and critical")
        })
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertSeverity::Info => "info",
            AlertSeverity::Low => "low",
            AlertSeverity::Medium => "medium",
            AlertSeverity::High => "high",
            AlertSeverity::Critical => "critical",
        }
    }
}

impl fmt::Display for AlertSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the addresses of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressTag {
    /// They hide who uses them: Tor, VPNs, proxies.
    Anonymous,
    /// They are known for attacks.
    Suspicious,
    /// They are our own.
    Trusted,
}

impl AddressTag {
    /// All of them.
    pub const ALL: [AddressTag; 3] =
        [AddressTag::Anonymous, AddressTag::Suspicious, AddressTag::Trusted];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            AddressTag::Anonymous => "anonymous",
            AddressTag::Suspicious => "suspicious",
            AddressTag::Trusted => "trusted",
        }
    }

    /// Reads the word for it.
    ///
    /// # Errors
    /// It is none of them.
    pub fn from_word(word: &str) -> Result<AddressTag, HintedError> {
        AddressTag::ALL.into_iter().find(|tag| tag.as_str() == word).ok_or_else(|| {
            HintedError::new(format!("`{}` is no tag of addresses", printable(word)))
                .hint("the tags are anonymous, suspicious and trusted")
        })
    }
}

/// Alerts that are not reported. All that is given must fit.
#[derive(Debug, Clone)]
pub struct AlertException {
    /// The rule's id or name.
    pub rule: Option<ValuePattern>,
    /// The actor's id or email. Never a name: people choose theirs.
    pub actor: Option<ValuePattern>,
    /// The address.
    pub address: Option<AddressRange>,
    /// The country's code.
    pub country: Option<String>,
    /// Until when it counts, by the time of the alert.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// The numbers that detections compare with. Where they are from: `docs/detect.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of numbers")]
pub struct DetectionThresholds {
    /// Days of history, and events of people in it, before anything counts more than info.
    pub learning_days: u32,
    /// Events of people in that history.
    pub learning_events: u32,
    /// Impossible travel: kilometres an hour.
    pub travel_km_per_hour: u32,
    /// Kilometres.
    pub travel_km: u32,
    /// Hours between the two places.
    pub travel_hours: u32,
    /// How often a journey that nobody can make is reported, in 30 days.
    pub travel_pattern: u32,
    /// Days after which a country is new again.
    pub country_days: u32,
    /// Failed logins of a user.
    pub failed_logins: u32,
    /// Users whose login fails from one address.
    pub spray_users: u32,
    /// Minutes in which logins fail.
    pub failure_minutes: u32,
    /// Minutes after which a success no longer belongs to the failures.
    pub success_minutes: u32,
    /// Administrative acts in an hour.
    pub burst_acts: u32,
    /// Times the largest number of the last week.
    pub burst_factor: u32,
    /// Days after which a class of acts is new again.
    pub class_days: u32,
    /// People whom someone may become on one day.
    pub impersonations: u32,
    /// Minutes in which acts belong to an impersonation.
    pub impersonation_minutes: u32,
    /// Things that are read in a quarter of an hour.
    pub reading: u32,
    /// Times what is usual.
    pub reading_factor: u32,
    /// Days without an event after which an account is dormant.
    pub dormant_days: u32,
}

impl Default for DetectionThresholds {
    fn default() -> DetectionThresholds {
        DetectionThresholds {
            learning_days: 7,
            learning_events: 20,
            travel_km_per_hour: 1000,
            travel_km: 500,
            travel_hours: 24,
            travel_pattern: 2,
            country_days: 90,
            failed_logins: 10,
            spray_users: 5,
            failure_minutes: 10,
            success_minutes: 30,
            burst_acts: 5,
            burst_factor: 3,
            class_days: 180,
            impersonations: 3,
            impersonation_minutes: 60,
            reading: 50,
            reading_factor: 5,
            dormant_days: 90,
        }
    }
}

/// So many days.
pub fn days(number: u32) -> TimeDelta {
    TimeDelta::days(number.into())
}

/// So many minutes.
pub fn minutes(number: u32) -> TimeDelta {
    TimeDelta::minutes(number.into())
}
