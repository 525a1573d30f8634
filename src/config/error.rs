//! Describes why the configuration is refused: file and line, cause, and what to do. The text of
//! the line is never part of it: it may hold a secret.

use std::fmt;
use std::path::PathBuf;

/// Why one value is not accepted; it becomes a [`ConfigError`] where the value's place is known,
/// or a usage error when the value was a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintedError {
    /// What is wrong, as a lower-case fragment.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

impl HintedError {
    /// A refusal without a hint.
    pub fn new(what: impl Into<String>) -> HintedError {
        HintedError { what: what.into(), hint: None }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> HintedError {
        self.hint = Some(hint.into());
        self
    }

    /// Says first where it was found.
    pub fn with_context(self, context: impl fmt::Display) -> HintedError {
        HintedError { what: format!("{context}: {}", self.what), ..self }
    }
}

impl fmt::Display for HintedError {
    /// One line with the hint, as a flag's refusal is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for HintedError {}

/// The configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: Option<PathBuf>,
    line: Option<usize>,
    refusal: HintedError,
    causes: Vec<String>,
}

impl ConfigError {
    /// An error that belongs to no file.
    pub fn new(what: impl Into<String>) -> ConfigError {
        HintedError::new(what).into()
    }

    /// Says which file it is in, and the line when it is known.
    pub fn in_file(mut self, file: impl Into<PathBuf>, line: Option<usize>) -> ConfigError {
        self.file = Some(file.into());
        self.line = line;
        self
    }

    /// Adds why.
    pub fn because(mut self, cause: impl Into<String>) -> ConfigError {
        self.causes.push(cause.into());
        self
    }

    /// Why, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> ConfigError {
        self.refusal = self.refusal.hint(hint);
        self
    }

    /// What to do, when there is something to say.
    pub fn hint_text(&self) -> Option<&str> {
        self.refusal.hint.as_deref()
    }

    /// The line in the file, counted from 1.
    #[cfg(test)]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            self.line.map_or(Ok(()), |line| write!(f, "{line}:"))?;
            f.write_str(" ")?;
        }
        f.write_str(&self.refusal.what)
    }
}

impl std::error::Error for ConfigError {}

impl From<HintedError> for ConfigError {
    fn from(refusal: HintedError) -> ConfigError {
        ConfigError { file: None, line: None, refusal, causes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_place_first() {
        let error = ConfigError::new("no").in_file("/c.toml", Some(3)).hint("yes");
        assert_eq!(error.to_string(), "/c.toml:3: no");
        assert_eq!(error.hint_text(), Some("yes"));
        assert_eq!(HintedError::new("no").hint("yes").to_string(), "no; yes");
    }
}
