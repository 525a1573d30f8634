//! Resolves the flags of `search` and its relatives: where events come from, and which are chosen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::{
    DetectArgs, FilterFlags, PullArgs, QueryInputs, ReportArgs, SearchArgs, StatsArgs, TopArgs,
};
use crate::cli::load::{CommandContext, usage_error};
use crate::cli::paths::{CommandPaths, PathRole};
use crate::cli::pull;
use crate::config::error::ConfigError;
use crate::config::request::{
    AlertFormat, DetectRequest, EventInput, ExportLocation, PullRequest, RawLines, ReportRequest,
    ReportTarget, SavedEventQuery, SearchFormat, SearchRequest, StatsRequest, TopRequest,
};
use crate::config::settings::OutputFormat;
use crate::config::validate;
use crate::error::AppError;
use crate::filter::{
    AddressRange, EventFilter, FieldCondition, FieldPath, FilterField, ValuePattern,
};
use crate::model::typed_time::TypedTime;

/// The columns of CSV where none are named.
const CSV_COLUMNS: [&str; 12] = [
    "time",
    "source.name",
    "action",
    "category",
    "outcome",
    "actor.name",
    "actor.email",
    "actor.id",
    "targets.name",
    "client.ip",
    "client.country",
    "message",
];

/// The request of `search`.
pub fn search(typed: SearchArgs, context: &CommandContext<'_>) -> Result<SearchRequest, AppError> {
    let format = search_format(&typed, context)?;
    Ok(SearchRequest {
        query: SavedEventQuery { needs_raw: true, ..query(typed.inputs, typed.filter, context)? },
        format,
        limit: typed.limit,
        is_reversed: typed.reverse,
        is_unsorted: typed.unsorted,
        is_count: typed.count,
        is_sql_schema: typed.sql_schema.is_some(),
    })
}

/// The request of `report`.
pub fn report(typed: ReportArgs, context: &CommandContext<'_>) -> Result<ReportRequest, AppError> {
    let output = match typed.output == Path::new("-") {
        true => ReportTarget::Stdout,
        false => {
            let mut paths = CommandPaths::reserved_if_configured(context);
            paths.add(PathRole::ReportPage, &typed.output);
            paths.refuse_clashes()?;
            ReportTarget::File(context.env.at_cwd(&typed.output))
        }
    };
    let detect = context.detect_settings(typed.detect)?;
    let posture = typed.posture.map(|file| context.env.at_cwd(&file));
    let query = query(typed.inputs, typed.filter, context)?;
    Ok(ReportRequest { query, output, detect, posture })
}

/// The request of `top`.
pub fn top(typed: TopArgs, context: &CommandContext<'_>) -> Result<TopRequest, AppError> {
    let mut query = query(typed.inputs, typed.filter, context)?;
    query.needs_raw |= typed.field.is_of_raw();
    Ok(TopRequest { query, field: typed.field, limit: typed.limit, json: typed.json })
}

/// The request of `stats`.
pub fn stats(typed: StatsArgs, context: &CommandContext<'_>) -> Result<StatsRequest, AppError> {
    let query = query(typed.inputs, typed.filter, context)?;
    Ok(StatsRequest { query, by: typed.by, json: typed.json })
}

/// The request of `detect`.
pub fn detect(typed: DetectArgs, context: &CommandContext<'_>) -> Result<DetectRequest, AppError> {
    let mut settings = context.load()?.detect_settings()?;
    settings.rules.extend(typed.rules);
    if typed.no_learning {
        (settings.thresholds.learning_days, settings.thresholds.learning_events) = (0, 0);
    }
    let format = match typed.format.as_deref() {
        None if context.env.stdout_is_terminal => AlertFormat::Table,
        Some("table") => AlertFormat::Table,
        Some("ecs") => AlertFormat::Ecs,
        Some("ocsf") => AlertFormat::Ocsf,
        Some(_) | None => AlertFormat::Alerts,
    };
    Ok(DetectRequest {
        query: query(typed.inputs, typed.filter, context)?,
        learn: typed.learn.into_iter().map(EventInput::File).collect(),
        settings,
        format,
        style: context.table_style(),
        min_severity: typed.min_severity,
        fail_on: typed.fail_on,
        explain: typed.explain,
        is_coverage: typed.coverage,
    })
}

fn search_format(
    typed: &SearchArgs,
    context: &CommandContext<'_>,
) -> Result<SearchFormat, AppError> {
    let env = context.env;
    let format = match typed.format.as_deref() {
        None if !typed.columns.is_empty() => "csv",
        None if env.stdout_is_terminal => "table",
        None => "normalized",
        Some(format) => format,
    };
    if !typed.columns.is_empty() && format != "csv" {
        return Err(usage_error(
            format!("`--columns` does not belong to `--format {format}`"),
            "leave one of them out: columns are those of CSV",
        ));
    }
    Ok(match format {
        "table" => SearchFormat::Table(context.table_style()),
        "csv" => {
            let usual = CSV_COLUMNS.iter().filter_map(|column| FieldPath::parse(column).ok());
            let columns = match typed.columns.is_empty() {
                true => usual.collect(),
                false => typed.columns.clone(),
            };
            SearchFormat::Csv { columns, is_visible: env.stdout_is_terminal }
        }
        "raw" => SearchFormat::Lines(OutputFormat::Raw),
        "ecs" => SearchFormat::Lines(OutputFormat::Ecs),
        "ocsf" => SearchFormat::Lines(OutputFormat::Ocsf),
        "ocsf-1.3" => SearchFormat::Lines(OutputFormat::Ocsf13),
        _ => SearchFormat::Lines(OutputFormat::Normalized),
    })
}

/// Where events come from, and which are chosen.
pub fn query(
    inputs: QueryInputs,
    filter: FilterFlags,
    context: &CommandContext<'_>,
) -> Result<SavedEventQuery, AppError> {
    let CommandContext { env, now, .. } = *context;
    let pull = match inputs.sources.is_empty() {
        true => None,
        false => Some(Box::new(pull_request(&inputs, &filter, context)?)),
    };
    let inputs = match (&pull, inputs.files) {
        (Some(_), _) => Vec::new(),
        (None, files) if files.is_empty() && env.stdin_is_terminal => {
            return Err(usage_error(
                "nothing says where the events are",
                "name files or folders of saved events, or read a source now with \
                 `--source NAME --since 24h`",
            ));
        }
        (None, files) => event_inputs(files, context)?,
    };
    let extra_actions = context.extra_actions(&context.load()?)?;
    let filter = event_filter(filter, context)?;
    let needs_raw = filter.reads_raw();
    let raw = RawLines::default();
    Ok(SavedEventQuery { inputs, pull, raw, filter, needs_raw, now, extra_actions })
}

/// The files and objects that are typed; standard input where there are none.
pub fn event_inputs(
    files: Vec<PathBuf>,
    context: &CommandContext<'_>,
) -> Result<Vec<EventInput>, ConfigError> {
    if files.is_empty() {
        return Ok(vec![EventInput::Stdin]);
    }
    files.into_iter().map(|file| event_input(file, context)).collect()
}

fn event_input(file: PathBuf, context: &CommandContext<'_>) -> Result<EventInput, ConfigError> {
    if file == Path::new("-") {
        return Ok(EventInput::Stdin);
    }
    match file.to_str().map(validate::object_store) {
        Some(Ok(url)) => Ok(EventInput::Objects(Arc::new(context.object_store(url)?))),
        _ => Ok(EventInput::File(file)),
    }
}

/// The folder that is typed, or the place in a store.
pub fn export_location(
    folder: PathBuf,
    context: &CommandContext<'_>,
) -> Result<ExportLocation, ConfigError> {
    match folder.to_str().map(validate::object_store) {
        Some(Ok(url)) => Ok(ExportLocation::Objects(Arc::new(context.object_store(url)?))),
        _ => Ok(ExportLocation::Folder(folder)),
    }
}

/// The pull of a time range of the named sources.
fn pull_request(
    inputs: &QueryInputs,
    filter: &FilterFlags,
    context: &CommandContext<'_>,
) -> Result<PullRequest, AppError> {
    if filter.since.is_none() {
        return Err(usage_error(
            "`--source` reads a source now, and nothing says from when on",
            "add `--since`, such as `--since 24h`",
        ));
    }
    let typed = PullArgs {
        names: inputs.sources.clone(),
        since: filter.since,
        until: filter.until,
        ..PullArgs::default()
    };
    pull::pull(typed, context)
}

fn event_filter(typed: FilterFlags, context: &CommandContext<'_>) -> Result<EventFilter, AppError> {
    let resolved = |flag, typed: Option<TypedTime>| {
        typed.map(|typed| pull::resolved(flag, typed, context)).transpose()
    };
    let since = resolved("--since", typed.since)?.map(|since| since.at);
    let until = resolved("--until", typed.until)?.map(|until| until.at);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(usage_error(
            "`--since` is not before `--until`, so that no event can fit",
            "a time range holds since <= time < until",
        ));
    }
    let whole = |texts: Vec<String>| texts.iter().map(|it| ValuePattern::whole(it)).collect();
    let part = |texts: Vec<String>| texts.iter().map(|it| ValuePattern::part(it)).collect();
    let address = |ranges: Vec<AddressRange>| {
        ranges.into_iter().map(|range| ValuePattern::Address(Box::new(range))).collect()
    };
    let not = typed.not;
    let conditions: [(FilterField, Vec<ValuePattern>, Vec<ValuePattern>); 10] = [
        (FilterField::Action, whole(typed.action), whole(not.not_action)),
        (FilterField::Category, whole(typed.category), whole(not.not_category)),
        (FilterField::Outcome, whole(typed.outcome), whole(not.not_outcome)),
        (FilterField::Actor, part(typed.actor), part(not.not_actor)),
        (FilterField::Target, part(typed.target), part(not.not_target)),
        (FilterField::Ip, address(typed.ip), address(not.not_ip)),
        (FilterField::Country, whole(typed.country), whole(not.not_country)),
        (FilterField::Product, whole(typed.product), whole(not.not_product)),
        (FilterField::Id, whole(typed.id), whole(not.not_id)),
        (FilterField::Text, part(typed.text), part(not.not_text)),
    ];
    let conditions = conditions.into_iter().flat_map(|(field, wanted, unwanted)| {
        let condition = |any_of: Vec<ValuePattern>, is_negated| {
            (!any_of.is_empty()).then_some(FieldCondition { field, any_of, is_negated })
        };
        [condition(wanted, false), condition(unwanted, true)].into_iter().flatten()
    });
    Ok(EventFilter {
        since,
        until,
        conditions: conditions.collect(),
        expressions: typed.expressions,
    })
}
