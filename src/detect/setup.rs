//! Loads what events are judged with: rules, lists of addresses, a database of places.

use std::fmt;
use std::time::Duration;

use super::anomalies::anomaly_rule::ANOMALIES;
use super::places::{AddressListError, AddressLists, GeoDatabase, GeoDatabaseError};
use super::sigma::{RuleError, RuleSet};
#[cfg(test)]
use crate::config::detection::DetectionThresholds;
use crate::config::detection::{AddressTag, DetectSettings};
use crate::model::text::printable;
use crate::model::time::Timestamp;

/// A list whose addresses change hands within days says little of older events than that.
const MAX_LIST_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Addresses move to other countries within months.
const MAX_DATABASE_DAYS: i64 = 180;

/// What events are judged with.
#[derive(Debug)]
pub struct DetectionSetup {
    /// Numbers, exceptions, bounds.
    pub settings: DetectSettings,
    /// The rules of Sigma.
    pub rules: RuleSet,
    /// Lists of addresses.
    pub lists: AddressLists,
    /// Where addresses are, if a database says so.
    pub places: Option<GeoDatabase>,
    /// When it was loaded, for the ages of lists.
    now: Timestamp,
}

/// What events are judged with cannot be read.
#[derive(Debug)]
pub enum DetectionError {
    /// A rule.
    Rule(RuleError),
    /// A list of addresses.
    List(AddressListError),
    /// The database of places.
    Places(GeoDatabaseError),
}

impl DetectionSetup {
    /// Loads what `settings` name. `now` is only compared with the ages of lists.
    ///
    /// # Errors
    /// A rule, a list or the database cannot be used.
    pub fn load(
        settings: DetectSettings,
        now: Timestamp,
    ) -> Result<DetectionSetup, DetectionError> {
        let rules = RuleSet::load(&settings.rules).map_err(DetectionError::Rule)?;
        let lists = AddressLists::load(&settings.lists).map_err(DetectionError::List)?;
        let places = settings.geoip.as_deref().map(GeoDatabase::open).transpose();
        let places = places.map_err(DetectionError::Places)?;
        Ok(DetectionSetup { settings, rules, lists, places, now })
    }

    /// Numbers and lists alone, without rules.
    #[cfg(test)]
    pub fn for_tests(thresholds: DetectionThresholds, lists: AddressLists) -> DetectionSetup {
        let settings = DetectSettings { thresholds, ..DetectSettings::default() };
        let rules = RuleSet::only_from(&[]).unwrap();
        DetectionSetup { settings, rules, lists, places: None, now: Timestamp::UNIX_EPOCH }
    }

    /// What a person should know before they trust the alerts.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(places) = &self.places {
            let days = (self.now - places.built()).num_days();
            if days > MAX_DATABASE_DAYS {
                warnings.push(format!(
                    "the database of `geoip` is {days} days old; addresses move to other countries"
                ));
            }
        }
        for list in self.lists.lists() {
            let age = list.modified.and_then(|modified| (self.now - modified).to_std().ok());
            if let Some(age) = age.filter(|age| *age > MAX_LIST_AGE)
                && list.tag != AddressTag::Trusted
            {
                let days = age.as_secs() / 86_400;
                warnings.push(format!(
                    "the list `{}` of {} addresses is {days} days old; such addresses change \
                     within days",
                    list.name,
                    list.tag.as_str()
                ));
            }
        }
        for exception in &self.settings.exceptions {
            let rules = self.rules.rules().iter().filter(|info| info.emits);
            let mut rules = rules.map(|info| (info.id.as_str(), info.title.as_str()));
            if !rules.any(|(id, name)| exception.names(id, name))
                && !ANOMALIES.iter().any(|anomaly| exception.names(anomaly.id, anomaly.name))
            {
                warnings.push(format!(
                    "no rule has the id or name that the exception with the reason `{}` names",
                    printable(&exception.reason)
                ));
            }
        }
        warnings
    }
}

impl DetectionError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            DetectionError::Rule(_) => {
                "`atlaudit rules check DIR` shows everything that is wrong with the rules of a \
                 folder"
            }
            DetectionError::List(error) => error.hint(),
            DetectionError::Places(error) => error.hint(),
        }
    }
}

impl fmt::Display for DetectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DetectionError::Rule(error) => error.fmt(f),
            DetectionError::List(error) => error.fmt(f),
            DetectionError::Places(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DetectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DetectionError::Rule(error) => error.source(),
            DetectionError::List(error) => error.source(),
            DetectionError::Places(error) => error.source(),
        }
    }
}
