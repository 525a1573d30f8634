//! Resolves `[detect]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::detection::{
    AddressListSettings, AddressTag, AlertException, AlertSchema, AlertSeverity, DetectSettings,
    DetectionThresholds,
};
use crate::config::env::API_KEY;
use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{
    AddressListTable, ConfigFile, ErrorLocation, ExceptionTable, SpannedText,
};
use crate::config::path_template::{self, PathTemplate};
use crate::config::settings::{
    AlertSettings, Encoding, NotifySettings, OutputPath, OutputSettings, SourceSettings,
    fixed_folder,
};
use crate::config::validate;
use crate::filter::{AddressRange, ValuePattern};

/// `[detect] enabled`: events are judged while `pull` and `follow` write them.
#[derive(Debug, Clone)]
pub struct LiveDetectionSettings {
    /// What is detected.
    pub detect: DetectSettings,
    /// Where alerts go, if it is said.
    pub path: Option<PathTemplate>,
    /// In which form.
    pub schema: AlertSchema,
    /// How long an event waits for earlier ones.
    pub lateness: Duration,
    /// The program that alerts are sent to, if any.
    pub notify: Option<NotifySettings>,
}

impl LiveDetectionSettings {
    /// Where the alerts of `source` go: beside its events, if nothing else is said.
    ///
    /// # Errors
    /// Its events go to standard output, and no path is said.
    pub fn for_source(&self, source: &SourceSettings) -> Result<AlertSettings, ConfigError> {
        let path = match (&self.path, &source.output.path) {
            (Some(template), _) => template.for_source(&source.name),
            (None, OutputPath::Object(url)) => OutputPath::Object(url.clone()),
            (None, OutputPath::File(events)) => {
                let folder = match source.output.encoding {
                    Encoding::JsonLines => events.rfind('/').and_then(|end| events.get(..=end)),
                    Encoding::Parquet => Some(fixed_folder(events)),
                };
                let folder = folder.unwrap_or_default();
                OutputPath::File(format!("{folder}{}-alerts.jsonl", source.name))
            }
            (None, OutputPath::Stdout) => {
                let what = format!(
                    "source `{}`: alerts need a file, and its events go to standard output",
                    source.name
                );
                return Err(ConfigError::new(what)
                    .hint("set `path` of `[detect]`, such as `path = \"{source}-alerts.jsonl\"`"));
            }
        };
        if let OutputPath::Object(_) = path {
            let what =
                format!("source `{}`: alerts cannot be written to object storage yet", source.name);
            return Err(ConfigError::new(what).hint(
                "set `enabled = false` in `[detect]`, and judge the events with `atlaudit detect`",
            ));
        }
        Ok(AlertSettings {
            output: OutputSettings {
                path,
                preset: None,
                encoding: Encoding::JsonLines,
                table: None,
                ..source.output.clone()
            },
            schema: self.schema,
            lateness: self.lateness.max(source.overlap),
            notify: self.notify.clone(),
        })
    }
}

/// The largest numbers that make sense: state is kept for each user, and times must not overflow.
const MAX_USERS: u32 = 1_000_000;
const MAX_THRESHOLD: u32 = 100_000;

/// How long an event waits for earlier ones, if nothing is said.
const DEFAULT_LATENESS: Duration = Duration::from_secs(3600);
/// What waits longer only costs memory.
const MAX_LATENESS: Duration = Duration::from_secs(24 * 3600);

impl ConfigFile {
    /// How `pull` and `follow` judge events; nothing where `[detect] enabled` is not set.
    pub fn live_detection(&self) -> Result<Option<LiveDetectionSettings>, ConfigError> {
        let table = &self.tables.detect;
        let at = ErrorLocation { file: self, source: None };
        if !table.enabled.as_ref().is_some_and(|enabled| *enabled.get_ref()) {
            return Ok(None);
        }
        let lateness = at.text("detect.lateness", &table.lateness, |text| {
            let lateness = validate::duration(text)?;
            match lateness <= MAX_LATENESS {
                true => Ok(lateness),
                false => Err(HintedError::new("is longer than a day")
                    .hint("alerts come that much later than their events")),
            }
        })?;
        let path =
            at.text("detect.path", &table.path, |text| {
                match path_template::parse_template(text)? {
                    template if !template.is_file() => {
                        Err(HintedError::new("alerts go to files").hint("name one"))
                    }
                    template => match path_template::event_placeholder(text) {
                        None => Ok(template),
                        Some(placeholder) => Err(HintedError::new(format!(
                            "has `{placeholder}`, and alerts are written as they come"
                        ))
                        .hint("take `{source}` or `%Y-%m-%d`, the day of writing")),
                    },
                }
            })?;
        let schema = at.text("detect.format", &table.format, AlertSchema::from_word)?;
        Ok(Some(LiveDetectionSettings {
            detect: self.detect_settings()?,
            path,
            schema: schema.unwrap_or(AlertSchema::Alerts),
            lateness: lateness.unwrap_or(DEFAULT_LATENESS),
            notify: self.notify_settings()?,
        }))
    }

    /// Variables of the environment that hold credentials.
    fn credential_variables(&self) -> Vec<String> {
        let sources = self.tables.sources.iter();
        let specs = sources
            .flat_map(|(_, source)| [&source.credential, &source.respond_credential])
            .filter_map(|spec| Some(spec.as_ref()?.get_ref()));
        let named = specs.filter_map(|spec| spec.strip_prefix("env:"));
        named.chain([API_KEY]).map(str::to_owned).collect()
    }

    fn notify_settings(&self) -> Result<Option<NotifySettings>, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let table = &self.tables.detect.notify;
        let command =
            at.value("detect.notify.command", &table.command, |command| match command.first() {
                Some(program) => {
                    let program = validate::path(program)?.display().to_string();
                    Ok([program].into_iter().chain(command.iter().skip(1).cloned()).collect())
                }
                None => Err(HintedError::new("is empty").hint("name a program")),
            })?;
        let min_severity =
            at.text("detect.notify.min_severity", &table.min_severity, AlertSeverity::from_word)?;
        Ok(command.map(|command| NotifySettings {
            command,
            min_severity: min_severity.unwrap_or(AlertSeverity::Medium),
            hidden: self.credential_variables(),
        }))
    }

    /// What `[detect]` says; paths count from the folder of this file.
    pub fn detect_settings(&self) -> Result<DetectSettings, ConfigError> {
        let table = &self.tables.detect;
        let at = ErrorLocation { file: self, source: None };
        let defaults = DetectSettings::default();
        let folder = self.path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let path = |key: &str, text: &SpannedText| {
            let path = at.text(key, text, validate::path)?;
            Ok::<_, ConfigError>(path.map(|path| folder.join(path)))
        };
        let mut rules = Vec::new();
        for folder in &table.rules {
            rules.extend(path("detect.rules", &Some(folder.clone()))?);
        }
        let mut lists = Vec::new();
        for list in &table.lists {
            lists.push(self.address_list(list, path("detect.lists.path", &list.path)?)?);
        }
        let mut exceptions = Vec::new();
        for exception in &table.except {
            exceptions.push(self.alert_exception(exception)?);
        }
        let max_users = at.value("detect.max_users", &table.max_users, |&number| {
            validate::number(number, 1..=MAX_USERS)
        })?;
        let thresholds = at.value("detect.thresholds", &table.thresholds, check_thresholds)?;
        Ok(DetectSettings {
            rules,
            lists,
            geoip: path("detect.geoip", &table.geoip)?,
            max_users: max_users.map_or(defaults.max_users, |number| number as usize),
            exceptions,
            thresholds: thresholds.unwrap_or_default(),
            own_keys: self
                .tables
                .sources
                .iter()
                .filter_map(|(_, source)| Some(source.key_name.as_ref()?.get_ref().clone()))
                .collect(),
        })
    }

    fn address_list(
        &self,
        table: &AddressListTable,
        path: Option<PathBuf>,
    ) -> Result<AddressListSettings, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let Some(tag) = at.text("detect.lists.tag", &table.tag, AddressTag::from_word)? else {
            let hint = "a list needs `tag = \"anonymous\"`, `\"suspicious\"` or `\"trusted\"`";
            return Err(at.missing("detect.lists.tag", hint));
        };
        if path.is_none() && table.ranges.is_empty() {
            return Err(at.missing("detect.lists.path", "name a file, or give `ranges = [...]`"));
        }
        let file_name = path.as_deref().and_then(Path::file_name);
        let name = table.name.as_ref().map(|name| name.get_ref().clone());
        let name = name
            .or_else(|| file_name.map(|name| name.to_string_lossy().into_owned()))
            .unwrap_or_else(|| tag.as_str().to_owned());
        Ok(AddressListSettings { name, tag, path, ranges: table.ranges.clone() })
    }

    fn alert_exception(&self, table: &ExceptionTable) -> Result<AlertException, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let glob = |key: &str, text: &SpannedText| {
            at.text(key, text, |text| not_blank(text).map(ValuePattern::whole))
        };
        let range = |text: &str| text.parse::<AddressRange>().map_err(HintedError::new);
        let exception = AlertException {
            rule: glob("detect.except.rule", &table.rule)?,
            actor: glob("detect.except.actor", &table.actor)?,
            address: at.text("detect.except.address", &table.address, range)?,
            country: at.text("detect.except.country", &table.country, country_code)?,
            until: at.text("detect.except.until", &table.until, validate::instant)?,
            reason: at
                .text("detect.except.reason", &table.reason, |text| {
                    not_blank(text).map(str::to_owned)
                })?
                .unwrap_or_default(),
        };
        if exception.reason.is_empty() {
            return Err(at.missing("detect.except.reason", "say why, for those who read it later"));
        }
        let is_for_all = exception.rule.is_none()
            && exception.actor.is_none()
            && exception.address.is_none()
            && exception.country.is_none();
        match is_for_all {
            true => Err(at.missing(
                "detect.except.rule",
                "an exception names a rule, an actor, an address or a country",
            )),
            false => Ok(exception),
        }
    }
}

fn not_blank(text: &str) -> Result<&str, HintedError> {
    match text.trim().is_empty() {
        true => Err(HintedError::new("is empty").hint("leave the key out, or name what is meant")),
        false => Ok(text),
    }
}

fn country_code(text: &str) -> Result<String, HintedError> {
    match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        true => Ok(text.to_ascii_uppercase()),
        false => Err(HintedError::new("is no code of a country")
            .hint("name its two letters (ISO 3166-1), such as DE")),
    }
}

fn check_thresholds(numbers: &DetectionThresholds) -> Result<DetectionThresholds, HintedError> {
    let DetectionThresholds {
        learning_days,
        learning_events,
        travel_km_per_hour,
        travel_km,
        travel_hours,
        travel_pattern,
        country_days,
        failed_logins,
        spray_users,
        failure_minutes,
        success_minutes,
        burst_acts,
        burst_factor,
        class_days,
        impersonations,
        impersonation_minutes,
        reading,
        reading_factor,
        dormant_days,
    } = *numbers;
    let kept = [failed_logins, spray_users, impersonations];
    if kept.iter().any(|number| *number > 100) {
        return Err(HintedError::new("failed_logins, spray_users and impersonations go up to 100"));
    }
    let all = [
        learning_days,
        learning_events,
        travel_km_per_hour,
        travel_km,
        travel_hours,
        travel_pattern,
        country_days,
        failed_logins,
        spray_users,
        failure_minutes,
        success_minutes,
        burst_acts,
        burst_factor,
        class_days,
        impersonations,
        impersonation_minutes,
        reading,
        reading_factor,
        dormant_days,
    ];
    let positive = [failed_logins, spray_users, failure_minutes, country_days, class_days];
    match all.iter().any(|number| *number > MAX_THRESHOLD) || positive.contains(&0) {
        true => Err(HintedError::new(format!(
            "a number is 0 where it cannot be, or above {MAX_THRESHOLD}"
        ))),
        false => Ok(*numbers),
    }
}
