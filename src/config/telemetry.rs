//! Owns how a run speaks about itself: how much, in which form, in which colours.

use std::str::FromStr;

use crate::config::env::Env;

/// What the flags say about log lines and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TelemetrySettings {
    /// How much is said.
    pub verbosity: Verbosity,
    /// The form of a line.
    pub log_format: LogFormat,
    /// Whether to colour.
    pub color: Color,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
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

impl Verbosity {
    /// What `-q` and so many `-v` mean.
    pub fn new(quiet: bool, verbose: u8) -> Verbosity {
        match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Trace,
        }
    }
}

/// The form of a log line or message on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("expected `text` or `json`".to_owned()),
        }
    }
}

/// When to colour what a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// The flag if there is one; else `NO_COLOR` (no-color.org) and `TERM=dumb` switch colours off.
    pub fn choose(flag: Option<Color>, env: &Env) -> Color {
        let off = env.var_os("NO_COLOR").is_some() || env.var_text("TERM") == Some("dumb");
        flag.unwrap_or(if off { Color::Never } else { Color::Auto })
    }

    /// Whether to colour text that goes to a terminal or not.
    pub fn enabled(self, is_terminal: bool) -> bool {
        match self {
            Color::Auto => is_terminal,
            Color::Always => true,
            Color::Never => false,
        }
    }
}

impl FromStr for Color {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Color::Auto),
            "always" => Ok(Color::Always),
            "never" => Ok(Color::Never),
            _ => Err("expected `auto`, `always` or `never`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_color_flag_wins_over_no_color() {
        let env = Env::with([("NO_COLOR", "1")], "/");
        assert_eq!(Color::choose(None, &env), Color::Never);
        assert_eq!(Color::choose(Some(Color::Always), &env), Color::Always);
        assert_eq!(Color::choose(None, &Env::default()), Color::Auto);
        assert!(Color::Auto.enabled(true) && !Color::Auto.enabled(false));
    }

    #[test]
    fn verbosity_counts() {
        assert_eq!(Verbosity::new(true, 0), Verbosity::Quiet);
        assert_eq!(Verbosity::new(false, 1), Verbosity::Verbose);
        assert_eq!(Verbosity::new(false, 9), Verbosity::Trace);
    }
}
