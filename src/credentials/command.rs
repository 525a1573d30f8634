//! Owns secrets that a program prints, such as a password manager's. No shell is involved.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::config::error::Refusal;
use crate::model::text::printable;

/// How long the program may take: it asks a local agent or a server, nobody types.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// The most that is kept of what the program prints.
const MOST_BYTES: u64 = 64 * 1024;

/// The program's name for messages. Its arguments are left out: people put passwords there.
pub(super) fn program(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

/// The first line that the program prints.
pub(super) async fn read(words: &[String], limit: Duration) -> Result<SecretString, Refusal> {
    let shown = printable(program(words));
    let refuse =
        |what: String, hint: &str| Refusal::new(format!("command `{shown}`: {what}")).hint(hint);
    let mut child = start(words).map_err(|error| {
        refuse(
            format!("cannot be started: {error}"),
            "write the program's whole path; arguments are split at blanks, there is no shell",
        )
    })?;
    let (status, stdout, stderr) = match tokio::time::timeout(limit, finish(&mut child)).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(refuse(format!("cannot be read: {error}"), "try it again")),
        Err(_) => {
            // Also waits for its end, so that no zombie is left.
            let _ = child.kill().await;
            let what = format!(
                "gave no answer within {}",
                humantime::format_duration(limit)
            );
            return Err(refuse(
                what,
                "run it by hand as the same user: does it ask for something?",
            ));
        }
    };
    if !status.success() {
        let said = printable(&String::from_utf8_lossy(&stderr));
        let separator = if said.is_empty() { "" } else { ": " };
        return Err(refuse(
            format!("failed ({status}){separator}{said}"),
            "run it by hand as the same user",
        ));
    }
    let whole = stdout.len() as u64 <= MOST_BYTES;
    match String::from_utf8(stdout) {
        Ok(text) if whole => Ok(SecretString::from(text.lines().next().unwrap_or_default())),
        Ok(_) => Err(refuse(
            "printed more than 64 KiB".to_owned(),
            "let it print the key alone",
        )),
        Err(_) => Err(refuse(
            "printed no text".to_owned(),
            "let it print the key alone",
        )),
    }
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

/// Reads both pipes while the program runs: one left full would stop it.
async fn finish(child: &mut Child) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr, status) = tokio::join!(drain(stdout), drain(stderr), child.wait());
    Ok((status?, stdout?, stderr?))
}

/// Keeps the first bytes, one more than allowed at most; the rest is read and dropped.
async fn drain(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe)
            .take(MOST_BYTES + 1)
            .read_to_end(&mut kept)
            .await?;
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    async fn run(words: &[&str]) -> Result<SecretString, Refusal> {
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
        let refusal = run(&["sh", "-c", "echo SECRET; echo locked >&2; exit 3"])
            .await
            .unwrap_err();
        assert_eq!(
            refusal.what,
            "command `sh`: failed (exit status: 3): locked"
        );
        assert!(!refusal.to_string().contains("SECRET"));
    }

    #[tokio::test]
    async fn a_program_that_waits_is_stopped() {
        let words = ["sleep".to_owned(), "5".to_owned()];
        let start = std::time::Instant::now();
        let refusal = read(&words, Duration::from_millis(50)).await.unwrap_err();
        assert!(refusal.what.contains("no answer within 50ms"), "{refusal}");
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there() {
        let refusal = run(&["/nowhere/program", "hunter2"]).await.unwrap_err();
        assert!(
            refusal
                .what
                .starts_with("command `/nowhere/program`: cannot be started"),
            "{refusal}"
        );
        assert!(!refusal.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn a_flood_is_refused() {
        let refusal = run(&["head", "-c", "100000", "/dev/zero"])
            .await
            .unwrap_err();
        assert!(refusal.what.contains("64 KiB"), "{refusal}");
    }
}
