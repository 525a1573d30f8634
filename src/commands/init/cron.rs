//! Adds a line to the crontab of the user.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::config::env::ProcessEnv;
use crate::config::request::InitRequest;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::text::quoted_path;

/// The program `crontab`.
pub struct CrontabProgram(PathBuf);

/// The line that pulls every ten minutes.
pub fn line(program: &Path, request: &InitRequest) -> String {
    let mut words = vec![quoted_path(program), "--quiet".to_owned()];
    let mut add = |flag: &str, path: &Path| words.extend([flag.to_owned(), quoted_path(path)]);
    if request.is_file_named {
        add("--config", &request.file);
    }
    if let Some(folder) = &request.state_dir {
        add("--state-dir", folder);
    }
    // A percent sign ends the command in a crontab.
    format!("*/10 * * * * {} pull", words.join(" ").replace('%', "\\%"))
}

impl CrontabProgram {
    /// The program in the search path, if there is one.
    pub fn find(env: &ProcessEnv) -> Option<CrontabProgram> {
        env.find_program("crontab").map(CrontabProgram)
    }

    /// Adds `line` to the crontab, unless it is there.
    ///
    /// # Errors
    /// The program fails; the crontab is as it was.
    pub fn add(&self, line: &str) -> Result<(), AppError> {
        let failed = |error: &io::Error| {
            AppError::new(Exit::Output, "the crontab cannot be changed, and is as it was")
                .because(error)
                .hint("add the line yourself with `crontab -e`")
        };
        let listed = Command::new(&self.0).arg("-l").stdin(Stdio::null()).output();
        let listed = listed.map_err(|error| failed(&error))?;
        // Without a crontab it fails, and says so only in words.
        let is_empty = !listed.status.success()
            && String::from_utf8_lossy(&listed.stderr).contains("no crontab");
        if !listed.status.success() && !is_empty {
            let words = String::from_utf8_lossy(&listed.stderr).trim().to_owned();
            return Err(failed(&io::Error::other(words)));
        }
        let old = if is_empty { Vec::new() } else { listed.stdout };
        if old.split(|byte| *byte == b'\n').any(|known| known == line.as_bytes()) {
            return Ok(());
        }
        let gap: &[u8] = if old.is_empty() || old.ends_with(b"\n") { b"" } else { b"\n" };
        let new = [&old[..], gap, line.as_bytes(), b"\n"].concat();
        self.replace(&new).map_err(|error| failed(&error))
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let mut child = Command::new(&self.0).arg("-").stdin(Stdio::piped()).spawn()?;
        let written = child.stdin.take().map_or(Ok(()), |mut to| to.write_all(text));
        let status = child.wait()?;
        written?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!("`crontab -` failed ({status})"))),
        }
    }
}
