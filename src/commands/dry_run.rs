//! Owns `pull --dry-run`: what a pull would do, told without asking the network.

use crate::commands::{connect, output_owner};
use crate::config::request::PullRequest;
use crate::config::settings::{OutputPath, SourceSettings};
use crate::credentials;
use crate::error::AppError;
use crate::model::number::grouped;
use crate::model::time::{Timestamp, format_millis};
use crate::pipeline::plan::{self, Plan};
use crate::pipeline::run::reach;
use crate::source::{self, Order};
use crate::state::checkpoint::Checkpoint;
use crate::state::store::Store;
use crate::telemetry::console::Console;

/// Tells the plan on standard error: standard output carries events and nothing else.
///
/// # Errors
/// A state file cannot be read, or a time range would go into a file of an ordinary pull.
pub fn run(request: &PullRequest, console: &Console) -> Result<(), AppError> {
    output_owner::refuse_owned(request)?;
    let store = Store::new(&request.state_dir);
    for settings in &request.sources {
        let order = source::of(
            &settings.target,
            settings.target.base_url(),
            None,
            settings.page_size,
        )
        .order();
        let checkpoint = store.load(&settings.name)?;
        let plan = match request.one_off {
            Some(one_off) => {
                let window = one_off.window(settings, request.now);
                plan::one_off(order, &reach(settings), window, request.now)
            }
            None => plan::incremental(order, &reach(settings), checkpoint.as_ref(), request.now),
        };
        let expected = expected(&plan, settings, checkpoint.as_ref(), request.now);
        console.show(&describe(settings, order, &plan, &expected));
    }
    Ok(())
}

fn describe(settings: &SourceSettings, order: Order, plan: &Plan, expected: &str) -> String {
    let mut lines = vec![
        format!("{} ({})", settings.name, settings.target.kind()),
        format!("  credential  {}", credentials::origin(settings)),
        format!("  asks        {}", settings.target.base_url()),
    ];
    for open in &plan.windows {
        let until = open
            .to
            .map_or("the end of the stream".to_owned(), format_millis);
        let how = match (&open.cursor, order) {
            (Some(_), _) => ", behind the saved cursor",
            (None, Order::NewestFirst) => ", in time slices",
            (None, Order::Ascending) => "",
        };
        lines.push(format!(
            "  reads       {} to {until}{how}",
            format_millis(open.from)
        ));
    }
    if plan.windows.is_empty() {
        lines.push("  reads       nothing: the window lies in the future".to_owned());
    }
    let output = match &settings.output.path {
        OutputPath::Stdout => "standard output".to_owned(),
        OutputPath::File(path) => settings.output.compression.named(path.clone()),
    };
    lines.push(format!("  writes to   {output}"));
    lines.push(format!("  requests    {expected}"));
    lines.push(String::new());
    lines.join("\n")
}

/// How many requests to expect: from the density of what earlier pulls wrote, where there were any.
fn expected(
    plan: &Plan,
    settings: &SourceSettings,
    checkpoint: Option<&Checkpoint>,
    now: Timestamp,
) -> String {
    let quota = settings
        .connection
        .requests_per_minute
        .or(connect::endpoint(&settings.target).per_minute());
    let limit = quota.map_or(String::new(), |quota| {
        format!(", at most {} a minute", grouped(quota.into()))
    });
    let size = grouped(settings.page_size.into());
    match checkpoint.and_then(|checkpoint| pages(plan, checkpoint, settings.page_size, now)) {
        Some(pages) => format!(
            "about {}, each for up to {size} events{limit}",
            grouped(pages)
        ),
        None => format!("one for every {size} events, at least 1{limit}"),
    }
}

fn pages(plan: &Plan, checkpoint: &Checkpoint, page_size: u32, now: Timestamp) -> Option<u64> {
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
