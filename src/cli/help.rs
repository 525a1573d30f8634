//! Owns what a command's help says beside its flags: examples first, then how to call it, then what is worth knowing.

use clap::{Command, CommandFactory as _};

use crate::cli::args::Args;

/// What it is, examples, how it is called, its flags, and further words.
const TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The words of a command, which its subcommands' names lead to.
struct Words {
    path: &'static [&'static str],
    examples: &'static str,
    more: &'static str,
}

const WORDS: &[Words] = &[
    Words {
        path: &[],
        examples: "\
  atlaudit demo                            see it work, without an account
  atlaudit auth login acme                 keep an organization's API key in the OS keyring
  atlaudit check                           test every source, step by step
  atlaudit pull --since 7d | jq .action    the last seven days, without moving a checkpoint
  atlaudit pull -o '{source}.jsonl'        everything since the last pull, into files
  atlaudit export acme --since 7d -o x     the same as evidence, in a new folder
  atlaudit convert --format ecs x.jsonl    kept lines in another form",
        more: "\
Exit codes:
  0  done
  1  unexpected failure (a bug)
  2  usage
  3  incomplete: some source could not be read to its end (run again to go
     on), or some line to convert
  4  credentials: missing, refused, expired, or lacking a permission
  5  rate-limited past the longest wait allowed
  6  configuration
  7  state: locked by another run, written by a newer version, or damaged
  8  output: cannot be written, or its reader went away
  9  verify found a difference",
    },
    Words {
        path: &["pull"],
        examples: "\
  atlaudit pull --output '{source}.jsonl'
  atlaudit pull acme --output 'events/{source}-%Y-%m-%d.jsonl'
  atlaudit pull acme --since 2026-11-01 --until 2026-11-08 --format raw > week.jsonl
  atlaudit pull --dry-run",
        more: "\
Without --since and --until a pull goes on where the last one ended. Typed at
a terminal without an output, it only shows what it would read, and exits with
code 2: what was printed would be marked as read. `--output -` prints it.

With --since or --until it is a one-off window (since <= time < until) that
neither reads nor moves a checkpoint; --until must not be in the future. It is
written to standard output, uncompressed, unless --output names a file that no
checkpoint uses. T is RFC 3339 (2026-11-01T08:00:00Z), a date (2026-11-01,
midnight UTC) or a span back (36h, 7d; M is 30 days, y is 365).",
    },
    Words {
        path: &["follow"],
        examples: "\
  atlaudit follow --output '{source}.jsonl'
  atlaudit follow acme --every 30s | vector --config vector.toml
  atlaudit follow --output '/var/log/atlaudit/{source}.jsonl' --metrics-file atlaudit.prom",
        more: "\
A source that fails is tried again with the next pull; what goes on failing is
told once an hour. SIGINT and SIGTERM end it after the current commit, with 0.
SIGHUP reads the configuration again. Under systemd it tells when it is ready,
what it does, and, to the watchdog, that it gets on.",
    },
    Words {
        path: &["export"],
        examples: "\
  atlaudit export acme --since 30d --output case-4711
  atlaudit export acme acme-jira --since 2026-11-01 --until 2026-11-08 --output week --keep-bodies
  atlaudit export acme --since 7d --output evidence --sign minisign.key",
        more: "\
The folder gets the events, a line for each request with its answer, and a
manifest: what was asked, what was read, what was not, and a hash of every
file. `atlaudit verify DIR` checks all of it, and `sha256sum -c SHA256SUMS`
the files. Its README.txt explains it to whoever has only the folder.

An export reads and moves no checkpoint of pull. The same command goes on with
one that was interrupted: `--since 7d` then means the seven days before its
first run. What could not be read is a gap in the manifest, the exit code is
3, and the same command tries it again.

A window holds since <= time < until. T is RFC 3339 (2026-11-01T08:00:00Z), a
date (2026-11-01, midnight UTC) or a span back (36h, 7d; M is 30 days, y is
365).",
    },
    Words {
        path: &["check"],
        examples: "\
  atlaudit check
  atlaudit check acme --json | jq '.steps[] | select(.state != \"ok\")'",
        more: "\
Each step stands on its line with its time: configuration, credential, DNS,
connection, TLS, answer, authorised, permitted, a page, the newest event, the
clocks, the limit, the key's end, state, output. The first one that fails ends
with its cause and what to do. Nothing is written or remembered.",
    },
    Words {
        path: &["status"],
        examples: "\
  atlaudit status -v
  atlaudit status --json | jq 'select(.failures_in_a_row > 0)'
  atlaudit status --max-lag 2h > /dev/null",
        more: "\
It reads what the last runs left behind, asks nothing of the network and holds
nobody up. It ends with 0, also where the last run of a source failed; with 7
where a state cannot be read; with --max-lag, with 3 where a source is not
read up to so long ago, whatever the reason.",
    },
    Words {
        path: &["convert"],
        examples: "\
  atlaudit convert --format ecs events.jsonl.gz > ecs.jsonl
  atlaudit convert --source acme week.jsonl --output week-normalized.jsonl
  zcat old/*.gz | atlaudit convert --site acme.atlassian.net | jq -c '[.time,.action]'",
        more: "\
Each line is a normalized event or a raw record; files may be plain, gzip or
zstd, whatever their names. A normalized event keeps its id, its source and
its observed_time; everything else is read from its raw object anew. A raw
record does not say where it comes from: --source does, or --type, --org-id
and --site. A line that cannot be read is told with its number, the others go
on, and the exit code is 3.",
    },
    Words {
        path: &["verify"],
        examples: "\
  atlaudit verify incident-42
  atlaudit verify incident-42 --public-key incident.pub
  atlaudit verify incident-42 --json | jq -r '.differences[].file'
  atlaudit verify incident-42 --against-source acme",
        more: "\
It reads every file of an export again, without the network, and computes all
that can be computed: hashes, lines, chains, order, ids, times, counts,
windows, bodies, README.txt, report.html and, with --public-key, the signature.
Each difference is a line on standard error that names the file; the exit code
is 9 then. An export that says it is incomplete verifies, with a warning. A
folder that is no export is an error of usage.

With --json, `ok` is the result of all of it: no difference in the export and,
with --against-source, every source could be read and shows none.

Without --public-key SHA256SUMS.minisig is not checked, only told of: of all
files it is the one that could then be changed unseen.

Whoever changes an event and makes anew all that follows from it has made
another export, sound in itself. Only a signature tells the two apart, or the
SHA-256 of SHA256SUMS, if it was noted when the export was made: `export` and
`verify` print it. The public key must not come with the export.

--against-source reads the same window again, with the configured keys, into
a folder that is gone afterwards. It names each event that appeared, vanished
or was changed at the source since; the exit code is 9 then.",
    },
    Words {
        path: &["auth"],
        examples: "\
  atlaudit auth login acme
  atlaudit auth status",
        more: "",
    },
    Words {
        path: &["auth", "login"],
        examples: "\
  atlaudit auth login acme                 a new source, or a new key for one that is known
  atlaudit auth login acme --org-id 6f1b2c3d-0000-4000-8000-000000000000
  atlaudit auth login acme-jira --site acme.atlassian.net --email auditor@acme.example
  atlaudit auth login acme --store file:~/.config/atlaudit/keys/acme
  pass show atlassian/acme | atlaudit auth login acme --with-key",
        more: "\
Whatever is missing is asked for on a terminal; without one the flags say it
all. The key is tested before it is stored, and the old key stays until the
new one works. A key that the server refuses is asked for again, up to three
times in all.

--store file:PATH writes the key to a file that only this user can read (0600,
in a folder 0700 that is created if it is missing) and sets `credential` in the
configuration: for servers without a keyring, and for cron. `~/` is replaced
by the home folder. Later logins of the source need no --store.
A link, a file that holds something else, the configuration file and the state
folder are refused.",
    },
    Words {
        path: &["auth", "status"],
        examples: "\
  atlaudit auth status
  atlaudit -q auth status > /dev/null      only what is wrong, and an exit code",
        more: "\
Each source is asked for one page. A key that ends within 30 days, or was kept
more than six months ago, is warned of.",
    },
    Words {
        path: &["auth", "logout"],
        examples: "  atlaudit auth logout acme",
        more: "\
The source stays in the configuration, and the key stays valid until it is
revoked at Atlassian. With `credential = \"file:PATH\"` the file is removed, if
it holds a key and nothing else.",
    },
    Words {
        path: &["demo"],
        examples: "\
  atlaudit demo
  atlaudit demo | jq -c '[.time,.action,.actor.name]' | less
  atlaudit demo --format ocsf | jq 'select(.class_uid == 3002)'",
        more: "",
    },
    Words {
        path: &["sandbox"],
        examples: "\
  atlaudit sandbox > sandbox.toml          serve, and print a configuration of it
  atlaudit --config sandbox.toml pull      in another terminal
  atlaudit sandbox --quirk org-null-at-end > sandbox.toml",
        more: "It ends with SIGINT or SIGTERM.",
    },
    Words {
        path: &["schema"],
        examples: "  atlaudit schema > event.schema.json",
        more: "",
    },
    Words {
        path: &["completions"],
        examples: "\
  source <(atlaudit completions bash)
  atlaudit completions zsh > ~/.zfunc/_atlaudit
  atlaudit completions fish > ~/.config/fish/completions/atlaudit.fish
  atlaudit completions powershell | Out-String | Invoke-Expression",
        more: "",
    },
    Words {
        path: &["man"],
        examples: "\
  atlaudit man | man -l -
  atlaudit man --dir /usr/local/share/man/man1",
        more: "",
    },
];

/// The definition of the command line, with all that its help says.
pub fn command() -> Command {
    let mut command = WORDS.iter().fold(Args::command(), |command, words| {
        at(command, words.path, &|command| told(command, words))
    });
    // What clap adds by itself (`help`) must be there before anything is generated from it.
    command.build();
    command
}

fn told(command: Command, words: &Words) -> Command {
    command
        .help_template(TEMPLATE)
        .before_help(format!("Examples:\n  {}", words.examples.trim_start()))
        .after_help(words.more)
}

/// `command` with its subcommand at `path` changed.
fn at(command: Command, path: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => change(command),
        [name, rest @ ..] => command.mut_subcommand(name, |command| at(command, rest, change)),
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
        for words in WORDS {
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
        for words in WORDS {
            assert!(
                words.more.lines().all(|line| line.len() < 80),
                "{}",
                words.more
            );
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
