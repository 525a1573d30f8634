//! Runs `actions`: prints what each action means, or each action that the API of a source lists.

use std::path::Path;

use tracing::Instrument as _;

use crate::collect::action_catalogue::ActionCatalogue;
use crate::collect::connector::SourceConnector;
use crate::config::env::ProcessEnv;
use crate::config::request::ActionsRequest;
use crate::config::settings::SourceSettings;
use crate::credentials;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::text::printable_line;
use crate::normalise::taxonomy::{COLUMNS, ExplainedAction, MeaningBasis, Taxonomy};
use crate::sink::stdout;
use crate::state::caches::LookupCache;
use crate::telemetry::console::StderrConsole;

/// A row, and what people are shown for its action.
type ShownAction = (ExplainedAction, Option<String>);

/// Prints the rows.
///
/// # Errors
/// The list of the API cannot be read, or standard output cannot be written.
pub async fn run(
    request: ActionsRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<(), AppError> {
    let Some(source) = &request.source else {
        let taxonomy = Taxonomy::with_extra_rows(request.extra_actions.as_deref())?;
        let rows: Vec<_> = taxonomy.rows().into_iter().map(|row| (row, None)).collect();
        return print(&rows, request.is_tsv);
    };
    let span = tracing::error_span!("actions", source = source.name.as_str());
    let fetched = fetch(source, &request.state_dir, env).instrument(span).await;
    let catalogue = fetched.map_err(|error| error.for_settings(source))?;
    let summary = format!("{}: {}", source.name, catalogue.summary());
    let is_wanted = |(_, row): &(_, ExplainedAction)| {
        let is_unknown = matches!(row.basis, MeaningBasis::Rule | MeaningBasis::Nothing);
        is_unknown || !request.is_only_unknown
    };
    let actions = catalogue.0.into_iter().filter(is_wanted);
    let rows: Vec<_> = actions.map(|(action, row)| (row, action.display_name)).collect();
    print(&rows, request.is_tsv)?;
    console.notice(summary);
    Ok(())
}

/// Requests the actions that the API of `source` lists.
async fn fetch(
    source: &SourceSettings,
    state_dir: &Path,
    env: &ProcessEnv,
) -> Result<ActionCatalogue, AppError> {
    let kind = source.target.kind();
    let no_list = || {
        AppError::new(Exit::Usage, format!("the API of type `{kind}` has no list of its actions"))
            .hint("name a source of type `org-events` or `workspace-events`, or none at all")
    };
    let credential = credentials::load(source, env).await?;
    let mut prepared = SourceConnector::of_process(env).connect(source, &credential)?;
    // Before anything is requested.
    prepared.source(source.target.base_url()).event_actions().ok_or_else(no_list)?;
    let base_url = prepared.resolve_site(&LookupCache::new(state_dir)).await?.base_url;
    let list = prepared.source(&base_url).event_actions().ok_or_else(no_list)?;
    Ok(ActionCatalogue::fetch(&prepared.api, &list, &prepared.origin.taxonomy).await?)
}

fn print(rows: &[ShownAction], is_tsv: bool) -> Result<(), AppError> {
    let text = if is_tsv { tsv(rows) } else { table(rows) };
    Ok(stdout::print(&text)?)
}

/// Rows that a file of `[taxonomy] path` may hold. An action that is in no row yet has a comment
/// before it that says whether its words are understood.
fn tsv(rows: &[ShownAction]) -> String {
    let mut text = format!("# {}\n", COLUMNS.replace(", ", "\t"));
    for (row, display_name) in rows {
        let about = match row.basis {
            MeaningBasis::BuiltInRow | MeaningBasis::ExtraRow => None,
            MeaningBasis::Rule => Some("by its words"),
            MeaningBasis::Nothing => Some("not understood"),
        };
        if let Some(about) = about {
            let name = display_name.as_deref().map(printable_line).unwrap_or_default();
            text.push_str(&format!("# {about}: {name}\n"));
        }
        text.push_str(&format!("{}\n", row.line));
    }
    text
}

/// Aligned columns for people.
fn table(rows: &[ShownAction]) -> String {
    let is_named = rows.iter().any(|(_, display_name)| display_name.is_some());
    let last = if is_named { "DISPLAY NAME" } else { "" };
    let heads = ["ACTION", "CATEGORY", "OUTCOME", "KNOWN FROM", last].map(str::to_owned);
    let rows = rows.iter().map(|(row, display_name)| {
        let [action, category, outcome] = [0, 1, 2].map(|at| row.column(at));
        let name = display_name.as_deref().unwrap_or_default();
        [action, category, outcome, row.known_from(), name].map(printable_line)
    });
    let lines: Vec<_> = std::iter::once(heads).chain(rows).collect();
    let mut widths = [0; 5];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: &[String; 5]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}
