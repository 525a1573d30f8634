//! Generates completions, manual pages and the reference from the definition of the command line.

use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use crate::cli::help;

/// The completions of `shell`.
pub fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut help::command(), "atlaudit", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page of the program.
pub fn man() -> String {
    render_manual(help::command())
}

/// A manual page for each command, with its file's name: `atlaudit.1`, `atlaudit-pull.1`, `atlaudit-auth-login.1`.
pub fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    for_each_command("atlaudit", &help::command(), &mut |name, command| {
        let file = format!("{}.1", name.replace(' ', "-"));
        let command = command.clone().display_name(name.replace(' ', "-"));
        pages.push((file.into(), render_manual(command)));
    });
    pages
}

fn render_manual(command: Command) -> String {
    let mut text = Vec::new();
    // A page knows no words before the flags.
    let words = [command.get_before_help(), command.get_after_help()];
    let words: Vec<_> = words.into_iter().flatten().map(|words| words.to_string()).collect();
    let command = command.after_help(words.join("\n\n"));
    // Into memory, which takes everything.
    let _ = clap_mangen::Man::new(command).render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Calls `see` with every command but `help`, and what is typed to call it.
fn for_each_command(name: &str, command: &Command, see: &mut dyn FnMut(&str, &Command)) {
    see(name, command);
    for inner in command.get_subcommands() {
        if inner.get_name() != "help" {
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
            "# Commands\n\nWhat `--help` says, of every command. Generated: a test compares it with the program.\n",
        );
        for_each_command("atlaudit", &help::command(), &mut |name, command| {
            let help = command.clone().term_width(100).render_long_help();
            let help = help.to_string();
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
    fn each_shell_gets_every_command_and_long_flag() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            let text = completions(shell);
            for word in ["pull", "follow", "logout", "max-events", "metrics-file"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn completions_offer_the_words_of_a_closed_list() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = completions(shell);
            let words = ["normalized", "ecs", "gzip", "datacenter-audit", "always", "json"];
            for word in words {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn a_page_for_each_command() {
        let pages = pages();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        for name in ["atlaudit.1", "atlaudit-pull.1", "atlaudit-auth-login.1"] {
            assert!(names.contains(&name), "{name}");
        }
        for (name, text) in &pages {
            assert!(text.contains(".SH SYNOPSIS") && text.contains("Examples:"), "{name:?}");
        }
    }
}
