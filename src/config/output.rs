//! Resolves where events go: path templates, the layers of `output.*`, and the rule that two
//! sources never write to one file.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use crate::config::error::{ConfigError, HintedError};
use crate::config::settings::{
    Compression, Encoding, OutputFormat, OutputPath, OutputSettings, PENDING_FOLDER, Rotation,
    SourceSettings,
};
use crate::config::validate;
use crate::model::name::SourceName;
use crate::model::text::printable;

/// The placeholder of a source's name.
pub const SOURCE: &str = "{source}";
/// The placeholder of the day of an event, in UTC.
pub const EVENT_DAY: &str = "{event_day}";

/// A checked `output.path`, before a source's name is put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate(String);

/// Reads an `output.path` or `--output`.
pub fn path_template(text: &str) -> Result<PathTemplate, HintedError> {
    validate::path(text)?;
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
        let known = [SOURCE, EVENT_DAY, "%Y", "%m", "%d", "%H", "%%"];
        let Some(after) = known.into_iter().find_map(|known| rest.strip_prefix(known)) else {
            let shown: String = match rest.find('}') {
                Some(end) if rest.starts_with('{') => rest.chars().take(end + 1).collect(),
                _ => rest.chars().take(2).collect(),
            };
            return Err(HintedError::new(format!("unknown placeholder `{}`", printable(&shown)))
                .hint(
                    "the placeholders are `{source}`, `%Y`, `%m`, `%d`, `%H`, `%%`, and \
                     `{event_day}` for Parquet and for objects",
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

/// One layer of `output.*`: the flags, a source's table or the `[output]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputLayer {
    /// Where to.
    pub path: Option<PathTemplate>,
    /// In which form.
    pub format: Option<OutputFormat>,
    /// Made of what.
    pub encoding: Option<Encoding>,
    /// How packed.
    pub compression: Option<Compression>,
    /// When a new file is begun.
    pub rotation: Option<Rotation>,
    /// With which permission bits.
    pub mode: Option<u32>,
}

impl OutputLayer {
    /// Replaces in `settings` what this layer sets.
    pub fn apply(&self, settings: &mut OutputSettings, name: &SourceName) {
        if let Some(path) = &self.path {
            settings.path = path.for_source(name);
        }
        settings.format = self.format.unwrap_or(settings.format);
        settings.encoding = self.encoding.unwrap_or(settings.encoding);
        settings.compression = self.compression.unwrap_or(settings.compression);
        settings.rotation = self.rotation.unwrap_or(settings.rotation);
        settings.mode = self.mode.unwrap_or(settings.mode);
    }
}

/// Refuses two sources that would write into one file: each cuts a file back to the length that it
/// committed itself, and so would cut away the other's events.
pub fn reject_shared_files(sources: &[SourceSettings], cwd: &Path) -> Result<(), ConfigError> {
    let mut writers: HashMap<PathBuf, &SourceName> = HashMap::new();
    let outputs = sources.iter().flat_map(|source| {
        let alerts = source.alerts.as_ref().map(|alerts| &alerts.output);
        [Some(&source.output), alerts].into_iter().flatten().map(move |output| (source, output))
    });
    for (source, output) in outputs {
        let OutputPath::File(path) = &output.path else {
            continue;
        };
        let path = output.with_suffix(path.clone());
        if let Some(other) = writers.insert(normalize_path(cwd, &path), &source.name) {
            if *other == source.name {
                return Err(ConfigError::new(format!(
                    "the events and the alerts of source `{other}` would go into one file: {path}"
                ))
                .hint("give the alerts another `path` in `[detect]`"));
            }
            return Err(ConfigError::new(format!(
                "sources `{other}` and `{}` would write into one file: {path}",
                source.name
            ))
            .hint(
                "put `{source}` into `output.path` (and `path` of `[detect]`), or give each source \
                 an `output.path` of its own",
            ));
        }
    }
    Ok(())
}

/// Refuses a rotation of standard output. Not to be asked where a flag put it there for once.
pub fn reject_rotating_stdout(sources: &[SourceSettings]) -> Result<(), ConfigError> {
    let rotates = |source: &&SourceSettings| {
        source.output.path == OutputPath::Stdout && source.output.rotation != Rotation::Never
    };
    match sources.iter().find(rotates) {
        None => Ok(()),
        Some(source) => Err(ConfigError::new(format!(
            "source `{}`: standard output cannot be rotated",
            source.name
        ))
        .hint("set `output.path` to a file, or take `output.rotate` out")),
    }
}

fn packing(name: &str) -> Option<Compression> {
    [Compression::Gzip, Compression::Zstd]
        .into_iter()
        .find(|packed| name.ends_with(packed.suffix()))
}

/// Refuses a file whose name says that it is packed otherwise than it is: no tool would read it.
pub fn reject_misnamed_files<'a>(
    outputs: impl IntoIterator<Item = &'a OutputSettings>,
) -> Result<(), ConfigError> {
    for output in outputs {
        let path = output.file_template();
        if let Some(named) = packing(path)
            && named != output.compression
        {
            let (says, is) = (named.as_str(), output.compression.as_str());
            return Err(ConfigError::new(format!(
                "the output `{path}` is named as {says}, and `compression` says {is}"
            ))
            .hint(format!(
                "say `--compression {says}` or `compression = \"{says}\"`, or choose another name"
            )));
        }
    }
    Ok(())
}

/// Refuses to send packed bytes to a terminal.
pub fn reject_compressed_terminal_output<'a>(
    outputs: impl IntoIterator<Item = &'a OutputSettings>,
    stdout_is_terminal: bool,
) -> Result<(), ConfigError> {
    let is_packed = |output: &OutputSettings| {
        output.path == OutputPath::Stdout && output.compression != Compression::None
    };
    match stdout_is_terminal && outputs.into_iter().any(is_packed) {
        false => Ok(()),
        true => Err(ConfigError::new("a terminal cannot show compressed output")
            .hint("write to a file with `--output`, or into a pipe, or use `--compression none`")),
    }
}

/// The path without `.` steps, so that `./a` and `a` are one file. `..` stays: there may be links.
fn normalize_path(cwd: &Path, path: &str) -> PathBuf {
    cwd.join(path).components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_take_the_known_placeholders_only() {
        for good in ["-", "a", "/x/{source}-%Y-%m-%dT%H.jsonl", "100%%", "a}b", "é/%d"] {
            assert!(path_template(good).is_ok(), "{good}");
        }
        for (bad, shown) in [
            ("{name}.x", "`{name}`"),
            ("%y", "`%y`"),
            ("a%", "`%`"),
            ("{source", "`{s`"),
            ("%é", "`%é`"),
        ] {
            let refusal = path_template(bad).unwrap_err();
            assert!(refusal.what.contains(shown), "{bad}: {refusal}");
        }
        for bad in ["", "out/", "~/out", "a\0b"] {
            assert!(path_template(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn upper_layers_win() {
        let name: SourceName = "acme".parse().unwrap();
        let layer = |path: Option<&str>, mode| OutputLayer {
            path: path.map(|p| path_template(p).unwrap()),
            mode,
            ..OutputLayer::default()
        };
        let mut settings = OutputSettings::default();
        layer(Some("below"), Some(0o640)).apply(&mut settings, &name);
        layer(Some("{source}.log"), None).apply(&mut settings, &name);
        assert_eq!(settings.path, OutputPath::File("acme.log".to_owned()));
        assert_eq!(settings.mode, 0o640);
        let mut settings = OutputSettings::default();
        assert_eq!(settings.path, OutputPath::Stdout);
        assert_eq!(settings.mode, 0o600);
        layer(Some("f"), None).apply(&mut settings, &name);
        assert_eq!(settings.path, OutputPath::File("f".to_owned()));
    }

    #[test]
    fn one_file_in_two_spellings_is_one_file() {
        let cwd = Path::new("/w");
        assert_eq!(normalize_path(cwd, "./a//b"), normalize_path(cwd, "/w/a/./b"));
        assert_ne!(normalize_path(cwd, "a"), normalize_path(cwd, "b"));
    }
}
