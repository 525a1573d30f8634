//! Defines commands, flags and their help for clap. No secret is ever an argument.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::config::check::LoginFlags;
use crate::config::detection::AlertSeverity;
use crate::config::path_template::{PathTemplate, parse_template};
use crate::config::posture::{FailingVerdict, PostureCheck};
use crate::config::request::{DemoRequest, HistogramUnit, IfRunning, SandboxRequest};
#[cfg(feature = "respond")]
use crate::config::respond::ResponseAction;
use crate::config::settings::{Compression, Encoding, OutputFormat};
use crate::config::telemetry::{ColorMode, LogFormat};
use crate::config::validate::{
    self, compression, encoding, format, nonzero_duration, source_kind, word,
};
use crate::filter::{AddressRange, FieldPath, WhereExpression};
use crate::model::meaning::{Category, Outcome};
use crate::model::name::{SourceKind, SourceName};
use crate::model::typed_time::TypedTime;
use crate::model::workspace::SiteWorkspace;

/// Collects Atlassian audit logs, completely and exactly once, as JSON lines
#[derive(Debug, Parser)]
#[command(name = "atlaudit", version, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, infer_long_args = false)]
pub struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// Whether a monitoring system runs it, which reads one line and an exit code.
    pub fn is_plugin(&self) -> bool {
        matches!(&self.command, Command::Status(status) if status.nagios)
    }
}

/// Flags that stand before or after the command.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Configuration file [default: $XDG_CONFIG_HOME/atlaudit/config.toml, else
    /// /etc/atlaudit/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of checkpoints and locks [default: `state_dir` of the configuration, else
    /// $XDG_STATE_HOME/atlaudit]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// More detail (-vv: debug)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Only print errors and warnings
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Format of messages on stderr [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// When to colour messages [default: auto]
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<ColorMode>,
    /// Time zone of typed and shown times: a name (Europe/Berlin), local or UTC [default: UTC]
    #[arg(long, global = true, value_name = "ZONE")]
    pub tz: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect everything since the last pull
    Pull(PullArgs),
    /// Pull continuously
    Follow(FollowArgs),
    /// Watch sources: show new events as a table; no checkpoint moves
    Tail(TailArgs),
    /// Export a time range with every API response to a folder that can be verified offline
    Export(ExportArgs),
    /// Test each source end to end, step by step
    Check(CheckArgs),
    /// Show how far each source has been read, and how its last run ended
    Status(StatusArgs),
    /// Print what each action means, or each action that a source's API lists
    Actions(ActionsArgs),
    /// Check, list and test the rules that detection uses
    Rules {
        /// What to do with them.
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Show the events that fit, as a table or as lines, in the order of time
    Search(Box<SearchArgs>),
    /// Find what an attacker does in saved events, or of a source as it is now
    Detect(Box<DetectArgs>),
    /// Check how organizations are set up: two-step verification, admins, tokens, keys, policies
    Posture(Box<PostureArgs>),
    /// Plan what to do about an account in an incident, and apply the plan: suspend, disable, ...
    #[cfg(feature = "respond")]
    Respond(Box<RespondArgs>),
    /// Count the values of a field: who did most, from where, ...
    Top(Box<TopArgs>),
    /// Summarise events: how many, when, by whom, what
    Stats(Box<StatsArgs>),
    /// Make a page of events for people: what, when, who, from where, and what stands out
    Report(Box<ReportArgs>),
    /// Convert saved events to another format
    Convert(ConvertArgs),
    /// Check that an export is complete and unchanged
    Verify(VerifyArgs),
    /// Store, show and remove credentials
    Auth {
        /// What to do with them.
        #[command(subcommand)]
        command: AuthCommand,
    },
    /// Set it up at a terminal: sources, keys, output, schedule
    Init(InitArgs),
    /// Show, check or edit the configuration
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// List the configured sources
    Sources {
        /// What to do with them.
        #[command(subcommand)]
        command: SourcesCommand,
    },
    /// Start the built-in sandbox, pull from all its sources, print the events and a summary
    Demo(DemoRequest),
    /// Serve the built-in sandbox APIs on 127.0.0.1
    Sandbox(SandboxRequest),
    /// Print the JSON Schema of a normalized event, or the columns of Parquet files
    Schema(SchemaArgs),
    /// Print a shell's completions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands
    Man {
        /// Write a page for each command into this folder
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
    /// Print what a shell offers for the last of these words
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words behind the program's name, up to the cursor
        #[arg(last = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

/// `auth ...`
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Read a key, test it, store it in the OS keyring or in a file
    Login(Box<LoginArgs>),
    /// Show where each source's credential comes from, whether it works, how old it is and when it
    /// expires
    Status {
        /// Sources to show [default: all]
        #[arg(value_name = "NAME")]
        names: Vec<SourceName>,
        /// Print one JSON object for each source
        #[arg(long)]
        json: bool,
    },
    /// Remove a source's key from the OS keyring, or from its file
    Logout {
        /// The source
        name: SourceName,
    },
}

/// `init`
#[derive(Debug, ClapArgs)]
pub struct InitArgs {
    /// Address of the new sources: of a test server, a proxy, the government cloud
    #[arg(long, value_name = "URL", value_parser = validate::base_url)]
    pub base_url: Option<url::Url>,
}

/// `config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print which configuration file is used
    Path {
        /// List every place where it is looked for, in order
        #[arg(long)]
        all: bool,
    },
    /// Print the configuration as it counts: file, environment and defaults, without secrets
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Check the configuration, without network access
    Check,
    /// Edit the configuration file, and check it before it replaces the old one
    Edit,
}

/// `sources ...`
#[derive(Debug, Subcommand)]
pub enum SourcesCommand {
    /// List the configured sources: type, organization or site, output, where the key is
    List {
        /// Print one JSON object for each source
        #[arg(long)]
        json: bool,
    },
}

/// `rules ...`
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Check rules, and say everything that is wrong with them, with file and line
    Check {
        /// Folder of rules, files *.yml and *.yaml; or one file
        #[arg(value_name = "DIR", value_parser = validate::path)]
        dir: PathBuf,
    },
    /// List the built-in rules, and those of folders: level, title, id, ATT&CK
    List {
        /// Folder of more rules, or one file; may be repeated
        #[arg(long = "rules", value_name = "DIR", value_parser = validate::path)]
        folders: Vec<PathBuf>,
        /// Print one JSON object for each rule
        #[arg(long)]
        json: bool,
    },
    /// Test rules with the examples beside them: events that match, and events that do not
    Test {
        /// Folder of rules with their examples, or one file
        #[arg(value_name = "DIR", value_parser = validate::path)]
        dir: PathBuf,
    },
}

/// `pull`
#[derive(Debug, Default, ClapArgs)]
pub struct PullArgs {
    /// Sources to pull [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<SourceName>,
    /// Start of a one-off time range, inclusive
    /// [default with --until: `initial_lookback` before it]
    #[arg(long, value_name = "T")]
    pub since: Option<TypedTime>,
    /// End of a one-off time range, exclusive [default: now]
    #[arg(long, value_name = "T")]
    pub until: Option<TypedTime>,
    /// Extend the history backwards: read from T to where it begins
    #[arg(long, value_name = "T", conflicts_with_all = ["since", "until", "human"])]
    pub backfill: Option<TypedTime>,
    /// Where events go.
    #[command(flatten)]
    pub output: OutputFlags,
    /// Show events as a table; without an output file no checkpoint moves
    #[arg(long, conflicts_with_all = ["dry_run", "format"])]
    pub human: bool,
    /// Stop after N events of each source
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_events: Option<u64>,
    /// What to do with a source that another run holds now: fail, or skip it [default: fail]
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    pub if_running: Option<IfRunning>,
    /// Print an error that lasts in every run, also without a terminal [default: once a day]
    #[arg(long)]
    pub repeat_errors: bool,
    /// Show what would be done, without network access
    #[arg(long)]
    pub dry_run: bool,
    /// Write a machine-readable report of the run; - is stdout, when events go to files
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write metrics as Prometheus text, for the node exporter's textfile collector
    #[arg(long, value_name = "FILE", conflicts_with_all = ["since", "until", "dry_run"])]
    pub metrics_file: Option<PathBuf>,
}

/// Flags that replace `output.*` of the configuration.
#[derive(Debug, Default, ClapArgs)]
pub struct OutputFlags {
    /// Output format: normalized, raw, ecs, ocsf or ocsf-1.3
    #[arg(long, hide_possible_values = true, value_parser = word(format))]
    pub format: Option<OutputFormat>,
    /// Where to write: - is stdout; or a file, with {source} and %Y %m %d %H (UTC), for Parquet
    /// also {event_day}, {event_yyyymmdd} and {ocsf_class}
    #[arg(long = "output", short = 'o', value_name = "PATH", value_parser = parse_template)]
    #[arg(value_hint = ValueHint::FilePath)]
    pub path: Option<PathTemplate>,
    /// What files are made of: jsonl or parquet (not for raw and ecs)
    #[arg(long, value_name = "KIND", hide_possible_values = true, value_parser = word(encoding))]
    pub encoding: Option<Encoding>,
    /// Compression: none, gzip or zstd; adds .gz or .zst to the name if it is missing
    #[arg(long, value_name = "KIND", hide_possible_values = true, value_parser = word(compression))]
    pub compression: Option<Compression>,
}

/// `follow`
#[derive(Debug, ClapArgs)]
pub struct FollowArgs {
    /// Sources to pull [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<SourceName>,
    /// Wait between the end of a pull and the next one
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = nonzero_duration)]
    pub every: Duration,
    /// Show events as a table; without an output file no checkpoint moves
    #[arg(long, conflicts_with = "format")]
    pub human: bool,
    /// Start of what --human shows first, where no checkpoint moves [default: 10m]
    #[arg(long, value_name = "T", requires = "human", conflicts_with = "path")]
    pub since: Option<TypedTime>,
    /// Where events go.
    #[command(flatten)]
    pub output: OutputFlags,
    /// Write metrics as Prometheus text, for the node exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
}

/// `tail`
#[derive(Debug, ClapArgs)]
pub struct TailArgs {
    /// Sources to watch [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<SourceName>,
    /// Start of what is shown first [default: 10m]
    #[arg(long, value_name = "T")]
    pub since: Option<TypedTime>,
    /// Wait between the end of a pull and the next one
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = nonzero_duration)]
    pub every: Duration,
}

/// `export`
#[derive(Debug, ClapArgs)]
pub struct ExportArgs {
    /// Sources to export [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<SourceName>,
    /// Start of the time range, inclusive
    #[arg(long, value_name = "T")]
    pub since: TypedTime,
    /// End of the time range, exclusive [default: the start of the first run]
    #[arg(long, value_name = "T")]
    pub until: Option<TypedTime>,
    /// Folder to create, or an unfinished export of the same request to resume
    #[arg(long, short, value_name = "DIR", value_parser = validate::path)]
    #[arg(value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// Keep the body of every response, as it was received
    #[arg(long)]
    pub keep_bodies: bool,
    /// Judge the events as detect does, and add the alerts: alerts.jsonl, and in report.html
    #[arg(long)]
    pub detect: bool,
    /// Sign it with the minisign key in this file; its password is read from the terminal or
    /// ATLAUDIT_SIGN_PASSWORD
    #[arg(long, value_name = "KEYFILE", value_parser = validate::path)]
    pub sign: Option<PathBuf>,
}

/// `check`
#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    /// Sources to check [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<SourceName>,
    /// Print one JSON object for each source
    #[arg(long)]
    pub json: bool,
    /// Check an object store instead: whether it keeps the conditions of writes. Where it is and
    /// who asks say AWS_REGION, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...
    #[arg(long, value_name = "s3://BUCKET/PREFIX", conflicts_with_all = ["names", "json"])]
    #[arg(value_parser = validate::object_store)]
    pub object_store: Option<url::Url>,
}

/// `status`
#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    /// Sources to show [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<SourceName>,
    /// Print one JSON object for each source
    #[arg(long)]
    pub json: bool,
    /// Exit with code 3 if a source is behind by more than this, for monitoring
    #[arg(long, value_name = "DURATION", value_parser = validate::nonzero_duration)]
    pub max_lag: Option<Duration>,
    /// Print one line as a plugin of Nagios or Icinga, and exit with 0 (OK), 1 (WARNING), 2
    /// (CRITICAL: also behind by more than --max-lag) or 3 (UNKNOWN)
    #[arg(long, conflicts_with = "json")]
    pub nagios: bool,
    /// With --nagios: WARNING if a source is behind by more than this
    #[arg(long, value_name = "DURATION", requires = "nagios")]
    #[arg(value_parser = validate::nonzero_duration)]
    pub warn_lag: Option<Duration>,
}

/// `actions`
#[derive(Debug, ClapArgs)]
pub struct ActionsArgs {
    /// Request the list of actions of this source's API, and print these [default: the table]
    #[arg(value_name = "NAME")]
    pub name: Option<SourceName>,
    /// Print rows for the file of `[taxonomy] path`
    #[arg(long)]
    pub tsv: bool,
    /// Print only the actions that are in no row of the table
    #[arg(long, requires = "name")]
    pub unknown: bool,
}

/// What `search --format` takes.
const SEARCH_FORMATS: [&str; 7] = ["table", "csv", "normalized", "raw", "ecs", "ocsf", "ocsf-1.3"];

/// `search`
#[derive(Debug, ClapArgs)]
pub struct SearchArgs {
    /// Where events come from.
    #[command(flatten)]
    pub inputs: QueryInputs,
    /// table, csv, normalized, raw, ecs, ocsf or ocsf-1.3 [default: a table on a terminal, else
    /// normalized]
    #[arg(long, value_name = "FORMAT", value_parser = SEARCH_FORMATS)]
    #[arg(hide_possible_values = true)]
    pub format: Option<String>,
    /// Fields to write as CSV, such as time,actor.name,client.ip
    #[arg(long, value_name = "FIELD,...", value_delimiter = ',', value_parser = FieldPath::parse)]
    pub columns: Vec<FieldPath>,
    /// Show at most N events
    #[arg(long, short = 'n', value_name = "N")]
    pub limit: Option<u64>,
    /// The latest first
    #[arg(long, conflicts_with = "unsorted")]
    pub reverse: bool,
    /// In the order in which they are saved, each as soon as it is found
    #[arg(long)]
    pub unsorted: bool,
    /// Print the SQL of a view of the files, of normalized events, for this engine: duckdb
    #[arg(long, value_name = "ENGINE", hide_possible_values = true, value_parser = ["duckdb"])]
    #[arg(conflicts_with_all = ["sources", "format", "columns", "limit", "reverse", "count"])]
    pub sql_schema: Option<String>,
    /// Only print how many there are
    #[arg(long, conflicts_with_all = ["format", "columns", "limit", "reverse"])]
    pub count: bool,
    /// Which of them are shown.
    #[command(flatten)]
    pub filter: FilterFlags,
}

/// `top`
#[derive(Debug, ClapArgs)]
pub struct TopArgs {
    /// Field to count: action, actor, target, ip, country, ... or a path such as actor.auth.type
    #[arg(value_name = "FIELD", value_parser = FieldPath::parse)]
    pub field: FieldPath,
    /// Where events come from.
    #[command(flatten)]
    pub inputs: QueryInputs,
    /// Show the N most frequent values
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Print one JSON object for each value
    #[arg(long)]
    pub json: bool,
    /// Which of them are counted.
    #[command(flatten)]
    pub filter: FilterFlags,
}

/// `stats`
#[derive(Debug, ClapArgs)]
pub struct StatsArgs {
    /// Where events come from.
    #[command(flatten)]
    pub inputs: QueryInputs,
    /// Count by hour or day [default: as fits the time range]
    #[arg(long, value_name = "UNIT")]
    pub by: Option<HistogramUnit>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Which of them are counted.
    #[command(flatten)]
    pub filter: FilterFlags,
}

/// `report`
#[derive(Debug, ClapArgs)]
pub struct ReportArgs {
    /// Where events come from.
    #[command(flatten)]
    pub inputs: QueryInputs,
    /// The page to write, an HTML file; - is stdout
    #[arg(long, short, value_name = "FILE", value_parser = validate::path)]
    pub output: PathBuf,
    /// Judge the events as detect does, and show the alerts first
    #[arg(long)]
    pub detect: bool,
    /// Show what `posture --json` printed, from this file
    #[arg(long, value_name = "FILE", value_parser = validate::path)]
    pub posture: Option<PathBuf>,
    /// Which of them are on it.
    #[command(flatten)]
    pub filter: FilterFlags,
}

/// What `detect --format` takes.
const ALERT_FORMATS: [&str; 4] = ["table", "alerts", "ecs", "ocsf"];

/// `detect`
#[derive(Debug, ClapArgs)]
pub struct DetectArgs {
    /// Where events come from.
    #[command(flatten)]
    pub inputs: QueryInputs,
    /// Older events, to learn what is usual; their alerts are not reported
    #[arg(long, value_name = "FILE|DIR")]
    pub learn: Vec<PathBuf>,
    /// Judge from the first event on, however short the history is
    #[arg(long)]
    pub no_learning: bool,
    /// Folder of Sigma rules, beside the built-in ones
    #[arg(long, value_name = "DIR", value_parser = validate::path)]
    pub rules: Vec<PathBuf>,
    /// table, alerts, ecs or ocsf [default: a table on a terminal, else alerts]
    #[arg(long, value_name = "FORMAT", value_parser = ALERT_FORMATS, hide_possible_values = true)]
    pub format: Option<String>,
    /// Show alerts from this severity on: info, low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", default_value = "info", hide_possible_values = true)]
    pub min_severity: AlertSeverity,
    /// Exit with code 10 if there is an alert of this severity, or a higher one
    #[arg(long, value_name = "SEVERITY", hide_possible_values = true)]
    pub fail_on: Option<AlertSeverity>,
    /// Only show the reasoning of the alert with this id, or this part of an id
    #[arg(long, value_name = "ID", conflicts_with = "format")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub explain: Option<String>,
    /// Only show what can be found in these events, and what cannot
    #[arg(long, conflicts_with_all = ["format", "explain", "fail_on"])]
    pub coverage: bool,
    /// Which of them are judged.
    #[command(flatten)]
    pub filter: FilterFlags,
}

/// `posture`
#[derive(Debug, ClapArgs)]
pub struct PostureArgs {
    /// Sources of type org-events whose organizations are checked [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<SourceName>,
    /// Only this check, such as mfa.admins; may be repeated
    #[arg(long = "check", value_name = "CHECK", hide_possible_values = true)]
    pub checks: Vec<PostureCheck>,
    /// Saved events, which show who changed a policy when; may be repeated
    #[arg(long, value_name = "FILE|DIR")]
    pub events: Vec<PathBuf>,
    /// Read the events from the API instead, from then on
    #[arg(long, value_name = "T", conflicts_with = "events")]
    pub since: Option<TypedTime>,
    /// Only show what changed since the last run
    #[arg(long)]
    pub since_last: bool,
    /// Write the lists that were read to this folder, as JSON lines: users, tokens, keys, ...
    #[arg(long, value_name = "DIR", value_parser = validate::path)]
    #[arg(value_hint = ValueHint::DirPath)]
    pub inventory: Option<PathBuf>,
    /// Print one JSON object for each check
    #[arg(long)]
    pub json: bool,
    /// Print one Compliance Finding of OCSF 1.8 for each check
    #[arg(long, conflicts_with = "json")]
    pub ocsf: bool,
    /// Exit with code 10 if a check ends so: fail, or review (or fail)
    #[arg(long, value_name = "VERDICT", hide_possible_values = true)]
    pub fail_on: Option<FailingVerdict>,
}

/// `respond`
#[cfg(feature = "respond")]
#[derive(Debug, ClapArgs)]
pub struct RespondArgs {
    /// What to do
    #[arg(value_name = "ACTION")]
    pub action: Option<ResponseAction>,
    /// The source of type org-events whose organization it is
    #[arg(value_name = "NAME")]
    pub source: Option<SourceName>,
    /// The account, by its mail address or id; of revoke-key the key, by its name or id
    #[arg(value_name = "ACCOUNT|KEY", value_parser = NonEmptyStringValueParser::new())]
    pub subject: Option<String>,
    /// The authentication policy to move the user to, by its id
    #[arg(long, value_name = "ID")]
    pub policy: Option<String>,
    /// Only in this directory, by its id (suspend and restore); may be repeated
    #[arg(long = "directory", value_name = "ID")]
    pub directories: Vec<String>,
    /// What is stored with the block of a disabled account
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    /// The account may be an admin's
    #[arg(long)]
    pub admin: bool,
    /// Where the plan is written [default: a file in the state folder]
    #[arg(long, value_name = "FILE", value_parser = validate::path)]
    pub plan: Option<PathBuf>,
    /// Apply this plan: after the address was typed on the terminal, or with --yes and --case
    #[arg(long, value_name = "PLAN", value_parser = validate::path)]
    #[arg(conflicts_with_all = ["action", "policy", "directories", "message", "admin", "plan"])]
    pub apply: Option<PathBuf>,
    /// The case that it belongs to, for the record
    #[arg(long, value_name = "TEXT", requires = "apply")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub case: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", requires = "apply")]
    pub reason: Option<String>,
    /// Do not ask; needs --case
    #[arg(long, requires = "apply")]
    pub yes: bool,
}

/// Where the events of a query come from.
#[derive(Debug, Default, ClapArgs)]
pub struct QueryInputs {
    /// Files or folders of saved events, also exports, or s3://BUCKET/FOLDER; - is stdin [default:
    /// -]
    #[arg(value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Read these sources now instead, from --since on; no checkpoint is touched
    #[arg(long = "source", value_name = "NAME", num_args = 1.., conflicts_with = "files")]
    pub sources: Vec<SourceName>,
}

/// Which events are chosen. Flags that are repeated are alternatives; different ones must all fit.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Filters (each but --since, --until and --where also as --not-...)")]
pub struct FilterFlags {
    /// Start of the time range, inclusive
    #[arg(long, value_name = "T")]
    pub since: Option<TypedTime>,
    /// End of the time range, exclusive
    #[arg(long, value_name = "T")]
    pub until: Option<TypedTime>,
    /// What was done, such as user_login or 'user_*'
    #[arg(long, value_name = "GLOB")]
    pub action: Vec<String>,
    /// Kind of act: authentication, account, group, permission, token, app, policy, ...
    #[arg(long, hide_possible_values = true, value_parser = category_words())]
    pub category: Vec<String>,
    /// success, failure or unknown
    #[arg(long, hide_possible_values = true, value_parser = outcome_words())]
    pub outcome: Vec<String>,
    /// Who did it: part of a name, email or id
    #[arg(long, value_name = "TEXT")]
    pub actor: Vec<String>,
    /// What was acted on: part of a name, email or id
    #[arg(long, value_name = "TEXT")]
    pub target: Vec<String>,
    /// Address or network, such as 203.0.113.80 or 203.0.113.0/24
    #[arg(long, value_name = "ADDR|CIDR")]
    pub ip: Vec<AddressRange>,
    /// Name of a country, or its code
    #[arg(long, value_name = "NAME|CODE")]
    pub country: Vec<String>,
    /// jira, confluence, bitbucket, ...
    #[arg(long, value_name = "NAME")]
    pub product: Vec<String>,
    /// Id of an event
    #[arg(long, value_name = "ID")]
    pub id: Vec<String>,
    /// Part of any value of the event, also of Atlassian's own record
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
    /// Expression, such as 'targets.type = group and not actor.name ~ "svc-*"'
    #[arg(long = "where", value_name = "EXPR", value_parser = WhereExpression::parse)]
    pub expressions: Vec<WhereExpression>,
    /// The opposites.
    #[command(flatten)]
    pub not: NotFilterFlags,
}

/// The opposites of the filters.
#[derive(Debug, Default, ClapArgs)]
pub struct NotFilterFlags {
    /// Not this action
    #[arg(long, hide = true)]
    pub not_action: Vec<String>,
    /// Not this category
    #[arg(long, hide = true, value_parser = category_words())]
    pub not_category: Vec<String>,
    /// Not this outcome
    #[arg(long, hide = true, value_parser = outcome_words())]
    pub not_outcome: Vec<String>,
    /// Not this actor
    #[arg(long, hide = true)]
    pub not_actor: Vec<String>,
    /// Not this target
    #[arg(long, hide = true)]
    pub not_target: Vec<String>,
    /// Not this address
    #[arg(long, hide = true)]
    pub not_ip: Vec<AddressRange>,
    /// Not this country
    #[arg(long, hide = true)]
    pub not_country: Vec<String>,
    /// Not this product
    #[arg(long, hide = true)]
    pub not_product: Vec<String>,
    /// Not this id
    #[arg(long, hide = true)]
    pub not_id: Vec<String>,
    /// Not this text
    #[arg(long, hide = true)]
    pub not_text: Vec<String>,
}

fn category_words() -> PossibleValuesParser {
    Category::ALL.iter().map(|category| category.as_str()).collect::<Vec<_>>().into()
}

fn outcome_words() -> PossibleValuesParser {
    Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect::<Vec<_>>().into()
}

/// `schema`
#[derive(Debug, ClapArgs)]
pub struct SchemaArgs {
    /// Print the columns of Parquet files of a format, normalized, ocsf or ocsf-1.3, as Parquet
    /// writes them
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, hide_possible_values = true)]
    #[arg(value_parser = word(format))]
    pub parquet: Option<Option<OutputFormat>>,
}

/// `convert`
#[derive(Debug, ClapArgs)]
pub struct ConvertArgs {
    /// Files to read, one after the other; - is stdin [default: -]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Output format: normalized, raw, ecs, ocsf or ocsf-1.3 [default: normalized]
    #[arg(long, hide_possible_values = true, value_parser = word(format))]
    pub format: Option<OutputFormat>,
    /// Where to write: - is stdout; or a file that does not exist yet, with %Y %m %d %H (UTC), for
    /// Parquet also {source}, {event_day}, {event_yyyymmdd} and {ocsf_class} [default: -]
    #[arg(long, short, value_name = "PATH", value_parser = parse_template)]
    #[arg(value_hint = ValueHint::FilePath)]
    pub output: Option<PathTemplate>,
    /// What files are made of: jsonl or parquet (not for raw and ecs) [default: jsonl, or by the
    /// name]
    #[arg(long, value_name = "KIND", hide_possible_values = true, value_parser = word(encoding))]
    pub encoding: Option<Encoding>,
    /// Compression: none, gzip or zstd; adds .gz or .zst to the name if it is missing
    /// [default: none]
    #[arg(long, value_name = "KIND", hide_possible_values = true, value_parser = word(compression))]
    pub compression: Option<Compression>,
    /// The configured source that raw lines were pulled from: its name, type, org_id and site
    #[arg(long, value_name = "NAME")]
    pub source: Option<SourceName>,
    /// Type of raw lines: org-events, jira-audit, ... [default: detected]
    #[arg(id = "TYPE", long = "type", hide_possible_values = true)]
    #[arg(value_parser = word(source_kind))]
    pub kind: Option<SourceKind>,
    /// The organization of raw organization events
    #[arg(long, value_name = "ID", value_parser = validate::org_id)]
    pub org_id: Option<String>,
    /// The site of raw records of other types, such as acme.atlassian.net; their ids need it
    #[arg(long, value_name = "HOST", value_parser = validate::site)]
    pub site: Option<String>,
    /// The workspace of raw workspace events, such as ari:cloud:jira::site/CLOUD-ID; their ids need
    /// it
    #[arg(long, value_name = "ARI", value_parser = validate::site_workspace)]
    pub workspace: Option<SiteWorkspace>,
}

/// `verify`
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// The folder of the export, also `s3://BUCKET/PREFIX`
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// The minisign public key to check the signature with: its file, or the key itself
    #[arg(long, value_name = "FILE|KEY", value_hint = ValueHint::FilePath)]
    pub public_key: Option<String>,
    /// Also read the time range again from all sources (or NAME), and list events added or removed
    /// since
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    pub against_source: Option<Option<SourceName>>,
    /// Print one JSON object with all findings
    #[arg(long)]
    pub json: bool,
}

/// `auth login`
#[derive(Debug, ClapArgs)]
pub struct LoginArgs {
    /// The source; added to the configuration file if it is missing
    pub name: SourceName,
    /// Read the key from stdin instead of the terminal
    #[arg(long)]
    pub with_key: bool,
    /// Where to store the key: keyring, or file:PATH [default: as configured, else keyring]
    #[arg(long, value_name = "PLACE")]
    pub store: Option<String>,
    /// Store the key even if it cannot be tested now
    #[arg(long)]
    pub untested: bool,
    /// The day the key expires, if Atlassian does not report it
    #[arg(long, value_name = "DATE", value_parser = validate::date)]
    pub expires_on: Option<NaiveDate>,
    /// What the source is.
    #[command(flatten)]
    pub source: LoginFlags,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
