//! The definition of the command line with all its help, and what is generated from it: the
//! completions and the reference.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::args::Args;
use crate::model::text::FIXED_SPACE;
use crate::sandbox::{ApiQuirk, QUIRKS};

/// What it is, examples, how it is called, its flags, and further words.
const TEMPLATE: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Help that clap has wrapped, as it is shown.
pub fn with_spaces(help: &str) -> String {
    help.replace(FIXED_SPACE, " ")
}

/// What the help of a command says beyond its flags.
#[derive(Debug, Default)]
pub struct CommandHelp {
    /// The words that call it.
    pub call: &'static str,
    /// A call in each line, and perhaps what it does.
    pub examples: &'static str,
    /// Paragraphs and lists, in lines of less than 80 columns.
    pub notes: &'static str,
}

impl CommandHelp {
    /// The examples, whose calls stay in one line each: they may be copied.
    fn whole_examples(&self) -> String {
        let whole = |line: &str| {
            let call = line.trim_start().split("   ").next().unwrap_or_default();
            line.replacen(call, &call.replace(' ', FIXED_SPACE), 1)
        };
        self.examples.lines().map(whole).collect::<Vec<_>>().join("\n")
    }

    /// The notes with each paragraph in one line, for clap to wrap, and lists as they are.
    fn flowing_notes(&self) -> String {
        let is_indented = |line: &str| line.starts_with(' ');
        let flow = |block: &str| match block.lines().any(is_indented) {
            true => block.to_owned(),
            false => block.lines().collect::<Vec<_>>().join(" "),
        };
        self.notes.split("\n\n").map(flow).collect::<Vec<_>>().join("\n\n")
    }
}

/// Reads `help.txt`, whose first line describes it.
fn command_help() -> impl Iterator<Item = CommandHelp> {
    include_str!("help.txt").split("\n== ").skip(1).map(|section| {
        let (call, text) = section.split_once('\n').unwrap_or((section, ""));
        let (examples, notes) = text.split_once("\n--\n").unwrap_or((text, ""));
        CommandHelp { call, examples: examples.trim_end(), notes: notes.trim_end() }
    })
}

/// The definition of the command line, with all that its help says.
pub fn command() -> Command {
    let quirk = |quirk: &ApiQuirk| PossibleValue::new(quirk.name).help(quirk.about);
    let args = Args::command().mut_subcommand("sandbox", |sandbox| {
        let quirks = PossibleValuesParser::new(QUIRKS.iter().map(quirk));
        sandbox.mut_arg("quirks", |arg| arg.value_parser(quirks))
    });
    let mut command = command_help().fold(args, |command, help| {
        let path: Vec<&str> = help.call.split(' ').skip(1).collect();
        add_help(command, &path, &help)
    });
    // What clap adds by itself (`help`) must be there before anything is generated from it.
    command.build();
    command
}

/// `command` with the help of its subcommand at `path`.
fn add_help(command: Command, path: &[&str], help: &CommandHelp) -> Command {
    match path {
        [] => command
            .help_template(TEMPLATE)
            .before_help(format!("Examples:\n{}", help.whole_examples()))
            .after_help(help.flowing_notes()),
        [name, rest @ ..] => command.mut_subcommand(name, |inner| add_help(inner, rest, help)),
    }
}

/// What `help.txt` says of the command `call`.
pub fn help_of(call: &str) -> CommandHelp {
    command_help().find(|help| help.call == call).unwrap_or_default()
}

/// The completions of `shell`. Those of bash, zsh and fish ask the program (`completion`).
pub fn completions(shell: Shell) -> String {
    match shell {
        Shell::Bash => include_str!("shells/atlaudit.bash").to_owned(),
        Shell::Zsh => include_str!("shells/atlaudit.zsh").to_owned(),
        Shell::Fish => include_str!("shells/atlaudit.fish").to_owned(),
        _ => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command(), "atlaudit", &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

/// Calls `see` with every command that is shown but `help`, and what is typed to call it.
pub fn for_each_command(name: &str, command: &Command, see: &mut dyn FnMut(&str, &Command)) {
    see(name, command);
    for inner in command.get_subcommands() {
        if inner.get_name() != "help" && !inner.is_hide_set() {
            for_each_command(&format!("{name} {}", inner.get_name()), inner, see);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of every command, as docs/cli.md has it.
    fn reference() -> String {
        let mut text = String::from(
            "# Commands\n\nWhat `--help` says, of every command. Generated: a test compares it with \
             the program.\n",
        );
        for_each_command("atlaudit", &command(), &mut |name, command| {
            let help = command.clone().term_width(100).render_long_help();
            let help = with_spaces(&help.to_string());
            let lines: Vec<_> = help.lines().map(str::trim_end).collect();
            let help = lines.join("\n");
            text.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.trim_end()));
        });
        text
    }

    #[test]
    fn the_reference_has_not_drifted() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
        if std::env::var_os("ATLAUDIT_UPDATE_DOCS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        let hint = "run `ATLAUDIT_UPDATE_DOCS=1 cargo test --lib the_reference_has_not_drifted`";
        assert!(kept == reference(), "docs/cli.md has drifted: {hint}");
    }

    #[test]
    fn shells_without_a_script_of_ours_get_every_command_and_long_flag() {
        for shell in [Shell::PowerShell, Shell::Elvish] {
            let text = completions(shell);
            for word in ["pull", "follow", "logout", "max-events", "metrics-file"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn every_command_begins_with_examples_that_parse() {
        for_each_command("atlaudit", &command(), &mut |path, command| {
            let help = with_spaces(&command.clone().render_long_help().to_string());
            let (examples, usage) = (help.find("Examples:"), help.find("Usage:"));
            assert!(examples.is_some() && examples < usage, "{path}\n{help}");
            assert!(help.lines().all(|line| line.len() <= 110), "{help}");
        });
        for words in command_help() {
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
        for words in command_help() {
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
