//! Resolves the flags of `convert`.

use std::path::{Path, PathBuf};

use crate::cli::args::{ConvertArgs, GlobalArgs};
use crate::cli::error::ResolveError;
use crate::cli::load::{self, HostAccess};
use crate::cli::path_registry::PathRole;
use crate::cli::paths::CommandPaths;
use crate::config::check;
use crate::config::env::ProcessEnv;
use crate::config::output::{self, PathTemplate};
use crate::config::request::{ConvertInput, ConvertRequest, RawLines};
use crate::config::settings::{OutputPath, OutputSettings, Rotation};
use crate::model::name::{SourceKind, SourceName};
use crate::model::source_kind::SourceAddress;
use crate::model::time::Timestamp;

/// What `convert` is asked to do. The configuration is read only where `--source` names a part of it.
pub fn request(
    typed: ConvertArgs,
    global: &GlobalArgs,
    env: &ProcessEnv,
    now: Timestamp,
    outside: &HostAccess<'_>,
) -> Result<ConvertRequest, ResolveError> {
    let output = output_settings(&typed)?;
    output::reject_misnamed_files([&output])?;
    output::reject_compressed_terminal_output([&output], env.stdout_is_terminal)?;
    if let OutputPath::File(_) = output.path {
        let mut paths = CommandPaths::reserved_if_configured(global, env, now, outside);
        paths.add_output(PathRole::ConvertedOutput, &output);
        paths.refuse_clashes()?;
    }
    let flags = RawLines { name: None, kind: typed.kind, org_id: typed.org_id, site: typed.site };
    let raw = match typed.source {
        Some(name) => {
            let known = configured_source(&name, global, env, outside)?;
            merge_flags(flags, known)?
        }
        None => flags,
    };
    reject_inapplicable_flags(&raw)?;
    Ok(ConvertRequest { inputs: inputs(typed.files), raw, output, now })
}

fn inputs(files: Vec<PathBuf>) -> Vec<ConvertInput> {
    if files.is_empty() {
        return vec![ConvertInput::Stdin];
    }
    let input = |file: PathBuf| match file == Path::new("-") {
        true => ConvertInput::Stdin,
        false => ConvertInput::File(file),
    };
    files.into_iter().map(input).collect()
}

fn output_settings(typed: &ConvertArgs) -> Result<OutputSettings, ResolveError> {
    let path = match &typed.output {
        None => OutputPath::Stdout,
        Some(template) => template.for_all().ok_or_else(|| {
            ResolveError::usage(
                "`{source}` has no meaning here: the lines of all sources go to one file",
                "name one file, such as `events.jsonl`",
            )
        })?,
    };
    let named = typed.output.as_ref().and_then(PathTemplate::implied_compression);
    Ok(OutputSettings {
        path,
        format: typed.format.unwrap_or_default(),
        compression: typed.compression.or(named).unwrap_or_default(),
        rotation: Rotation::Never,
        mode: 0o600,
    })
}

/// What the configuration says of the source `name`.
fn configured_source(
    name: &SourceName,
    global: &GlobalArgs,
    env: &ProcessEnv,
    outside: &HostAccess<'_>,
) -> Result<RawLines, ResolveError> {
    let names = [name.clone()];
    let settings = load::pull_settings(global, env, &names, outside)?;
    let mut known = RawLines { name: Some(name.clone()), ..RawLines::default() };
    for source in check::select(&settings, &names)? {
        known.kind = Some(source.target.kind());
        known.site = source.target.site();
        known.org_id = source.target.org_id().map(str::to_owned);
    }
    Ok(known)
}

/// The flags, and what the configuration says beside them.
fn merge_flags(flags: RawLines, known: RawLines) -> Result<RawLines, ResolveError> {
    if let (Some(name), Some(configured), Some(flag)) = (&known.name, known.kind, flags.kind)
        && configured != flag
    {
        return Err(ResolveError::usage(
            format!("source `{name}` is configured as `{configured}`, not `{flag}`"),
            "leave `--type` out, or name another source",
        ));
    }
    Ok(RawLines {
        name: known.name,
        kind: known.kind,
        org_id: flags.org_id.or(known.org_id),
        site: flags.site.or(known.site),
    })
}

fn reject_inapplicable_flags(raw: &RawLines) -> Result<(), ResolveError> {
    let alien = match raw.kind.map(SourceKind::address) {
        Some(SourceAddress::Organization) => raw.site.as_ref().map(|_| "`--site`"),
        Some(SourceAddress::Site | SourceAddress::Server) => {
            raw.org_id.as_ref().map(|_| "`--org-id`")
        }
        None => None,
    };
    match (raw.kind, alien) {
        (Some(kind), Some(flag)) => Err(ResolveError::usage(
            format!("{flag} does not belong to a source of type `{kind}`"),
            "`--org-id` is for org-events; `--site` is for all others",
        )),
        _ => Ok(()),
    }
}
