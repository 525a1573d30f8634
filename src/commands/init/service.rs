//! Installs the service of contrib/systemd: a unit, its user, and the settings that they need.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::config::edit;
use crate::config::env::{self, ProcessEnv};
use crate::config::error::HintedError;
use crate::config::request::InitRequest;
use crate::config::settings::{CredentialSpec, OutputPath};
use crate::crash;
use crate::error::AppError;
use crate::exit::Exit;
use crate::files::{Durability, FileReplacement};

/// The unit, as contrib has it.
const UNIT: &str = include_str!("../../../contrib/systemd/atlaudit.service");
/// The user of the service.
const USER: &str = include_str!("../../../contrib/systemd/atlaudit.sysusers");
/// What stands in the unit for the start of the program and for the keys.
const START: &str = "ExecStart=atlaudit --config /etc/atlaudit/config.toml ";
const KEY_LINE: &str = "#LoadCredential=acme:/root/atlaudit/acme";
const PROGRAM: &str = "/usr/local/bin/atlaudit";
const CONFIG: &str = "/etc/atlaudit/config.toml";
/// The folders that the unit makes writable.
pub const STATE: &str = "/var/lib/atlaudit";
const LOGS: &str = "/var/log/atlaudit/";

/// systemd, where this user may change it.
pub struct SystemService;

/// What installing it does.
pub struct ServicePlan {
    /// Files and their contents.
    files: Vec<(PathBuf, String)>,
    config_file: PathBuf,
    config: String,
}

impl SystemService {
    /// systemd, where it runs and the user is root.
    pub fn find(env: &ProcessEnv) -> Option<SystemService> {
        let run = crash::setting("RUN").unwrap_or_else(|| "/run".to_owned());
        let is_there = Path::new(&run).join("systemd/system").is_dir();
        let can_change = env.user == 0 && env.find_program("systemctl").is_some();
        (is_there && can_change).then_some(SystemService)
    }

    /// What installing it does for `request`, whose configuration is `config`.
    ///
    /// # Errors
    /// The service could not work so.
    pub fn plan(
        &self,
        program: &Path,
        request: &InitRequest,
        config: &str,
    ) -> Result<ServicePlan, HintedError> {
        let is_at_home = |path: &Path| path.starts_with("/home") || path.starts_with("/root");
        if is_at_home(program) {
            let what =
                format!("a service cannot run {}, which is a home folder's", program.display());
            return Err(HintedError::new(what).hint(format!("copy it to {PROGRAM} and run that")));
        }
        if is_at_home(&request.file) {
            let what = format!("a service cannot read {}", request.file.display());
            return Err(HintedError::new(what).hint(format!("move it to {CONFIG}")));
        }
        let mut new = edit::with_state_dir(config, STATE)?;
        let mut key_lines = Vec::new();
        for source in &request.sources {
            match &source.output.path {
                OutputPath::File(path) if !path.starts_with(LOGS) => {
                    let what = format!("a service can write only below {LOGS}, not {path}");
                    return Err(HintedError::new(what)
                        .hint("change `output.path` with `atlaudit config edit`"));
                }
                _ => {}
            }
            let name = &source.name;
            match &source.credential {
                CredentialSpec::File(path) => {
                    key_lines.push(format!("LoadCredential={name}:{}", path.display()));
                    let place = format!("systemd:{name}");
                    new = edit::with_keys(&new, name, &[("credential", place.into())])?;
                }
                CredentialSpec::Systemd(_) | CredentialSpec::Command(_) => {}
                place => {
                    let what = format!("a service cannot reach the key of `{name}`, in {place}");
                    return Err(HintedError::new(what).hint(format!(
                        "store it in a file: `atlaudit auth login {name} --store file:PATH`"
                    )));
                }
            }
        }
        let (program, file) = (program.display(), request.file.display());
        let unit = UNIT
            .replace(START, &format!("ExecStart={program} --config {file} "))
            .replace(KEY_LINE, &key_lines.join("\n"));
        let etc = env::system_folder();
        Ok(ServicePlan {
            files: vec![
                (etc.join("sysusers.d/atlaudit.conf"), USER.to_owned()),
                (etc.join("systemd/system/atlaudit.service"), unit),
            ],
            config_file: request.file.clone(),
            config: new,
        })
    }
}

impl ServicePlan {
    /// The text of the configuration, as the service needs it.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// What is done, for a person.
    pub fn describe(&self) -> String {
        let file = self.config_file.display();
        let mut text = "This will be done:\n".to_owned();
        for (path, _) in &self.files {
            let verb = if path.exists() { "replace" } else { "write" };
            text.push_str(&format!("  {verb} {}\n", path.display()));
        }
        text.push_str(&format!(
            "  in {file}, set `state_dir` to {STATE}, and the `credential` of key files to \
             `systemd:NAME`,\n    by which systemd hands them to the service alone\n  let all \
             users read {file}, which holds no key\n  run systemd-sysusers, which makes the user \
             `atlaudit`\n  run systemctl daemon-reload and systemctl enable --now atlaudit\n"
        ));
        text
    }

    /// Does it. The configuration is written before.
    ///
    /// # Errors
    /// A file cannot be written, or a program fails.
    pub fn install(&self) -> Result<(), AppError> {
        for (path, text) in &self.files {
            write_readable(path, text).map_err(|error| failed(&path.display(), &error))?;
        }
        open_config(&self.config_file)
            .map_err(|error| failed(&self.config_file.display(), &error))?;
        for words in [
            &["systemd-sysusers"][..],
            &["systemctl", "daemon-reload"],
            &["systemctl", "enable", "--now", "atlaudit"],
        ] {
            let (program, args) = (words.first().copied().unwrap_or_default(), words.get(1..));
            let status = Command::new(program)
                .args(args.unwrap_or_default())
                .stdin(Stdio::null())
                .status()
                .and_then(|status| match status.success() {
                    true => Ok(()),
                    false => Err(io::Error::other(status.to_string())),
                });
            status.map_err(|error| failed(&words.join(" "), &error))?;
        }
        Ok(())
    }
}

fn failed(what: &dyn std::fmt::Display, error: &io::Error) -> AppError {
    AppError::new(Exit::Output, format!("the service is not complete: {what}"))
        .because(error)
        .hint("mend that and run `atlaudit init` again, or follow contrib/systemd/atlaudit.service")
}

fn write_readable(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    FileReplacement::new(path, Durability::File).write(|out| {
        out.get_ref().set_permissions(Permissions::from_mode(0o644))?;
        out.write_all(text.as_bytes())
    })
}

/// Lets every user read the configuration, and only it: keys have a folder of their own.
///
/// # Errors
/// The file system's.
pub fn open_config(file: &Path) -> io::Result<()> {
    let open = |path: &Path, more: u32| {
        let mode = fs::metadata(path)?.permissions().mode() | more;
        fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))
    };
    open(file, 0o044)?;
    open(file.parent().unwrap_or(Path::new("/")), 0o055)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_has_what_is_replaced_in_it() {
        for line in [START, KEY_LINE] {
            assert_eq!(UNIT.matches(&format!("\n{line}")).count(), 1, "{line}");
        }
    }
}
