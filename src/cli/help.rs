//! The help of each command beyond its flags: examples first, then usage, then notes.

use clap::{Command, CommandFactory as _};

use crate::cli::args::Args;

/// What it is, examples, how it is called, its flags, and further words.
const TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The words of a command, which its subcommands' names lead to.
struct CommandHelp {
    path: &'static [&'static str],
    examples: &'static str,
    notes: &'static str,
}

const COMMAND_HELP: &[CommandHelp] = &[
    CommandHelp {
        path: &[],
        examples: "\
  atlaudit demo                            see it work, without an account
  atlaudit auth login acme                 store an organization's API key in the OS keyring
  atlaudit check                           test every source, step by step
  atlaudit pull --since 7d | jq .action    the last seven days, without moving a checkpoint
  atlaudit pull -o '{source}.jsonl'        everything since the last pull, into files
  atlaudit export acme --since 7d -o x     the same as evidence, in a new folder
  atlaudit convert --format ecs x.jsonl    saved events in another format",
        notes: "\
Exit codes:
  0  done
  1  unexpected failure (a bug)
  2  usage
  3  incomplete: a source could not be read to its end (run again to
     continue), or a line could not be converted
  4  credentials: missing, refused, expired, or lacking a permission
  5  rate-limited past the longest wait allowed
  6  configuration
  7  state: locked by another run, written by a newer version, or damaged
  8  output: cannot be written, or its reader went away
  9  verify found a difference",
    },
    CommandHelp {
        path: &["pull"],
        examples: "\
  atlaudit pull --output '{source}.jsonl'
  atlaudit pull acme --output 'events/{source}-%Y-%m-%d.jsonl'
  atlaudit pull acme --since 2026-11-01 --until 2026-11-08 --format raw > week.jsonl
  atlaudit pull --dry-run",
        notes: "\
Without --since and --until a pull continues where the last one ended. Typed at
a terminal without an output, it only shows what it would read, and exits with
code 2: printed events would be marked as read. `--output -` prints them.

With --since or --until it reads a one-off time range (since <= time < until),
which never touches the checkpoint; --until must not be in the future. It is
written to standard output, uncompressed, unless --output names a file that no
checkpoint uses. T is RFC 3339 (2026-11-01T08:00:00Z), a date (2026-11-01,
midnight UTC) or a duration ago (36h, 7d; M is 30 days, y is 365).",
    },
    CommandHelp {
        path: &["follow"],
        examples: "\
  atlaudit follow --output '{source}.jsonl'
  atlaudit follow acme --every 30s | vector --config vector.toml
  atlaudit follow --output '/var/log/atlaudit/{source}.jsonl' --metrics-file atlaudit.prom",
        notes: "\
A source that fails is retried with the next pull; a failure that persists is
repeated once an hour. SIGINT and SIGTERM end it after the current commit, with
exit code 0. SIGHUP reloads the configuration. Supports sd_notify: READY,
STATUS, and WATCHDOG while pulls make progress.",
    },
    CommandHelp {
        path: &["export"],
        examples: "\
  atlaudit export acme --since 30d --output case-4711
  atlaudit export acme acme-jira --since 2026-11-01 --until 2026-11-08 --output week --keep-bodies
  atlaudit export acme --since 7d --output evidence --sign minisign.key",
        notes: "\
The folder contains the events, a line for each request and response, and a
manifest: what was requested, what was read, what was not, and a hash of every
file. `atlaudit verify DIR` checks all of it, `sha256sum -c SHA256SUMS` the
files. Its README.txt explains the folder to a recipient.

An export never touches the checkpoints of pull. Run the same command again to
resume an interrupted export: `--since 7d` then means the seven days before its
first run. What could not be read is a gap in the manifest; the exit code is 3,
and the same command retries it.

A time range holds since <= time < until. T is RFC 3339 (2026-11-01T08:00:00Z),
a date (2026-11-01, midnight UTC) or a duration ago (36h, 7d; M is 30 days, y
is 365).",
    },
    CommandHelp {
        path: &["check"],
        examples: "\
  atlaudit check
  atlaudit check acme --json | jq '.steps[] | select(.state != \"ok\")'",
        notes: "\
Prints each step with its duration: configuration, credential, DNS, connection,
TLS, response, authorised, permitted, a page, the newest event, clocks, rate
limit, the key's expiry, state, output. The first step that fails shows the
cause and what to do. Nothing is written or stored.",
    },
    CommandHelp {
        path: &["status"],
        examples: "\
  atlaudit status -v
  atlaudit status --json | jq 'select(.failures_in_a_row > 0)'
  atlaudit status --max-lag 2h > /dev/null",
        notes: "\
Reads only the state folder, without network access, and does not block a
running pull. READ UP TO is the time up to which everything was read, QUIET FOR
the time since the newest event. Exits with code 0 even if the last run of a
source failed; 7 if a state file cannot be read; with --max-lag, 3 if a source
is behind by more than that, whatever the reason.",
    },
    CommandHelp {
        path: &["convert"],
        examples: "\
  atlaudit convert --format ecs events.jsonl.gz > ecs.jsonl
  atlaudit convert --source acme week.jsonl --output week-normalized.jsonl
  zcat old/*.gz | atlaudit convert --site acme.atlassian.net | jq -c '[.time,.action]'",
        notes: "\
Each line is a normalized event or a raw record; files may be plain, gzip or
zstd, whatever their names. A normalized event keeps its id, source and
observed_time; everything else is recomputed from its raw object. A raw record
does not say where it comes from: use --source, or --type, --org-id and --site.
A line that cannot be read is reported with its number, the others are
converted, and the exit code is 3.",
    },
    CommandHelp {
        path: &["verify"],
        examples: "\
  atlaudit verify incident-42
  atlaudit verify incident-42 --public-key incident.pub
  atlaudit verify incident-42 --json | jq -r '.differences[].file'
  atlaudit verify incident-42 --against-source acme",
        notes: "\
Reads every file of an export, without the network, and recomputes everything
that can be computed: hashes, lines, chains, order, ids, times, counts, time
ranges, bodies, README.txt, report.html and, with --public-key, the signature.
Each difference is a line on standard error that names the file; the exit code
is 9 then. An export that says it is incomplete verifies, with a warning. A
folder that is not an export is a usage error (exit code 2).

With --json, `ok` is the result of all of it: no difference in the export and,
with --against-source, every source could be read and shows none.

Without --public-key the signature is not checked.

Someone who changes an event and recreates everything that depends on it has a
different export that is consistent in itself. Only a signature shows the
difference, or the SHA-256 of SHA256SUMS if it was noted when the export was
created: `export` and `verify` print it. Get the public key from another place
than the export.

--against-source reads the same time range again, with the configured keys,
into a temporary folder. It lists each event that appeared, vanished or changed
at the source since; the exit code is 9 then.",
    },
    CommandHelp {
        path: &["auth"],
        examples: "\
  atlaudit auth login acme
  atlaudit auth status",
        notes: "",
    },
    CommandHelp {
        path: &["auth", "login"],
        examples: "\
  atlaudit auth login acme                 a new source, or a new key for one that is known
  atlaudit auth login acme --org-id 6f1b2c3d-0000-4000-8000-000000000000
  atlaudit auth login acme-jira --site acme.atlassian.net --email auditor@acme.example
  atlaudit auth login acme --store file:~/.config/atlaudit/keys/acme
  pass show atlassian/acme | atlaudit auth login acme --with-key",
        notes: "\
Missing values are requested on a terminal; without a terminal, use the flags.
The key is tested before it is stored, and the old key stays until the new one
works. If the server refuses a key, you can enter another, three times in all.

--store file:PATH writes the key to a file that only this user can read (0600,
in a folder 0700 that is created if it is missing) and sets `credential` in the
configuration: for servers without a keyring, and for cron. `~/` is replaced
by the home folder. Later logins of the source need no --store.
A link, a file with other content, the configuration file and the state folder
are refused.",
    },
    CommandHelp {
        path: &["auth", "status"],
        examples: "\
  atlaudit auth status
  atlaudit -q auth status > /dev/null      only what is wrong, and an exit code",
        notes: "\
Requests one page of each source. Warns of a key that expires within 30 days or
was stored more than six months ago.",
    },
    CommandHelp {
        path: &["auth", "logout"],
        examples: "  atlaudit auth logout acme",
        notes: "\
The source stays in the configuration, and the key stays valid until it is
revoked at Atlassian. With `credential = \"file:PATH\"` the file is removed, if
it holds a key and nothing else.",
    },
    CommandHelp {
        path: &["demo"],
        examples: "\
  atlaudit demo
  atlaudit demo | jq -c '[.time,.action,.actor.name]' | less
  atlaudit demo --format ocsf | jq 'select(.class_uid == 3002)'",
        notes: "",
    },
    CommandHelp {
        path: &["sandbox"],
        examples: "\
  atlaudit sandbox > sandbox.toml          serve, and print a configuration for it
  atlaudit --config sandbox.toml pull      in another terminal
  atlaudit sandbox --quirk org-null-at-end > sandbox.toml",
        notes: "Stops on SIGINT or SIGTERM.",
    },
    CommandHelp { path: &["schema"], examples: "  atlaudit schema > event.schema.json", notes: "" },
    CommandHelp {
        path: &["completions"],
        examples: "\
  source <(atlaudit completions bash)
  atlaudit completions zsh > ~/.zfunc/_atlaudit
  atlaudit completions fish > ~/.config/fish/completions/atlaudit.fish
  atlaudit completions powershell | Out-String | Invoke-Expression",
        notes: "",
    },
    CommandHelp {
        path: &["man"],
        examples: "\
  atlaudit man | man -l -
  atlaudit man --dir /usr/local/share/man/man1",
        notes: "",
    },
];

/// The definition of the command line, with all that its help says.
pub fn command() -> Command {
    let mut command = COMMAND_HELP.iter().fold(Args::command(), |command, words| {
        change_subcommand(command, words.path, &|command| with_words(command, words))
    });
    // What clap adds by itself (`help`) must be there before anything is generated from it.
    command.build();
    command
}

fn with_words(command: Command, words: &CommandHelp) -> Command {
    command
        .help_template(TEMPLATE)
        .before_help(format!("Examples:\n  {}", words.examples.trim_start()))
        .after_help(words.notes)
}

/// `command` with its subcommand at `path` changed.
fn change_subcommand(
    command: Command,
    path: &[&str],
    change: &dyn Fn(Command) -> Command,
) -> Command {
    match path {
        [] => change(command),
        [name, rest @ ..] => {
            command.mut_subcommand(name, |command| change_subcommand(command, rest, change))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `see` with every command and the names that lead to it.
    fn each(command: &Command, path: &mut Vec<String>, see: &mut dyn FnMut(&[String], &Command)) {
        see(path, command);
        for inner in command.get_subcommands() {
            if inner.get_name() != "help" {
                path.push(inner.get_name().to_owned());
                each(inner, path, see);
                path.pop();
            }
        }
    }

    #[test]
    fn every_command_begins_with_examples_that_parse() {
        each(&command(), &mut Vec::new(), &mut |path, command| {
            let help = command.clone().render_long_help().to_string();
            let (examples, usage) = (help.find("Examples:"), help.find("Usage:"));
            assert!(examples.is_some() && examples < usage, "{path:?}\n{help}");
            assert!(help.lines().all(|line| line.len() <= 110), "{help}");
        });
        for words in COMMAND_HELP {
            for line in words.examples.lines() {
                parses(line);
            }
        }
    }

    /// The call of the program in `line`, if there is one, must parse.
    fn parses(line: &str) {
        let Some((_, call)) = line.split_once("atlaudit ") else {
            panic!("no call: {line}");
        };
        let call = call.split(['|', '>', ')']).next().unwrap_or_default();
        let call = call.split("     ").next().unwrap_or_default();
        let words = call.split_whitespace().map(|word| word.trim_matches('\''));
        let typed = ["atlaudit"].into_iter().chain(words);
        let result = command().try_get_matches_from(typed);
        assert!(result.is_ok(), "{line}: {}", result.unwrap_err());
    }

    #[test]
    fn a_terminal_of_eighty_columns_breaks_no_line_of_ours() {
        for words in COMMAND_HELP {
            assert!(words.notes.lines().all(|line| line.len() < 80), "{}", words.notes);
        }
    }

    #[test]
    fn help_names_every_exit_code() {
        let help = command().render_long_help().to_string();
        for code in 0..=9 {
            assert!(help.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
