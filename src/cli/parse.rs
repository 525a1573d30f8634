//! Parses the command line, and hides a secret that was typed on it from the error.

use std::error::Error as _;
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

/// Whether messages are wanted as JSON. Flags are recognised by their words: the whole line could
/// not be parsed.
pub fn wants_json(typed: &[OsString]) -> bool {
    typed.iter().zip(typed.iter().skip(1)).any(|(flag, value)| {
        (flag.as_os_str(), value.as_os_str()) == (OsStr::new("--log-format"), OsStr::new("json"))
    }) || typed.iter().any(|flag| flag == "--log-format=json")
}

/// The same of the line that a monitoring system reads.
pub fn wants_plugin_line(typed: &[OsString]) -> bool {
    ["status", "--nagios"].iter().all(|word| typed.iter().any(|typed| typed == word))
}

/// What is wrong with the arguments and what to do; nothing where help was asked for.
pub fn describe_error(error: &clap::Error, typed: &[OsString]) -> Option<(String, String)> {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help || !error.use_stderr() {
        return None;
    }
    let get = |kind| error.get(kind).map(ToString::to_string).filter(|text| !text.is_empty());
    let arg = get(ContextKind::InvalidArg).unwrap_or_default();
    let value = get(ContextKind::InvalidValue);
    let (text, why) = (error.to_string(), error.source().map(ToString::to_string));
    let number = why.as_deref().and_then(describe_number);
    let what = match (error.kind(), value, number) {
        (ErrorKind::UnknownArgument, ..) if arg.starts_with('-') => {
            format!("there is no option `{arg}` here")
        }
        (ErrorKind::InvalidSubcommand, ..) => {
            let typed = get(ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("there is no command `{typed}`")
        }
        (ErrorKind::MissingRequiredArgument, ..) => format!("missing: {arg}"),
        (ErrorKind::InvalidValue, None, _) => format!("`{arg}` needs a value"),
        (_, Some(value), Some(number)) => format!("`{arg}`: `{value}` is not {number}"),
        _ => text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    let meant =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let usage = get(ContextKind::Usage).unwrap_or_default();
    let is_negative = arg.strip_prefix('-').is_some_and(|rest| rest.starts_with(char::is_numeric));
    let hint = if let Some(meant) = meant.into_iter().find_map(get) {
        format!("did you mean `{meant}`?")
    } else if let Some(values) = get(ContextKind::ValidValue) {
        format!("use one of: {values}")
    } else if is_negative {
        "a time ago has no minus: `--since 7d`".to_owned()
    } else if let (ErrorKind::ValueValidation, None, Some((_, rest))) =
        (error.kind(), &why, text.split_once("\n\n"))
    {
        // What `parse` says itself.
        rest.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        usage.split_whitespace().collect::<Vec<_>>().join(" ").replacen("Usage:", "usage:", 1)
    };
    let hint = if hint.is_empty() { hint } else { hint + "; " };
    Some((what, format!("{hint}`{} --help` shows how", typed_call(typed))))
}

/// The words that call the command, as far as they are some.
fn typed_call(typed: &[OsString]) -> String {
    let (program, mut call) = (generate::command(), "atlaudit".to_owned());
    let mut command = &program;
    for word in typed.iter().skip(1) {
        if let Some(inner) = command.find_subcommand(word) {
            command = inner;
            call = format!("{call} {}", inner.get_name());
        }
    }
    call
}

/// Which number was expected, by the words of the parser; nothing if it was none.
fn describe_number(why: &str) -> Option<String> {
    let range = why.rsplit_once(" is not in ").and_then(|(_, range)| range.split_once(".."));
    match range {
        Some((least, most)) if most.len() < 9 => {
            Some(format!("a whole number from {least} to {}", most.trim_start_matches('=')))
        }
        Some((least, _)) => Some(format!("a whole number from {least} on")),
        None if why.contains("digit") || why.starts_with("number too") => {
            Some("a whole number that fits".to_owned())
        }
        None => None,
    }
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

    fn described(line: &str) -> Option<(String, String)> {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        describe_error(&typed(line).unwrap_err(), &words)
    }

    #[test]
    fn errors_are_in_words_of_ours() {
        for (line, what, hint) in [
            ("pull --sinse 1d", "there is no option `--sinse` here", "did you mean `--since`?; "),
            ("pull -7d", "there is no option `-7` here", "a time ago has no minus: `--since 7d`; "),
            ("pull --all", "there is no option `--all` here", "usage: atlaudit pull [OPTIONS]"),
            ("pul", "there is no command `pul`", "did you mean `pull`?; `atlaudit --help` shows"),
            ("auth foo", "there is no command `foo`", "`atlaudit auth --help` shows how"),
            ("export", "missing: --since <T>, --output <DIR>", "usage: atlaudit export --since"),
            ("pull --since", "`--since <T>` needs a value", "`atlaudit pull --help` shows how"),
            (
                "convert --format",
                "`--format <FORMAT>` needs a value",
                "use one of: normalized, raw",
            ),
            ("search x --category tokens", "invalid value 'tokens'", "did you mean `token`?"),
            ("pull --log-format x", "invalid value 'x' for", "use one of: text, json; "),
            (
                "pull --max-events 0",
                "`--max-events <N>`: `0` is not a whole number from 1 on",
                "`atlaudit pull --help` shows how",
            ),
            ("sandbox --port 99999", "is not a whole number from 0 to 65535", "--help"),
            ("search --limit x", "`x` is not a whole number that fits", "--help"),
            ("follow --every 1", "not a span of time; write it like `7d`", "--help"),
            ("status --nagios --json", "'--nagios' cannot be used with '--json'", "usage: "),
            (
                "auth login a ATATT3xSECRET",
                "looks like an API key",
                "take it back (revoke the key)",
            ),
        ] {
            let (said, way) = described(&format!("atlaudit {line}")).unwrap();
            assert!(said.contains(what) && way.contains(hint), "{line}: {said}\n  {way}");
            assert!(!way.contains("-- ") && way.contains("--help"), "{way}");
        }
        assert!(described("atlaudit pull --help").is_none());
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
            let shown = format!("{error}{:?}", described(line));
            assert!(!shown.contains("SECRET"), "{shown}");
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
