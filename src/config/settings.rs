//! Defines the checked settings of a run, which the rest of the program trusts.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::detection::{AlertSchema, AlertSeverity};
use crate::model::address::SafeUrl;
use crate::model::name::{SourceKind, SourceName};
use crate::model::record::Fingerprint;
use crate::model::source_kind::{GatewayUse, SourceAddress};
use crate::model::time::Timestamp;
use crate::model::user_zone::UserZone;
use crate::model::workspace::{SiteProduct, SiteWorkspace};

/// The server of organizations' events, and the gateway to the sites.
pub const CLOUD_HOST: &str = "api.atlassian.com";

/// Everything that the file, the environment and the flags say together.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file that was read, if there was one.
    pub config_file: Option<PathBuf>,
    /// Where checkpoints and locks live.
    pub state_dir: PathBuf,
    /// `[state] url`: the object store where checkpoints are instead.
    pub state_url: Option<Url>,
    /// `[output] mode`, where it is set.
    pub file_mode: Option<u32>,
    /// The sources, in the order of the file.
    pub sources: Vec<SourceSettings>,
}

/// The file of rows beside the built-in table of actions (`[taxonomy] path`), as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct ExtraActionsFile {
    /// Its path.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// One source, checked and with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// Its name.
    pub name: SourceName,
    /// Which API, and what that API needs to be addressed.
    pub target: SourceTarget,
    /// Where its credential comes from.
    pub credential: CredentialSpec,
    /// How far back the first pull reads; at most 180 days (Atlassian keeps no more).
    pub initial_lookback: Duration,
    /// Where the first pull begins instead.
    pub initial_from: Option<Timestamp>,
    /// Whether long windows are read by event queries, where the API has such.
    pub backfill: BackfillMode,
    /// How far before the newest record ids are remembered.
    pub overlap: Duration,
    /// How far after `--until` a bounded read goes, for events processed late.
    pub late_margin: Duration,
    /// What the organization's list of keys calls the credential: its name, label or id.
    pub key_name: Option<String>,
    /// The day the credential expires, as the user says.
    pub expires_on: Option<NaiveDate>,
    /// Records that a page may hold, in requests.
    pub page_size: u32,
    /// Parts of a window that are read at once, where the server is slow.
    pub concurrency: u32,
    /// How it is connected to.
    pub connection: ConnectionSettings,
    /// Where its events go.
    pub output: OutputSettings,
    /// Where the alerts go that its events give, where `pull` and `follow` judge them.
    pub alerts: Option<AlertSettings>,
    /// Rows beside the built-in table of actions.
    pub extra_actions: Option<Arc<ExtraActionsFile>>,
}

/// Where the alerts of a source go, and when its events are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSettings {
    /// The files, which are packed and rotated as those of the events.
    pub output: OutputSettings,
    /// In which form.
    pub schema: AlertSchema,
    /// How long an event waits for earlier ones; at least the source's `overlap`.
    pub lateness: Duration,
    /// The program that alerts are sent to, if any.
    pub notify: Option<NotifySettings>,
}

/// The program that alerts are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySettings {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Alerts of a lower severity are not sent to it.
    pub min_severity: AlertSeverity,
    /// Variables of our environment that it does not get: they hold credentials.
    pub hidden: Vec<String>,
}

/// How a long window of workspace events is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackfillMode {
    /// By event queries, and page by page if the server does not run them.
    #[default]
    Auto,
    /// Page by page.
    Pages,
    /// By event queries; it is an error if the server does not run them.
    Query,
}

/// Which API a source reads and how it is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTarget {
    /// The type of the source.
    pub kind: SourceKind,
    /// Scheme, host and path prefix that requests start with: where the credential goes. It ends
    /// before `/admin/v1`, `/rest`, `/wiki` or the gateway's `/ex`.
    pub base_url: Url,
    /// The organization's id; absent when it lives in the keyring beside the key.
    pub org_id: Option<String>,
    /// The site as events and their ids name it: a Cloud site's host name, of a Data Center its
    /// host, port and path.
    pub site: Option<String>,
    /// The account of Basic authentication, where it is configured; without it the secret is sent
    /// as Bearer.
    pub account: Option<String>,
    /// Atlassian's gateway to a Cloud site, the only way for tokens with scopes and for service
    /// accounts, and to a workspace. Without it the site itself gets the requests.
    pub gateway: Option<GatewayRoute>,
    /// The product whose workspace is read.
    pub product: Option<SiteProduct>,
    /// Whether names and addresses that a site's records lack are looked up.
    pub resolve_users: bool,
}

/// Atlassian's gateway to the sites, where a site is addressed by its cloud id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayRoute {
    /// To the site with this cloud id.
    CloudId(String),
    /// To the site whose cloud id `/_edge/tenant_info` below this URL returns.
    LookUp(Url),
}

impl SourceTarget {
    /// The type of the source.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// The site as events and their ids name it.
    pub fn site(&self) -> Option<String> {
        self.site.clone()
    }

    /// The site's cloud id, where it is configured.
    pub fn cloud_id(&self) -> Option<&str> {
        match &self.gateway {
            Some(GatewayRoute::CloudId(id)) => Some(id),
            Some(GatewayRoute::LookUp(_)) | None => None,
        }
    }

    /// The workspace that is read, of the site with this cloud id.
    pub fn workspace(&self, cloud_id: &str) -> Option<SiteWorkspace> {
        Some(SiteWorkspace { product: self.product?, cloud_id: cloud_id.to_owned() })
    }

    /// Scheme, host and path prefix that requests start with: where the credential goes.
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// The URL before the paths of the product's API at the gateway, for the site with this
    /// cloud id.
    pub fn gateway_url(&self, cloud_id: &str) -> Url {
        let mut url = self.base_url.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        if let GatewayUse::Optional(product) = self.kind.descriptor().gateway {
            let product = product.as_str();
            url.set_path(&format!("{prefix}/ex/{product}/{cloud_id}"));
        }
        url
    }

    /// Whether requests go where the type alone would send them.
    pub fn has_default_base_url(&self) -> bool {
        let host = match (&self.site, &self.gateway) {
            _ if self.kind.address() == SourceAddress::Server => return false,
            (Some(site), None) => site,
            _ => CLOUD_HOST,
        };
        self.base_url.as_str() == format!("https://{host}/")
    }
}

/// A server as events name it: its host, port and path.
pub fn server_name(base_url: &Url) -> String {
    let host = base_url.host_str().unwrap_or_default();
    let port = base_url.port().map(|port| format!(":{port}"));
    let path = base_url.path().trim_end_matches('/');
    format!("{host}{}{path}", port.unwrap_or_default())
}

/// Where a credential is looked for. It prints as in the configuration, but without a command's
/// arguments: people put passwords there.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialSpec {
    /// The OS keyring: service `atlaudit`, user = the source's name.
    Keyring,
    /// An environment variable.
    Env(String),
    /// A file that only its owner can read.
    File(PathBuf),
    /// The first line that a program prints; program and arguments, no shell.
    Command(Vec<String>),
    /// A file in systemd's `$CREDENTIALS_DIRECTORY`.
    Systemd(String),
}

impl fmt::Display for CredentialSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CredentialSpec::Keyring => f.write_str("keyring"),
            CredentialSpec::Env(name) => write!(f, "env:{name}"),
            CredentialSpec::File(path) => write!(f, "file:{}", path.display()),
            CredentialSpec::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                let more = if words.len() > 1 { " ..." } else { "" };
                write!(f, "command:{program}{more}")
            }
            CredentialSpec::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

impl fmt::Debug for CredentialSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialSpec({self})")
    }
}

/// How a source's server is reached, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Replaces the endpoint's quota, and the credential's overall one when it is larger.
    pub requests_per_minute: Option<u32>,
    /// The longest silence while connecting or reading.
    pub timeout: Duration,
    /// How long a failing source is tried again before this run gives it up.
    pub retry_for: Duration,
    /// The longest wait a server may ask for.
    pub max_wait: Duration,
    /// A PEM file of certificate authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A proxy, instead of the one the environment names.
    pub proxy: Option<SafeUrl>,
}

/// An object store, and who asks for its objects.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "object-store"), allow(dead_code, reason = "no store is connected to"))]
pub struct ObjectStoreSettings {
    /// The store and the prefix of all keys: `s3://BUCKET/PREFIX`, `az://...` or `gs://...`.
    pub url: Url,
    /// The variables of the environment whose names begin with `AWS_`, `AZURE_` or `GOOGLE_`:
    /// region, endpoint and credentials, as the tools of the clouds read them.
    pub variables: Vec<(String, String)>,
    /// How it is reached.
    pub connection: ConnectionSettings,
}

impl fmt::Debug for ObjectStoreSettings {
    /// Values stay out: some of them are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectStoreSettings({})", self.url)
    }
}

/// How long finished output files are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeepFiles {
    /// Until somebody else deletes them.
    #[default]
    Forever,
    /// So long; then they are deleted.
    For(Duration),
}

/// Where events go and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSettings {
    /// What the output is for, which allows no other.
    pub preset: Option<OutputPreset>,
    /// stdout, or a file.
    pub path: OutputPath,
    /// The form of a line.
    pub format: OutputFormat,
    /// What files are made of.
    pub encoding: Encoding,
    /// How lines are packed.
    pub compression: Compression,
    /// When a file is finished and a new one begun.
    pub rotation: Rotation,
    /// How long finished files are kept.
    pub keep: KeepFiles,
    /// The permission bits of files, such as 0o600.
    pub mode: u32,
    /// Events are also shown as a table on standard output; with a path there, only so.
    pub table: Option<TableStyle>,
}

/// Where a small table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableSpace {
    /// The columns of the terminal; nothing where it is none, and lines may be of any length.
    pub columns: Option<usize>,
    /// Whether colours are shown.
    pub is_coloured: bool,
}

/// How a table for people looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableStyle {
    /// The columns of the terminal.
    pub width: usize,
    /// The zone of the times.
    pub zone: UserZone,
    /// Whether failures and administrative acts have colours.
    pub is_coloured: bool,
}

impl Default for OutputSettings {
    fn default() -> OutputSettings {
        OutputSettings {
            preset: None,
            path: OutputPath::Stdout,
            format: OutputFormat::default(),
            encoding: Encoding::default(),
            compression: Compression::default(),
            rotation: Rotation::default(),
            keep: KeepFiles::default(),
            mode: 0o600,
            table: None,
        }
    }
}

impl OutputSettings {
    /// Writes to standard output instead, plain; the format stays.
    pub fn use_stdout(&mut self) {
        self.preset = None;
        self.path = OutputPath::Stdout;
        self.encoding = Encoding::JsonLines;
        self.compression = Compression::None;
        self.rotation = Rotation::Never;
        self.keep = KeepFiles::Forever;
    }

    /// `name`, with the suffix that files of this output have where it is not there.
    pub fn with_suffix(&self, name: String) -> String {
        match self.encoding {
            Encoding::JsonLines => self.compression.with_suffix(name),
            Encoding::Parquet if name.ends_with(Encoding::PARQUET_SUFFIX) => name,
            Encoding::Parquet => name + Encoding::PARQUET_SUFFIX,
        }
    }

    /// The template of its files; empty for standard output.
    pub fn file_template(&self) -> &str {
        match &self.path {
            OutputPath::Stdout => "",
            OutputPath::File(template) | OutputPath::Object(template) => template,
        }
    }

    /// The output that lines are appended to: this one, or the one in which they wait until a
    /// Parquet file is made of them, which is written whole or not at all.
    pub fn line_output(&self) -> Cow<'_, OutputSettings> {
        let OutputPath::File(template) = &self.path else {
            return Cow::Borrowed(self);
        };
        if self.encoding == Encoding::JsonLines {
            return Cow::Borrowed(self);
        }
        let name = template.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        // Names may have 255 bytes, and this one gets a time and more behind it.
        let stem: String = stem.chars().filter(is_plain).take(100).collect();
        // Two templates that begin alike have each a file of their own.
        let mark = Fingerprint::of(template.as_bytes()).to_string();
        let mark = mark.get(..8).unwrap_or_default();
        let folder = fixed_folder(template);
        let format = self.format.as_str();
        let path = format!("{folder}{PENDING_FOLDER}/{stem}-{mark}.{format}.jsonl");
        Cow::Owned(OutputSettings {
            path: OutputPath::File(path),
            encoding: Encoding::JsonLines,
            rotation: Rotation::Never,
            ..self.clone()
        })
    }
}

/// The folder in which lines wait until Parquet files are made of them. Engines take no file for
/// data in a folder whose name begins so.
pub const PENDING_FOLDER: &str = "_atlaudit";

/// What a path template names at any time: the folder before its first placeholder, with its slash.
pub fn fixed_folder(template: &str) -> &str {
    let fixed = template.split(['{', '%']).next().unwrap_or_default();
    let end = fixed.rfind('/').map_or(0, |slash| slash + 1);
    fixed.get(..end).unwrap_or_default()
}

/// A system that an output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputPreset {
    /// A custom source of Amazon Security Lake, for each class of OCSF.
    SecurityLake,
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputPath {
    /// Standard output.
    Stdout,
    /// A file's path; `%Y %m %d %H` are not replaced yet, nor is `{event_day}`. In the output of a
    /// source, `{source}` is.
    File(String),
    /// The URL of objects, with the same placeholders: `s3://BUCKET/KEY`. Their names get a number.
    Object(String),
}

/// The form of a line of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// The normalized event.
    #[default]
    Normalized,
    /// The source's own object.
    Raw,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework 1.8.
    Ocsf,
    /// Open Cybersecurity Schema Framework 1.3, for Amazon Security Lake.
    #[value(name = "ocsf-1.3")]
    #[serde(rename = "ocsf-1.3")]
    Ocsf13,
}

/// What output files are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// A line of JSON an event.
    #[default]
    #[value(name = "jsonl")]
    #[serde(rename = "jsonl")]
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

impl Encoding {
    /// What the names of Parquet files end with.
    pub const PARQUET_SUFFIX: &'static str = ".parquet";
}

impl OutputFormat {
    /// Its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            OutputFormat::Normalized => "normalized",
            OutputFormat::Raw => "raw",
            OutputFormat::Ecs => "ecs",
            OutputFormat::Ocsf => "ocsf",
            OutputFormat::Ocsf13 => "ocsf-1.3",
        }
    }
}

/// How output is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip (RFC 1952), a member a commit.
    Gzip,
    /// Zstandard (RFC 8878), a frame a commit.
    Zstd,
}

impl Compression {
    /// Its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// What the name of a file so packed ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }

    /// `name`, with the suffix where it is not there.
    pub fn with_suffix(self, mut name: String) -> String {
        if !name.ends_with(self.suffix()) {
            name.push_str(self.suffix());
        }
        name
    }
}

/// When an output file is finished and a new one begun, by the time of writing (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// Never.
    #[default]
    Never,
    /// When a period of this length ends, counted from 1970 on: an hour ends when the hour changes.
    Every(Duration),
    /// When it holds so many bytes, as it lies on disk.
    Size(u64),
}

impl Rotation {
    /// When the hour changes.
    pub const HOURLY: Rotation = Rotation::Every(Duration::from_secs(60 * 60));
    /// When the day changes.
    pub const DAILY: Rotation = Rotation::Every(Duration::from_secs(24 * 60 * 60));
}

#[cfg(test)]
mod tests {
    use super::CredentialSpec;

    #[test]
    fn a_commands_arguments_are_not_printed() {
        let spec = CredentialSpec::Command(vec!["vault".to_owned(), "hunter2".to_owned()]);
        assert_eq!(spec.to_string(), "command:vault ...");
        assert!(!format!("{spec:?}").contains("hunter2"));
    }
}
