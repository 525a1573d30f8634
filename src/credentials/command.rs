//! Reads secrets that a program prints, such as a password manager's. No shell is involved.
//!
//! The secret is complete when the program ends, even if it leaves a child (such as an agent) that
//! holds its output open. That child is not killed: the next run of the program may need it.

use std::future;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use crate::config::error::HintedError;
use crate::model::open_files;
use crate::model::text::printable;

/// How long the program may take: it asks a local agent or a server, nobody types.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// The most bytes that are read of what the program prints.
const MOST_BYTES: u64 = 64 * 1024;

/// The program's name for messages. Its arguments are left out: people put passwords there.
pub(super) fn program_name(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

/// The first line that the program prints.
pub(super) async fn read(words: &[String], limit: Duration) -> Result<SecretString, HintedError> {
    let shown = printable(program_name(words));
    let refuse = |what: String, hint: &str| {
        HintedError::new(format!("command `{shown}`: {what}")).hint(hint)
    };
    let mut child = start(words).map_err(|error| {
        let usual =
            "write the program's whole path; arguments are split at blanks, there is no shell";
        let hint = open_files::hint(&error).unwrap_or(usual);
        refuse(format!("cannot be started: {error}"), hint)
    })?;
    let by_hand = "run it by hand as the same user";
    let (status, stdout, stderr) = match tokio::time::timeout(limit, finish(&mut child)).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(refuse(format!("cannot be read: {error}"), "try it again")),
        Err(_) => {
            // Also waits for its end, so that no zombie is left.
            let _ = child.kill().await;
            let what = format!("did not respond within {}", humantime::format_duration(limit));
            return Err(refuse(what, &format!("{by_hand}: does it prompt for something?")));
        }
    };
    if !status.success() {
        let said = printable(&String::from_utf8_lossy(&stderr));
        let separator = if said.is_empty() { "" } else { ": " };
        return Err(refuse(format!("failed ({status}){separator}{said}"), by_hand));
    }
    let problem = match String::from_utf8(stdout) {
        Ok(text) if text.len() as u64 <= MOST_BYTES => {
            return Ok(SecretString::from(text.lines().next().unwrap_or_default()));
        }
        Ok(_) => "printed more than 64 KiB",
        Err(_) => "printed no text",
    };
    Err(refuse(problem.to_owned(), "let it print the key alone"))
}

fn start(words: &[String]) -> io::Result<Child> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Reads both pipes while the program runs, because a full pipe would block it.
async fn finish(child: &mut Child) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let no_pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
    let stdout = child.stdout.take().ok_or_else(no_pipe)?;
    let stderr = child.stderr.take().ok_or_else(no_pipe)?;
    let mut stdout = PipeReader::new(stdout.into_owned_fd())?;
    let mut stderr = PipeReader::new(stderr.into_owned_fd())?;
    let status = {
        let read = async {
            tokio::join!(stdout.read_to_end(), stderr.read_to_end());
            // Closed pipes do not end the program.
            future::pending::<()>().await;
        };
        tokio::select! {
            status = child.wait() => status?,
            () = read => return Err(io::ErrorKind::Other.into()),
        }
    };
    Ok((status, stdout.finish()?, stderr.finish()?))
}

/// Keeps the first bytes of a pipe, one more than allowed at most. The rest is read and dropped.
#[derive(Default)]
struct PipeReader {
    /// Taken at the end of the pipe.
    pipe: Option<Receiver>,
    bytes: Vec<u8>,
    failure: Option<io::Error>,
}

impl PipeReader {
    fn new(pipe: io::Result<OwnedFd>) -> io::Result<PipeReader> {
        Ok(PipeReader { pipe: Some(Receiver::from_owned_fd(pipe?)?), ..PipeReader::default() })
    }

    /// Reads until every writer has closed the pipe. May be dropped at any await: no byte is lost.
    async fn read_to_end(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer).await {
                Ok(0) => self.pipe = None,
                Ok(length) => self.append(&buffer[..length]),
                Err(error) => {
                    self.failure = Some(error);
                    self.pipe = None;
                }
            }
        }
    }

    /// Adds what the program wrote just before it ended, without waiting: the kernel already holds
    /// all of it, while a child of the program may keep the pipe open for hours. The runtime is not
    /// asked, because it may not know yet that there is something to read.
    fn finish(mut self) -> io::Result<Vec<u8>> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        if let Some(pipe) = self.pipe.take() {
            let pipe = pipe.into_nonblocking_fd()?;
            let mut buffer = [0; 4096];
            // Bounded: a child that writes without end would otherwise hold us here.
            while !self.is_full() {
                match rustix::io::read(&pipe, &mut buffer) {
                    Ok(0) => break,
                    Ok(length) => self.append(&buffer[..length]),
                    Err(rustix::io::Errno::INTR) => {}
                    Err(rustix::io::Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(self.bytes)
    }

    fn is_full(&self) -> bool {
        self.bytes.len() as u64 > MOST_BYTES
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = (MOST_BYTES as usize + 1).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    async fn run(words: &[&str]) -> Result<SecretString, HintedError> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        read(&words, LIMIT).await
    }

    #[tokio::test]
    async fn the_first_line_is_the_secret() {
        let found = run(&["printf", r"SECRET\nmore\n"]).await.unwrap();
        assert_eq!(found.expose_secret(), "SECRET");
        assert_eq!(run(&["true"]).await.unwrap().expose_secret(), "");
    }

    #[tokio::test]
    async fn a_failing_program_shows_its_status_and_complaint_only() {
        let refusal = run(&["sh", "-c", "echo SECRET; echo locked >&2; exit 3"]).await.unwrap_err();
        assert_eq!(refusal.what, "command `sh`: failed (exit status: 3): locked");
        assert!(!refusal.to_string().contains("SECRET"));
    }

    #[tokio::test]
    async fn a_program_that_waits_is_stopped() {
        let words = ["sleep".to_owned(), "5".to_owned()];
        let start = std::time::Instant::now();
        let refusal = read(&words, Duration::from_millis(50)).await.unwrap_err();
        assert!(refusal.what.contains("did not respond within 50ms"), "{refusal}");
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_child_that_holds_the_output_does_not_delay_the_secret() {
        let start = std::time::Instant::now();
        for script in [
            "echo SECRET; sleep 20 &",
            "echo SECRET; yes >&2 & sleep 0.1",
            "echo SECRET >&1; (sleep 20; echo LATER) &",
        ] {
            let found = run(&["sh", "-c", script]).await.unwrap();
            assert_eq!(found.expose_secret(), "SECRET", "{script}");
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        let refusal = run(&["sh", "-c", "echo locked >&2; sleep 20 & exit 3"]).await.unwrap_err();
        assert!(refusal.what.ends_with("(exit status: 3): locked"));
    }

    #[tokio::test]
    async fn the_last_bytes_before_the_end_are_read() {
        for _ in 0..50 {
            let found = run(&["sh", "-c", "sleep 1 & printf '%04000d' 7"]).await;
            assert_eq!(found.unwrap().expose_secret().len(), 4000);
        }
    }

    #[tokio::test]
    async fn a_program_that_closes_its_output_is_waited_for() {
        let refusal = run(&["sh", "-c", "exec >&- 2>&-; sleep 0.2; exit 4"]).await.unwrap_err();
        assert!(refusal.what.contains("exit status: 4"), "{refusal}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there() {
        let refusal = run(&["/nowhere/program", "hunter2"]).await.unwrap_err();
        assert!(
            refusal.what.starts_with("command `/nowhere/program`: cannot be started"),
            "{refusal}"
        );
        assert!(!refusal.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn a_flood_is_refused() {
        let refusal = run(&["head", "-c", "100000", "/dev/zero"]).await.unwrap_err();
        assert!(refusal.what.contains("64 KiB"), "{refusal}");
    }
}
