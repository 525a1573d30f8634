//! Runs `verify`: checks an export, and reports each difference, what was checked, and what was
//! not. `--against-source` reads its time range again and compares the events.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::commands::export;
use crate::commands::local_export::{LocalExport, temporary_folder};
use crate::config::env::ProcessEnv;
#[cfg(feature = "respond")]
use crate::config::request::ExportLocation;
use crate::config::request::{AgainstRequest, ExportRequest, VerifyRequest};
use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::evidence::event_comparison::{self, EventDifferenceKind, EventSummary};
use crate::evidence::manifest::{Manifest, SourceFacts};
use crate::evidence::sign::PublicKey;
use crate::evidence::survey;
use crate::evidence::verify::{self, FindingLocation, Signature, VerifyFinding, VerifyResult};
use crate::exit::Exit;
use crate::model::text::{counted, group_digits, plural, printable};
#[cfg(feature = "respond")]
use crate::respond::{check_record, is_record};
use crate::sink::stdout;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// The most that a file with a public key may hold.
const KEY_BYTES: u64 = 64 * 1024;

/// Checks an export, and compares it with its sources on request. Returns how reading them ended.
///
/// # Errors
/// The export does not match its manifest or its sources, is not an export, or cannot be read; the
/// key is not a key; or standard output cannot be written.
pub async fn run(
    request: VerifyRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    #[cfg(feature = "respond")]
    if let ExportLocation::Folder(path) = &request.export
        && is_record(path)
    {
        return verify_record(path, request.json, console);
    }
    let key = request.public_key.as_deref().map(public_key).transpose()?;
    let export = LocalExport::of(&request.export, console).await?;
    let verdict = export.verify(key.as_ref())?;
    for finding in &verdict.findings {
        console.error(finding.to_string());
    }
    report_verdict(&verdict, console);
    // The findings are printed also if the sources cannot be read.
    let (compared, failed) = match &request.against {
        None => (None, None),
        Some(against) => match compare(&export.dir, against, env, console).await {
            Ok(compared) => (Some(compared), None),
            Err(error) => (None, Some(error)),
        },
    };
    if request.json {
        stdout::print(&json_line(&verdict, compared.as_ref(), failed.is_none()))?;
    }
    let since = compared.as_ref().and_then(|compared| report_differences(compared, console));
    match (verdict.findings.as_slice(), failed.or(since)) {
        ([], None) => Ok(compared.map_or(Exit::Done, |compared| compared.exit)),
        ([], Some(error)) => Err(error),
        (findings, error) => {
            if let Some(error) = error {
                error.report_to(console);
            }
            let unfinished = "the export is not finished, so it cannot be verified";
            Err(match verdict.is_unfinished {
                true => AppError::new(Exit::Different, unfinished).hint(
                    "run the same `export` command again; it continues with the export and \
                     finishes it",
                ),
                false => differences_error(findings),
            })
        }
    }
}

/// Checks the record of responses at `path`.
#[cfg(feature = "respond")]
fn verify_record(path: &Path, is_json: bool, console: &StderrConsole) -> Result<Exit, AppError> {
    let (lines, head, open, problems) = check_record(path).map_err(|error| {
        AppError::new(Exit::Output, format!("cannot read the record `{}`", path.display()))
            .because(&error)
            .hint("check that this user may read it")
    })?;
    for problem in &problems {
        console.error(format!("line {}: {}", problem.line, problem.what));
    }
    for intent in &open {
        console.warn(format!("line {}: {}", intent.number, intent.describe()));
    }
    if is_json {
        let problems: Vec<_> =
            problems.iter().map(|one| json!({"line": one.line, "what": one.what})).collect();
        let open: Vec<u64> = open.iter().map(|intent| intent.number).collect();
        let value = json!({"lines": lines, "head": head, "unanswered": open, "problems": problems});
        stdout::print(&format!("{value}\n"))?;
    }
    match problems.is_empty() {
        true => {
            let lines = counted(lines, "line");
            console.notice(format!("the record has {lines}, and none was changed; up to {head}"));
            Ok(Exit::Done)
        }
        false => Err(AppError::new(Exit::Different, "the record was changed, or is torn")
            .hint("keep it as evidence; only the lines before can be trusted")),
    }
}

/// Reports each difference from the sources. Returns the error that there are some.
fn report_differences(compared: &SourceComparison, console: &StderrConsole) -> Option<AppError> {
    for EventDifference { source, kind, event: EventSummary { id, time, action } } in
        &compared.differences
    {
        let time = time.as_deref().unwrap_or("at an unknown time");
        let since = kind.as_str();
        console.error(format!("source `{source}`: {since} since: {id} {time} {action}"));
    }
    let count = |wanted: EventDifferenceKind| {
        let differences = compared.differences.iter();
        differences.filter(|one| one.kind == wanted).count() as u64
    };
    let sources = counted(compared.sources as u64, "source");
    if compared.differences.is_empty() {
        console.notice(format!("compared with {sources} as of now; nothing differs"));
        return None;
    }
    let what = format!(
        "the export is not what {sources} would say now: {} appeared, {} vanished, {} changed",
        counted(count(EventDifferenceKind::Appeared), "event"),
        group_digits(count(EventDifferenceKind::Vanished)),
        group_digits(count(EventDifferenceKind::Changed)),
    );
    let hint = "events may appear days late, and vanish when their time of keeping ends; what \
                changed was changed at the source";
    Some(AppError::new(Exit::Different, what).hint(hint))
}

/// The public key `typed`, or the one in the file of that name.
fn public_key(typed: &str) -> Result<PublicKey, AppError> {
    let path = Path::new(typed);
    let is_small_file = |facts: &fs::Metadata| facts.is_file() && facts.len() <= KEY_BYTES;
    let refused = |what: String| {
        let hint = "name the .pub file that `minisign -G` made, or type the key that it printed, \
                    which begins with RW";
        AppError::new(Exit::Usage, what).hint(hint)
    };
    let text = match fs::metadata(path) {
        Ok(facts) if is_small_file(&facts) => fs::read_to_string(path).map_err(|error| {
            refused(format!("cannot read the public key `{typed}`")).because(&error)
        })?,
        Ok(_) => return Err(refused(format!("`{typed}` is no file with a public key"))),
        Err(_) => typed.to_owned(),
    };
    PublicKey::read(&text).map_err(|_| {
        refused(format!("`{typed}` is neither a minisign public key nor a file that holds one"))
    })
}

/// The error for an export with findings.
fn differences_error(findings: &[VerifyFinding]) -> AppError {
    let mut files: Vec<_> = findings.iter().map(|finding| &finding.file).collect();
    files.dedup();
    let what = format!(
        "verification FAILED: {} in {}",
        counted(findings.len() as u64, "difference"),
        counted(files.len() as u64, "file"),
    );
    AppError::new(Exit::Different, what).hint(
        "leave it as it is, and compare it with another copy; nothing was changed by this check",
    )
}

/// Reports everything besides the differences.
fn report_verdict(verdict: &VerifyResult, console: &StderrConsole) {
    for what in &verdict.not_checked {
        console.warn(format!("not checked: {what}"));
    }
    if let Signature::NotChecked(key) = &verdict.signature {
        let key = key.as_deref().unwrap_or("unknown");
        console.warn(format!(
            "not checked: SHA256SUMS.minisig, a signature with the key {key}; give the public key \
             with `--public-key`"
        ));
    }
    console.notice(summary(verdict));
    match &verdict.signature {
        Signature::None => console
            .notice("not signed: anyone with write access could have replaced the whole export"),
        Signature::Good { key, says } => {
            console.notice(format!("signed with the key {key} ({})", printable(says)));
        }
        Signature::NotChecked(_) | Signature::Bad => {}
    }
    if let Some(sha256) = &verdict.sums_sha256 {
        console.notice(format!("SHA-256 of SHA256SUMS: {sha256}"));
    }
    for what in &verdict.not_available {
        console.warn(what);
    }
    if verdict.is_complete == Some(false) {
        let text =
            "this export is INCOMPLETE: its manifest says that not everything requested was read";
        let mut message = ConsoleMessage::new(text);
        message.causes.clone_from(&verdict.missing);
        console.say(Level::Warning, &message);
    }
}

/// `checked 14 files of 2 sources, 1,234,567 bytes: 150 events, 9 answers, 7 bodies; nothing
/// differs`
fn summary(verdict: &VerifyResult) -> String {
    let tally = &verdict.counts;
    let mut line = format!(
        "checked {} of {}, {} bytes: {}, {}",
        counted(tally.files, "file"),
        counted(tally.sources, "source"),
        group_digits(tally.bytes),
        counted(tally.events, "event"),
        counted(tally.pages, "response"),
    );
    if tally.bodies > 0 {
        line.push_str(&format!(", {}", plural(tally.bodies, "body", "bodies")));
    }
    if verdict.findings.is_empty() {
        line.push_str("; nothing differs");
    }
    line
}

/// The whole result as one line of JSON.
///
/// `ok` is the overall result: the export is sound, and, if it was compared with its sources, all
/// of them could be read (`is_comparable`) and none shows a difference. It agrees with the exit
/// code, except for an export that declares itself incomplete, which may be sound.
fn json_line(
    verdict: &VerifyResult,
    compared: Option<&SourceComparison>,
    is_comparable: bool,
) -> String {
    let difference = |finding: &VerifyFinding| {
        let mut object = json!({ "file": finding.file, "what": finding.what });
        match finding.location {
            FindingLocation::File => {}
            FindingLocation::Line(line) => object["line"] = line.into(),
            FindingLocation::Lines(first, last) => object["lines"] = json!([first, last]),
        }
        object
    };
    let signature = match &verdict.signature {
        Signature::None => json!({ "state": "none" }),
        Signature::NotChecked(key) => json!({ "state": "not_checked", "key": key }),
        Signature::Good { key, says } => json!({ "state": "good", "key": key, "says": says }),
        Signature::Bad => json!({ "state": "bad" }),
    };
    let differences: Vec<_> = verdict.findings.iter().map(difference).collect();
    let is_same = compared
        .is_none_or(|compared| compared.differences.is_empty() && compared.exit == Exit::Done);
    let mut object = json!({
        "ok": verdict.findings.is_empty() && is_comparable && is_same,
        "verified": verdict.findings.is_empty(),
        "complete": verdict.is_complete,
        "missing": verdict.missing,
        "not_available": verdict.not_available,
        "differences": differences,
        "not_checked": verdict.not_checked,
        "checked": verdict.counts,
        "signature": signature,
        "sums_sha256": verdict.sums_sha256,
    });
    if let Some(compared) = compared {
        let differences = compared.differences.iter().map(|one| {
            let EventSummary { id, time, action } = &one.event;
            let since = one.kind.as_str();
            let source = &one.source;
            json!({ "source": source, "since": since, "id": id, "time": time, "action": action })
        });
        object["against_source"] = differences.collect();
    }
    format!("{object}\n")
}

/// An event that differs, and its source.
struct EventDifference {
    /// The source's name.
    source: String,
    /// How it differs.
    kind: EventDifferenceKind,
    /// The event.
    event: EventSummary,
}

/// The result of the comparison.
struct SourceComparison {
    /// The events that differ.
    differences: Vec<EventDifference>,
    /// How many sources were read.
    sources: usize,
    /// How reading them ended.
    exit: Exit,
}

/// Compares the export at `dir` with its sources as they are now.
///
/// # Errors
/// The manifest cannot be read, a source is not configured or is a different one now, or it cannot
/// be read.
async fn compare(
    dir: &Path,
    request: &AgainstRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<SourceComparison, AppError> {
    let manifest = verify::manifest(dir).ok_or_else(|| {
        let what = "without its manifest the export cannot be compared with its sources";
        AppError::new(Exit::Different, what).hint("compare another copy of it")
    })?;
    let sources = sources(&manifest, request)?;
    let folder = temporary_folder()?;
    let again = ExportRequest {
        sources,
        state_dir: request.state_dir.clone(),
        now: request.now,
        since: manifest.asked.since.into(),
        until: Some(manifest.asked.until.into()),
        folder: folder.path().join("again"),
        keep_bodies: false,
        detect: None,
        sign: None,
    };
    let Some((now, exit, _)) = export::make(&again, env, console).await? else {
        return Err(AppError::new(Exit::Unexpected, "the folder for what is read again was taken"));
    };
    let mut compared =
        SourceComparison { differences: Vec::new(), sources: now.sources.len(), exit };
    for source in now.sources.iter().map(|source| &source.facts) {
        let mut before = manifest.sources.iter();
        let Some(before) = before.find(|before| before.facts.name == source.name) else {
            continue;
        };
        check_same_source(&before.facts, source)?;
        // The name is that of a configured source, and leads nowhere else.
        let file = format!("events/{}.jsonl.zst", source.name);
        let mut add = |kind, event| {
            compared.differences.push(EventDifference { source: source.name.clone(), kind, event });
        };
        let (path, read) = (dir.join(&file), again.folder.join(&file));
        let said = survey::text_limit(&before.events);
        event_comparison::compare(&path, said, &read, source.complete, &mut add).map_err(
            |error| {
                let what = format!("cannot compare `{file}` with its source");
                AppError::new(Exit::Different, what)
                    .because(&error)
                    .hint("compare another copy of the export")
            },
        )?;
        warn_incomplete(console, &before.facts, source);
    }
    Ok(compared)
}

/// The settings of the export's sources, or of the one that was named.
fn sources(manifest: &Manifest, request: &AgainstRequest) -> Result<Vec<SourceSettings>, AppError> {
    let names = manifest.sources.iter().map(|source| &source.facts.name);
    let wanted: Vec<_> = match &request.name {
        Some(name) => names.filter(|known| *known == name.as_str()).collect(),
        None => names.collect(),
    };
    if let (Some(name), []) = (&request.name, wanted.as_slice()) {
        let what = format!("the export has no source `{name}`");
        return Err(AppError::new(Exit::Usage, what).hint("its manifest.json names its sources"));
    }
    let settings = |name: &String| {
        let found = request.sources.iter().find(|source| source.name.as_str() == name);
        found.cloned().ok_or_else(|| {
            AppError::new(Exit::Config, format!("source `{name}` of the export is not configured"))
                .hint(
                    "configure it under that name, or compare one source: `--against-source NAME`",
                )
        })
    };
    wanted.into_iter().map(settings).collect()
}

/// Refuses a different source of the same name, which would only show differences.
fn check_same_source(before: &SourceFacts, now: &SourceFacts) -> Result<(), AppError> {
    let of = |facts: &SourceFacts| {
        let parts = [Some(&facts.kind), facts.org_id.as_ref(), facts.site.as_ref()];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join(", ")
    };
    if of(before) == of(now) {
        return Ok(());
    }
    let what = format!(
        "source `{}` is another one by now: {}; the export is of {}",
        before.name,
        of(now),
        printable(&of(before)),
    );
    Err(AppError::new(Exit::Config, what)
        .hint("name the configuration that the export was made with: `--config`"))
}

fn warn_incomplete(console: &StderrConsole, before: &SourceFacts, now: &SourceFacts) {
    let name = &now.name;
    if !before.complete {
        console.warn(format!(
            "source `{name}` was not read to its end for the export: what that lacks counts as \
             appeared"
        ));
    }
    if !now.complete {
        console.warn(format!(
            "source `{name}` could not be read to its end now, so vanished events are not reported"
        ));
    }
}
