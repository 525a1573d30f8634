//! Shows what a pull would do, without network access: for `pull --dry-run`, and where a pull is refused because its
//! events would only be printed on a terminal.

use crate::commands::{connect, output_owner};
use crate::config::env::ProcessEnv;
use crate::config::request::PullRequest;
use crate::config::settings::{CredentialSpec, OutputPath, SourceSettings, SourceTarget};
use crate::credentials;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::number::group_digits;
use crate::model::time::{Timestamp, format_millis, in_words};
use crate::pipeline::checkpoint_writer;
use crate::pipeline::plan::{self, ReadPlan};
use crate::pipeline::run::{lookback_settings, refuse_unfinished, scope_of};
use crate::source::{self, DeliveryOrder};
use crate::state::checkpoint::Checkpoint;
use crate::state::store::StateStore;
use crate::telemetry::console::{StderrConsole, Level};

/// Shows the plan on standard error: standard output carries events and nothing else. What a pull would refuse
/// because of its state or its output is refused here too; the other sources are shown all the same.
pub async fn run(request: &PullRequest, env: &ProcessEnv, console: &StderrConsole) -> Exit {
    if let Err(error) = output_owner::refuse_owned(request) {
        error.tell(console);
        return error.exit();
    }
    let store = StateStore::new(&request.state_dir);
    let mut exit = Exit::Done;
    for settings in &request.sources {
        match plan(settings, request, &store, env).await {
            Ok(text) => console.show(&text),
            Err(error) => {
                let error = error.for_settings(settings);
                error.tell(console);
                exit = exit.worst(error.exit());
            }
        }
    }
    exit
}

/// Shows what a pull would do whose events would end on a terminal, and returns why it is refused: what has been
/// printed there is marked as read, and no later pull writes it to a file. `command` is what was typed.
pub async fn refuse_terminal(
    command: &str,
    request: &PullRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> AppError {
    if console.says(Level::Notice) {
        // It reports what is wrong with a source; whatever that is, nothing is pulled.
        run(request, env, console).await;
    }
    let what = format!(
        "`{command}` would print its events on this terminal and mark them as read; nothing was pulled"
    );
    AppError::new(Exit::Usage, what).hint(
        "keep them with `--output FILE`, send them to a program with `|`, or print them here all the same with `--output -`; `atlaudit pull --since 7d` shows the last seven days and marks nothing as read",
    )
}

/// What a pull of one source would do.
async fn plan(
    settings: &SourceSettings,
    request: &PullRequest,
    store: &StateStore,
    env: &ProcessEnv,
) -> Result<String, AppError> {
    let base_url = settings.target.base_url();
    let order = source::of(&settings.target, base_url, None, settings.page_size).order();
    let scope = scope(settings, env).await?;
    let now = request.now;
    let (plan, checkpoint) = match request.one_off {
        Some(one_off) => {
            let window = one_off.window(settings, now);
            let plan = plan::one_off(order, &lookback_settings(settings), window, now);
            // Only an estimate is made from it, for which any trouble with it is none.
            let found = store.load(&settings.name).ok().flatten();
            let is_own = |found: &Checkpoint| scope.as_ref().is_none_or(|own| *own == found.scope);
            (plan, found.filter(is_own))
        }
        None => {
            let found = match &scope {
                Some(scope) => checkpoint_writer::peek(store, &settings.name, scope)?,
                None => store.load(&settings.name)?,
            };
            let plan = plan::incremental(order, &lookback_settings(settings), found.as_ref(), now);
            (plan, found)
        }
    };
    refuse_unfinished(settings, store)?;
    let expected = describe_requests(&plan, settings, checkpoint.as_ref(), now);
    let is_first = request.one_off.is_none() && checkpoint.is_none();
    Ok(describe(settings, order, &plan, is_first, &expected))
}

/// What the source's checkpoint must belong to, as far as that can be known here: the organization may be part of the
/// credential, and a command that prints one may use the network.
async fn scope(settings: &SourceSettings, env: &ProcessEnv) -> Result<Option<String>, AppError> {
    let kind = settings.target.kind();
    let owner = match &settings.target {
        SourceTarget::OrgEvents { org_id: None, .. } => match settings.credential {
            CredentialSpec::Command(_) => None,
            _ => credentials::load(settings, env).await?.org_id,
        },
        SourceTarget::OrgEvents { org_id, .. } => org_id.clone(),
        target => target.site(),
    };
    Ok(owner.map(|owner| scope_of(kind, &owner)))
}

fn describe(
    settings: &SourceSettings,
    order: DeliveryOrder,
    plan: &ReadPlan,
    is_first: bool,
    expected: &str,
) -> String {
    let mut lines = vec![
        format!("{} ({})", settings.name, settings.target.kind()),
        format!("  credential  {}", credentials::describe_location(settings)),
        format!("  asks        {}", settings.target.base_url()),
    ];
    for open in &plan.windows {
        let until = open
            .to
            .map_or("the end of the stream".to_owned(), format_millis);
        let how = match (&open.cursor, order) {
            (Some(_), _) => ", behind the saved cursor",
            (None, DeliveryOrder::NewestFirst) => ", in time slices",
            (None, DeliveryOrder::Ascending) => "",
        };
        lines.push(format!(
            "  reads       {} to {until}{how}",
            format_millis(open.from)
        ));
    }
    if plan.windows.is_empty() {
        lines.push("  reads       nothing: the window is shorter than a millisecond".to_owned());
    }
    if is_first {
        let lookback = in_words(settings.initial_lookback);
        lines.push(format!(
            "  first pull  `initial_lookback` is {lookback}; no later pull reads older events"
        ));
    }
    let output = match &settings.output.path {
        OutputPath::Stdout => "standard output".to_owned(),
        OutputPath::File(path) => settings.output.compression.with_suffix(path.clone()),
    };
    lines.push(format!("  writes to   {output}"));
    lines.push(format!("  requests    {expected}"));
    lines.push(String::new());
    lines.join("\n")
}

/// How many requests to expect: from the density of what earlier pulls wrote, where there were any.
fn describe_requests(
    plan: &ReadPlan,
    settings: &SourceSettings,
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> String {
    let quota = settings
        .connection
        .requests_per_minute
        .or(connect::endpoint(&settings.target).per_minute());
    let limit = quota.map_or(String::new(), |quota| {
        format!(", at most {} a minute", group_digits(quota.into()))
    });
    let size = group_digits(settings.page_size.into());
    match checkpoint.and_then(|checkpoint| estimate_pages(plan, checkpoint, settings.page_size, now)) {
        Some(pages) => format!(
            "about {}, each for up to {size} events{limit}",
            group_digits(pages)
        ),
        None => format!("one for every {size} events, at least 1{limit}"),
    }
}

fn estimate_pages(plan: &ReadPlan, checkpoint: &Checkpoint, page_size: u32, now: Timestamp) -> Option<u64> {
    let watermark = checkpoint.watermark?;
    let covered = (watermark - checkpoint.since).num_milliseconds();
    let ahead: i64 = plan
        .windows
        .iter()
        .map(|open| {
            let from = if open.cursor.is_some() {
                watermark
            } else {
                open.from
            };
            (open.to.unwrap_or(now) - from).num_milliseconds().max(0)
        })
        .sum();
    if covered <= 0 {
        return None;
    }
    let events = checkpoint.events as f64 * ahead as f64 / covered as f64;
    Some((events / f64::from(page_size)).ceil() as u64 + 1)
}
