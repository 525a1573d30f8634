//! Parses the command line, and hides a secret that was typed on it from the error.

use std::ffi::{OsStr, OsString};

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::args::Args;
use crate::cli::generate;
use crate::config::validate;

/// Reads the process's arguments, the first being the program's name. A `clap::Error` knows its
/// exit code (0 for help and version, else 2) and its stream.
pub fn parse(typed: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let typed: Vec<OsString> = typed.into_iter().collect();
    if typed.iter().any(holds_key) {
        // clap would quote the argument in its message.
        return Err(generate::command().error(
            ErrorKind::ValueValidation,
            "an argument looks like an API key, and other users can see the arguments of a \
             program\n\n  take it back (revoke the key), then: atlaudit auth login NAME, or \
             --with-key to read it from stdin",
        ));
    }
    let read = generate::command().try_get_matches_from(typed);
    read.and_then(|read| Args::from_arg_matches(&read)).map_err(conceal)
}

/// What is wrong with the arguments and what to do, where messages are wanted as JSON; nothing
/// where clap prints it itself. Flags are recognised by their words: the whole line could not be
/// parsed.
pub fn describe_error(error: &clap::Error, typed: &[OsString]) -> Option<(String, Option<String>)> {
    let is_json = typed.iter().zip(typed.iter().skip(1)).any(|(flag, value)| {
        (flag.as_os_str(), value.as_os_str()) == (OsStr::new("--log-format"), OsStr::new("json"))
    }) || typed.iter().any(|flag| flag == "--log-format=json");
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !is_json || is_help || !error.use_stderr() {
        return None;
    }
    let text = error.to_string();
    let mut parts = text.split("\n\n").map(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        words.join(" ")
    });
    let first = parts.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(&first);
    let rest: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    Some((what.to_owned(), (!rest.is_empty()).then(|| rest.join(" "))))
}

/// Takes out of clap's message what may be a secret: an argument that belongs nowhere (a key typed
/// after the name), a URL with a password, a long value.
fn conceal(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        let Some(ContextValue::String(text)) = error.get(kind) else {
            continue;
        };
        let alien = error.kind() == ErrorKind::UnknownArgument && !text.starts_with('-');
        let doubtful = kind == ContextKind::InvalidValue && (text.contains('@') || text.len() > 40);
        if alien || doubtful {
            error.insert(kind, ContextValue::String("(not shown)".to_owned()));
        }
    }
    error
}

/// Whether the argument contains a key, alone or after a `=` or `:`.
fn holds_key(argument: &OsString) -> bool {
    argument.to_string_lossy().split(['=', ':']).any(validate::looks_like_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Command;

    fn typed(line: &str) -> Result<Args, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn global_flags_stand_on_either_side() {
        for line in ["atlaudit --config c -vv pull acme", "atlaudit pull acme -vv --config c"] {
            let args = typed(line).unwrap();
            assert_eq!(args.global.config.as_deref(), Some(std::path::Path::new("c")), "{line}");
            assert_eq!(args.global.verbose, 2, "{line}");
            assert!(matches!(args.command, Command::Pull(_)));
        }
    }

    #[test]
    fn exit_codes_of_the_parser() {
        for (line, code) in [
            ("atlaudit --help", 0),
            ("atlaudit pull --help", 0),
            ("atlaudit --version", 0),
            ("atlaudit", 2),
            ("atlaudit pul", 2),
            ("atlaudit pull --max-events 0", 2),
            ("atlaudit pull --since yesterdy", 2),
            ("atlaudit pull ../x", 2),
            ("atlaudit pull --format cef", 2),
            ("atlaudit sandbox --rate-limit 0", 2),
            ("atlaudit auth login a --base-url http://x.example", 2),
        ] {
            assert_eq!(typed(line).unwrap_err().exit_code(), code, "{line}");
        }
    }

    #[test]
    fn a_typed_secret_is_not_quoted() {
        for line in [
            "atlaudit auth login acme ATATT3xSECRET",
            "atlaudit auth login acme --key=ATCTT3xSECRET",
            "atlaudit auth login ATCTT3xSECRET=1",
            "atlaudit auth login acme --org-id ATATT3xSECRET",
            "atlaudit auth login acme SECRET",
            "atlaudit auth login acme --api-key SECRET",
            "atlaudit auth login acme --api-key=SECRET",
            "atlaudit auth login acme --base-url http://u:SECRET@h.example",
            "atlaudit auth login SECRET=0123456789012345678901234567890123456789",
        ] {
            let error = typed(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn sandbox_defaults() {
        let Command::Sandbox(sandbox) = typed("atlaudit sandbox").unwrap().command else {
            panic!("sandbox");
        };
        assert_eq!((sandbox.port, sandbox.events, sandbox.records), (8417, 2400, 600));
        assert_eq!((sandbox.confluence_records, sandbox.datacenter_events), (300, 300));
        assert_eq!(sandbox.workspace_events, 300);
    }
}
