//! Runs `sources list`: prints the configured sources. No key is read.

use serde::Serialize;

use crate::config::request::SourcesRequest;
use crate::config::settings::{OutputPath, SourceSettings};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::text::printable_line;
use crate::sink::stdout;

/// A source in the list, and its JSON.
#[derive(Serialize)]
struct ListedSource<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The organization, site or server, where it is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    output: String,
    credential: String,
}

/// Prints the sources.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(request: &SourcesRequest) -> Result<(), AppError> {
    let sources: Vec<_> = request.sources.iter().map(listed).collect();
    let text = match request.json {
        true => {
            let lines: Result<Vec<_>, _> = sources.iter().map(serde_json::to_string).collect();
            let bug = |error| AppError::new(Exit::Unexpected, "a bug in atlaudit").because(&error);
            lines.map_err(bug)?.into_iter().map(|line| line + "\n").collect()
        }
        false => table(&sources),
    };
    Ok(stdout::print(&text)?)
}

fn listed(source: &SourceSettings) -> ListedSource<'_> {
    let target = &source.target;
    let organization = target.org_id.clone();
    let output = match &source.output.path {
        OutputPath::Stdout => "-".to_owned(),
        OutputPath::File(path) => source.output.with_suffix(path.clone()),
        OutputPath::Object(url) => url.clone(),
    };
    ListedSource {
        name: source.name.as_str(),
        kind: target.kind().as_str(),
        target: organization.or_else(|| target.site()).or(target.cloud_id().map(str::to_owned)),
        output,
        credential: source.credential.to_string(),
    }
}

const HEADS: [&str; 5] = ["NAME", "TYPE", "ORGANIZATION/SITE", "CREDENTIAL", "OUTPUT"];

fn table(sources: &[ListedSource<'_>]) -> String {
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(sources.iter().map(|source| {
        let target = source.target.as_deref().unwrap_or("(stored with the key)");
        [source.name, source.kind, target, &source.credential, &source.output].map(printable_line)
    }));
    text_table(&rows)
}

/// Aligns the columns of `rows` to the left.
pub fn text_table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
