//! Runs `sources list`: prints the configured sources. No key is read.

use serde::Serialize;

use crate::commands::text_table::{plain, text_table};
use crate::config::request::SourcesRequest;
use crate::config::settings::{OutputPath, SourceSettings, TableSpace};
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
        false => table(&sources, request.space),
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

fn table(sources: &[ListedSource<'_>], space: TableSpace) -> String {
    let rows = sources.iter().map(|source| {
        let target = source.target.as_deref().unwrap_or("(stored with the key)");
        let cells = [source.name, source.kind, target, &source.credential, &source.output];
        cells.map(|cell| plain(printable_line(cell)))
    });
    text_table(HEADS, &rows.collect::<Vec<_>>(), space)
}
