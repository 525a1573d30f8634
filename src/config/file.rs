//! Mirrors the keys of the configuration file. Every key is optional, and values keep their
//! position in the text, so that a later error can name the line. No error quotes the text.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;
use toml_edit::DocumentMut;

use crate::config::detection::DetectionThresholds;
use crate::config::error::{ConfigError, HintedError};
use crate::config::posture::PostureThresholds;
use crate::config::validate;
use crate::model::name::SourceName;
use crate::model::text::{printable, suggest};

/// A text value and its position. The tables have no `Debug`: any value may be a misplaced secret.
pub type SpannedText = Option<Spanned<String>>;

/// A configuration file that was read.
#[derive(Default)]
pub struct ConfigFile {
    /// Its path; `None` when there is no file.
    pub path: Option<PathBuf>,
    /// Where it was looked for and not found.
    pub expected_path: Option<PathBuf>,
    text: String,
    /// Its tables.
    pub tables: ConfigTables,
}

impl ConfigFile {
    /// Stands for the file when there is none.
    pub fn absent() -> ConfigFile {
        ConfigFile::default()
    }

    /// The same, where it was looked for at `path`.
    pub fn absent_at(path: &Path) -> ConfigFile {
        ConfigFile { expected_path: Some(path.to_path_buf()), ..ConfigFile::absent() }
    }

    /// Reads `text`, the content of the file at `path`.
    pub fn parse(path: &Path, text: String) -> Result<ConfigFile, ConfigError> {
        let tables = toml::from_str(&text).map_err(|error| config_error(&error, path, &text))?;
        Ok(ConfigFile { path: Some(path.to_path_buf()), expected_path: None, text, tables })
    }

    /// The file's text without its comments, which may hold anything.
    pub fn uncommented(&self) -> Result<DocumentMut, ConfigError> {
        let unreadable = || ConfigError::new("the configuration file is not a table of TOML");
        let table: toml::Table = toml::from_str(&self.text).map_err(|_| unreadable())?;
        let text = toml::to_string(&table).map_err(|_| unreadable())?;
        text.parse().map_err(|_| unreadable())
    }

    /// The table of the source `name`, and the position of its name.
    pub fn source(&self, name: &SourceName) -> Option<&NamedTable> {
        self.tables.sources.iter().find(|(typed, _)| typed.get_ref() == name.as_str())
    }

    /// `state_dir`.
    pub fn state_dir(&self) -> Result<Option<PathBuf>, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        at.text("state_dir", &self.tables.state_dir, validate::absolute_path)
    }

    /// `[taxonomy] path`, which counts from the folder of this file.
    pub fn taxonomy_path(&self) -> Result<Option<PathBuf>, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let path = at.text("taxonomy.path", &self.tables.taxonomy.path, validate::path)?;
        let folder = self.path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        Ok(path.map(|path| folder.join(path)))
    }

    /// `error` with its place, `span` being that of the value to blame. An empty span belongs to a
    /// value that did not come from the file: then the file is not blamed.
    pub fn locate_error(&self, error: ConfigError, span: &Range<usize>) -> ConfigError {
        match &self.path {
            Some(path) if !span.is_empty() => {
                let line = line_of(&self.text, span.start);
                error.in_file(Some(path), Some(line))
            }
            _ => error,
        }
    }
}

/// The whole file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct ConfigTables {
    /// `state_dir`
    pub state_dir: SpannedText,
    /// `[output]`
    pub output: OutputTable,
    /// `[state]`
    pub state: StateTable,
    /// `[taxonomy]`
    pub taxonomy: TaxonomyTable,
    /// `[detect]`
    pub detect: DetectTable,
    /// `[posture]`
    pub posture: PostureTable,
    /// `[respond]`
    pub respond: RespondTable,
    /// `[sources.NAME]`, in the order of the file.
    #[serde(deserialize_with = "in_file_order")]
    pub sources: Vec<NamedTable>,
}

/// `[state]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct StateTable {
    pub url: SpannedText,
}

/// `[taxonomy]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct TaxonomyTable {
    pub path: SpannedText,
}

/// `[output]`, or a source's `output.*`.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct OutputTable {
    pub preset: SpannedText,
    pub path: SpannedText,
    pub format: SpannedText,
    pub encoding: SpannedText,
    pub compression: SpannedText,
    pub rotate: SpannedText,
    pub keep: SpannedText,
    pub mode: SpannedText,
}

/// One `[sources.NAME]`.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct SourceTable {
    #[serde(rename = "type")]
    pub kind: SpannedText,
    pub org_id: SpannedText,
    pub site: SpannedText,
    pub email: SpannedText,
    pub gateway: Option<Spanned<bool>>,
    pub cloud_id: SpannedText,
    pub product: SpannedText,
    pub username: SpannedText,
    pub resolve_users: Option<Spanned<bool>>,
    pub credential: SpannedText,
    pub respond_credential: SpannedText,
    pub respond_key_name: SpannedText,
    pub initial_lookback: SpannedText,
    /// A string or a TOML date or date-time.
    pub initial_from: Option<Spanned<toml::Value>>,
    pub backfill: SpannedText,
    pub overlap: SpannedText,
    pub late_margin: SpannedText,
    pub key_name: SpannedText,
    /// A string or a TOML date.
    pub expires_on: Option<Spanned<toml::Value>>,
    pub base_url: SpannedText,
    pub page_size: Option<Spanned<i64>>,
    pub concurrency: Option<Spanned<i64>>,
    pub requests_per_minute: Option<Spanned<i64>>,
    pub timeout: SpannedText,
    pub retry_for: SpannedText,
    pub max_wait: SpannedText,
    pub ca_file: SpannedText,
    pub proxy: SpannedText,
    pub output: OutputTable,
}

/// `[detect]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct DetectTable {
    pub enabled: Option<Spanned<bool>>,
    pub path: SpannedText,
    pub format: SpannedText,
    pub lateness: SpannedText,
    pub notify: NotifyTable,
    pub rules: Vec<Spanned<String>>,
    pub lists: Vec<AddressListTable>,
    pub geoip: SpannedText,
    pub max_users: Option<Spanned<i64>>,
    pub except: Vec<ExceptionTable>,
    pub thresholds: Option<Spanned<DetectionThresholds>>,
}

/// `[detect.notify]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct NotifyTable {
    pub command: Option<Spanned<Vec<String>>>,
    pub min_severity: SpannedText,
}

/// `[[detect.lists]]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct AddressListTable {
    pub name: SpannedText,
    pub tag: SpannedText,
    pub path: SpannedText,
    pub ranges: Vec<String>,
}

/// `[[detect.except]]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct ExceptionTable {
    pub rule: SpannedText,
    pub actor: SpannedText,
    pub address: SpannedText,
    pub country: SpannedText,
    pub until: SpannedText,
    pub reason: SpannedText,
}

/// `[posture]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct PostureTable {
    pub skip: Vec<Spanned<String>>,
    pub thresholds: Option<Spanned<PostureThresholds>>,
    /// `[posture.declare.NAME]`
    #[serde(deserialize_with = "in_file_order")]
    pub declare: Vec<(Spanned<String>, DeclarationTable)>,
}

/// `[respond]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct RespondTable {
    pub break_glass: Vec<Spanned<String>>,
}

/// `[posture.declare.NAME]`
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
#[allow(missing_docs, reason = "the keys are documented in config.example.toml")]
pub struct DeclarationTable {
    pub on: SpannedText,
    pub by: SpannedText,
    pub enforced_policies: Option<Vec<String>>,
    pub two_step_required: Option<bool>,
    pub idle_session: SpannedText,
    pub password_strength: SpannedText,
    pub mobile_policy: Option<bool>,
    pub mobile_data_protection: Option<bool>,
}

/// A value that is not in the file: it came from a flag or the environment.
pub fn without_span(text: impl Into<String>) -> SpannedText {
    Some(Spanned::new(0..0, text.into()))
}

/// The table of a source, and its name with its place.
pub type NamedTable = (Spanned<String>, SourceTable);

fn in_file_order<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<(Spanned<String>, T)>, D::Error> {
    deserializer.deserialize_map(InFileOrder(PhantomData))
}

struct InFileOrder<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for InFileOrder<T> {
    type Value = Vec<(Spanned<String>, T)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table for each source, such as `[sources.acme]` or `[posture.declare.acme]`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut tables: Self::Value = Vec::new();
        while let Some(entry) = map.next_entry()? {
            tables.push(entry);
        }
        // The parser hands tables out by name; people expect the order that they wrote.
        tables.sort_by_key(|(name, _)| name.span().start);
        Ok(tables)
    }
}

/// The position of what is not in the file.
pub const NO_SPAN: Range<usize> = 0..0;

/// The table that values are read from, for error messages.
pub(super) struct ErrorLocation<'a> {
    pub(super) file: &'a ConfigFile,
    /// The source's name and its position; without one it is `[output]` or `[taxonomy]`.
    pub(super) source: Option<(&'a SourceName, &'a Range<usize>)>,
}

impl ErrorLocation<'_> {
    /// Checks one value, if there is one; a refusal names the source, the key and the line.
    pub(super) fn value<T, R>(
        &self,
        key: &str,
        value: &Option<Spanned<T>>,
        check: impl FnOnce(&T) -> Result<R, HintedError>,
    ) -> Result<Option<R>, ConfigError> {
        let Some(value) = value else {
            return Ok(None);
        };
        check(value.get_ref()).map(Some).map_err(|refusal| {
            let error = self.of_source(refusal.with_context(format!("`{key}`")));
            self.file.locate_error(error.into(), &value.span())
        })
    }

    /// The same for a text.
    pub(super) fn text<R>(
        &self,
        key: &str,
        value: &SpannedText,
        check: impl FnOnce(&str) -> Result<R, HintedError>,
    ) -> Result<Option<R>, ConfigError> {
        self.value(key, value, |text| check(text))
    }

    /// Checks values of several tables together; a refusal names the source and the key.
    pub(super) fn whole<R>(
        &self,
        key: &str,
        check: impl FnOnce() -> Result<R, HintedError>,
    ) -> Result<R, ConfigError> {
        let place = self.source.map_or(&NO_SPAN, |(_, place)| place);
        check().map_err(|refusal| {
            let error = self.of_source(refusal.with_context(format!("`{key}`")));
            self.file.locate_error(error.into(), place)
        })
    }

    /// A key that the table lacks.
    pub(super) fn missing(&self, key: &str, hint: &str) -> ConfigError {
        let error = self.of_source(HintedError::new(format!("`{key}` is missing")).hint(hint));
        let place = self.source.map_or(&NO_SPAN, |(_, place)| place);
        self.file.locate_error(error.into(), place)
    }

    fn of_source(&self, error: HintedError) -> HintedError {
        match self.source {
            Some((name, _)) => error.with_context(format!("source `{name}`")),
            None => error,
        }
    }
}

/// Keys that people try to keep a secret under.
const SECRET_KEYS: [&str; 8] =
    ["api_key", "apikey", "api_token", "token", "key", "secret", "password", "bearer"];

/// What `error` says about `text`, the content of the file at `path`.
fn config_error(error: &toml::de::Error, path: &Path, text: &str) -> ConfigError {
    let line = error.span().map(|span| line_of(text, span.start));
    match unknown_key(error.message()) {
        Some((key, known)) => {
            let shown = printable(key);
            let refused = ConfigError::new(format!("unknown key `{shown}`"));
            refused.hint(hint_for(key, &known)).in_file(Some(path), line)
        }
        None => {
            let at = error.span().unwrap_or(NO_SPAN);
            let what = known_problem(error.message(), text, &at);
            ConfigError::new(what.unwrap_or_else(|| strip_quoted_values(error.message())))
                .hint("the file is TOML; config.example.toml shows every key")
                .in_file(Some(path), line)
        }
    }
}

/// The line of a byte, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// What a value must be, and what it is, by the words of serde.
const EXPECTED: [(&str, &str); 6] = [
    ("i64", "a whole number, without quotes"),
    ("u32", "a whole number from 0 on, without quotes"),
    ("a string", "a text in quotes"),
    ("a boolean", "`true` or `false`, without quotes"),
    ("a sequence", "a list in brackets"),
    ("a table", "a table"),
];
const FOUND: [(&str, &str); 6] = [
    ("string", "a text"),
    ("integer", "a number"),
    ("floating", "a number with a point"),
    ("boolean", "`true` or `false`"),
    ("sequence", "a list"),
    ("map", "a table or a date"),
];

/// The message of the parser in words of the file, where it is about the value or key at `at`.
fn known_problem(message: &str, text: &str, at: &Range<usize>) -> Option<String> {
    let key = key_at(text, at.start);
    if message == "duplicate key" {
        return Some(format!("{} is there a second time", key?));
    }
    let (problem, rest) = message.split_once(": ")?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let (_, expected) = EXPECTED.iter().find(|(word, _)| *word == expected)?;
    let found = match problem {
        "invalid type" => FOUND.iter().find(|(word, _)| found.starts_with(word))?.1,
        _ => "out of range",
    };
    Some(format!("{} must be {expected}, and is {found}", key?))
}

/// Names the key whose name or value is at the byte `at`. No value is part of it.
fn key_at(text: &str, at: usize) -> Option<String> {
    let is_name = |key: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        !key.is_empty() && key.chars().all(fits) && !key.split('.').any(validate::looks_like_key)
    };
    let named = |key: &str| is_name(key.trim()).then(|| format!("`{}`", key.trim()));
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    if line.trim_start().starts_with('[') {
        return named(line.trim().trim_matches(['[', ']']));
    }
    // After the last key of an inline table; or at a key, before its `=`.
    let inner = |text: &'_ str| text.rsplit(['{', ',']).next().and_then(named);
    match before.get(start..)?.trim_end().strip_suffix('=') {
        Some(keys) => inner(keys),
        None if !before.get(start..)?.contains('=') && line.contains('=') => {
            named(line.split('=').next()?)
        }
        None => {
            let key = before.lines().rev().find_map(|line| named(line.split_once('=')?.0))?;
            Some(format!("an entry of {key}"))
        }
    }
}

/// The key and the known ones, from serde's "unknown field `a`, expected one of `b`, `c`".
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, known) = rest.split_once("`, expected ")?;
    Some((key, known.split('`').skip(1).step_by(2).collect()))
}

fn hint_for(key: &str, known: &[&str]) -> String {
    let word = key.to_ascii_lowercase().replace('-', "_");
    if SECRET_KEYS.contains(&word.as_str()) {
        return "a secret never stands in this file: keep it with `atlaudit auth login NAME`, \
                or name its place with `credential`"
            .to_owned();
    }
    if word == "state_dir" {
        return "`state_dir` stands above the first table of the file".to_owned();
    }
    match suggest(key, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the keys here are: {}", known.join(", ")),
    }
}

/// serde quotes the offending text ("invalid type: string "..."): that may be a secret.
fn strip_quoted_values(message: &str) -> String {
    let quoted = message.find('"').zip(message.rfind('"'));
    let cleaned = match quoted {
        Some((first, last)) if first < last => {
            let before = message.get(..first).unwrap_or_default();
            let after = message.get(last + 1..).unwrap_or_default();
            format!("{}{after}", before.trim_end())
        }
        _ => message.to_owned(),
    };
    printable(&cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
        ConfigFile::parse(Path::new("/c.toml"), text.to_owned())
    }

    #[test]
    fn sources_keep_the_order_of_the_file() {
        let loaded = parse(
            "[sources.z]\n[sources.a]\noutput.path = '-'\n[sources.m.output]\nmode = '0640'\n",
        )
        .ok()
        .unwrap();
        let names: Vec<_> =
            loaded.tables.sources.iter().map(|(name, _)| name.as_ref().as_str()).collect();
        assert_eq!(names, ["z", "a", "m"]);
    }

    #[test]
    fn a_value_without_a_span_names_no_file() {
        let loaded = parse("[output]\npath = '-'\n").ok().unwrap();
        let span = loaded.tables.output.path.clone().unwrap().span();
        let error = || ConfigError::new("no");
        assert_eq!(loaded.locate_error(error(), &span).to_string(), "/c.toml:2: no");
        assert_eq!(loaded.locate_error(error(), &(0..0)).to_string(), "no");
    }

    fn refuse(text: &str) -> ConfigError {
        ConfigFile::parse(Path::new("/c.toml"), text.to_owned()).err().unwrap()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
        let error = refuse("[sources.acme]\ntype = 'org-events'\npagesize = 5\n");
        assert_eq!(error.to_string(), "/c.toml:3: unknown key `pagesize`");
        assert_eq!(error.hint_text(), Some("did you mean `page_size`?"));
        let error = refuse("[sources.acme]\n\n[sources.acme.output]\nfile = 'x'\n");
        assert_eq!(error.line(), Some(4));
        assert_eq!(
            error.hint_text(),
            Some(
                "the keys here are: preset, path, format, encoding, compression, rotate, keep, mode"
            )
        );
        let error = refuse("[source.acme]\ntype = 'x'\n");
        assert_eq!(error.to_string(), "/c.toml:1: unknown key `source`");
        assert_eq!(error.hint_text(), Some("did you mean `sources`?"));
        let error = refuse("[sources.a]\nlookback = '1d'\n");
        assert_eq!(error.hint_text(), Some("did you mean `initial_lookback`?"));
        assert_eq!(refuse("quota_dir = '/x'").line(), Some(1));
        assert_eq!(
            refuse("[output]\nmode = '0600'\n[sources.a]\noutput.modes = 'x'").line(),
            Some(4)
        );
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_shown() {
        let secret = "ATATT3xSECRET";
        let texts = [
            format!("[sources.a]\napi_key = '{secret}'\n"),
            format!("[sources.a]\ntoken = \"{secret}\"\n"),
            format!("[sources.a]\npage_size = \"{secret}\"\n"),
            format!("[sources.a]\npage_size = \"a\\\"{secret}\\\"b\"\n"),
            format!("[sources]\na = \"{secret}\"\n"),
            format!("[sources.a]\ncredential = {secret}\n"),
            format!("[sources.a]\ncredential = \"{secret}\n"),
            format!("[sources.a]\ncredential = {{ {secret} = 1 }}\n"),
            format!("[sources.a]\ncredential = [\"{secret}\"]\n"),
            format!("{secret}\n"),
        ];
        for text in texts {
            let error = refuse(&text);
            let said = format!("{error} {error:?}");
            assert!(!said.contains("SECRET"), "{said}");
            assert!(error.line().is_some(), "{said}");
        }
        let error = refuse("[sources.a]\napi_key = 'x'\n");
        assert!(error.hint_text().unwrap().contains("never stands in this file"));
    }

    #[test]
    fn other_refusals_read_well() {
        let number = "must be a whole number, without quotes, and is";
        for (text, says) in [
            ("[sources.a]\npage_size = 'many'", &*format!("2: `page_size` {number} a text")),
            ("[sources.a]\npage_size = 5.5", &format!("2: `page_size` {number} a number with a")),
            ("[detect]\nmax_users = 2026-01-01", &format!("2: `max_users` {number} a table or a")),
            ("[sources.a]\ntimeout = 30", "2: `timeout` must be a text in quotes, and is a number"),
            ("[sources.a]\ngateway = 'yes'", "2: `gateway` must be `true` or `false`, without"),
            ("[sources.a]\noutput.path = 5", "2: `output.path` must be a text in quotes"),
            ("state_dir = '/x'\nsources = 5", "2: invalid type: integer `5`, expected a table for"),
            ("[sources]\na = 5", "2: `a` must be a table, and is a number"),
            ("[detect]\nrules = 'x'", "2: `rules` must be a list in brackets, and is a text"),
            ("[detect]\nrules = ['x', 5]", "2: an entry of `rules` must be a text in quotes"),
            ("[detect]\nrules = [\n 'a=b',\n 5]", "4: an entry of `rules` must be a text"),
            (
                "[detect]\nthresholds = { failed_logins = 'x' }",
                "2: `failed_logins` must be a whole number from 0 on, without quotes, and is a",
            ),
            ("[detect.thresholds]\nfailed_logins = -1", "and is out of range"),
            ("[sources.a]\ntype = 'x'\ntype = 'y'", "3: `type` is there a second time"),
            ("[sources.a]\n[output]\n[sources.a]", "3: `sources.a` is there a second time"),
            ("[sources.a]\ncredential = keyring", "2: string values must be quoted"),
        ] {
            let said = refuse(text).to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
