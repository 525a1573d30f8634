//! Runs `respond`: shows a plan, or applies one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde_json::{Map, Value};

use crate::collect::connector::SourceConnector;
use crate::collect::org_lists::OrgLists;
use crate::collect::signals;
use crate::config::env::ProcessEnv;
use crate::config::prompt::UserPrompt as _;
use crate::config::respond::{
    ApplyRequest, PlanRequest, RespondRequest, RespondTarget, ResponseAction,
};
use crate::config::settings::SourceSettings;
use crate::credentials;
use crate::error::AppError;
use crate::exit::Exit;
use crate::files::{Durability, FileReplacement, create_private_folder, folder_of};
use crate::http::client::HttpClient;
use crate::model::source_kind::Endpoint;
use crate::model::text::{counted, printable_line, quoted_path, visible};
use crate::pipeline::stop::StopRequest;
use crate::respond::{
    AppliedResponse, LookupError, OpenIntent, OrgAccess, PlanApplication, PlanInput, PlanOptions,
    PlanRefusal, ResponseEnd, ResponsePlan, ResponseRecord, make_plan, steps_of_plan,
};
use crate::sink::stdout;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};
use crate::telemetry::terminal::Terminal;

/// What no API does, and what a person does instead (AX-229: no way to end a session; ID-7817: no
/// other text in the mail about a disabled account).
const SIGN_IN_AGAIN: &str = "\
Atlassian has no API that signs a user out (its suggestion AX-229). What comes nearest:

In the console:
  1. Security > Authentication policies: have a policy that holds nobody else (a quarantine).
  2. Move the user to it:  atlaudit respond quarantine SOURCE ADDRESS --policy ID
  3. Open that policy > Reset sessions. Everybody in it signs in again.
By API:
  atlaudit respond revoke-tokens SOURCE ADDRESS    ends the API tokens, for good
  atlaudit respond disable SOURCE ADDRESS          ends the access to all Atlassian services, and
                                                   mails the user
At the identity provider: end the user's sessions there. Atlassian's own session lives on until its
idle time or its end.
";

const NOTIFY: &str = "\
Atlassian has no API that mails a user. What comes nearest:

  atlaudit respond disable SOURCE ADDRESS
      Atlassian mails the user by itself; neither the text nor the mail can be changed (ID-7817).
Else write to the user by your own mail or chat. Think before whether the account is still the
user's: an intruder would read it first.
";

/// Shows a plan, applies one, or says what no API does.
///
/// # Errors
/// A guard or Atlassian refuses, the record cannot be written, or the outcome is not known.
pub async fn run(
    request: RespondRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<Exit, AppError> {
    match request {
        RespondRequest::Guidance(ResponseAction::Notify) => {
            Ok(stdout::print(NOTIFY)?).map(|()| Exit::Done)
        }
        RespondRequest::Guidance(_) => Ok(stdout::print(SIGN_IN_AGAIN)?).map(|()| Exit::Done),
        RespondRequest::Plan(request) => plan(&request, env, console).await,
        RespondRequest::Apply(request) => apply(&request, env, console).await,
    }
}

/// One organization, opened with the second credential.
struct ResponseCommand<'a> {
    target: &'a RespondTarget,
    access: OrgAccess<HttpClient>,
}

impl<'a> ResponseCommand<'a> {
    async fn open(
        target: &'a RespondTarget,
        env: &ProcessEnv,
    ) -> Result<ResponseCommand<'a>, AppError> {
        let first = credentials::load(&target.source, env).await.ok();
        let second = SourceSettings {
            credential: target.settings.credential.clone(),
            ..target.source.clone()
        };
        let credential = credentials::load(&second, env).await?;
        let same = first.is_some_and(|first| {
            use secrecy::ExposeSecret as _;
            first.key.expose_secret() == credential.key.expose_secret()
        });
        if same {
            let what = "`respond_credential` holds the same key as `credential`";
            return Err(AppError::new(Exit::Config, what)
                .hint("make a second key, which nothing but `atlaudit respond` reads"));
        }
        let mut connector = SourceConnector::of_process(env);
        let org_id = connector.connect(&second, &credential)?.origin.org_id.unwrap_or_default();
        let api = connector.endpoint_client(Endpoint::OrgAdmin, &second, &credential)?;
        let mut writer = api.clone();
        writer.transport = writer.transport.with_writes();
        let base_url = second.target.base_url().clone();
        let lists = OrgLists { api, base_url, org_id };
        let access = OrgAccess::new(lists, writer, credential.key.clone());
        Ok(ResponseCommand { target, access })
    }

    /// Holds the organization for this process: two sources may be of one, and each of two
    /// responses would leave the last admin to the other.
    fn lock_organization(&self, state_dir: &Path) -> Result<File, AppError> {
        let path = state_dir.join("respond").join(format!("org-{}.lock", self.access.org_id()));
        let locked = create_private_folder(folder_of(&path)).and_then(|()| {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).open(&path)?;
            match file.try_lock() {
                Ok(()) => Ok(file),
                Err(_) => Err(ErrorKind::WouldBlock.into()),
            }
        });
        locked.map_err(|error| {
            AppError::new(Exit::State, "another response is being made in this organization")
                .because(&error)
                .hint("wait until it has ended")
        })
    }

    /// The record of this source.
    fn record(&self, state_dir: &Path) -> Result<ResponseRecord, AppError> {
        let path = record_path(state_dir, &self.target.source);
        ResponseRecord::open(&path).map_err(|error| {
            let what = format!("cannot use the record of responses `{}`", path.display());
            let hint = match error.kind() {
                ErrorKind::WouldBlock => "wait until it has ended",
                ErrorKind::InvalidData => {
                    "somebody changed it: keep it as evidence, and move it aside"
                }
                _ => "check the state folder, and that this user may write to it",
            };
            AppError::new(Exit::State, what).because(&error).hint(hint)
        })
    }

    /// Reports changes of an earlier run whose answers were never recorded, with what the account
    /// is like now, and notes that in the record.
    async fn report_open_intents(
        &self,
        record: &mut ResponseRecord,
        console: &StderrConsole,
    ) -> Result<(), AppError> {
        for intent in record.open_intents().cloned().collect::<Vec<_>>() {
            let found = self.state_of(&intent).await;
            let hint = format!(
                "look before doing it again: {found}; in the audit log, search for {}",
                visible(intent.text("subject_id"))
            );
            console.say(Level::Warning, &ConsoleMessage::new(intent.describe()).hint(hint));
            let entry = Map::from_iter([
                ("time".to_owned(), now_text()),
                ("of".to_owned(), intent.number.into()),
                ("state".to_owned(), found.into()),
            ]);
            record.append("found", entry).map_err(|error| record_error(&error))?;
        }
        Ok(())
    }

    /// What the account or key of an earlier change is like now.
    async fn state_of(&self, intent: &OpenIntent) -> String {
        let action = serde_json::from_value(intent.text("action").into());
        let Ok(action) = action else { return "its action is not known here".to_owned() };
        match self.access.subject_state(action, intent.text("subject_id")).await {
            Ok(subject) if subject.is_gone() => "it is not there any more".to_owned(),
            Ok(subject) => {
                let facts = subject.facts();
                let facts: Vec<String> =
                    facts.iter().map(|(key, value)| format!("{key}: {}", visible(value))).collect();
                match facts.is_empty() {
                    true => "it is there, and nothing else is listed of it".to_owned(),
                    false => format!("it is now {}", facts.join(", ")),
                }
            }
            Err(_) => "its state cannot be read now".to_owned(),
        }
    }
}

async fn plan(
    request: &PlanRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<Exit, AppError> {
    // Whatever comes of this one, nobody is to take an older plan for it.
    if let Some(path) = &request.plan {
        remove_plan(path)?;
    }
    let responder = ResponseCommand::open(&request.target, env).await?;
    let mut record = responder.record(&request.state_dir)?;
    responder.report_open_intents(&mut record, console).await?;
    let options = PlanOptions {
        policy_id: request.policy_id.clone(),
        directories: request.directories.clone(),
        message: request.message.clone(),
        allows_admin: request.allows_admin,
    };
    let input = PlanInput {
        source: responder.target.source.name.as_str(),
        settings: &responder.target.settings,
        action: request.action,
        named: &request.subject,
        options: &options,
    };
    let made = make_plan(&responder.access, &input, Utc::now()).await;
    let (plan, steps) = made.map_err(|refusal| plan_error(&request.subject, refusal))?;
    if steps.is_empty() {
        stdout::print(&format!(
            "{} {}: nothing to do, it is so already\n",
            plan.action, plan.label
        ))?;
        return Ok(Exit::Done);
    }
    let path = match &request.plan {
        Some(path) => path.clone(),
        None => {
            remove_old_plans(folder_of(record.path()));
            let name = format!("plan-{}.json", &plan.digest()[..16]);
            folder_of(record.path()).join(name)
        }
    };
    write_plan(&path, &plan)?;
    let (call, shown) = (&responder.target.call, quoted_path(&path));
    stdout::print(&format!(
        "{}\nNothing was sent. To apply it:\n  {call} respond --apply {shown} --case CASE\n",
        plan.text(call)
    ))?;
    Ok(Exit::Done)
}

async fn apply(
    request: &ApplyRequest,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<Exit, AppError> {
    let plan = read_plan(&request.plan)?;
    let responder = ResponseCommand::open(&request.target, env).await?;
    if plan.org_id != responder.access.org_id() || plan.server != responder.access.server() {
        return Err(guarded("the plan is of another organization or server"));
    }
    let _lock = responder.lock_organization(&request.state_dir)?;
    let mut record = responder.record(&request.state_dir)?;
    responder.report_open_intents(&mut record, console).await?;
    let settings = &responder.target.settings;
    let steps = steps_of_plan(&responder.access, settings, &plan, Utc::now()).await;
    let steps = steps.map_err(|refusal| plan_error(&plan.label, refusal))?;
    let steps = match confirm(request, &plan)? {
        PlanConfirmation::Given => steps,
        // The person may have taken long.
        PlanConfirmation::Typed => {
            if read_plan(&request.plan)?.digest() != plan.digest() {
                return Err(guarded("the plan was replaced while it was confirmed"));
            }
            let steps = steps_of_plan(&responder.access, settings, &plan, Utc::now()).await;
            steps.map_err(|refusal| plan_error(&plan.label, refusal))?
        }
    };
    let stop = signals::watch_signals();
    let application = PlanApplication {
        is_stopped: &|| *stop.borrow() != StopRequest::NotRequested,
        access: &responder.access,
        record: &mut record,
        plan: &plan,
        about: about(request, env),
    };
    let applied = application.apply(&steps).await.map_err(|error| record_error(&error))?;
    report((&plan, &responder.target.call), &applied, steps.len(), &record, console)
}

/// Says how it went; `call` is how this program was called.
fn report(
    (plan, call): (&ResponsePlan, &str),
    applied: &AppliedResponse,
    requests: usize,
    record: &ResponseRecord,
    console: &StderrConsole,
) -> Result<Exit, AppError> {
    let AppliedResponse { end, accepted, is_state_seen, is_event_seen, record_failure } = applied;
    let seen = match (is_state_seen.unwrap_or_default(), is_event_seen) {
        (false, None) if is_state_seen.is_none() => {
            "neither its state nor the audit log could be read"
        }
        (true, Some(true)) => "its state shows it, and so does the audit log",
        (true, Some(false)) => "its state shows it; the audit log does not (yet)",
        (true, None) => "its state shows it; the audit log could not be read",
        (false, Some(true)) => "the audit log shows it; its state does not (yet)",
        (false, _) => "neither its state nor the audit log shows it (yet)",
    };
    let sent = format!("{accepted} of {} accepted", counted(requests as u64, "request"));
    console.notice(format!("recorded in `{}`, up to {}", record.path().display(), record.head()));
    let failed = |exit, what: String, hint: String| Err(AppError::new(exit, what).hint(hint));
    if let Some(why) = record_failure {
        let what = format!("{sent}, and not all of it is in the record: {why}");
        let hint = format!("{seen}; {}; keep this message with the case", plan.undo_text(call));
        return failed(Exit::PartlyDone, what, hint);
    }
    match end {
        ResponseEnd::Done if *is_state_seen != Some(true) && *is_event_seen != Some(true) => {
            failed(
                Exit::OutcomeUnknown,
                format!("outcome unknown: {sent}, and {seen}"),
                "look in the console or the audit log in a while, before doing it again".to_owned(),
            )
        }
        ResponseEnd::Done => {
            let undo = plan.undo_text(call);
            stdout::print(&format!("{} {}: {sent}; {seen}; {undo}\n", plan.action, plan.label))?;
            Ok(Exit::Done)
        }
        ResponseEnd::Rejected(why) => {
            let hint = unscoped_hint(why).unwrap_or("docs/respond.md lists what each action needs");
            failed(Exit::Rejected, format!("nothing was changed: {why}"), hint.to_owned())
        }
        ResponseEnd::PartlyDone(why) => failed(
            Exit::PartlyDone,
            format!("only a part was done: {sent}, then: {why}"),
            format!("{seen}; make a new plan for the rest; {}", plan.undo_text(call)),
        ),
        ResponseEnd::Unknown(why) => failed(
            Exit::OutcomeUnknown,
            format!("outcome unknown: {sent}, and then: {why}"),
            format!(
                "{seen}; look in the console or the audit log, and make a new plan; {}",
                plan.undo_text(call)
            ),
        ),
    }
}

/// What to do where Atlassian asks for a permission that no scope gives.
fn unscoped_hint(why: &str) -> Option<&'static str> {
    why.contains("manage:org")
        .then_some("no scope allows it: use a key without scopes, for this hour only")
}

/// How a plan was confirmed.
enum PlanConfirmation {
    /// With `--yes` and `--case`.
    Given,
    /// On a terminal.
    Typed,
}

/// Asks the person to type the address; without a person, `--yes` and `--case` stand for it.
fn confirm(request: &ApplyRequest, plan: &ResponsePlan) -> Result<PlanConfirmation, AppError> {
    if request.is_confirmed {
        return Ok(PlanConfirmation::Given);
    }
    let no_person = |error: &io::Error| {
        AppError::new(Exit::Usage, "nobody can confirm this: there is no terminal")
            .because(error)
            .hint("add `--yes` and `--case`, where a person has read the plan")
    };
    let mut person = Terminal::open().map_err(|error| no_person(&error))?;
    person
        .show(&format!("{}\n", plan.text(&request.target.call)))
        .map_err(|error| no_person(&error))?;
    let question = format!("Type {} to do this, or nothing: ", visible(&plan.label));
    let answer = person.ask(&question).map_err(|error| no_person(&error))?;
    match answer.is_some_and(|answer| answer.trim() == plan.label) {
        true => Ok(PlanConfirmation::Typed),
        false => Err(guarded("it was not confirmed")),
    }
}

fn guarded(what: &str) -> AppError {
    AppError::new(Exit::Guarded, what).hint("nothing was sent; make a new plan if it is meant")
}

/// What every line of the record says.
fn about(request: &ApplyRequest, env: &ProcessEnv) -> Map<String, Value> {
    let host = rustix::system::uname();
    let user = user_name(env);
    let confirmed = if request.is_confirmed { "--yes" } else { "typed" };
    Map::from_iter([
        ("case".to_owned(), request.case.clone().map_or(Value::Null, Value::from)),
        ("reason".to_owned(), request.reason.clone().map_or(Value::Null, Value::from)),
        ("user".to_owned(), user.map_or(Value::Null, Value::from)),
        ("uid".to_owned(), env.user.into()),
        ("host".to_owned(), host.nodename().to_string_lossy().into_owned().into()),
        ("confirmed".to_owned(), confirmed.into()),
        (
            "key".to_owned(),
            request.target.settings.key_name.clone().map_or(Value::Null, Value::from),
        ),
        ("program".to_owned(), concat!("atlaudit ", env!("CARGO_PKG_VERSION")).into()),
    ])
}

/// The user's name, by the number that runs the program; of a directory service by what the
/// environment says.
fn user_name(env: &ProcessEnv) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = env.user.to_string();
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|line| line.get(2) == Some(&number.as_str()));
    let name = line.and_then(|line| line.first().map(|name| (*name).to_owned()));
    name.or_else(|| env.var_text("USER").map(|user| format!("{user} (by USER)")))
}

fn record_path(state_dir: &Path, source: &SourceSettings) -> PathBuf {
    state_dir.join("respond").join(format!("{}.jsonl", source.name))
}

fn record_error(error: &io::Error) -> AppError {
    AppError::new(Exit::State, "cannot write the record of responses; nothing more is sent")
        .because(error)
        .hint("check the state folder and the disk; the next run says what is not known")
}

fn now_text() -> Value {
    crate::model::time::format_millis(Utc::now()).into()
}

/// A plan is small: a file that is not is none.
const MAX_PLAN_BYTES: u64 = 4 << 20;

/// The plan in a file.
pub fn read_plan(path: &Path) -> Result<ResponsePlan, AppError> {
    let refused = |why: String| {
        AppError::new(Exit::Guarded, format!("cannot apply the plan `{}`: {why}", path.display()))
            .hint("make a new plan, and apply that")
    };
    let facts = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    if !facts.is_file() || facts.len() > MAX_PLAN_BYTES {
        return Err(refused("it is no regular file, or too large for a plan".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    ResponsePlan::read(&text, Utc::now()).map_err(refused)
}

/// The plan in a regular file, whatever its age.
fn read_any_plan(path: &Path) -> Option<ResponsePlan> {
    let is_plain =
        path.symlink_metadata().is_ok_and(|it| it.is_file() && it.len() <= MAX_PLAN_BYTES);
    let text = if is_plain { fs::read(path).ok()? } else { return None };
    serde_json::from_slice(&text).ok()
}

/// Removes the plans in `folder` that are older than a day: they name people.
fn remove_old_plans(folder: &Path) {
    let is_old = |path: &Path| {
        let modified = path.metadata().and_then(|facts| facts.modified());
        modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() > 24 * 60 * 60))
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_plan =
            name.to_str().is_some_and(|it| it.starts_with("plan-") && it.ends_with(".json"));
        if is_plan && is_old(&entry.path()) && read_any_plan(&entry.path()).is_some() {
            let _ = fs::remove_file(entry.path()); // the next run tries again
        }
    }
}

/// Removes an older plan. What is no plan is refused: nothing else is written over.
fn remove_plan(path: &Path) -> Result<(), AppError> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    if read_any_plan(path).is_none() {
        let what = format!("`{}` is there already, and is no plan", path.display());
        return Err(AppError::new(Exit::Output, what)
            .hint("name another file; only a plan is replaced by a newer one"));
    }
    fs::remove_file(path).map_err(|error| {
        let what = format!("cannot remove the older plan `{}`", path.display());
        AppError::new(Exit::Output, what)
            .because(&error)
            .hint("check the folder, and that this user may write to it")
    })
}

fn write_plan(path: &Path, plan: &ResponsePlan) -> Result<(), AppError> {
    let failed = |error: &dyn std::error::Error| {
        AppError::new(Exit::Output, format!("cannot write the plan `{}`: {error}", path.display()))
            .hint("check the folder, and that this user may write to it")
    };
    let text = serde_json::to_vec_pretty(plan).map_err(|error| failed(&error))?;
    create_private_folder(folder_of(path)).map_err(|error| failed(&error))?;
    FileReplacement::new(path, Durability::File)
        .write(|out| out.write_all(&text))
        .map_err(|error| failed(&error))
}

fn plan_error(named: &str, refusal: PlanRefusal) -> AppError {
    match refusal {
        PlanRefusal::Guard(refusal) => {
            AppError::new(Exit::Guarded, refusal.what).hint(refusal.hint)
        }
        PlanRefusal::Changed(difference) => {
            guarded(&format!("the plan is not valid any more: {difference}"))
        }
        PlanRefusal::Lookup(LookupError::Failed(failure)) => {
            let hint = match unscoped_hint(&failure.to_string()) {
                Some(hint) => hint.to_owned(),
                None => format!("{}; docs/respond.md lists the scopes", failure.hint()),
            };
            AppError::from(failure).hint(hint)
        }
        PlanRefusal::Lookup(LookupError::NotOne(count)) => {
            let named = printable_line(named);
            let what = match count {
                0 => format!("`{named}` names no account or key"),
                _ => format!("`{named}` names more than one account or key, or not surely one"),
            };
            AppError::new(Exit::Guarded, what)
                .hint("name the whole mail address, or the account's or key's id")
        }
    }
}
