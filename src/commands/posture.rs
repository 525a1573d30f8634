//! Runs `posture`: reads the admin lists of organizations, judges them, and prints the findings.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use tokio::sync::watch;

use crate::collect::connector::SourceConnector;
use crate::collect::org_lists::OrgLists;
use crate::collect::signals;
use crate::commands::query::{self, QueryWork};
use crate::config::env::ProcessEnv;
use crate::config::posture::{FailingVerdict, PostureCheck, PostureSettings};
use crate::config::request::{PostureFormat, PostureRequest};
use crate::config::settings::SourceSettings;
use crate::credentials::{self, Credential};
use crate::error::AppError;
use crate::exit::Exit;
use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::http::failure::{Failure, FailureKind};
use crate::model::event::UserProfile;
use crate::model::json::Document;
use crate::model::json::write::object;
use crate::model::name::SourceName;
use crate::model::source_kind::{Endpoint, LogRetention};
use crate::model::time::format_millis;
use crate::pipeline::stop::StopRequest;
use crate::posture::{
    FindingChange, OrgInventory, PolicyHistory, PostureFinding, PostureSnapshot, PostureSubject,
    PostureVerdict, UnreadList, accounts_without_mfa, append_json_line, append_ocsf_line,
    finding_table, has_failed_resource, judge_posture, lists_needed, member_policies,
    needs_policy_members, verdict_counts,
};
use crate::search::{self, NextStep};
use crate::sink::stdout;
use crate::source::admin_lists::AdminList;
use crate::state::caches::{LookupCache, PostureStore};
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// Checks one organization after the other, and returns whether everything could be read, and
/// whether a check ended as it should not.
///
/// # Errors
/// A credential cannot be read, the output cannot be written, or a signal came.
pub async fn run(
    request: PostureRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let mut connector = SourceConnector::of_process(env);
    let mut organizations = Vec::with_capacity(request.organizations.len());
    for (source, settings) in &request.organizations {
        let opened = OrgPosture::open(source, settings, env, &mut connector).await;
        organizations.push(opened.map_err(|error| error.for_settings(source))?);
    }
    let (histories, mut exit) = read_histories(&request, &organizations, env, console).await?;
    let stop = signals::watch_signals();
    let mut findings = Vec::new();
    for (organization, history) in organizations.iter().zip(&histories) {
        let reading = organization.check(&request, history.as_ref());
        let checked = unless_stopped(stop.clone(), reading).await??;
        exit = exit.worst(checked.exit);
        print(&request, organization, &checked, findings.is_empty())?;
        checked.warn(&organization.source.name, console);
        // Not before somebody could see what changed.
        let store = PostureStore::new(&request.state_dir);
        store.write(&organization.source.name, &checked.snapshot).map_err(|error| {
            AppError::new(Exit::State, "cannot keep the findings for `--since-last`")
                .because(&error)
                .hint("check the state folder, and that this user may write to it")
        })?;
        findings.extend(checked.findings);
    }
    if !matches!(request.format, PostureFormat::Table { .. }) || findings.is_empty() {
        console.notice(verdict_counts(findings.iter()));
    } else {
        stdout::print(&format!("\n{}\n", verdict_counts(findings.iter())))?;
    }
    let fails = findings.iter().any(|finding| match request.fail_on {
        None => false,
        Some(FailingVerdict::Fail) => finding.verdict == PostureVerdict::Fail,
        Some(FailingVerdict::Review) => {
            matches!(finding.verdict, PostureVerdict::Fail | PostureVerdict::Review)
        }
    });
    Ok(if fails { exit.worst(Exit::Alerts) } else { exit })
}

/// The organization of a source, and the lists that its key reads.
struct OrgPosture<'a> {
    source: &'a SourceSettings,
    settings: &'a PostureSettings,
    lists: OrgLists,
}

/// What was found in one organization.
struct CheckedOrganization {
    findings: Vec<PostureFinding>,
    /// How each differs from the last run; nothing where it does not.
    changes: Vec<Option<FindingChange>>,
    /// What the next run compares itself with.
    snapshot: PostureSnapshot,
    /// Whether all lists could be read.
    exit: Exit,
    /// Why some could not.
    unread: Vec<UnreadList>,
}

impl CheckedOrganization {
    /// Warns of lists that could not be read, and that no finding names: something else decided
    /// the check, or none needs it.
    fn warn(&self, source: &SourceName, console: &StderrConsole) {
        for UnreadList { cause, advice } in &self.unread {
            if !self.findings.iter().any(|finding| finding.summary.contains(cause)) {
                let text = format!("source `{source}`: cannot read {cause}");
                console.say(Level::Warning, &ConsoleMessage::new(text).hint(advice));
            }
        }
    }
}

impl<'a> OrgPosture<'a> {
    async fn open(
        source: &'a SourceSettings,
        settings: &'a PostureSettings,
        env: &ProcessEnv,
        connector: &mut SourceConnector,
    ) -> Result<OrgPosture<'a>, AppError> {
        let credential: Credential = credentials::load(source, env).await?;
        // Fails without the id of an organization.
        let org_id = connector.connect(source, &credential)?.origin.org_id.unwrap_or_default();
        let api = connector.endpoint_client(Endpoint::OrgAdmin, source, &credential)?;
        let base_url = source.target.base_url().clone();
        Ok(OrgPosture { source, settings, lists: OrgLists { api, base_url, org_id } })
    }

    /// Reads the lists that the checks need, judges them, and remembers the findings.
    async fn check(
        &self,
        request: &PostureRequest,
        history: Option<&PolicyHistory>,
    ) -> Result<CheckedOrganization, AppError> {
        let mut lists = lists_needed(&request.checks);
        if request.inventory.is_some() {
            lists.extend(AdminList::ALL);
        }
        let mut reading = InventoryReading {
            lists: &self.lists,
            inventory: OrgInventory::unread(request.now),
            exit: Exit::Done,
            saved: BTreeMap::new(),
            unread: Vec::new(),
        };
        for list in lists {
            reading.read(list).await;
        }
        if request.checks.contains(&PostureCheck::IpAllowlist) {
            reading.read_failed_policies().await;
        }
        if needs_policy_members(&request.checks) {
            reading.read_policy_members(self.settings).await;
        }
        let InventoryReading { mut inventory, exit, saved, unread, .. } = reading;
        inventory.read_at = Utc::now();
        if let Some(folder) = &request.inventory {
            self.save(folder, &saved, &inventory)?;
            self.keep_names(&inventory, &LookupCache::new(&request.state_dir));
        }
        let subject = PostureSubject {
            source: self.source.name.as_str(),
            org_id: &self.lists.org_id,
            now: request.now,
            settings: self.settings,
            inventory: &inventory,
            history,
        };
        let findings = judge_posture(&subject, &request.checks);
        // A list without what a check needs was not read; that no events were named is no error.
        let is_unread = |finding: &PostureFinding| {
            let is_named = finding.check != PostureCheck::AuditLog || history.is_some();
            finding.verdict == PostureVerdict::CouldNotRead && is_named
        };
        let is_incomplete = findings.iter().any(is_unread);
        let exit = if is_incomplete { exit.worst(Exit::Incomplete) } else { exit };
        let store = PostureStore::new(&request.state_dir);
        let last: PostureSnapshot = store.read(&self.source.name);
        let changes = findings.iter().map(|finding| last.change(finding)).collect();
        let snapshot = last.after(&self.lists.org_id, &findings, request.now);
        Ok(CheckedOrganization { findings, changes, snapshot, exit, unread })
    }

    /// Writes each list that could be read into a file of its own.
    fn save(
        &self,
        folder: &Path,
        saved: &BTreeMap<AdminList, Vec<Document>>,
        inventory: &OrgInventory,
    ) -> Result<(), AppError> {
        let failed = |error: std::io::Error| {
            AppError::new(Exit::Output, format!("cannot write to `{}`", folder.display()))
                .because(&error)
                .hint("check the folder, and that this user may write to it")
        };
        create_private_folder(folder).map_err(failed)?;
        let read_at = format_millis(inventory.read_at);
        for (list, entries) in saved {
            let path = folder.join(format!("{}-{}.jsonl", self.source.name, list.name()));
            refuse_other_file(&path)?;
            let mut lines = Vec::new();
            for entry in entries {
                object(&mut lines, |out| {
                    out.word("schema", INVENTORY_SCHEMA);
                    out.word("list", list.name());
                    out.text("source", self.source.name.as_str());
                    out.text("org_id", &self.lists.org_id);
                    out.text("read_at", &read_at);
                    out.json("entry", entry.text());
                });
                lines.push(b'\n');
            }
            FileReplacement::new(&path, Durability::None)
                .write(|out| out.write_all(&lines))
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Keeps the names of users for `resolve_users`.
    fn keep_names(&self, inventory: &OrgInventory, lookups: &LookupCache) {
        let users = inventory.users.iter().flatten().map(|user| {
            let profile = UserProfile { name: user.name.clone(), email: user.email.clone() };
            (user.id.clone(), profile)
        });
        lookups.add_organization_users(users, inventory.read_at);
    }
}

/// The version of the lines of an inventory.
const INVENTORY_SCHEMA: &str = "atlaudit-inventory/1";

/// Refuses to replace what is no list of an earlier inventory.
fn refuse_other_file(path: &Path) -> Result<(), AppError> {
    let Ok(facts) = path.symlink_metadata() else { return Ok(()) };
    let mut start = vec![0; INVENTORY_SCHEMA.len() + 32];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut start));
    let is_ours = facts.is_file()
        && match read {
            Ok(0) => true,
            Ok(_) => String::from_utf8_lossy(&start).contains(INVENTORY_SCHEMA),
            Err(_) => false,
        };
    match is_ours {
        true => Ok(()),
        false => {
            let what = format!("`{}` is there already, and is no inventory", path.display());
            Err(AppError::new(Exit::Output, what)
                .hint("name another folder; only an inventory is replaced by a newer one"))
        }
    }
}

/// Lists on their way into an inventory.
struct InventoryReading<'a> {
    lists: &'a OrgLists,
    inventory: OrgInventory,
    exit: Exit,
    /// The entries of each list that could be read.
    saved: BTreeMap<AdminList, Vec<Document>>,
    /// Why others could not.
    unread: Vec<UnreadList>,
}

impl InventoryReading<'_> {
    async fn read(&mut self, list: AdminList) {
        match self.lists.read(list).await {
            Ok(entries) => {
                self.inventory.take(list, Ok(&entries));
                self.saved.insert(list, entries);
            }
            Err(failure) => {
                let unread = self.unread(list.name(), list.scopes(), &failure);
                self.inventory.take(list, Err(unread));
            }
        }
    }

    /// Finds enabled policies that could not be applied somewhere. Whoever took this API away may
    /// do so: it is marked as deprecated.
    async fn read_failed_policies(&mut self) {
        let policies = self.inventory.policies.iter().flatten();
        let enabled: Vec<String> = policies
            .filter(|policy| policy.kind == "ip-allowlist" && policy.is_in_force())
            .map(|policy| policy.id.clone())
            .collect();
        let mut failed = Vec::new();
        for id in enabled {
            match self.lists.policy_resources(&id).await {
                Ok(resources) => match has_failed_resource(&resources) {
                    Ok(true) => failed.push(id),
                    Ok(false) => {}
                    Err(unread) => {
                        self.inventory.failed_policies = Err(unread);
                        return;
                    }
                },
                Err(failure) => {
                    let scopes = AdminList::Policies.scopes();
                    let unread = self.unread("what a policy applies to", scopes, &failure);
                    self.inventory.failed_policies = Err(unread);
                    return;
                }
            }
        }
        self.inventory.failed_policies = Ok(failed);
    }

    /// Finds out in which authentication policies those are who have no two-step verification.
    /// Unless policies are declared, that only adds to what is told, and may fail with a warning.
    async fn read_policy_members(&mut self, settings: &PostureSettings) {
        let accounts = accounts_without_mfa(&self.inventory);
        let is_needed = settings
            .declared
            .as_ref()
            .and_then(|declared| declared.enforced_policies.as_ref())
            .is_some_and(|policies| !policies.is_empty());
        match self.lists.policy_members(&accounts).await {
            Ok(entries) => {
                let policies = member_policies(&self.inventory, &entries);
                self.inventory.auth_policies = Ok(policies);
            }
            Err(failure) => {
                let exit = self.exit;
                let scopes = AdminList::Policies.scopes();
                let unread = self.unread("authentication policies of users", scopes, &failure);
                self.inventory.auth_policies = Err(unread);
                if !is_needed {
                    self.exit = exit;
                }
            }
        }
    }

    fn unread(&mut self, what: &str, scopes: &[&str], failure: &Failure) -> UnreadList {
        self.exit = self.exit.worst(failure.exit());
        let scopes = scopes.join("` or `");
        let is_of_scope =
            matches!(failure.kind, FailureKind::ScopeMissing | FailureKind::Forbidden);
        let unread = UnreadList {
            cause: format!("{what}: {failure}"),
            advice: match is_of_scope {
                true => format!("the key needs the scope `{scopes}`: {}", failure.hint()),
                false if failure.exit() == Exit::Credential => {
                    format!("{}; or the key lacks the scope `{scopes}`", failure.hint())
                }
                false => failure.hint().to_owned(),
            },
        };
        self.unread.push(unread.clone());
        unread
    }
}

/// Reads the events that the request names, of each organization its own.
async fn read_histories(
    request: &PostureRequest,
    organizations: &[OrgPosture<'_>],
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<(Vec<Option<PolicyHistory>>, Exit), AppError> {
    let Some(query) = request.events.clone() else {
        return Ok((organizations.iter().map(|_| None).collect(), Exit::Done));
    };
    let (since, now) = (query.filter.since, request.now);
    let org_ids: Vec<String> = organizations.iter().map(|it| it.lists.org_id.clone()).collect();
    let (mut histories, exit) = query::run(query, env, console, move |work| {
        let QueryWork { query, taxonomy, report, is_stopped, .. } = work;
        // The API keeps no more than that.
        let since = since.map(|since| since.max(LogRetention::ORGANIZATION.earliest(now)));
        let mut histories: Vec<_> = org_ids.iter().map(|_| PolicyHistory::since(since)).collect();
        let is_only_one = org_ids.len() == 1;
        let wait = || if is_stopped() { Err(query::interrupted()) } else { Ok(()) };
        let counts = search::choose_events(query, taxonomy, report, wait, |event| {
            for (history, org_id) in histories.iter_mut().zip(&org_ids) {
                history.add(&event.doc, org_id, is_only_one);
            }
            Ok(NextStep::Continue)
        })?;
        Ok((histories, counts))
    })
    .await?;
    if exit != Exit::Done {
        histories.iter_mut().for_each(PolicyHistory::mark_gaps);
    }
    Ok((histories.into_iter().map(Some).collect(), exit))
}

async fn unless_stopped<T>(
    mut stop: watch::Receiver<StopRequest>,
    work: impl Future<Output = T>,
) -> Result<T, AppError> {
    tokio::select! {
        done = work => Ok(done),
        Ok(_) = stop.wait_for(|&stop| stop != StopRequest::NotRequested) => {
            Err(query::interrupted())
        }
    }
}

/// A finding, and how it differs from the last run where that is shown.
type ShownFinding<'a> = (&'a PostureFinding, Option<&'a FindingChange>);

/// Appends the line of a finding.
type AppendLine<'a> =
    &'a dyn Fn(&PostureFinding, Option<&FindingChange>, &mut Vec<u8>) -> serde_json::Result<()>;

fn print(
    request: &PostureRequest,
    organization: &OrgPosture<'_>,
    checked: &CheckedOrganization,
    is_first: bool,
) -> Result<(), AppError> {
    let changes = checked.changes.iter().map(Option::as_ref);
    let findings = checked.findings.iter().zip(changes);
    let shown: Vec<ShownFinding<'_>> = findings
        .filter_map(|(finding, change)| match (request.is_since_last, change) {
            (false, _) => Some((finding, None)),
            (true, Some(change)) => Some((finding, Some(change))),
            (true, None) => None,
        })
        .collect();
    let text = match request.format {
        PostureFormat::Table { style, all_items } => {
            let name = &organization.source.name;
            let gap = if is_first { "" } else { "\n" };
            let head = match (request.organizations.len(), shown.is_empty()) {
                (_, true) => format!("{gap}{name}: nothing changed since the last run\n"),
                (1, false) => String::new(),
                (_, false) => format!("{gap}{name}, organization {}\n", organization.lists.org_id),
            };
            let table = match shown.is_empty() {
                true => String::new(),
                false => finding_table(&shown, style, all_items),
            };
            head + &table
        }
        PostureFormat::Json => lines(&shown, &append_json_line)?,
        PostureFormat::Ocsf => lines(&shown, &|finding, _, out| {
            append_ocsf_line(finding, request.now, out);
            Ok(())
        })?,
    };
    Ok(stdout::print(&text)?)
}

fn lines(findings: &[ShownFinding<'_>], append: AppendLine<'_>) -> Result<String, AppError> {
    let mut out = Vec::new();
    for (finding, change) in findings {
        append(finding, *change, &mut out).map_err(|error| {
            AppError::new(Exit::Unexpected, "cannot write a finding as JSON").because(&error)
        })?;
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
