//! Resolves where events go: the layers of `output.*`, and which sources may write one file.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::config::error::ConfigError;
use crate::config::path_template::{PathTemplate, packing};
use crate::config::settings::{
    Compression, Encoding, KeepFiles, OutputFormat, OutputPath, OutputPreset, OutputSettings,
    Rotation, SourceSettings,
};
use crate::model::name::SourceName;

/// One layer of `output.*`: the flags, a source's table or the `[output]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputLayer {
    /// What decides for what is not set, and which paths will do.
    pub preset: Option<OutputPreset>,
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
    /// How long finished files are kept.
    pub keep: Option<KeepFiles>,
    /// With which permission bits.
    pub mode: Option<u32>,
}

impl OutputLayer {
    /// Replaces in `settings` what this layer sets.
    pub fn apply(&self, settings: &mut OutputSettings, name: &SourceName) {
        if let Some(path) = &self.path {
            settings.path = path.for_source(name);
            if settings.path == OutputPath::Stdout {
                settings.keep = KeepFiles::Forever;
            }
            // A preset is for the path beside it; the format stays, as anyone's.
            if self.preset.is_none() && settings.preset.take().is_some() {
                let usual = OutputSettings::default();
                (settings.encoding, settings.rotation) = (usual.encoding, usual.rotation);
            }
        }
        if self.preset.is_some() && self.preset != settings.preset {
            settings.preset = self.preset;
            self.preset.iter().for_each(|preset| preset.apply(settings));
        }
        settings.format = self.format.unwrap_or(settings.format);
        settings.encoding = self.encoding.unwrap_or(settings.encoding);
        settings.compression = self.compression.unwrap_or(settings.compression);
        settings.rotation = self.rotation.unwrap_or(settings.rotation);
        settings.keep = self.keep.unwrap_or(settings.keep);
        settings.mode = self.mode.unwrap_or(settings.mode);
    }
}

/// What goes into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileContent {
    Events,
    Alerts,
}

/// Checks the files that several sources write, one after the other: all of them in one way,
/// since each continues what the others wrote. Lines that wait for Parquet are of one source.
pub fn check_shared_files(sources: &[SourceSettings], cwd: &Path) -> Result<(), ConfigError> {
    let mut writers: HashMap<PathBuf, (&SourceName, FileContent, &OutputSettings)> = HashMap::new();
    let outputs = sources.iter().flat_map(|source| {
        let alerts = source.alerts.as_ref().map(|alerts| (FileContent::Alerts, &alerts.output));
        let events = (FileContent::Events, &source.output);
        [Some(events), alerts].into_iter().flatten().map(move |output| (&source.name, output))
    });
    for (name, (content, output)) in outputs {
        let OutputPath::File(path) = &output.path else {
            continue;
        };
        let path = output.with_suffix(path.clone());
        let file = normalize_path(cwd, &path);
        let is_file = is_regular_or_missing(&file);
        let Some((other, others, first)) = writers.insert(file, (name, content, output)) else {
            continue;
        };
        if content != others && name == other {
            let what = "the events and the alerts of source";
            return Err(ConfigError::new(format!(
                "{what} `{name}` would go into one file: {path}"
            ))
            .hint("give the alerts another `path` in `[detect]`"));
        }
        let what = format!("sources `{other}` and `{name}` would write");
        if content != others {
            return Err(ConfigError::new(format!(
                "{what} events and alerts into one file: {path}"
            ))
            .hint("give the alerts another `path` in `[detect]`"));
        }
        if output.encoding == Encoding::Parquet || !is_file {
            return Err(ConfigError::new(format!(
                "{what} into one {}: {path}",
                match is_file {
                    true => "Parquet file",
                    false => "pipe or device",
                }
            ))
            .hint("put `{source}` into `output.path`, or give each source one of its own"));
        }
        if output != first {
            return Err(ConfigError::new(format!("{what} one file in two ways: {path}")).hint(
                "give both the same `format`, `compression`, `rotate`, `keep` and `mode`, or put \
                 `{source}` into `output.path` (and `path` of `[detect]`)",
            ));
        }
    }
    Ok(())
}

/// Whether lines can be appended at `path` more than once: the reader of a pipe goes away with
/// its first writer.
fn is_regular_or_missing(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |facts| facts.is_file() || facts.is_dir())
}

/// Refuses to delete what cannot be known to be a finished file of its source.
pub fn check_keep(sources: &[SourceSettings]) -> Result<(), ConfigError> {
    for SourceSettings { name, output, .. } in sources {
        let OutputSettings { path, format, encoding, rotation, .. } = output;
        let (what, hint) = match path {
            _ if output.keep == KeepFiles::Forever => continue,
            OutputPath::Object(_) => (
                "objects are never deleted",
                "set a lifecycle rule of the bucket, and `keep = \"forever\"`",
            ),
            OutputPath::Stdout => ("standard output has no files", "take `keep` out"),
            OutputPath::File(_) if *encoding == Encoding::Parquet => (
                "Parquet files are never deleted: it cannot be told whose they are",
                "delete them by other means, such as `find -mtime`, and set `keep = \"forever\"`",
            ),
            OutputPath::File(_) if *format == OutputFormat::Raw => (
                "`raw` lines do not say whose they are, so no file of them is deleted",
                "set another `format`, or `keep = \"forever\"`",
            ),
            OutputPath::File(path) if *rotation == Rotation::Never && !has_times(path) => (
                "only finished files are deleted, and this one goes on for ever",
                "set `rotate`, such as `rotate = \"daily\"`",
            ),
            OutputPath::File(_) => continue,
        };
        return Err(ConfigError::new(format!("source `{name}`, `output.keep`: {what}")).hint(hint));
    }
    Ok(())
}

/// Whether `template` has a placeholder of time.
fn has_times(template: &str) -> bool {
    template.replace("%%", "").contains('%')
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

/// The path without `.` steps, so that `./a` and `a` are one file. `..` stays: there may be
/// links.
fn normalize_path(cwd: &Path, path: &str) -> PathBuf {
    cwd.join(path).components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::path_template::parse_template;

    #[test]
    fn upper_layers_win() {
        let name: SourceName = "acme".parse().unwrap();
        let layer = |path: Option<&str>, mode| OutputLayer {
            path: path.map(|p| parse_template(p).unwrap()),
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
