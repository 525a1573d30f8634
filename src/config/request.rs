//! Defines the resolved request of each command, which is all that commands see of the command
//! line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use clap::ValueEnum;
use clap_complete::Shell;
use url::Url;

use crate::config::detection::{AlertSeverity, DetectSettings};
use crate::config::env::ConfigPath;
use crate::config::error::ConfigError;
use crate::config::posture::{FailingVerdict, PostureCheck, PostureSettings};
#[cfg(feature = "respond")]
use crate::config::respond::RespondRequest;
use crate::config::settings::{
    CredentialSpec, ExtraActionsFile, ObjectStoreSettings, OutputFormat, OutputSettings, Settings,
    SourceSettings, TableSpace, TableStyle,
};
use crate::config::validate::{duration, format, nonzero_duration, path, word};
use crate::filter::{EventFilter, FieldPath};
use crate::model::name::{SourceKind, SourceName};
use crate::model::time::{Timestamp, Window};
use crate::model::typed_time::ResolvedTime;
use crate::model::workspace::SiteWorkspace;

/// What to do.
#[derive(Debug)]
pub enum CommandRequest {
    /// `pull`
    Pull(PullRequest),
    /// `follow`
    Follow(FollowRequest),
    /// `export`
    Export(ExportRequest),
    /// `check`
    Check(CheckRequest),
    /// `actions`
    Actions(Box<ActionsRequest>),
    /// `rules ...`
    Rules(RulesRequest),
    /// `status`
    Status(StatusRequest),
    /// `convert`
    Convert(ConvertRequest),
    /// `search`
    Search(Box<SearchRequest>),
    /// `report`
    Report(Box<ReportRequest>),
    /// `top`
    Top(Box<TopRequest>),
    /// `stats`
    Stats(Box<StatsRequest>),
    /// `detect`
    Detect(Box<DetectRequest>),
    /// `posture`
    Posture(Box<PostureRequest>),
    /// `respond`
    #[cfg(feature = "respond")]
    Respond(RespondRequest),
    /// `verify`
    Verify(VerifyRequest),
    /// `init`
    Init(InitRequest),
    /// `config ...`
    Config(ConfigRequest),
    /// `sources list`
    Sources(SourcesRequest),
    /// `auth login`
    AuthLogin(Box<LoginRequest>),
    /// `auth status`, of these sources, and whether as one JSON object each
    AuthStatus(Settings, bool, TableSpace),
    /// `auth logout`
    AuthLogout(LogoutRequest),
    /// `demo`, and how its table looks
    Demo(DemoRequest, TableStyle),
    /// `sandbox`
    Sandbox(SandboxRequest),
    /// `schema`
    Schema,
    /// `check --object-store`
    CheckObjectStore(ObjectStoreSettings),
    /// `schema --parquet`: the text of it
    TableSchema(String),
    /// `completions`
    Completions(Shell),
    /// `man`: the folder for the pages of all commands; else the program's is printed.
    Man(Option<PathBuf>),
    /// `__complete`: what is offered
    Complete(String),
}

/// The request of `pull`.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// Only the requested sources, flags already applied.
    pub sources: Vec<SourceSettings>,
    /// Where checkpoints and locks live.
    pub state_dir: PathBuf,
    /// The object store where the checkpoints are instead.
    pub remote_state: Option<ObjectStoreSettings>,
    /// The start of the run: every relative time counts from here.
    pub now: Timestamp,
    /// A one-off window; without it the pull continues from the checkpoint.
    /// `--until` without `--since` starts at the source's `initial_lookback` before it.
    pub one_off: Option<OneOffWindow>,
    /// Read from here to where the history of each source begins, instead of what is new.
    pub backfill: Option<Timestamp>,
    /// Stop after so many events of each source.
    pub max_events: Option<u64>,
    /// What becomes of a source that another run pulls.
    pub if_running: IfRunning,
    /// Print an error also if an earlier unattended run printed it.
    pub repeats_errors: bool,
    /// Print the plan only.
    pub dry_run: bool,
    /// Events are only looked at: no checkpoint is read on from or moved.
    pub is_view: bool,
    /// Whether new events would be printed on a terminal that nobody named as the output.
    pub prints_on_terminal: bool,
    /// Where to write the report of the run.
    pub report: Option<ReportTarget>,
    /// Where the figures go, as Prometheus text.
    pub metrics_file: Option<PathBuf>,
    /// The permission bits of the report and the metrics file: `[output] mode`, where it is set.
    pub file_mode: Option<u32>,
    /// How the events are judged, where they are.
    pub detect: Option<DetectSettings>,
}

/// What becomes of a source that another run pulls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the help of the flag would show them")]
pub enum IfRunning {
    // An error.
    #[default]
    Fail,
    // It is left to that run.
    Skip,
}

/// Where the report of a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportTarget {
    /// Standard output, which no event goes to then.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl ReportTarget {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            ReportTarget::Stdout => None,
            ReportTarget::File(path) => Some(path),
        }
    }
}

/// The request of `follow`.
#[derive(Debug, Clone)]
pub struct FollowRequest {
    /// The request of each pull; its `now` is that of the first.
    pub pull: PullRequest,
    /// The wait between the end of a pull and the next one.
    pub every: Duration,
}

/// The request of `export`.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The sources, in the order of the configuration; their own outputs do not matter.
    pub sources: Vec<SourceSettings>,
    /// Where looked-up values are cached.
    pub state_dir: PathBuf,
    /// The start of the run.
    pub now: Timestamp,
    /// `--since`
    pub since: ResolvedTime,
    /// `--until`
    pub until: Option<ResolvedTime>,
    /// The folder to make, or to go on with.
    pub folder: PathBuf,
    /// Keep the bodies of answers.
    pub keep_bodies: bool,
    /// How the events are judged, where they are.
    pub detect: Option<DetectSettings>,
    /// The file of the key to sign with.
    pub sign: Option<PathBuf>,
}

/// The request of `check`.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The sources to check.
    pub sources: Vec<SourceSettings>,
    /// The configuration file, if there is one.
    pub config_file: Option<PathBuf>,
    /// Where checkpoints live.
    pub state_dir: PathBuf,
    /// The object store where they are instead.
    pub remote_state: Option<ObjectStoreSettings>,
    /// One JSON object a source.
    pub json: bool,
    /// Whether to colour the steps.
    pub is_coloured: bool,
    /// Name the actions that no row has.
    pub is_verbose: bool,
    /// How `pull` judges events, where it does.
    pub detect: Option<DetectSettings>,
}

/// The request of `actions`.
#[derive(Debug, Clone)]
pub struct ActionsRequest {
    /// The source whose own list of actions is printed, instead of the table.
    pub source: Option<SourceSettings>,
    /// Rows beside the built-in table of actions.
    pub extra_actions: Option<Arc<ExtraActionsFile>>,
    /// Where looked-up values are cached.
    pub state_dir: PathBuf,
    /// As rows for `[taxonomy] path`.
    pub is_tsv: bool,
    /// Only the actions that no row has.
    pub is_only_unknown: bool,
}

/// The request of `rules check`, `rules list` or `rules test`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesRequest {
    /// Check the rules in a folder or file.
    Check(PathBuf),
    /// List the built-in rules and those of folders.
    List {
        /// The folders.
        folders: Vec<PathBuf>,
        /// One JSON object a rule.
        json: bool,
    },
    /// Test the rules in a folder or file with the examples beside them.
    Test(PathBuf),
}

/// The request of `posture`.
#[derive(Debug)]
pub struct PostureRequest {
    /// The organizations, each with what it is compared with.
    pub organizations: Vec<(SourceSettings, PostureSettings)>,
    /// The checks, in their order.
    pub checks: Vec<PostureCheck>,
    /// The events that show who changed a policy when.
    pub events: Option<SavedEventQuery>,
    /// Only what changed since the last run.
    pub is_since_last: bool,
    /// The folder that the lists are written to.
    pub inventory: Option<PathBuf>,
    /// How findings are printed.
    pub format: PostureFormat,
    /// Which verdict is a failure of the run.
    pub fail_on: Option<FailingVerdict>,
    /// Where the last run is remembered.
    pub state_dir: PathBuf,
    /// The start of the run.
    pub now: Timestamp,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostureFormat {
    /// As a table.
    Table {
        /// How it looks.
        style: TableStyle,
        /// Every account and token is listed.
        all_items: bool,
    },
    /// As lines of `atlaudit-posture/1`.
    Json,
    /// As lines of OCSF.
    Ocsf,
}

/// The request of `status`.
#[derive(Debug, Clone)]
pub struct StatusRequest {
    /// The sources to show.
    pub sources: Vec<SourceSettings>,
    /// Where checkpoints live.
    pub state_dir: PathBuf,
    /// The object store where they are instead.
    pub remote_state: Option<ObjectStoreSettings>,
    /// The time of asking.
    pub now: Timestamp,
    /// One JSON object a source.
    pub json: bool,
    /// Tell what has been read, too.
    pub is_verbose: bool,
    /// Where the table is shown.
    pub space: TableSpace,
    /// How far behind a source may be for this to be a success.
    pub max_lag: Option<Duration>,
    /// How far behind a source may be without a warning of the plugin.
    pub warn_lag: Option<Duration>,
    /// As a plugin for Nagios, Icinga and their like.
    pub nagios: bool,
}

/// The request of `init`.
#[derive(Debug)]
pub struct InitRequest {
    /// The configuration file that is changed or created.
    pub file: PathBuf,
    /// Whether it is found only where it is named.
    pub is_file_named: bool,
    /// Whether it exists.
    pub exists: bool,
    /// Whether it is that of the whole machine.
    pub is_system: bool,
    /// Whether it says where events go.
    pub has_output: bool,
    /// The sources that it has.
    pub sources: Vec<SourceSettings>,
    /// `--state-dir`, from the root on.
    pub state_dir: Option<PathBuf>,
    /// `--base-url` of the new sources.
    pub base_url: Option<Url>,
}

/// The request of `config path`, `config show`, `config check` or `config edit`.
#[derive(Debug)]
pub enum ConfigRequest {
    /// Print which file is used.
    Path {
        /// Where it is looked for, in order.
        places: Vec<ConfigPlace>,
        /// Print all of them, not only the one that is used.
        all: bool,
    },
    /// Print this text.
    Show(String),
    /// Print that the configuration can be used.
    Check(CheckedConfig),
    /// Edit this file.
    Edit(PathBuf),
}

/// A file that the configuration may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPlace {
    /// Its path, and who names it.
    pub file: ConfigPath,
    /// Whether there is such a file.
    pub exists: bool,
    /// Whether it is the one that is used.
    pub is_used: bool,
}

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedConfig {
    /// Its file, if there is one.
    pub file: Option<PathBuf>,
    /// Its sources.
    pub sources: Vec<SourceSettings>,
}

/// The request of `sources list`.
#[derive(Debug)]
pub struct SourcesRequest {
    /// The sources, in the order of the configuration.
    pub sources: Vec<SourceSettings>,
    /// Print one JSON object a source.
    pub json: bool,
    /// Where the table is shown.
    pub space: TableSpace,
}

/// The request of `auth logout`.
#[derive(Debug, Clone)]
pub struct LogoutRequest {
    /// The source.
    pub name: SourceName,
    /// Where its key is stored: the keyring, or the file that the configuration names.
    pub credential: CredentialSpec,
    /// Other sources that read the same file.
    pub also_read_by: Vec<SourceName>,
    /// What is said where the keyring holds no key of it, by what the configuration says.
    pub no_key_error: Option<ConfigError>,
}

/// Where `auth login` is about to store a key.
#[derive(Debug)]
pub struct KeyLocation<'a> {
    /// The source that the key is for.
    pub name: &'a SourceName,
    /// The keyring or a file.
    pub credential: &'a CredentialSpec,
    /// Whether the configuration already says so: then a file may hold the key to replace.
    pub is_configured: bool,
}

/// A window that neither reads nor moves a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneOffWindow {
    /// `--since`
    pub since: Option<Timestamp>,
    /// `--until`
    pub until: Option<Timestamp>,
}

impl OneOffWindow {
    /// The window that it means for `source`: without `since` it starts where a first pull
    /// would, or `initial_lookback` before its end; without `until` it ends `now`.
    pub fn window(&self, source: &SourceSettings, now: Timestamp) -> Window {
        let to = self.until.unwrap_or(now);
        let first = source.initial_from.filter(|from| *from < to);
        let first =
            first.unwrap_or_else(|| crate::model::time::before(to, source.initial_lookback));
        let from = self.since.unwrap_or(first);
        Window { from, to: Some(to) }
    }
}

/// The request of `verify`.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// The folder of the export; one in an object store is copied first.
    pub export: ExportLocation,
    /// The public key, or the file that holds it.
    pub public_key: Option<String>,
    /// One JSON object on standard output.
    pub json: bool,
    /// Compare it with its sources as they are now.
    pub against: Option<AgainstRequest>,
}

/// Where an export is.
#[derive(Debug, Clone)]
pub enum ExportLocation {
    /// In a folder.
    Folder(PathBuf),
    /// In an object store, below the URL.
    Objects(Arc<ObjectStoreSettings>),
}

/// What an export is compared with.
#[derive(Debug, Clone)]
pub struct AgainstRequest {
    /// The sources of the configuration, or the one that was named.
    pub sources: Vec<SourceSettings>,
    /// The one that was named; without it, all of the export's.
    pub name: Option<SourceName>,
    /// Where looked-up values are cached.
    pub state_dir: PathBuf,
    /// The start of the run.
    pub now: Timestamp,
}

/// The request of `convert`.
#[derive(Debug, Clone)]
pub struct ConvertRequest {
    /// Where lines come from, in this order; at least one.
    pub inputs: Vec<EventInput>,
    /// What raw lines do not say themselves.
    pub raw: RawLines,
    /// Where the new lines go, in which form.
    pub output: OutputSettings,
    /// The start of the run, which raw lines count as received at.
    pub now: Timestamp,
    /// Rows beside the built-in table of actions.
    pub extra_actions: Option<Arc<ExtraActionsFile>>,
}

/// Which events are asked for.
#[derive(Debug, Clone)]
pub struct SavedEventQuery {
    /// Where saved events come from, in this order; empty where they are pulled.
    pub inputs: Vec<EventInput>,
    /// The sources that they are pulled from instead, for a one-off time range.
    pub pull: Option<Box<PullRequest>>,
    /// What raw lines do not say themselves.
    pub raw: RawLines,
    /// Which of them are chosen.
    pub filter: EventFilter,
    /// Whether what is made of the events needs their `raw`.
    pub needs_raw: bool,
    /// The start of the run, which raw lines count as received at.
    pub now: Timestamp,
    /// Rows beside the built-in table of actions.
    pub extra_actions: Option<Arc<ExtraActionsFile>>,
}

impl SavedEventQuery {
    /// All events of files.
    pub fn of_files(files: impl Iterator<Item = PathBuf>, now: Timestamp) -> SavedEventQuery {
        SavedEventQuery {
            inputs: files.map(EventInput::File).collect(),
            pull: None,
            raw: RawLines::default(),
            filter: EventFilter::default(),
            needs_raw: false,
            now,
            extra_actions: None,
        }
    }
}

/// The request of `search`.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Which events are shown.
    pub query: SavedEventQuery,
    /// How they are shown.
    pub format: SearchFormat,
    /// At most so many are shown.
    pub limit: Option<u64>,
    /// The latest comes first.
    pub is_reversed: bool,
    /// In the order in which they are saved, and at once.
    pub is_unsorted: bool,
    /// Only their number is shown.
    pub is_count: bool,
    /// Only the SQL of a view of the files is shown.
    pub is_sql_schema: bool,
}

/// The request of `report`.
#[derive(Debug, Clone)]
pub struct ReportRequest {
    /// Which events are on the page.
    pub query: SavedEventQuery,
    /// Where it goes.
    pub output: ReportTarget,
    /// How the events are judged, where they are.
    pub detect: Option<DetectSettings>,
    /// The file of findings that are shown, if any.
    pub posture: Option<PathBuf>,
}

/// The request of `top`.
#[derive(Debug, Clone)]
pub struct TopRequest {
    /// Which events are counted.
    pub query: SavedEventQuery,
    /// By what.
    pub field: FieldPath,
    /// So many values are shown.
    pub limit: usize,
    /// One JSON object a value.
    pub json: bool,
}

/// The request of `stats`.
#[derive(Debug, Clone)]
pub struct StatsRequest {
    /// Which events are counted.
    pub query: SavedEventQuery,
    /// By which length of time.
    pub by: Option<HistogramUnit>,
    /// One JSON object.
    pub json: bool,
}

/// The request of `detect`.
#[derive(Debug, Clone)]
pub struct DetectRequest {
    /// Which events are judged.
    pub query: SavedEventQuery,
    /// Older events: what is usual is learned from them.
    pub learn: Vec<EventInput>,
    /// What is detected, and how.
    pub settings: DetectSettings,
    /// How alerts are shown.
    pub format: AlertFormat,
    /// How tables look.
    pub style: TableStyle,
    /// Alerts below are not shown.
    pub min_severity: AlertSeverity,
    /// An alert from this severity on is no success.
    pub fail_on: Option<AlertSeverity>,
    /// Only the reasoning of this alert is shown.
    pub explain: Option<String>,
    /// Only what can be found in these events is shown.
    pub is_coverage: bool,
}

/// How `detect` shows alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertFormat {
    /// As a table for people.
    Table,
    /// As lines of our own format.
    Alerts,
    /// As lines of ECS.
    Ecs,
    /// As lines of OCSF.
    Ocsf,
}

/// The length of time that events are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HistogramUnit {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// How `search` shows events.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchFormat {
    /// As a table for people.
    Table(TableStyle),
    /// As lines in a format of `pull`.
    Lines(OutputFormat),
    /// As rows of these fields, with commas between them.
    Csv {
        /// The fields.
        columns: Vec<FieldPath>,
        /// A terminal shows them.
        is_visible: bool,
    },
}

/// Where saved events are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventInput {
    /// Standard input.
    Stdin,
    /// A file, or a folder of files.
    File(PathBuf),
    /// An object, or a folder of objects.
    Objects(Arc<ObjectStoreSettings>),
}

impl fmt::Display for EventInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventInput::Stdin => f.write_str("standard input"),
            EventInput::File(path) => write!(f, "`{}`", path.display()),
            EventInput::Objects(store) => write!(f, "`{}`", store.url),
        }
    }
}

/// What the user says of the raw lines, which hold only the source's object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawLines {
    /// The source that they were pulled from.
    pub name: Option<SourceName>,
    /// Its type; without it each line's shape decides.
    pub kind: Option<SourceKind>,
    /// The organization of organization events.
    pub org_id: Option<String>,
    /// The site of all other records, which their ids need.
    pub site: Option<String>,
    /// The workspace of workspace events, which their ids need.
    pub workspace: Option<SiteWorkspace>,
}

/// The request of `auth login`.
#[derive(Debug, Clone)]
pub struct LoginRequest {
    /// The source to keep a key for.
    pub name: SourceName,
    /// Read the key from stdin instead of asking on the terminal.
    pub with_key: bool,
    /// The configuration file that a new source is added to.
    pub config_file: PathBuf,
    /// Where looked-up values are cached.
    pub state_dir: PathBuf,
    /// Keep a key that cannot be tested, too.
    pub untested: bool,
    /// The day it ends, as the user says.
    pub expires_on: Option<NaiveDate>,
    /// The source as the configuration has it, if it has it.
    pub known: Option<SourceSettings>,
    /// The source, configured or new, with the flags applied. Its `credential` is where the key
    /// goes.
    pub source: SourceSettings,
}

/// `demo`
#[derive(Debug, Clone, clap::Args)]
pub struct DemoRequest {
    /// Output format: normalized, raw, ecs, ocsf or ocsf-1.3 [default: normalized]
    #[arg(long, hide_possible_values = true, value_parser = word(format))]
    pub format: Option<OutputFormat>,
    /// Also make a page of the events, an HTML file
    #[arg(long, value_name = "FILE", value_parser = path, conflicts_with = "format")]
    pub report: Option<PathBuf>,
}

/// `sandbox`
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SandboxRequest {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8417)]
    pub port: u16,
    /// Organization events to serve; a million takes some seconds and 1.5 GB of memory
    #[arg(long, value_name = "N", default_value_t = 2400)]
    pub events: usize,
    /// Jira records to serve
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub records: usize,
    /// Confluence records to serve
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub confluence_records: usize,
    /// Data Center events to serve
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub datacenter_events: usize,
    /// Workspace events to serve, of Jira and of Confluence each
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub workspace_events: usize,
    /// Seed of the generated data: same seed, same data
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Answer 429 to more than N requests a minute on a path
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_limit: Option<u32>,
    /// Delay before each page, such as 300ms or 3s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub latency: Option<Duration>,
    /// The same for organization events only
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub org_latency: Option<Duration>,
    /// The same for Jira records only
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub jira_latency: Option<Duration>,
    /// Interval at which each API gets a new event, such as 10s
    #[arg(long, value_name = "DURATION", value_parser = nonzero_duration)]
    pub new_event_every: Option<Duration>,
    /// Play another reading of an API; may be given several times
    #[arg(long = "quirk", value_name = "NAME")]
    pub quirks: Vec<String>,
}
