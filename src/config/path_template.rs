//! Reads the paths of outputs, which hold placeholders.

use crate::config::error::HintedError;
use crate::config::settings::{Compression, Encoding, OutputPath, PENDING_FOLDER};
use crate::config::validate;
use crate::model::name::SourceName;
use crate::model::text::printable;

/// The placeholder of a source's name.
pub const SOURCE: &str = "{source}";
/// The placeholder of the day of an event, in UTC: `2026-11-21`.
pub const EVENT_DAY: &str = "{event_day}";
/// The same without dashes: `20261121`.
pub const EVENT_DATE: &str = "{event_yyyymmdd}";
/// The placeholder of the number of an event's class in OCSF: `3001`.
pub const OCSF_CLASS: &str = "{ocsf_class}";

/// The placeholders of what an event says, where `{source}` is replaced: the output is as many
/// files as there are days, or classes.
const OF_EVENTS: [&str; 3] = [EVENT_DAY, EVENT_DATE, OCSF_CLASS];

/// The placeholder in `template` that stands for what an event says, if there is one.
pub fn event_placeholder(template: &str) -> Option<&'static str> {
    OF_EVENTS.into_iter().find(|placeholder| template.contains(placeholder))
}

/// Whether events of all kinds belong to the same file of `template`.
#[cfg(any(feature = "parquet", feature = "object-store"))]
pub fn is_one_file(template: &str) -> bool {
    !template.contains(SOURCE) && event_placeholder(template).is_none()
}

/// A checked `output.path`, before a source's name is put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate(String);

/// Reads an `output.path` or `--output`.
pub fn parse_template(text: &str) -> Result<PathTemplate, HintedError> {
    let (home, rest) = validate::split_home(text)?;
    let text = home.replace('%', "%%") + rest;
    let text = text.as_str();
    if is_url(text) {
        check_object_url(text)?;
    }
    if text.ends_with('/') && !is_url(text) {
        return Err(HintedError::new("names a folder")
            .hint("name a file in it, such as `events/{source}.jsonl`"));
    }
    if text.contains('\0') {
        return Err(HintedError::new("must not hold a NUL character"));
    }
    let mut rest = text;
    while let Some(at) = rest.find(['{', '%']) {
        rest = rest.get(at..).unwrap_or_default();
        let known = [SOURCE, "%Y", "%m", "%d", "%H", "%%"].into_iter().chain(OF_EVENTS);
        let Some(after) = known.into_iter().find_map(|known| rest.strip_prefix(known)) else {
            let shown: String = match rest.find('}') {
                Some(end) if rest.starts_with('{') => rest.chars().take(end + 1).collect(),
                _ => rest.chars().take(2).collect(),
            };
            return Err(HintedError::new(format!("unknown placeholder `{}`", printable(&shown)))
                .hint(
                    "the placeholders are `{source}`, `%Y`, `%m`, `%d`, `%H`, `%%`, and for \
                     Parquet and for objects `{event_day}`, `{event_yyyymmdd}` and `{ocsf_class}`",
                ));
        };
        rest = after;
    }
    Ok(PathTemplate(text.to_owned()))
}

/// Whether `text` is a URL of objects, and not the path of a file.
fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme
        .is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'3'))
}

/// Refuses a URL of objects that a store could take for another one.
fn check_object_url(text: &str) -> Result<(), HintedError> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if !validate::STORE_SCHEMES.contains(&scheme) {
        return Err(HintedError::new("names a store that atlaudit does not know").hint(
            "objects are written to `s3://BUCKET/KEY`, `az://CONTAINER/KEY` or `gs://BUCKET/KEY`",
        ));
    }
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let is_in_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if bucket.is_empty() || !bucket.chars().all(is_in_bucket) {
        return Err(HintedError::new("names no bucket").hint("write it like `s3://BUCKET/KEY`"));
    }
    let names: Vec<_> = key.strip_suffix('/').unwrap_or(key).split('/').collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.={}%".contains(c);
    let is_unclear = |name: &&str| {
        name.is_empty() || [".", "..", PENDING_FOLDER].contains(name) || name.contains("%%")
    };
    if names.iter().any(is_unclear) || !key.chars().all(|c| is_plain(c) || c == '/') {
        return Err(HintedError::new("has a folder or a name that stores treat differently").hint(
            "use letters, digits and `-_.=` in folders and names, none of them empty, and not \
             `_atlaudit`: `s3://BUCKET/audit/feed={source}/day={event_day}/`",
        ));
    }
    Ok(())
}

impl PathTemplate {
    /// That of standard output.
    pub fn stdout() -> PathTemplate {
        PathTemplate("-".to_owned())
    }

    /// What a file of that name is made of, if it says so. Standard output takes lines only.
    pub fn implied_encoding(&self) -> Option<Encoding> {
        match self.0.as_str() {
            "-" => Some(Encoding::JsonLines),
            path if path.ends_with(Encoding::PARQUET_SUFFIX) => Some(Encoding::Parquet),
            path => [".jsonl", ".json", ".gz", ".zst"]
                .into_iter()
                .any(|ending| path.ends_with(ending))
                .then_some(Encoding::JsonLines),
        }
    }

    /// How a file of that name is packed, if it is.
    pub fn implied_compression(&self) -> Option<Compression> {
        packing(&self.0)
    }

    /// Whether it is the path of a file, not standard output.
    pub fn is_file(&self) -> bool {
        self.0 != "-"
    }

    /// The path for one source. A source's name holds neither `%` nor `{`.
    pub fn for_source(&self, name: &SourceName) -> OutputPath {
        match self.0.as_str() {
            "-" => OutputPath::Stdout,
            text if is_url(text) => {
                // A folder: the rest of the name is the source's.
                let stem = if text.ends_with('/') { SOURCE } else { "" };
                OutputPath::Object(format!("{text}{stem}").replace(SOURCE, name.as_str()))
            }
            text => OutputPath::File(text.replace(SOURCE, name.as_str())),
        }
    }

    /// The path for events of whatever source, whose name is replaced for each.
    pub fn for_events(&self) -> OutputPath {
        match self.0.as_str() {
            "-" => OutputPath::Stdout,
            text if is_url(text) => OutputPath::Object(text.to_owned()),
            text => OutputPath::File(text.to_owned()),
        }
    }

    /// The path for all sources together; none where the template wants a source's name.
    pub fn for_all(&self) -> Option<OutputPath> {
        match self.0.as_str() {
            "-" => Some(OutputPath::Stdout),
            text if text.contains(SOURCE) => None,
            _ => Some(self.for_events()),
        }
    }
}

/// How a file of this name is packed, if its name says so.
pub fn packing(name: &str) -> Option<Compression> {
    [Compression::Gzip, Compression::Zstd]
        .into_iter()
        .find(|packed| name.ends_with(packed.suffix()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_take_the_known_placeholders_only() {
        for good in ["-", "a", "/x/{source}-%Y-%m-%dT%H.jsonl", "100%%", "a}b", "é/%d"] {
            assert!(parse_template(good).is_ok(), "{good}");
        }
        for (bad, shown) in [
            ("{name}.x", "`{name}`"),
            ("%y", "`%y`"),
            ("a%", "`%`"),
            ("{source", "`{s`"),
            ("%é", "`%é`"),
        ] {
            let refusal = parse_template(bad).unwrap_err();
            assert!(refusal.what.contains(shown), "{bad}: {refusal}");
        }
        let home = std::env::var("HOME").unwrap().replace('%', "%%");
        let file = parse_template("~/{source}.jsonl").unwrap();
        assert_eq!(file, PathTemplate(format!("{home}/{{source}}.jsonl")));
        for bad in ["", "out/", "~/out/", "~out", "a\0b"] {
            assert!(parse_template(bad).is_err(), "{bad:?}");
        }
    }
}
