//! Collects the paths of a command, and refuses those that name two things, such as a report that
//! would replace saved events.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::cli::load::CommandContext;
use crate::config::env;
use crate::config::error::ConfigError;
use crate::config::settings::{CredentialSpec, OutputPath, OutputSettings, SourceSettings};
use crate::model::name::SourceName;
use crate::sink::location::{FileIdentity, expand, is_written_by};

/// What a path is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRole {
    /// The configuration file, which is read.
    ConfigFile,
    /// The configuration file, which `auth login` writes.
    EditedConfigFile,
    /// The file of a source's credential.
    CredentialFile(SourceName),
    /// The file that `auth login` stores a key in. A configured one may hold the key of other
    /// sources too.
    StoredKey {
        /// Whether the configuration names it already.
        is_configured: bool,
    },
    /// The rows beside the table of actions.
    ExtraActions,
    /// The certificates that a source trusts.
    CertificateFile(SourceName),
    /// The key that an export is signed with.
    SigningKey,
    /// The folder of all checkpoints, locks, run histories and notices.
    StateFolder,
    /// A file of one source in it. Only a hard link to it is not in the folder.
    StateFile(SourceName),
    /// The folder in which processes share their rate limits.
    QuotaFolder,
    /// The events of a source, which this run writes.
    Output(SourceName),
    /// The alerts of a source, which this run writes.
    AlertOutput(SourceName),
    /// The events of a source, which a different run writes.
    ConfiguredOutput(SourceName),
    /// What `convert` writes.
    ConvertedOutput,
    /// What `--report` names.
    Report,
    /// The page that `report` writes.
    ReportPage,
    /// What `--metrics-file` names.
    MetricsFile,
    /// The folder of an export.
    ExportFolder,
    /// The plan of a response.
    #[cfg(feature = "respond")]
    ResponsePlan,
    /// The folder that `posture --inventory` writes lists to.
    InventoryFolder,
    /// A page that `man --dir` writes.
    ManualPage,
}

impl PathRole {
    /// Whether this run writes it, what it is, and of which source. What is only read may name one
    /// file twice, as a shared `ca_file` does.
    fn describe(&self) -> (bool, &'static str, Option<&SourceName>) {
        match self {
            PathRole::ConfigFile => (false, "the configuration file", None),
            PathRole::EditedConfigFile => (true, "the configuration file", None),
            PathRole::CredentialFile(name) => (false, "the credential", Some(name)),
            PathRole::StoredKey { .. } => (true, "the key file", None),
            PathRole::CertificateFile(name) => (false, "the `ca_file`", Some(name)),
            PathRole::ExtraActions => (false, "the file of `[taxonomy] path`", None),
            PathRole::SigningKey => (false, "the signing key", None),
            PathRole::StateFolder => (false, "the state folder", None),
            PathRole::StateFile(name) => (false, "the state", Some(name)),
            PathRole::QuotaFolder => (false, "the folder of shared rate limits", None),
            PathRole::Output(name) => (true, "the output", Some(name)),
            PathRole::AlertOutput(name) => (true, "the file of alerts", Some(name)),
            PathRole::ConfiguredOutput(name) => (false, "the output", Some(name)),
            PathRole::ConvertedOutput => (true, "the output", None),
            PathRole::Report => (true, "`--report`", None),
            PathRole::ReportPage => (true, "the page", None),
            PathRole::MetricsFile => (true, "`--metrics-file`", None),
            PathRole::ExportFolder => (true, "the export folder", None),
            #[cfg(feature = "respond")]
            PathRole::ResponsePlan => (true, "the plan", None),
            PathRole::InventoryFolder => (true, "the folder of the inventory", None),
            PathRole::ManualPage => (true, "a manual page", None),
        }
    }

    fn is_written(&self) -> bool {
        self.describe().0
    }

    /// Whether a file at `inner`, relative to this folder, belongs to this role alone.
    fn reserves(&self, inner: &Path, role: &PathRole) -> bool {
        let ends = inner.extension().unwrap_or_default();
        let begins = inner.as_os_str().as_encoded_bytes();
        match self {
            PathRole::ExportFolder => true,
            // One folder for the configuration and the state is usual in containers.
            PathRole::StateFolder => *role != PathRole::EditedConfigFile || ends != "toml",
            PathRole::QuotaFolder => {
                begins.starts_with(b"endpoint-") || begins.starts_with(b"account-")
            }
            _ => false,
        }
    }
}

impl fmt::Display for PathRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.describe() {
            (_, what, Some(name)) => write!(f, "{what} of source `{name}`"),
            (_, what, None) => f.write_str(what),
        }
    }
}

/// A path and what it is used for.
#[derive(Debug, Clone)]
struct PathClaim {
    role: PathRole,
    /// As it was typed or configured.
    shown: PathBuf,
    identity: FileIdentity,
    /// The absolute template of an output: its other files belong to it as well.
    template: Option<PathBuf>,
}

impl PathClaim {
    /// How the two get in each other's way, if they do.
    fn clash(&self, other: &PathClaim) -> Option<String> {
        use PathRole::{
            AlertOutput, ConfigFile, ConfiguredOutput, CredentialFile, EditedConfigFile, Output,
            StoredKey,
        };
        let (one, two) = (&self.role, &other.role);
        // Outputs of one run are compared by `check_shared_files`; those of two runs may take
        // turns in a file.
        let may_overlap = !(one.is_written() || two.is_written())
            || matches!(
                (one, two),
                (Output(_) | ConfiguredOutput(_), Output(_) | ConfiguredOutput(_))
                    | (AlertOutput(_), AlertOutput(_))
                    | (ConfigFile | EditedConfigFile, ConfigFile | EditedConfigFile)
                    // The file that the configuration names for the key that is replaced.
                    | (StoredKey { is_configured: true }, CredentialFile(_))
                    | (CredentialFile(_), StoredKey { is_configured: true })
            );
        // A device or a pipe keeps nothing that could be damaged.
        if may_overlap || self.identity.is_special || other.identity.is_special {
            return None;
        }
        if self.is_same_file(other) || self.names_file(other) || other.names_file(self) {
            // What the user typed comes first, and is the path that is shown.
            let (typed, found) = if one.is_written() { (self, other) } else { (other, self) };
            let (first, second, path) = (&typed.role, &found.role, typed.shown.display());
            return Some(format!("{first} and {second} are the same file: `{path}`"));
        }
        let path = self.shown.display();
        self.is_in(other).then(|| format!("{one} lies in {two}: `{path}`"))
    }

    fn is_same_file(&self, other: &PathClaim) -> bool {
        let (one, two) = (&self.identity, &other.identity);
        one.path.as_os_str() == two.path.as_os_str()
            || (one.inode.is_some() && one.inode == two.inode)
    }

    /// Whether `other` is a file that this output's template named earlier, or will name.
    fn names_file(&self, other: &PathClaim) -> bool {
        let template = self.template.as_ref();
        template.is_some_and(|template| is_written_by(template, &other.identity.path))
    }

    fn is_in(&self, folder: &PathClaim) -> bool {
        let inner = self.identity.path.strip_prefix(&folder.identity.path);
        inner.is_ok_and(|inner| folder.role.reserves(inner, &self.role))
    }
}

/// The paths of one command.
pub struct CommandPaths<'a> {
    claims: Vec<PathClaim>,
    context: &'a CommandContext<'a>,
}

impl<'a> CommandPaths<'a> {
    /// The paths that belong to the configuration and the state of `sources`.
    pub fn reserved(context: &'a CommandContext<'a>, sources: &[SourceSettings]) -> Self {
        let mut paths = CommandPaths { claims: Vec::new(), context };
        // Where there is no place for them there is nothing to protect.
        if let Some(place) = context.config_file() {
            paths.add(PathRole::ConfigFile, &place.path);
        }
        // Also where its content, or the rest of the configuration, cannot be used.
        let file = context.load().unwrap_or_default();
        if let Ok(Some(path)) = file.taxonomy_path() {
            paths.add(PathRole::ExtraActions, &path);
        }
        for folder in env::quota_dirs(context.env) {
            paths.add(PathRole::QuotaFolder, &folder);
        }
        let state = context.state_dir(&file).ok();
        if let Some(folder) = &state {
            paths.add(PathRole::StateFolder, folder);
        }
        for source in sources {
            if let Some(folder) = &state {
                paths.add_state_files(&source.name, folder);
            }
            paths.add_secrets(source);
            paths.add_output(PathRole::ConfiguredOutput(source.name.clone()), &source.output);
        }
        paths
    }

    /// The same, for a command that works without a configuration: one that cannot be used reserves
    /// no outputs.
    pub fn reserved_if_configured(context: &'a CommandContext<'a>) -> Self {
        let settings = context.load().ok().and_then(|file| context.usable_settings(&file));
        CommandPaths::reserved(context, &settings.map_or(Vec::new(), |settings| settings.sources))
    }

    /// Adds what one path is used for.
    pub fn add(&mut self, role: PathRole, path: &Path) {
        let identity = self.identity(path);
        self.claims.push(PathClaim { role, shown: path.to_owned(), identity, template: None });
    }

    /// Adds the files of an output, if it writes any.
    pub fn add_output(&mut self, role: PathRole, output: &OutputSettings) {
        // Parquet files are never written over another.
        let output = output.line_output();
        let OutputPath::File(template) = &output.path else {
            return;
        };
        let plain = expand(template, self.context.now);
        // A device or a pipe gets no suffix, and keeps nothing that could be damaged.
        if self.identity(Path::new(&plain)).is_special {
            return;
        }
        let shown = PathBuf::from(output.with_suffix(plain));
        let template = PathBuf::from(output.with_suffix(template.clone()));
        let (identity, template) = (self.identity(&shown), Some(self.identity(&template).path));
        self.claims.push(PathClaim { role, shown, identity, template });
    }

    fn identity(&self, path: &Path) -> FileIdentity {
        (self.context.host.identify)(&self.context.env.at_cwd(path))
    }

    /// Refuses paths that would let the run write over something of a different role.
    ///
    /// # Errors
    /// The first such pair.
    pub fn refuse_clashes(&self) -> Result<(), ConfigError> {
        refuse_clashes(&self.claims)
    }

    /// A hard link to one of them lies outside of the state folder.
    fn add_state_files(&mut self, name: &SourceName, state: &Path) {
        for file in [
            format!("{name}.json"),
            format!("{name}.lock"),
            format!("ledgers/{name}.json"),
            format!("notices/{name}.json"),
        ] {
            self.add(PathRole::StateFile(name.clone()), &state.join(file));
        }
    }

    fn add_secrets(&mut self, source: &SourceSettings) {
        let name = || source.name.clone();
        let credential: Option<PathBuf> = match &source.credential {
            CredentialSpec::File(path) => Some(path.clone()),
            CredentialSpec::Systemd(file) => {
                let folder = self.context.env.var_os(env::CREDENTIALS_DIRECTORY).map(Path::new);
                folder.map(|folder| folder.join(file))
            }
            CredentialSpec::Keyring | CredentialSpec::Env(_) | CredentialSpec::Command(_) => None,
        };
        if let Some(path) = credential {
            self.add(PathRole::CredentialFile(name()), &path);
        }
        if let Some(path) = &source.connection.ca_file {
            self.add(PathRole::CertificateFile(name()), path);
        }
    }
}

fn refuse_clashes(claims: &[PathClaim]) -> Result<(), ConfigError> {
    for (place, one) in claims.iter().enumerate() {
        for two in claims.iter().skip(place + 1) {
            if let Some(what) = one.clash(two).or_else(|| two.clash(one)) {
                return Err(ConfigError::new(what)
                    .hint("nothing was written; give each of them a path of its own"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::PathRole::*;
    use super::*;

    fn name(name: &str) -> SourceName {
        name.parse().unwrap()
    }

    fn identity(path: &str, inode: Option<u64>) -> FileIdentity {
        FileIdentity {
            path: path.into(),
            inode: inode.map(|inode| (1, inode)),
            is_special: path.starts_with("/dev/"),
        }
    }

    /// What is said of two claims, each a role, a real path and an inode.
    fn refusal(claims: [(PathRole, &str, Option<u64>); 2]) -> Option<String> {
        let claims = claims.map(|(role, path, inode)| {
            let (shown, identity) = (PathBuf::from(path), identity(path, inode));
            let is_output = matches!(role, Output(_) | ConfiguredOutput(_));
            let template = is_output.then(|| shown.clone());
            PathClaim { role, shown, identity, template }
        });
        let refused = refuse_clashes(&claims).err()?;
        Some(refused.to_string())
    }

    type Case = (PathRole, &'static str, Option<u64>);

    /// Each pair is refused, or none is, in whichever order the two were found.
    fn all_are(is_refused: bool, cases: impl IntoIterator<Item = (Case, Case)>) {
        for (one, two) in cases {
            let title = format!("{one:?} {two:?}");
            for claims in [[one.clone(), two.clone()], [two, one]] {
                let said = refusal(claims);
                assert_eq!(said.is_some(), is_refused, "{title}: {said:?}");
            }
        }
    }

    #[test]
    fn one_file_has_one_role() {
        let (a, b) = (|| name("a"), || name("b"));
        let key = |is_configured| StoredKey { is_configured };
        let (new_key, known_key) = (|| key(false), || key(true));
        let at = |role, path, inode: u64| (role, path, (inode > 0).then_some(inode));
        all_are(
            true,
            [
                (at(Report, "/x", 0), at(MetricsFile, "/x", 0)),
                (at(Report, "/x", 7), at(Output(a()), "/y", 7)),
                (at(Output(a()), "/x", 0), at(ConfigFile, "/x", 0)),
                (at(Output(a()), "/x", 0), at(CertificateFile(a()), "/x", 0)),
                (at(MetricsFile, "/x", 7), at(ExtraActions, "/y", 7)),
                (at(MetricsFile, "/x", 0), at(CredentialFile(b()), "/x", 0)),
                (at(MetricsFile, "/x", 0), at(ConfiguredOutput(b()), "/x", 0)),
                (at(ConvertedOutput, "/x", 3), at(StateFile(a()), "/y", 3)),
                (at(ManualPage, "/x", 0), at(ConfigFile, "/x", 0)),
                (at(new_key(), "/x", 0), at(CredentialFile(b()), "/x", 0)),
                (at(new_key(), "/x", 7), at(CertificateFile(b()), "/y", 7)),
                (at(known_key(), "/x", 0), at(EditedConfigFile, "/x", 0)),
                (at(known_key(), "/s/x", 0), at(StateFolder, "/s", 0)),
                (at(ExportFolder, "/x", 0), at(SigningKey, "/x", 0)),
            ],
        );
        all_are(
            false,
            [
                (at(Report, "/x", 7), at(Output(a()), "/y", 8)),
                (at(Report, "/x", 0), at(Output(a()), "/X", 0)),
                // What is only read may be shared; outputs may take turns in one file.
                (at(CertificateFile(a()), "/x", 7), at(CertificateFile(b()), "/x", 7)),
                (at(CredentialFile(a()), "/x", 0), at(ConfigFile, "/x", 0)),
                (at(Output(a()), "/x", 0), at(ConfiguredOutput(b()), "/x", 0)),
                (at(EditedConfigFile, "/x", 7), at(ConfigFile, "/x", 7)),
                (at(known_key(), "/x", 0), at(CredentialFile(b()), "/x", 0)),
                (at(Report, "/dev/x", 7), at(Output(a()), "/dev/x", 7)),
            ],
        );
    }

    #[test]
    fn an_output_keeps_its_finished_and_its_later_files() {
        let (template, finished) = ("/o/a-%Y-%m-%d", "/o/a-20261120T095959.000Z.log");
        let at = |role, path| (role, path, None);
        let configured = || at(ConfiguredOutput(name("a")), template);
        all_are(
            true,
            [
                (at(Report, finished), at(Output(name("a")), "/o/a.log")),
                (at(MetricsFile, "/o/a-2026-11-27"), configured()),
            ],
        );
        all_are(false, [(at(MetricsFile, "/o/a-2026-11-xx"), configured())]);
    }

    #[test]
    fn a_folder_has_one_role() {
        let at = |role, path| (role, path, None);
        let state = || at(StateFolder, "/s");
        all_are(
            true,
            [
                (at(Report, "/s/r.json"), state()),
                (at(EditedConfigFile, "/s/a.json"), state()),
                (at(ExportFolder, "/s/e"), state()),
                (at(ExportFolder, "/"), state()),
                (at(ExportFolder, "/s"), state()),
                (at(Report, "/q/endpoint-1"), at(QuotaFolder, "/q")),
            ],
        );
        all_are(
            false,
            [
                (at(Report, "/st/r.json"), state()),
                (at(ConfigFile, "/s/c.toml"), state()),
                (at(EditedConfigFile, "/s/c.toml"), state()),
                (at(Report, "/q/report"), at(QuotaFolder, "/q")),
            ],
        );
    }

    #[test]
    fn a_refusal_names_both_roles_and_the_path_that_was_typed() {
        let claims = [(Output(name("a")), "/out/a", Some(5)), (MetricsFile, "/m.prom", Some(5))];
        let said = refusal(claims).unwrap();
        assert!(said.contains("`--metrics-file`"), "{said}");
        assert!(said.contains("the output of source `a`"), "{said}");
        let claims = [(StateFolder, "/s", None), (Report, "/s/a.json", None)];
        let said = refusal(claims).unwrap();
        assert_eq!(said, "`--report` lies in the state folder: `/s/a.json`");
    }
}
