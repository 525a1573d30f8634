//! How a failure is reported to a person: what failed, the causes, what to do, and the exit code.
//! The errors of the lower layers bring their hints and exit codes with them.

use std::error::Error;
use std::path::Path;

use crate::config::error::{ConfigError, HintedError};
use crate::config::settings::SourceSettings;
use crate::convert::ConvertError;
use crate::credentials::{self, CredentialError};
use crate::detect::DetectionError;
use crate::detect::sigma::RuleError;
use crate::evidence::error::EvidenceError;
use crate::evidence::folder;
use crate::exit::Exit;
use crate::fetch::types::FetchError;
use crate::http::failure::Failure;
use crate::model::open_files;
use crate::model::text::{group_digits, without_numbers};
use crate::objects::ObjectError;
use crate::pipeline::error::RunError;
use crate::sink::{SinkError, UnexpectedFile};
use crate::state::StateError;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// A failure that can be reported.
#[derive(Debug, Clone)]
pub struct AppError {
    exit: Exit,
    message: ConsoleMessage,
    is_quiet: bool,
    is_interruption: bool,
    is_held: bool,
    is_held_elsewhere: bool,
    is_refused_key: bool,
    may_accept_other_key: bool,
    /// What distinguishes it from other errors, where that is not its text.
    kind: Option<Box<str>>,
}

impl AppError {
    /// A failure that ends with `exit`; `what` is one line.
    pub fn new(exit: Exit, what: impl Into<String>) -> AppError {
        AppError {
            exit,
            message: ConsoleMessage::new(what),
            is_quiet: false,
            is_interruption: false,
            is_held: false,
            is_held_elsewhere: false,
            is_refused_key: false,
            may_accept_other_key: false,
            kind: None,
        }
    }

    /// Sets what to do. An empty hint is not printed.
    pub fn hint(mut self, hint: impl Into<String>) -> AppError {
        self.message.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// A failure with the text and the hint of a refusal.
    pub fn refused(exit: Exit, refusal: HintedError) -> AppError {
        AppError::new(exit, refusal.what).hint(refusal.hint.unwrap_or_default())
    }

    /// Adds `error` and its sources as causes. A limit of the system has a hint of its own.
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

    /// Adds the text and the causes of another message as causes.
    pub fn add_causes(&mut self, of: &ConsoleMessage) {
        self.message.causes.push(of.text.clone());
        self.message.causes.extend(of.causes.iter().cloned());
    }

    /// Names the source that it happened to, unless the text does.
    pub fn of_source(mut self, source: &str) -> AppError {
        if !self.message.text.contains(&format!("`{source}`")) {
            self.message.text = format!("source `{source}`: {}", self.message.text);
        }
        self.message = self.message.fact("source", source);
        self
    }

    /// The same with the source's settings. The hint for a refused key names the place where it is
    /// stored. The same error with another key, organization or site is another one.
    pub fn for_settings(mut self, source: &SourceSettings) -> AppError {
        let target = &source.target;
        let owner = target.org_id.as_deref().or(target.site.as_deref()).or(target.cloud_id());
        let (reason, owner) = (self.reason(), owner.unwrap_or_default());
        self.kind = Some(format!("{reason} {owner} {}", source.credential).into());
        if self.is_refused_key
            && let Some(hint) = &mut self.message.hint
        {
            hint.push_str("; ");
            hint.push_str(&credentials::replacement_hint(source));
        }
        self.of_source(source.name.as_str())
    }

    /// Puts what it means here before what failed.
    pub fn with_context(mut self, what: &str) -> AppError {
        self.message.text = format!("{what}: {}", self.message.text);
        self
    }

    /// Whether the server refused this key and could accept another one.
    pub fn may_accept_other_key(&self) -> bool {
        self.may_accept_other_key
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether it is not a fault, and nothing is reported.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Everything that is reported.
    pub fn message(&self) -> &ConsoleMessage {
        &self.message
    }

    /// Whether a signal requested it.
    pub fn is_interruption(&self) -> bool {
        self.is_interruption
    }

    /// Whether another run, here or on another machine, does what this one would, or writes its
    /// file.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// What distinguishes it from other errors: the same for two failures with one reason, whatever
    /// times and counts their texts have.
    pub fn kind(&self) -> String {
        format!("{}: {}", self.exit.code(), self.reason())
    }

    fn reason(&self) -> String {
        let of_text = || {
            let causes = self.message.causes.iter().map(|cause| without_numbers(cause));
            let text = without_numbers(&self.message.text);
            std::iter::once(text).chain(causes).collect::<Vec<_>>().join("; ")
        };
        self.kind.as_deref().map_or_else(of_text, str::to_owned)
    }

    /// Whether a run on another machine does what this one would.
    pub fn is_held_elsewhere(&self) -> bool {
        self.is_held_elsewhere
    }

    /// What failed, in one line.
    pub fn text(&self) -> &str {
        &self.message.text
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.message.causes
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.message.hint.as_deref()
    }

    /// Adds how long and how often it has happened.
    pub fn lasting(mut self, since: &str, times: u64) -> AppError {
        let count = group_digits(times);
        self.message.text.push_str(&format!(" (failing since {since}, {count} times)"));
        self.message = self.message.fact("failing_since", since).fact("failures", times);
        self
    }

    /// Reports it. Nothing is reported to a reader that went away, as `head` does. Returns false if
    /// the report could not be written.
    pub fn report_to(&self, console: &StderrConsole) -> bool {
        let message = || self.message.clone().fact("exit_code", self.exit.code());
        self.is_quiet || console.say(Level::Error, &message())
    }
}

/// A failure with all that `error` says of itself.
fn failed(exit: Exit, error: &(dyn Error + 'static), hint: impl Into<String>) -> AppError {
    let failure = AppError::new(exit, error.to_string()).hint(hint);
    match error.source() {
        Some(cause) => failure.because(cause),
        None => failure,
    }
}

impl From<ConfigError> for AppError {
    fn from(error: ConfigError) -> AppError {
        let hint = error.hint_text().unwrap_or_default();
        let mut failure = AppError::new(Exit::Config, error.to_string()).hint(hint);
        failure.message.causes = error.causes().to_vec();
        failure
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
            RunError::Sink(error) => error.into(),
            RunError::State(error) => error.into(),
            RunError::TaskDied(_) | RunError::Fetch(FetchError::TaskDied) => {
                let failure = AppError::new(error.exit(), "a bug in atlaudit");
                failure.because(&error).hint(error.hint())
            }
            error => AppError {
                is_interruption: matches!(error, RunError::Interrupted),
                ..AppError::new(error.exit(), error.to_string()).hint(error.hint())
            },
        }
    }
}

impl From<ConvertError> for AppError {
    fn from(error: ConvertError) -> AppError {
        match error {
            ConvertError::Sink(error) => error.into(),
            error => failed(error.exit(), &error, error.hint()),
        }
    }
}

impl From<RuleError> for AppError {
    fn from(error: RuleError) -> AppError {
        AppError::new(Exit::Config, format!("the rules cannot be used: {error}"))
            .hint("`atlaudit rules check DIR` lists everything that is wrong")
    }
}

impl From<Failure> for AppError {
    fn from(failure: Failure) -> AppError {
        let mut error = AppError::new(failure.exit(), failure.to_string()).hint(failure.hint());
        error.is_refused_key = failure.is_refused_key();
        error.kind = Some(failure.name().into());
        error.may_accept_other_key = failure.may_accept_other_key();
        error.message.causes = failure.causes;
        error
    }
}

impl From<SinkError> for AppError {
    fn from(error: SinkError) -> AppError {
        let state = match &error {
            SinkError::UnexpectedFile { state, .. } => Some(state),
            _ => None,
        };
        AppError {
            is_quiet: matches!(error, SinkError::ReaderClosed),
            is_held: matches!(state, Some(UnexpectedFile::LockedByOtherRun)),
            ..failed(Exit::Output, &error, error.hint())
        }
    }
}

impl From<DetectionError> for AppError {
    fn from(error: DetectionError) -> AppError {
        failed(Exit::Config, &error, error.hint())
    }
}

impl From<EvidenceError> for AppError {
    fn from(error: EvidenceError) -> AppError {
        failed(error.exit(), &error, error.hint())
    }
}

impl From<ObjectError> for AppError {
    fn from(error: ObjectError) -> AppError {
        failed(error.exit(), &error, error.hint())
    }
}

impl From<StateError> for AppError {
    fn from(error: StateError) -> AppError {
        let is_of_export = match &error {
            StateError::Damaged { path, .. } | StateError::Io { path, .. } => {
                let state = Path::new(folder::STATE).join("sources");
                path.ancestors().any(|folder| folder.ends_with(&state))
            }
            _ => false,
        };
        let is_held_elsewhere = matches!(error, StateError::HeldElsewhere { .. });
        AppError {
            is_held_elsewhere,
            is_held: is_held_elsewhere || matches!(error, StateError::Locked { .. }),
            ..failed(error.exit(), &error, error.hint(is_of_export))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, ErrorKind};

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
    fn the_kind_of_an_error_has_no_times_and_counts() {
        let error = |text: &str| AppError::new(Exit::Credential, text).kind();
        assert_eq!(error("no answer after 3 attempts"), error("no answer after 12 attempts"));
        assert_ne!(error("no key"), error("no answer"));
        assert_ne!(error("no key"), AppError::new(Exit::Config, "no key").kind());
        let because = |kind| {
            let error = AppError::new(Exit::Output, "cannot write");
            error.because(&io::Error::from(kind)).kind()
        };
        assert_ne!(because(ErrorKind::PermissionDenied), because(ErrorKind::StorageFull));
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
        let named =
            |text: &str| AppError::new(Exit::Incomplete, text).of_source("acme").message.text;
        assert_eq!(named("no answer"), "source `acme`: no answer");
        assert_eq!(named("source `acme`: no key"), "source `acme`: no key");
    }
}
