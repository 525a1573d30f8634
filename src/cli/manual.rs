//! Renders the manual pages from the definition of the command line, its help, and the lists of
//! variables and files.
//!
//! The roff is written here: `clap_mangen` fills examples and exit codes as prose, and the crate
//! `roff` cannot write `~` and `^` so that they can be copied from a page.

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::DateTime;
use clap::{Arg, Command};

use crate::cli::environment::{FILES, OTHER_VARIABLES};
use crate::cli::generate::{self, CommandHelp};
use crate::config::env::SIGN_PASSWORD;

/// The date of the pages, unless SOURCE_DATE_EPOCH sets one: that of this version.
const RELEASE_DATE: &str = "2026-12-01";

/// The manual page of the program.
pub fn page(source_date_epoch: Option<&str>) -> String {
    let pages = pages(source_date_epoch);
    pages.into_iter().next().map(|(_, text)| text).unwrap_or_default()
}

/// A manual page for each command, with its file's name: `atlaudit.1`, `atlaudit-auth-login.1`.
pub fn pages(source_date_epoch: Option<&str>) -> Vec<(PathBuf, String)> {
    let date = page_date(source_date_epoch);
    let program = generate::command();
    let mut calls = Vec::new();
    generate::for_each_command("atlaudit", &program, &mut |call, _| calls.push(call.to_owned()));
    let mut pages = Vec::new();
    generate::for_each_command("atlaudit", &program, &mut |call, command| {
        let page = ManualPage { call, command, help: generate::help_of(call), calls: &calls };
        pages.push((format!("{}.1", page_name(call)).into(), page.render(&date)));
    });
    pages
}

/// The day of a number of seconds since 1970, as builds that can be repeated set it.
fn page_date(source_date_epoch: Option<&str>) -> String {
    let seconds = source_date_epoch.and_then(|text| text.trim().parse().ok());
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or(RELEASE_DATE.to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

/// `atlaudit auth login` has the page `atlaudit-auth-login`.
fn page_name(call: &str) -> String {
    call.replace(' ', "-")
}

/// What a page is made from.
struct ManualPage<'a> {
    /// What is typed to call it.
    call: &'a str,
    command: &'a Command,
    help: CommandHelp,
    /// What is typed to call each command.
    calls: &'a [String],
}

impl ManualPage<'_> {
    fn render(&self, date: &str) -> String {
        let name = page_name(self.call);
        let about = self.command.get_about().map(ToString::to_string).unwrap_or_default();
        let mut page = RoffText::default();
        page.request(
            "TH",
            &[
                &name.to_uppercase(),
                "1",
                date,
                concat!("atlaudit ", env!("CARGO_PKG_VERSION")),
                "User Commands",
            ],
        );
        // Ragged and not hyphenated: names and flags stay whole in narrow terminals.
        page.text.push_str(".ad l\n.nh\n");
        page.section("NAME");
        page.text(&format!("{name} - {}", with_first(&about, char::to_lowercase)));
        page.section("SYNOPSIS");
        let usage = self.command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        page.bold_start(self.call, usage.strip_prefix(self.call).unwrap_or_default());
        page.section("DESCRIPTION");
        page.text(&format!("{}.", about.trim_end_matches('.')));
        self.help.paragraphs().0.iter().for_each(|paragraph| page.paragraph(paragraph));
        self.options(&mut page);
        self.commands(&mut page);
        self.exit_codes(&mut page);
        self.surroundings(&mut page);
        self.examples(&mut page);
        self.see_also(&mut page);
        page.text
    }

    /// The arguments, then the flags, under the headings of the help.
    fn options(&self, page: &mut RoffText) {
        let shown = || self.command.get_arguments().filter(|arg| !arg.is_hide_set());
        page.section("OPTIONS");
        let mut headings: Vec<Option<&str>> = vec![None];
        for heading in shown().map(Arg::get_help_heading) {
            if !headings.contains(&heading) {
                headings.push(heading);
            }
        }
        for heading in headings {
            let below = || shown().filter(|arg| arg.get_help_heading() == heading);
            if let Some(heading) = heading {
                page.request("SS", &[&escape(heading)]);
            }
            let positionals = below().filter(|arg| arg.is_positional());
            for arg in positionals.chain(below().filter(|arg| !arg.is_positional())) {
                page.item(&option_tag(arg), &option_text(arg));
            }
        }
    }

    fn commands(&self, page: &mut RoffText) {
        let inner: Vec<_> =
            self.calls.iter().filter(|call| parent(call) == Some(self.call)).collect();
        if inner.is_empty() {
            return;
        }
        page.section("COMMANDS");
        for call in inner {
            let word = call.rsplit(' ').next().unwrap_or_default();
            let command = self.command.find_subcommand(word);
            let about = command.and_then(Command::get_about).map(ToString::to_string);
            page.item(&page_reference(&page_name(call)), &about.unwrap_or_default());
        }
    }

    /// The command after the program's name.
    fn word(&self) -> &str {
        self.call.split(' ').nth(1).unwrap_or_default()
    }

    /// Whether it is about sources, and so reads the configuration and the state.
    fn has_sources(&self) -> bool {
        let local = ["rules", "demo", "sandbox", "schema", "completions", "man"];
        !local.contains(&self.word())
    }

    fn exit_codes(&self, page: &mut RoffText) {
        page.section("EXIT STATUS");
        for (code, meaning) in list_of_program("Exit codes") {
            if self.exits_with(&code) {
                page.meaning(&code, &meaning);
            }
        }
    }

    fn exits_with(&self, code: &str) -> bool {
        let word = self.word();
        match code {
            _ if word.is_empty() => true,
            "4" | "5" => self.has_sources(),
            "9" => word == "verify",
            "10" => ["detect", "posture"].contains(&word),
            "11" | "12" | "13" | "14" => word == "respond",
            _ => true,
        }
    }

    /// ENVIRONMENT and FILES. The page of the program says all, the others what is theirs.
    fn surroundings(&self, page: &mut RoffText) {
        let is_program = self.word().is_empty();
        if !self.has_sources() {
            return;
        }
        page.section("ENVIRONMENT");
        for (name, meaning) in list_of_program("Environment") {
            if is_program || name != SIGN_PASSWORD || self.word() == "export" {
                page.meaning(&name, &with_first(&meaning, char::to_uppercase));
            }
        }
        match is_program {
            true => OTHER_VARIABLES.iter().for_each(|(name, meaning)| page.meaning(name, meaning)),
            false => page.paragraph("atlaudit(1) lists the variables of other programs."),
        }
        page.section("FILES");
        FILES.iter().for_each(|(name, meaning)| page.meaning(name, meaning));
    }

    fn examples(&self, page: &mut RoffText) {
        page.section("EXAMPLES");
        for line in self.help.examples.lines() {
            let (call, words) = line.trim().split_once("   ").unwrap_or((line.trim(), ""));
            page.example(call, words.trim());
        }
    }

    /// The pages above and beside it, and those of commands that its help names; what is below it
    /// is in COMMANDS.
    fn see_also(&self, page: &mut RoffText) {
        let text = format!("{}\n{}", self.help.notes, self.help.examples);
        let is_named = |call: &str| {
            text.match_indices(call).any(|(at, _)| {
                let next = text[at + call.len()..].chars().next();
                !next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '-')
            })
        };
        let above = parent(self.call);
        let is_related = |call: &str| match parent(call) {
            None => true,
            beside => Some(call) == above || beside == above && above != Some("atlaudit"),
        };
        let others = self.calls.iter().filter(|call| {
            *call != self.call
                && parent(call) != Some(self.call)
                && (is_related(call) || is_named(call))
        });
        let mut names: Vec<_> = others.map(|call| page_name(call)).collect();
        names.sort();
        page.section("SEE ALSO");
        let names: Vec<_> = names.iter().map(|name| page_reference(name)).collect();
        page.line(&names.join(",\n"));
    }
}

/// The name of a page in roff, which is never broken.
fn page_reference(name: &str) -> String {
    format!("\\%\\fB{}\\fR(1)", escape(name))
}

/// The call of the command that `call` is a part of.
fn parent(call: &str) -> Option<&str> {
    call.rsplit_once(' ').map(|(parent, _)| parent)
}

/// `-o, --output PATH` in roff.
fn option_tag(arg: &Arg) -> String {
    let names = [
        arg.get_short().map(|short| format!("-{short}")),
        arg.get_long().map(|long| format!("--{long}")),
    ];
    let names = names.into_iter().flatten().map(|name| format!("\\fB{}\\fR", escape(&name)));
    let mut tag = names.collect::<Vec<_>>().join(", ");
    let counts =
        arg.get_num_args().map_or((1, 1), |range| (range.min_values(), range.max_values()));
    if counts.1 > 0 {
        let values = arg.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
        let more = if counts.1 > 1 { "..." } else { "" };
        let value = format!("\\fI{}\\fR{more}", escape(&values));
        let is_optional = if arg.is_positional() { !arg.is_required_set() } else { counts.0 == 0 };
        let space = if tag.is_empty() { "" } else { " " };
        let value = if is_optional { format!("[{value}]") } else { value };
        let _ = write!(tag, "{space}{value}");
    }
    tag
}

/// The help of an option, with its values and its default as the help prints them.
fn option_text(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let takes_value = arg.get_num_args().is_some_and(|range| range.takes_values());
    if takes_value && !defaults.is_empty() {
        let _ = write!(text, " [default: {}]", defaults.join(", "));
    }
    let values = arg.get_possible_values();
    let shown = values.iter().filter(|value| !value.is_hide_set());
    let shown: Vec<_> = shown.map(|value| value.get_name()).collect();
    if takes_value && !shown.is_empty() && !arg.is_hide_possible_values_set() {
        let _ = write!(text, " [possible values: {}]", shown.join(", "));
    }
    text
}

/// A list in the notes of a help: a line that ends with a colon, and indented lines below.
pub struct TitledList {
    title: String,
    /// A word, and what it means.
    items: Vec<(String, String)>,
}

impl CommandHelp {
    /// The notes as paragraphs, and the lists among them.
    fn paragraphs(&self) -> (Vec<String>, Vec<TitledList>) {
        let (mut prose, mut lists) = (Vec::new(), Vec::new());
        for block in self.notes.split("\n\n").filter(|block| !block.trim().is_empty()) {
            match read_list(block) {
                Some(list) => lists.push(list),
                None => prose.push(block.lines().collect::<Vec<_>>().join(" ")),
            }
        }
        (prose, lists)
    }
}

/// The list whose title begins so in the program's help, the one place of its words.
fn list_of_program(title: &str) -> Vec<(String, String)> {
    let lists = generate::help_of("atlaudit").paragraphs().1.into_iter();
    lists.filter(|list| list.title.starts_with(title)).flat_map(|list| list.items).collect()
}

fn read_list(block: &str) -> Option<TitledList> {
    let (title, lines) = block.split_once('\n')?;
    let title = title.strip_suffix(':')?.to_owned();
    let mut items: Vec<(String, String)> = Vec::new();
    for line in lines.lines() {
        let line = line.strip_prefix("  ")?;
        match (line.strip_prefix(' '), items.last_mut()) {
            // A line that goes on with the one before.
            (Some(more), Some((_, meaning))) => {
                let _ = write!(meaning, " {}", more.trim());
            }
            _ => {
                let (word, meaning) = line.trim().split_once(' ')?;
                items.push((word.to_owned(), meaning.trim().to_owned()));
            }
        }
    }
    Some(TitledList { title, items })
}

/// `text` with its first character changed.
fn with_first<I: Iterator<Item = char>>(text: &str, change: fn(char) -> I) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| change(first).chain(chars).collect()).unwrap_or_default()
}

/// The source of a page.
#[derive(Default)]
struct RoffText {
    text: String,
    /// After a heading, where a paragraph needs no macro.
    is_below_heading: bool,
}

impl RoffText {
    /// Arguments are roff, without quotation marks.
    fn request(&mut self, name: &str, arguments: &[&str]) {
        let _ = write!(self.text, ".{name}");
        for argument in arguments {
            let _ = write!(self.text, " \"{argument}\"");
        }
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.request("SH", &[title]);
        self.is_below_heading = true;
    }

    fn break_paragraph(&mut self) {
        if !self.is_below_heading {
            self.request("PP", &[]);
        }
    }

    /// A line that is filled. What is between backticks is bold.
    fn text(&mut self, text: &str) {
        let words: Vec<_> = text.split_whitespace().collect();
        let text = words.join(" ");
        let mut line = String::new();
        for (place, part) in text.split('`').enumerate() {
            let _ = match place % 2 {
                0 => write!(line, "{}", escape(part)),
                _ => write!(line, "\\fB{}\\fR", escape(part)),
            };
        }
        self.line(&line);
    }

    fn paragraph(&mut self, text: &str) {
        self.break_paragraph();
        self.text(text);
    }

    fn bold_start(&mut self, bold: &str, rest: &str) {
        self.line(&format!("\\fB{}\\fR{}", escape(bold), escape(rest)));
    }

    /// An item of a list; `tag` is roff.
    fn item(&mut self, tag: &str, text: &str) {
        self.request("TP", &[]);
        self.line(tag);
        self.text(text);
    }

    fn meaning(&mut self, name: &str, meaning: &str) {
        self.item(&format!("\\fB{}\\fR", escape(name)), meaning);
    }

    /// What is typed, in one line however long it is, after what it does.
    fn example(&mut self, call: &str, words: &str) {
        match words {
            "" => self.break_paragraph(),
            words => self.paragraph(&format!("{}:", with_first(words, char::to_uppercase))),
        }
        self.request("RS", &["4"]);
        self.request("EX", &[]);
        self.line(&escape(call));
        self.request("EE", &[]);
        self.request("RE", &[]);
    }

    fn line(&mut self, roff: &str) {
        self.is_below_heading = false;
        if roff.starts_with(['.', '\'']) {
            self.text.push_str("\\&");
        }
        self.text.push_str(roff);
        self.text.push('\n');
    }
}

/// `text` in roff, so that each character can be copied from the page as it was typed.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' => escaped.push_str("\\(rs"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
#[path = "manual_tests.rs"]
mod tests;
