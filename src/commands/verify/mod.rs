//! Runs `verify`: checks an export, and reports each difference, what was checked, and what was
//! not.

mod comparison;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::config::env::ProcessEnv;
use crate::config::request::VerifyRequest;
use crate::error::AppError;
use crate::evidence::event_comparison::{EventDifferenceKind, EventSummary};
use crate::evidence::sign::PublicKey;
use crate::evidence::verify::{self, FindingLocation, Signature, VerifyFinding, VerifyResult};
use crate::exit::Exit;
use crate::model::number::{counted, group_digits, plural};
use crate::sink::stdout;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

use comparison::{EventDifference, SourceComparison};

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
    let key = request.public_key.as_deref().map(public_key).transpose()?;
    let verdict = verify::verify(&request.dir, key.as_ref())?;
    for finding in &verdict.findings {
        console.say(Level::Error, &ConsoleMessage::new(finding.to_string()));
    }
    for (level, message) in messages(&verdict) {
        console.say(level, &message);
    }
    // The findings are printed also if the sources cannot be read.
    let (compared, failed) = match &request.against {
        None => (None, None),
        Some(against) => match comparison::compare(&request.dir, against, env, console).await {
            Ok(compared) => (Some(compared), None),
            Err(error) => (None, Some(error)),
        },
    };
    if request.json {
        let is_comparable = failed.is_none();
        stdout::print(&json_line(&verdict, compared.as_ref(), is_comparable))?;
    }
    let since = compared.as_ref().and_then(|compared| report_differences(compared, console));
    match (verdict.findings.as_slice(), failed.or(since)) {
        ([], None) => Ok(compared.map_or(Exit::Done, |compared| compared.exit)),
        ([], Some(error)) => Err(error),
        (findings, error) => {
            error.iter().for_each(|error| error.report_to(console));
            Err(match verdict.is_unfinished {
                true => unfinished_error(),
                false => differences_error(findings),
            })
        }
    }
}

/// Reports each difference from the sources. Returns the error that there are some.
fn report_differences(compared: &SourceComparison, console: &StderrConsole) -> Option<AppError> {
    for EventDifference { source, kind: since, event } in &compared.differences {
        let time = event.time.as_deref().unwrap_or("at an unknown time");
        let text = format!(
            "source `{source}`: {} since: {} {time} {}",
            since.as_str(),
            event.id,
            event.action
        );
        console.say(Level::Error, &ConsoleMessage::new(text));
    }
    let count = |wanted: EventDifferenceKind| {
        let differences = compared.differences.iter();
        differences.filter(|one| one.kind == wanted).count() as u64
    };
    let sources = counted(compared.sources as u64, "source");
    if compared.differences.is_empty() {
        let text = format!("compared with {sources} as of now; nothing differs");
        console.say(Level::Notice, &ConsoleMessage::new(text));
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

/// The error for an export that no run has finished: it has nothing that could be verified.
fn unfinished_error() -> AppError {
    AppError::new(Exit::Different, "the export is not finished, so it cannot be verified")
        .hint("run the same `export` command again; it continues with the export and finishes it")
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

/// The messages besides the differences.
fn messages(verdict: &VerifyResult) -> Vec<(Level, ConsoleMessage)> {
    let mut all = Vec::new();
    let mut say = |level, text: String| all.push((level, ConsoleMessage::new(text)));
    for what in &verdict.not_checked {
        say(Level::Warning, format!("not checked: {what}"));
    }
    if let Signature::NotChecked(key) = &verdict.signature {
        let key = key.as_deref().unwrap_or("unknown");
        let what = format!(
            "not checked: SHA256SUMS.minisig, a signature with the key {key}; give the public key \
             with `--public-key`"
        );
        say(Level::Warning, what);
    }
    say(Level::Notice, summary(verdict));
    match &verdict.signature {
        Signature::None => say(
            Level::Notice,
            "not signed: anyone with write access could have replaced the whole export".to_owned(),
        ),
        Signature::Good { key, says } => {
            let says = crate::model::text::printable(says);
            say(Level::Notice, format!("signed with the key {key} ({says})"));
        }
        Signature::NotChecked(_) | Signature::Bad => {}
    }
    if let Some(sha256) = &verdict.sums_sha256 {
        let what = format!("SHA-256 of SHA256SUMS: {sha256}");
        say(Level::Notice, what);
    }
    for what in &verdict.not_available {
        all.push((Level::Warning, ConsoleMessage::new(what.clone())));
    }
    if verdict.is_complete == Some(false) {
        let text =
            "this export is INCOMPLETE: its manifest says that not everything requested was read";
        let mut message = ConsoleMessage::new(text);
        message.causes.clone_from(&verdict.missing);
        all.push((Level::Warning, message));
    }
    all
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
