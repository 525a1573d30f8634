//! Chooses how messages are logged: how many, in which format, in which colours.

use clap::ValueEnum;

use crate::config::env::ProcessEnv;
use crate::model::user_zone::UserZone;

/// What the flags say about log lines and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TelemetrySettings {
    /// How much is said.
    pub verbosity: LogVerbosity,
    /// The form of a line.
    pub log_format: LogFormat,
    /// Whether to colour.
    pub color: ColorMode,
    /// The zone of the times in texts for people.
    pub zone: UserZone,
    /// Whether a message in text begins with its time.
    pub has_times: bool,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogVerbosity {
    /// `-q`: what someone must know, errors and warnings: it is for those who are away.
    Quiet,
    /// And what a person wants to know.
    #[default]
    Normal,
    /// `-v`: each request and decision.
    Verbose,
    /// `-vv`: everything.
    Trace,
}

impl LogVerbosity {
    /// What `-q` and so many `-v` mean.
    pub fn new(quiet: bool, verbose: u8) -> LogVerbosity {
        match (quiet, verbose) {
            (true, _) => LogVerbosity::Quiet,
            (false, 0) => LogVerbosity::Normal,
            (false, 1) => LogVerbosity::Verbose,
            (false, _) => LogVerbosity::Trace,
        }
    }
}

/// The form of a log line or message on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[allow(missing_docs, reason = "the help of the flag would show them")]
pub enum LogFormat {
    #[default]
    Text,
    // One object a line.
    Json,
}

/// When to colour what a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[allow(missing_docs, reason = "the help of the flag would show them")]
pub enum ColorMode {
    // On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorMode {
    /// The flag if there is one; else `NO_COLOR` (no-color.org) and `TERM=dumb` switch colours off.
    pub fn choose(flag: Option<ColorMode>, env: &ProcessEnv) -> ColorMode {
        let off = env.var_os("NO_COLOR").is_some() || env.var_text("TERM") == Some("dumb");
        flag.unwrap_or(if off { ColorMode::Never } else { ColorMode::Auto })
    }

    /// Whether to colour text that goes to a terminal or not.
    pub fn enabled(self, is_terminal: bool) -> bool {
        match self {
            ColorMode::Auto => is_terminal,
            ColorMode::Always => true,
            ColorMode::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_color_flag_wins_over_no_color() {
        let env = ProcessEnv::with([("NO_COLOR", "1")], "/");
        assert_eq!(ColorMode::choose(None, &env), ColorMode::Never);
        assert_eq!(ColorMode::choose(Some(ColorMode::Always), &env), ColorMode::Always);
        assert_eq!(ColorMode::choose(None, &ProcessEnv::default()), ColorMode::Auto);
        assert!(ColorMode::Auto.enabled(true) && !ColorMode::Auto.enabled(false));
    }

    #[test]
    fn verbosity_counts() {
        assert_eq!(LogVerbosity::new(true, 0), LogVerbosity::Quiet);
        assert_eq!(LogVerbosity::new(false, 1), LogVerbosity::Verbose);
        assert_eq!(LogVerbosity::new(false, 9), LogVerbosity::Trace);
    }
}
