//! Resolves the flags of `posture`.

use clap::ValueEnum as _;

use crate::cli::args::{FilterFlags, PostureArgs, QueryInputs};
use crate::cli::load::{CommandContext, usage_error};
use crate::cli::paths::{CommandPaths, PathRole};
use crate::cli::query;
use crate::config::posture::PostureCheck;
use crate::config::request::{PostureFormat, PostureRequest, SavedEventQuery};
use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::model::source_kind::SourceAddress;

/// The request of `posture`.
pub fn posture(
    typed: PostureArgs,
    context: &CommandContext<'_>,
) -> Result<PostureRequest, AppError> {
    let file = context.load()?;
    let (settings, selected) = context.select(&typed.names)?;
    file.check_declarations(&settings)?;
    let is_organization =
        |source: &SourceSettings| source.target.kind().address() == SourceAddress::Organization;
    if let Some(other) = selected.iter().find(|it| !is_organization(it) && !typed.names.is_empty())
    {
        let what = format!("source `{}` is not of type `org-events`", other.name);
        return Err(usage_error(what, "only organizations have a posture that can be read"));
    }
    let sources: Vec<_> = selected.into_iter().filter(is_organization).collect();
    if sources.is_empty() {
        return Err(usage_error(
            "no source is of type `org-events`",
            "`atlaudit auth login NAME` adds an organization",
        ));
    }
    let skipped = file.skipped_checks()?;
    let checks = PostureCheck::value_variants().iter().copied().filter(|check| {
        match typed.checks.is_empty() {
            true => !skipped.contains(check),
            false => typed.checks.contains(check),
        }
    });
    let checks = checks.collect();
    let inventory = typed.inventory.as_ref().map(|folder| context.env.at_cwd(folder));
    if let Some(folder) = &inventory {
        let mut paths = CommandPaths::reserved_if_configured(context);
        paths.add(PathRole::InventoryFolder, folder);
        paths.refuse_clashes()?;
    }
    let events = events(&typed, &sources, context)?;
    let organizations = sources.into_iter().map(|source| {
        let settings = file.posture_settings(&source.name)?;
        Ok((source, settings))
    });
    Ok(PostureRequest {
        organizations: organizations.collect::<Result<_, AppError>>()?,
        checks,
        events,
        is_since_last: typed.since_last,
        inventory,
        format: match (typed.json, typed.ocsf) {
            (true, _) => PostureFormat::Json,
            (_, true) => PostureFormat::Ocsf,
            (false, false) => PostureFormat::Table {
                style: context.table_style(),
                all_items: context.global.verbose > 0,
            },
        },
        fail_on: typed.fail_on,
        state_dir: settings.state_dir,
        now: context.now,
    })
}

/// The saved events that are named, or those of the organizations from `--since` on.
fn events(
    typed: &PostureArgs,
    sources: &[SourceSettings],
    context: &CommandContext<'_>,
) -> Result<Option<SavedEventQuery>, AppError> {
    if typed.events.is_empty() && typed.since.is_none() {
        return Ok(None);
    }
    let names = sources.iter().map(|source| source.name.clone());
    let inputs = QueryInputs {
        files: typed.events.clone(),
        sources: if typed.since.is_some() { names.collect() } else { Vec::new() },
    };
    let filter = FilterFlags { since: typed.since, ..FilterFlags::default() };
    let query = query::query(inputs, filter, context)?;
    // Only an event's own text says that it is about a mobile policy.
    Ok(Some(SavedEventQuery { needs_raw: true, ..query }))
}
