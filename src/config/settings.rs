//! Defines the checked settings of a run, which the rest of the program trusts.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use url::Url;

use crate::model::address::SafeUrl;
use crate::model::name::{SourceKind, SourceName};

/// Everything that the file, the environment and the flags say together.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The configuration file that was read, if there was one.
    pub config_file: Option<PathBuf>,
    /// Where checkpoints and locks live.
    pub state_dir: PathBuf,
    /// `[output] mode`, where it is set.
    pub file_mode: Option<u32>,
    /// The sources, in the order of the file.
    pub sources: Vec<SourceSettings>,
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
    /// How far behind the newest record ids are remembered.
    pub overlap: Duration,
    /// How far after `--until` a bounded read asks, for events processed late.
    pub late_margin: Duration,
    /// What the organization's list of keys calls the credential: its name, label or id.
    pub key_name: Option<String>,
    /// The day the credential expires, as the user says.
    pub expires_on: Option<NaiveDate>,
    /// Records asked for in one page.
    pub page_size: u32,
    /// Parts of a window that are read at once, where the server is slow.
    pub concurrency: u32,
    /// How it is connected to.
    pub connection: ConnectionSettings,
    /// Where its events go.
    pub output: OutputSettings,
}

/// Which API a source reads and how it is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceTarget {
    /// An organization's events.
    OrgEvents {
        /// Scheme, host and path prefix before `/admin/v1`.
        base_url: Url,
        /// The organization's id; absent when it lives in the keyring beside the key.
        org_id: Option<String>,
    },
    /// The audit records of a product on a Cloud site.
    Site(SiteTarget),
    /// The audit events of a Data Center product.
    Datacenter {
        /// Scheme, host and path prefix before `/rest/auditing`.
        base_url: Url,
        /// The account of a password (Basic); without it the secret is a personal access token
        /// (Bearer).
        username: Option<String>,
    },
}

/// A product on a Cloud site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteTarget {
    /// Which of its audit logs.
    pub kind: SourceKind,
    /// The site's host name, as it appears in event ids.
    pub site: String,
    /// The account of an API token (Basic); without it the token is sent as Bearer.
    pub email: Option<String>,
    /// Where its API is asked.
    pub route: SiteRoute,
    /// Whether names and addresses that records lack are looked up.
    pub resolve_users: bool,
}

/// The way to a site's APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteRoute {
    /// The site itself, or its replacement: scheme, host and path prefix before `/rest` or `/wiki`.
    Direct(Url),
    /// Atlassian's gateway, the only way for tokens with scopes and for service accounts.
    Gateway(GatewayRoute),
}

/// Atlassian's gateway to the sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRoute {
    /// Scheme, host and path prefix before `/ex`.
    pub base_url: Url,
    /// What stands before `/_edge/tenant_info`, which tells the site's cloud id.
    pub site_url: Url,
    /// The site's cloud id, where it is configured.
    pub cloud_id: Option<String>,
}

impl GatewayRoute {
    /// What stands before the paths of the API of `kind` at the site with this cloud id.
    pub fn product_url(&self, kind: SourceKind, cloud_id: &str) -> Url {
        let mut url = self.base_url.clone();
        let prefix = url.path().trim_end_matches('/');
        let product = kind.descriptor().gateway_path;
        let path = format!("{prefix}/ex/{product}/{cloud_id}");
        url.set_path(&path);
        url
    }
}

impl SourceTarget {
    /// The type of the source.
    pub fn kind(&self) -> SourceKind {
        match self {
            SourceTarget::OrgEvents { .. } => SourceKind::OrgEvents,
            SourceTarget::Site(site) => site.kind,
            SourceTarget::Datacenter { .. } => SourceKind::DatacenterAudit,
        }
    }

    /// The id of the organization, where it is configured.
    pub fn org_id(&self) -> Option<&str> {
        match self {
            SourceTarget::OrgEvents { org_id, .. } => org_id.as_deref(),
            SourceTarget::Site(_) | SourceTarget::Datacenter { .. } => None,
        }
    }

    /// Sets the id of the organization, if it is one.
    pub fn set_org_id(&mut self, id: String) {
        if let SourceTarget::OrgEvents { org_id, .. } = self {
            *org_id = Some(id);
        }
    }

    /// The account that signs in with Basic authentication, where it is configured.
    pub fn account(&self) -> Option<&str> {
        match self {
            SourceTarget::OrgEvents { .. } => None,
            SourceTarget::Site(site) => site.email.as_deref(),
            SourceTarget::Datacenter { username, .. } => username.as_deref(),
        }
    }

    /// Whether names and addresses that its records lack are looked up.
    pub fn resolves_users(&self) -> bool {
        matches!(self, SourceTarget::Site(site) if site.resolve_users)
    }

    /// Whether its site is asked through Atlassian's gateway.
    pub fn is_through_gateway(&self) -> bool {
        matches!(self, SourceTarget::Site(site) if matches!(site.route, SiteRoute::Gateway(_)))
    }

    /// The site as events and their ids name it; of a Data Center its host, port and path.
    pub fn site(&self) -> Option<String> {
        match self {
            SourceTarget::OrgEvents { .. } => None,
            SourceTarget::Site(site) => Some(site.site.clone()),
            SourceTarget::Datacenter { base_url, .. } => Some(server_name(base_url)),
        }
    }

    /// Whether requests go where the type alone would send them.
    pub fn has_default_base_url(&self) -> bool {
        let default = match self {
            SourceTarget::Site(SiteTarget { site, route: SiteRoute::Direct(_), .. }) => {
                format!("https://{site}/")
            }
            SourceTarget::OrgEvents { .. } | SourceTarget::Site(_) => {
                "https://api.atlassian.com/".to_owned()
            }
            SourceTarget::Datacenter { .. } => return false,
        };
        self.base_url().as_str() == default
    }

    /// Scheme, host and path prefix that requests start with: where the credential goes.
    pub fn base_url(&self) -> &Url {
        match self {
            SourceTarget::OrgEvents { base_url, .. }
            | SourceTarget::Datacenter { base_url, .. } => base_url,
            SourceTarget::Site(site) => match &site.route {
                SiteRoute::Direct(url) => url,
                SiteRoute::Gateway(gateway) => &gateway.base_url,
            },
        }
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

/// Where events go and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSettings {
    /// stdout, or a file.
    pub path: OutputPath,
    /// The form of a line.
    pub format: OutputFormat,
    /// How it is packed.
    pub compression: Compression,
    /// When a file is finished and a new one begun.
    pub rotation: Rotation,
    /// The permission bits of files, such as 0o600.
    pub mode: u32,
}

impl Default for OutputSettings {
    fn default() -> OutputSettings {
        OutputSettings {
            path: OutputPath::Stdout,
            format: OutputFormat::default(),
            compression: Compression::default(),
            rotation: Rotation::default(),
            mode: 0o600,
        }
    }
}

impl OutputSettings {
    /// Writes to standard output instead, plain; the format stays.
    pub fn use_stdout(&mut self) {
        self.path = OutputPath::Stdout;
        self.compression = Compression::None;
        self.rotation = Rotation::Never;
    }
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputPath {
    /// Standard output.
    Stdout,
    /// A file's path; `{source}` already replaced, `%Y %m %d %H` not yet.
    File(String),
}

/// The form of a line of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum OutputFormat {
    /// The normalized event.
    #[default]
    Normalized,
    /// The source's own object.
    Raw,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework.
    Ocsf,
}

/// How output is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
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
    /// When the hour changes.
    Hourly,
    /// When the day changes.
    Daily,
    /// When it holds so many bytes, as it lies on disk.
    Size(u64),
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
