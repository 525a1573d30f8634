//! Resolves the flags of `convert`.

use crate::cli::args::ConvertArgs;
use crate::cli::encoding;
use crate::cli::load::{CommandContext, usage_error};
use crate::cli::paths::{CommandPaths, PathRole};
use crate::cli::query::event_inputs;
use crate::config::output;
use crate::config::path_template::PathTemplate;
use crate::config::request::{ConvertRequest, RawLines};
use crate::config::settings::{Encoding, OutputPath, OutputSettings};
use crate::error::AppError;
use crate::model::name::SourceName;
use crate::model::source_kind::{GatewayUse, SourceAddress};

/// The request of `convert`. Of the configuration only `[taxonomy]` counts, and the source that
/// `--source` names.
pub fn request(
    typed: ConvertArgs,
    context: &CommandContext<'_>,
) -> Result<ConvertRequest, AppError> {
    let output = output_settings(&typed)?;
    output::reject_misnamed_files([&output])?;
    encoding::check([&output])?;
    encoding::refuse_objects([&output])?;
    output::reject_compressed_terminal_output([&output], context.env.stdout_is_terminal)?;
    if let OutputPath::File(_) = output.path {
        let mut paths = CommandPaths::reserved_if_configured(context);
        paths.add_output(PathRole::ConvertedOutput, &output);
        paths.refuse_clashes()?;
    }
    let flags = RawLines {
        name: None,
        kind: typed.kind,
        org_id: typed.org_id,
        site: typed.site,
        workspace: typed.workspace,
    };
    let raw = match typed.source {
        Some(name) => merge_source(flags, name, context)?,
        None => flags,
    };
    reject_inapplicable_flags(&raw)?;
    let extra_actions = context.extra_actions(&context.load()?)?;
    let inputs = event_inputs(typed.files, context)?;
    Ok(ConvertRequest { inputs, raw, output, now: context.now, extra_actions })
}

fn output_settings(typed: &ConvertArgs) -> Result<OutputSettings, AppError> {
    let named = typed.output.as_ref();
    let encoding = typed.encoding.or(named.and_then(PathTemplate::implied_encoding));
    let encoding = encoding.unwrap_or_default();
    let path = match named {
        None => OutputPath::Stdout,
        Some(template) if encoding == Encoding::Parquet => template.for_events(),
        Some(template) => template.for_all().ok_or_else(|| {
            usage_error(
                "`{source}` has no meaning here: the lines of all sources go to one file",
                "name one file, such as `events.jsonl`",
            )
        })?,
    };
    let packed = named.and_then(PathTemplate::implied_compression);
    Ok(OutputSettings {
        path,
        format: typed.format.unwrap_or_default(),
        encoding,
        compression: typed.compression.or(packed).unwrap_or_default(),
        ..OutputSettings::default()
    })
}

/// The flags, and what the configuration says of the source `name` beside them.
fn merge_source(
    flags: RawLines,
    name: SourceName,
    context: &CommandContext<'_>,
) -> Result<RawLines, AppError> {
    let (_, sources) = context.select(std::slice::from_ref(&name))?;
    let target = sources.first().map(|source| &source.target);
    let kind = target.map(|target| target.kind());
    if let (Some(configured), Some(flag)) = (kind, flags.kind)
        && configured != flag
    {
        return Err(usage_error(
            format!("source `{name}` is configured as `{configured}`, not `{flag}`"),
            "leave `--type` out, or name another source",
        ));
    }
    let org_id = target.and_then(|target| target.org_id.clone());
    Ok(RawLines {
        name: Some(name),
        kind,
        org_id: flags.org_id.or(org_id),
        site: flags.site.or_else(|| target?.site()),
        workspace: flags.workspace.or_else(|| target?.workspace(target?.cloud_id()?)),
    })
}

fn reject_inapplicable_flags(raw: &RawLines) -> Result<(), AppError> {
    let Some(kind) = raw.kind else {
        return Ok(());
    };
    let (alien, flag) = match kind.address() {
        SourceAddress::Organization => (&raw.site, "`--site`"),
        SourceAddress::Site | SourceAddress::Server => (&raw.org_id, "`--org-id`"),
    };
    let is_workspace = kind.descriptor().gateway == GatewayUse::Workspace;
    match (is_workspace, &raw.workspace) {
        (true, None) => {
            return Err(usage_error(
                "the ids of workspace events need their workspace",
                "add `--workspace ari:cloud:jira::site/CLOUD-ID` (or `confluence`); the site shows \
                 its cloud id at https://SITE/_edge/tenant_info",
            ));
        }
        (false, Some(_)) => {
            return Err(usage_error(
                format!("`--workspace` does not belong to a source of type `{kind}`"),
                "leave it out, or say `--type workspace-events`",
            ));
        }
        (true, Some(_)) | (false, None) => {}
    }
    match alien {
        None => Ok(()),
        Some(_) => Err(usage_error(
            format!("{flag} does not belong to a source of type `{kind}`"),
            "`--org-id` is for org-events; `--site` is for all others",
        )),
    }
}
