//! Refuses outputs that cannot be what they shall be made of.

use crate::columnar;
use crate::config::error::ConfigError;
use crate::config::path_template::{OCSF_CLASS, event_placeholder};
use crate::config::settings::{
    Compression, Encoding, OutputFormat, OutputPath, OutputPreset, OutputSettings, PENDING_FOLDER,
    SourceSettings, fixed_folder,
};

/// Checks what files are made of.
///
/// # Errors
/// An output names what only Parquet has, or Parquet cannot hold it.
pub fn check<'a>(outputs: impl IntoIterator<Item = &'a OutputSettings>) -> Result<(), ConfigError> {
    outputs.into_iter().try_for_each(|output| {
        if let Some(preset) = output.preset {
            preset.check(output).map_err(|refusal| refusal.with_context("`preset`"))?;
        }
        check_class(output)?;
        match output.encoding {
            Encoding::JsonLines => check_lines(output),
            Encoding::Parquet => check_parquet(output),
        }
    })
}

/// Checks that outputs and states are where they can be committed together.
///
/// # Errors
/// Objects without a state beside them, or files with one.
pub fn check_state_location(
    sources: &[SourceSettings],
    has_remote_state: bool,
) -> Result<(), ConfigError> {
    for source in sources {
        if has_remote_state && source.alerts.is_some() {
            let what = format!(
                "source `{}`: the state is in object storage, and what detection remembers is on a \
                 disk, which another machine does not have",
                source.name
            );
            return Err(ConfigError::new(what).hint(
                "set `enabled = false` in `[detect]`, and judge the events with `atlaudit detect`",
            ));
        }
        match &source.output.path {
            OutputPath::Object(url) if !has_remote_state => {
                let what = format!(
                    "source `{}`: objects are written exactly once only with the state beside \
                     them, and `[state] url` is not set",
                    source.name
                );
                let place = match source.output.preset {
                    // What is in a lake is for its engines.
                    Some(OutputPreset::SecurityLake) => "s3://ANOTHER-BUCKET/atlaudit".to_owned(),
                    None => state_beside(url),
                };
                return Err(
                    ConfigError::new(what).hint(format!("set it, such as `url = \"{place}\"`"))
                );
            }
            OutputPath::File(path) if has_remote_state => {
                let what = format!(
                    "source `{}`: the state is in object storage, and the output `{path}` is a \
                     file, which another machine does not have",
                    source.name
                );
                return Err(ConfigError::new(what).hint(
                    "set `output.path` to `s3://BUCKET/KEY` or `-`, or take `[state] url` out",
                ));
            }
            OutputPath::Stdout | OutputPath::Object(_) | OutputPath::File(_) => {}
        }
    }
    Ok(())
}

/// A place for states beside objects: before the first folder that says what is in it.
fn state_beside(url: &str) -> String {
    let folders: Vec<_> = fixed_folder(url).split_terminator('/').collect();
    let plain = folders.iter().take_while(|folder| !folder.contains('=')).copied();
    plain.chain([PENDING_FOLDER]).collect::<Vec<_>>().join("/")
}

/// Refuses objects where no state goes with them.
///
/// # Errors
/// One of the outputs is in a store.
pub fn refuse_objects<'a>(
    outputs: impl IntoIterator<Item = &'a OutputSettings>,
) -> Result<(), ConfigError> {
    let is_object = |output: &&OutputSettings| matches!(output.path, OutputPath::Object(_));
    match outputs.into_iter().find(is_object) {
        None => Ok(()),
        Some(output) => Err(ConfigError::new(format!(
            "the output `{}` is in object storage, where only `pull` and `follow` without a time \
             range write",
            output.file_template()
        ))
        .hint("write to a file, and copy it there")),
    }
}

/// The columns of Parquet files of `format`, as Parquet writes them.
///
/// # Errors
/// It has none.
pub fn table_schema(format: OutputFormat) -> Result<String, ConfigError> {
    columnar::message_of(format).ok_or_else(no_columns)
}

/// The formats that have columns.
const TABLE_FORMATS: &str = "`normalized`, `ocsf` and `ocsf-1.3`";

/// Refuses a class in the names of what has none.
fn check_class(output: &OutputSettings) -> Result<(), ConfigError> {
    let path = output.file_template();
    match output.format {
        OutputFormat::Ocsf | OutputFormat::Ocsf13 => Ok(()),
        _ if !path.contains(OCSF_CLASS) => Ok(()),
        format => Err(ConfigError::new(format!(
            "the output `{path}` has `{OCSF_CLASS}`, and events in `{}` have no class",
            format.as_str()
        ))
        .hint("take the format `ocsf` or `ocsf-1.3`, or another placeholder")),
    }
}

fn check_lines(output: &OutputSettings) -> Result<(), ConfigError> {
    let path = output.file_template();
    let placeholder = event_placeholder(path);
    if let (OutputPath::Object(_), Some(placeholder)) = (&output.path, placeholder)
        && columnar::columns_of(output.format).next().is_none()
    {
        let what = format!(
            "the output `{path}` has `{placeholder}`, and only the formats {TABLE_FORMATS} say it"
        );
        return Err(ConfigError::new(what).hint("take `day=%Y-%m-%d`, the day of writing"));
    }
    if let (OutputPath::File(_), Some(placeholder)) = (&output.path, placeholder) {
        let what =
            format!("the output `{path}` has `{placeholder}`, and lines are written as they come");
        return Err(ConfigError::new(what).hint(
            "say `encoding = \"parquet\"` (or `--encoding parquet`), or take `%Y-%m-%d`, the day \
             of writing",
        ));
    }
    if path.split('/').any(|folder| folder == PENDING_FOLDER) {
        let what = format!("the output `{path}` is in a folder `{PENDING_FOLDER}`");
        return Err(ConfigError::new(what)
            .hint("events wait for Parquet in folders of that name; choose another folder"));
    }
    match path.ends_with(Encoding::PARQUET_SUFFIX) {
        false => Ok(()),
        true => Err(ConfigError::new(format!(
            "the output `{path}` is named as Parquet, and `encoding` says jsonl"
        ))
        .hint("say `encoding = \"parquet\"` (or `--encoding parquet`), or choose another name")),
    }
}

fn no_columns() -> ConfigError {
    ConfigError::new(format!("only the formats {TABLE_FORMATS} have columns for Parquet"))
        .hint("choose one of them; all hold the source's own record as text")
}

fn check_parquet(output: &OutputSettings) -> Result<(), ConfigError> {
    let refuse = |what: String, hint: &str| Err(ConfigError::new(what).hint(hint));
    if !columnar::HAS_PARQUET {
        return refuse(
            "this atlaudit was built without Parquet".to_owned(),
            "build it with `--features parquet`; it is on by default",
        );
    }
    let path = match &output.path {
        OutputPath::File(path) | OutputPath::Object(path) => path,
        OutputPath::Stdout => {
            return refuse(
                "Parquet cannot be written to standard output: a file of it is written whole"
                    .to_owned(),
                "name a file with `--output`, or say `--encoding jsonl`",
            );
        }
    };
    if let OutputFormat::Raw | OutputFormat::Ecs = output.format {
        return Err(no_columns());
    }
    if output.compression != Compression::None {
        return refuse(
            "Parquet is compressed inside, and `compression` is for lines".to_owned(),
            "leave `compression` out, or say `compression = \"none\"`",
        );
    }
    if path.split('/').any(|folder| folder == ".." || folder == PENDING_FOLDER) {
        return refuse(
            format!("the output `{path}` has a folder `..` or `{PENDING_FOLDER}`"),
            "name the folders of Parquet files without them: two names must not mean one file",
        );
    }
    let is_column = |key: &str| {
        columnar::columns_of(output.format).any(|column| column.eq_ignore_ascii_case(key))
    };
    let mut keys = path.split('/').filter_map(|folder| folder.split_once('=')).map(|(key, _)| key);
    match keys.find(|key| is_column(key)) {
        None => Ok(()),
        Some(key) => refuse(
            format!(
                "the folder `{key}=` in the output `{path}` is named as a column of the events"
            ),
            "engines would take the one for the other: name it otherwise, such as `feed={source}` \
             and `day={event_day}`",
        ),
    }
}
