//! Owns how a failure is told to a person: what failed, why, what to do, and the exit code.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

use crate::config::settings::SourceSettings;
use crate::convert::ConvertError;
use crate::credentials::{self, CredentialError};
use crate::evidence::error::EvidenceError;
use crate::evidence::folder;
use crate::exit::Exit;
use crate::http::failure::{Failure, FailureKind};
use crate::http::message::Endpoint;
use crate::model::open_files;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::FetchError;
use crate::sink::SinkError;
use crate::state::StateError;
use crate::telemetry::console::{StderrConsole, Level, ConsoleMessage};

/// A failure, ready to be told.
#[derive(Debug)]
pub struct AppError {
    exit: Exit,
    message: ConsoleMessage,
    is_quiet: bool,
    is_interruption: bool,
    is_refused_key: bool,
    may_accept_other_key: bool,
}

impl AppError {
    /// A failure that ends with `exit`; `what` is one line.
    pub fn new(exit: Exit, what: impl Into<String>) -> AppError {
        AppError {
            exit,
            message: ConsoleMessage::new(what),
            is_quiet: false,
            is_interruption: false,
            is_refused_key: false,
            may_accept_other_key: false,
        }
    }

    /// Adds what to do. An empty hint is none: there is nothing to print.
    pub fn hint(mut self, hint: impl Into<String>) -> AppError {
        self.message.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// Adds why. A limit of the system has a hint of its own.
    pub fn because(mut self, error: &(dyn Error + 'static)) -> AppError {
        if let Some(hint) = open_files::hint(error) {
            self.message.hint = Some(hint.to_owned());
        }
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.message.causes.push(error.to_string());
            cause = error.source();
        }
        self
    }

    /// Adds what another failure said, as the reason.
    pub fn add_causes(&mut self, of: &ConsoleMessage) {
        self.message.causes.push(of.text.clone());
        self.message.causes.extend(of.causes.iter().cloned());
    }

    /// Names the source that it happened to, where the text does not.
    pub fn of_source(mut self, source: &str) -> AppError {
        if !self.message.text.contains(&format!("`{source}`")) {
            self.message.text = format!("source `{source}`: {}", self.message.text);
        }
        self.message = self.message.fact("source", source);
        self
    }

    /// The same, where that source is known: a refused key has to be put right where it is kept.
    pub fn for_settings(mut self, source: &SourceSettings) -> AppError {
        if self.is_refused_key
            && let Some(hint) = &mut self.message.hint
        {
            hint.push_str("; ");
            hint.push_str(&credentials::replacement_hint(source));
        }
        self.of_source(source.name.as_str())
    }

    /// Says what it means here, before what failed.
    pub fn with_context(mut self, what: &str) -> AppError {
        self.message.text = format!("{what}: {}", self.message.text);
        self
    }

    /// Whether the server refused this key and could accept another one.
    pub fn may_accept_other_key(&self) -> bool {
        self.may_accept_other_key
    }

    /// The exit code that it ends with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether it is no fault and nothing is told of it.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// All that is told of it.
    pub fn message(&self) -> &ConsoleMessage {
        &self.message
    }

    /// Whether a signal asked for it.
    pub fn is_interruption(&self) -> bool {
        self.is_interruption
    }

    /// What failed, in one line.
    pub fn text(&self) -> &str {
        &self.message.text
    }

    /// Why, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.message.causes
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.message.hint.as_deref()
    }

    /// Tells it; a reader who went away, as `head` does, is told nothing.
    pub fn tell(&self, console: &StderrConsole) {
        if !self.is_quiet {
            let message = self.message.clone().fact("exit_code", self.exit.code());
            console.say(Level::Error, &message);
        }
    }
}

impl From<CredentialError> for AppError {
    fn from(error: CredentialError) -> AppError {
        AppError::new(Exit::Credential, error.to_string()).hint(error.hint())
    }
}

impl From<RunError> for AppError {
    fn from(error: RunError) -> AppError {
        match error {
            RunError::Fetch(FetchError::Failed(failure)) => failure.into(),
            RunError::Fetch(FetchError::PagingLoop(circle)) => {
                AppError::new(Exit::Incomplete, circle.to_string()).hint(
                    "what was read before is written; run it again, and if it stays so, tell Atlassian support",
                )
            }
            RunError::Fetch(FetchError::IgnoresDates) => {
                AppError::new(Exit::Incomplete, error.to_string())
                    .hint("look for a proxy that drops the query; otherwise the API has changed: please report it")
            }
            RunError::Fetch(
                crowded @ (FetchError::InstantTooLarge { .. } | FetchError::UnclearPaging { .. }),
            ) => AppError::new(Exit::Incomplete, crowded.to_string()).hint(
                "nothing is lost: what was read before is written, and the next run goes on there; a larger `page_size` may hold them all, else report it to Atlassian support",
            ),
            RunError::Fetch(FetchError::EndlessEmptyPages) => {
                AppError::new(Exit::Incomplete, error.to_string())
                    .hint("what was read before is written; ask for a shorter window, and if it stays so, tell Atlassian support")
            }
            RunError::Fetch(FetchError::SliceKeptChanging { is_written }) => {
                let written = match is_written {
                    true => "what was read is written",
                    false => "nothing of that span is written, so that each event comes in its order",
                };
                AppError::new(Exit::Incomplete, error.to_string())
                    .hint(format!("{written}; run it again when fewer records arrive, and it reads that span once more"))
            }
            RunError::Sink(error) => error.into(),
            RunError::State(error) => error.into(),
            RunError::OtherScope { .. } => AppError::new(Exit::Config, error.to_string()).hint(
                "give the new organization or site a source name of its own, so that each keeps its history",
            ),
            RunError::Unfinished { .. } => AppError::new(Exit::Config, error.to_string())
                .hint("give each source a file of its own, or pull that source first"),
            RunError::Interrupted => AppError {
                is_interruption: true,
                ..AppError::new(Exit::Incomplete, error.to_string())
                    .hint("what was written is sound; run it again to go on from here")
            },
            RunError::TaskDied(_) | RunError::Fetch(FetchError::TaskDied) => {
                AppError::new(Exit::Unexpected, "a bug in atlaudit")
                    .because(&error)
                    .hint("please report it with this message; nothing written is lost")
            }
        }
    }
}

impl From<ConvertError> for AppError {
    fn from(error: ConvertError) -> AppError {
        match error {
            ConvertError::Sink(error) => error.into(),
            ConvertError::NoSite { .. } => AppError::new(Exit::Usage, error.to_string()).hint(
                "name it with `--site acme.atlassian.net`, or the source with `--source NAME`",
            ),
            ConvertError::Interrupted => AppError::new(Exit::Incomplete, error.to_string())
                .hint("run it again from the beginning; no half-written file is left"),
        }
    }
}

impl From<Failure> for AppError {
    fn from(failure: Failure) -> AppError {
        let exit = match &failure.kind {
            FailureKind::CredentialRefused
            | FailureKind::ScopeMissing
            | FailureKind::Forbidden
            | FailureKind::FreePlan
            | FailureKind::CaptchaRequired
            // Which status a wrong organization gets is not documented; key and organization are a
            // pair, so whichever it is, the pair is refused.
            | FailureKind::NotFound => Exit::Credential,
            FailureKind::RateLimited => Exit::RateLimited,
            _ => Exit::Incomplete,
        };
        let mut error = AppError::new(exit, failure.to_string()).hint(failure.hint());
        error.is_refused_key = exit == Exit::Credential
            && failure.kind == FailureKind::CredentialRefused
            && failure.endpoint != Endpoint::TenantInfo;
        error.may_accept_other_key = failure.endpoint != Endpoint::TenantInfo
            && matches!(
                failure.kind,
                FailureKind::CredentialRefused
                    | FailureKind::ScopeMissing
                    | FailureKind::Forbidden
                    | FailureKind::NotFound
            );
        error.message.causes.clone_from(&failure.causes);
        error
    }
}

impl From<SinkError> for AppError {
    fn from(error: SinkError) -> AppError {
        let named;
        let hint = match &error {
            SinkError::ReaderClosed => "",
            SinkError::Stdout(_) => "check what standard output is connected to",
            SinkError::File { source, path, .. } if source.kind() == ErrorKind::IsADirectory => {
                let path = path.display().to_string();
                named = format!(
                    "name a file in it, such as `{}/{{source}}.jsonl`",
                    path.trim_end_matches('/')
                );
                &named
            }
            SinkError::File { .. } => {
                "check that the folder exists, that this user may write there, and that the disk is not full"
            }
            SinkError::NotTruncated { .. } => {
                "free disk space, and run it again: the next run mends the end of the file before it writes"
            }
            SinkError::LockedByOtherRun { .. } => "wait for that run, or write to another file",
            SinkError::CorruptArchive { .. } => {
                "move it away, or write to another file: what is appended to it could not be read back"
            }
            SinkError::CompressionMismatch { .. } => {
                "move it away, or write to another file: no tool reads a file that is packed in part"
            }
            SinkError::AlreadyExists { .. } => {
                "move it away, or write to another file: nothing is converted over a file that holds something"
            }
            SinkError::RemovedWhileOpen { .. } => {
                "run it again: what is missing is read again; with logrotate's `compress` use `delaycompress`"
            }
            SinkError::CommittedDataMissing { .. } => "put it back as it was, or begin once more in another folder",
            SinkError::TruncatedExternally { .. } => {
                "run it again: what may be missing is read again; let that program rename the file instead, or use `rotate`"
            }
        };
        let is_quiet = matches!(error, SinkError::ReaderClosed);
        let mut told = AppError::new(Exit::Output, error.to_string()).hint(hint);
        told.is_quiet = is_quiet;
        match error.source() {
            Some(cause) => told.because(cause),
            None => told,
        }
    }
}

impl From<EvidenceError> for AppError {
    fn from(error: EvidenceError) -> AppError {
        let (exit, hint) = match &error {
            EvidenceError::Io { .. } => (
                Exit::Output,
                "check that this user may read and write there, and that the disk is whole and not full",
            ),
            EvidenceError::Damaged { .. } => (
                Exit::Output,
                "nothing was sealed; export into another folder, and keep this one to see what happened to it",
            ),
            EvidenceError::UnexpectedEntry { .. } => (
                Exit::Output,
                "nothing was sealed; move it out of the folder, and run the same command again",
            ),
            EvidenceError::Sign(_) => (
                Exit::Output,
                "nothing was sealed; run the same command again, and see that the key is a good one",
            ),
            EvidenceError::NoRun => (Exit::Unexpected, "please report it"),
            EvidenceError::NoFolder { .. } | EvidenceError::NoExport { .. } => (
                Exit::Usage,
                "name the folder that `atlaudit export --output DIR` made",
            ),
        };
        let told = AppError::new(exit, error.to_string()).hint(hint);
        match error.source() {
            Some(cause) => told.because(cause),
            None => told,
        }
    }
}

/// Whether the state at `path` is that of an export, which lies in the export itself.
fn is_of_export(path: &Path) -> bool {
    let state = Path::new(folder::STATE).join("sources");
    path.ancestors().any(|folder| folder.ends_with(&state))
}

impl From<StateError> for AppError {
    fn from(error: StateError) -> AppError {
        let is_of_export = match &error {
            StateError::Damaged { path, .. } | StateError::Io { path, .. } => is_of_export(path),
            StateError::Locked { .. } | StateError::Newer { .. } | StateError::Unsafe { .. } => {
                false
            }
        };
        let protect = match &error {
            StateError::Unsafe { command, .. } => format!("protect it with: {command}"),
            _ => String::new(),
        };
        let hint = match &error {
            StateError::Unsafe { .. } => &protect,
            StateError::Locked { .. } => "wait for that run to end, or stop it",
            StateError::Newer { .. } => {
                "use the newer atlaudit that wrote it; the file was left as it is"
            }
            StateError::Damaged { .. } if is_of_export => {
                "the file was left as it is; restore it from a backup, or begin the export once more in another folder"
            }
            StateError::Io { .. } if is_of_export => {
                "check that this user may write there and that the disk is not full; run the same command again to resume the export"
            }
            StateError::Damaged { .. } => {
                "the file was left as it is; restore it from a backup, or move it away to begin again with `initial_lookback`"
            }
            StateError::Io { .. } => {
                "check that this user may write there and that the disk is not full, or choose another folder with `--state-dir`"
            }
        };
        let told = AppError::new(Exit::State, error.to_string()).hint(hint);
        match error.source() {
            Some(cause) => told.because(cause),
            None => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn causes_follow_the_failure() {
        let error = AppError::from(SinkError::File {
            doing: "open",
            path: "/x/out".into(),
            source: io::Error::from(ErrorKind::PermissionDenied),
        });
        assert_eq!(error.exit(), Exit::Output);
        assert_eq!(error.text(), "cannot open the output file `/x/out`");
        assert_eq!(error.message.causes, ["permission denied"]);
    }

    #[test]
    fn an_empty_hint_is_not_printed() {
        let error = AppError::from(SinkError::ReaderClosed);
        assert_eq!((error.exit(), error.hint_text()), (Exit::Output, None));
        let error = AppError::new(Exit::Usage, "no").hint("");
        assert_eq!(error.hint_text(), None);
    }

    #[test]
    fn the_source_is_named_once() {
        let named = |text: &str| {
            AppError::new(Exit::Incomplete, text)
                .of_source("acme")
                .message
                .text
        };
        assert_eq!(named("no answer"), "source `acme`: no answer");
        assert_eq!(named("source `acme`: no key"), "source `acme`: no key");
    }
}
