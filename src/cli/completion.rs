//! Computes what a shell offers for the word that is being typed: the hidden command `__complete`,
//! which our scripts for bash, zsh and fish call.
//!
//! Everything follows from the definition of the command line: possible values, types and value
//! hints. The scripts of `clap_complete` know neither positional arguments (bash, fish) nor the
//! names of configured sources.

use std::any::TypeId;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, ValueHint};

use crate::cli::args::GlobalArgs;
use crate::cli::generate;
use crate::cli::load::CommandContext;
use crate::config::validate::STORE_SCHEMES;
use crate::filter::FieldPath;
use crate::model::name::SourceName;
use crate::model::typed_time::TypedTime;
use crate::model::user_zone::UserZone;
use crate::model::workspace::SiteProduct;

/// Times that people type often; every other form has too many values.
const USUAL_TIMES: [&str; 5] = ["today", "yesterday", "24h", "7d", "30d"];

/// A value that is stored in a file: `--store file:PATH`.
const FILE_PREFIX: &str = "file:";

/// What the shell itself adds to the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PathKind {
    #[default]
    None,
    Files,
    Folders,
}

/// One word that can be typed.
#[derive(Debug, PartialEq, Eq)]
struct OfferedWord {
    value: String,
    help: String,
}

/// What is offered. Its text is what the scripts read: a line with the kind of paths and what
/// precedes a path in its word, then a line for each word, with its help after a tab.
#[derive(Debug, Default)]
struct ShellCompletion {
    words: Vec<OfferedWord>,
    paths: PathKind,
    prefix: String,
}

impl fmt::Display for ShellCompletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.paths {
            PathKind::None if self.words.is_empty() => return Ok(()),
            PathKind::None => "none",
            PathKind::Files => "files",
            PathKind::Folders => "folders",
        };
        writeln!(f, "{kind}\t{}", self.prefix)?;
        self.words.iter().try_for_each(|word| writeln!(f, "{}\t{}", word.value, word.help))
    }
}

/// What is offered for the last of `typed`, the words after the program's name.
pub fn complete(typed: &[OsString], context: &CommandContext<'_>) -> String {
    let typed: Vec<_> = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let names = |config: Option<&str>| configured_names(config, context);
    offered(&generate::command(), &typed, &names).to_string()
}

/// The names of the sources in the configuration file. One that is missing or broken has none.
fn configured_names(typed: Option<&str>, context: &CommandContext<'_>) -> Vec<String> {
    let config = typed.map(|path| match path.strip_prefix("~/") {
        // No shell expands it in a word that is not run yet.
        Some(rest) => context.env.absolute_path("HOME").unwrap_or(Path::new("~")).join(rest),
        None => PathBuf::from(path),
    });
    let config = config.or_else(|| context.global.config.clone());
    let global = GlobalArgs { config, ..context.global.clone() };
    let file = CommandContext { global: &global, ..*context }.load();
    let sources = file.map(|file| file.tables.sources).unwrap_or_default();
    let valid = |name: &str| name.parse::<SourceName>().is_ok().then(|| name.to_owned());
    sources.iter().filter_map(|(name, _)| valid(name.get_ref())).collect()
}

type ConfiguredNames<'a> = &'a dyn Fn(Option<&str>) -> Vec<String>;

fn offered(command: &Command, typed: &[String], names: ConfiguredNames<'_>) -> ShellCompletion {
    let Some((last, before)) = typed.split_last() else {
        return ShellCompletion::default();
    };
    let mut line = TypedLine::new(command);
    before.iter().for_each(|word| line.read(word));
    let names = |config: Option<&str>| {
        let mut names = names(config);
        names.retain(|name| !before.contains(name));
        names
    };
    line.complete(last, &names)
}

/// The words before the cursor, as far as the next one depends on them.
struct TypedLine<'a> {
    command: &'a Command,
    /// How many positional arguments were typed.
    position: usize,
    /// The option that may take the next word, and how many values it has.
    option: Option<(&'a Arg, usize)>,
    /// After `--`.
    is_escaped: bool,
    config: Option<&'a str>,
}

impl<'a> TypedLine<'a> {
    fn new(command: &'a Command) -> Self {
        TypedLine { command, position: 0, option: None, is_escaped: false, config: None }
    }

    fn read(&mut self, word: &'a str) {
        if let Some((option, count)) = self.option.take() {
            let (least, most) = value_counts(option);
            if count < least || !word.starts_with('-') {
                self.read_value(option, word);
                self.option = (count + 1 < most).then_some((option, count + 1));
                return;
            }
        }
        if self.is_escaped {
            self.position += 1;
        } else if word == "--" {
            self.is_escaped = true;
        } else if let Some(long) = word.strip_prefix("--") {
            self.read_long(long);
        } else if word.starts_with('-') && word.len() > 1 {
            self.read_short(word);
        } else if let Some(inner) = self.command.find_subcommand(word) {
            (self.command, self.position) = (inner, 0);
        } else {
            self.position += 1;
        }
    }

    fn read_value(&mut self, option: &Arg, value: &'a str) {
        if option.get_id() == "config" {
            self.config = Some(value);
        }
    }

    fn read_long(&mut self, long: &'a str) {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        match (self.long_option(name), value) {
            (Some(option), Some(value)) => self.read_value(option, value),
            (Some(option), None) => self.option = takes_value(option).then_some((option, 0)),
            (None, _) => {}
        }
    }

    /// `-o` takes the next word, `-oFILE` and `-qv` do not.
    fn read_short(&mut self, word: &str) {
        let option = word.chars().last().and_then(|last| {
            self.command.get_opts().find(|option| option.get_short() == Some(last))
        });
        self.option = option.filter(|_| word.chars().count() == 2).map(|option| (option, 0));
    }

    fn long_option(&self, name: &str) -> Option<&'a Arg> {
        self.command.get_arguments().find(|option| option.get_long() == Some(name))
    }

    fn complete(&self, word: &str, names: ConfiguredNames<'_>) -> ShellCompletion {
        let mut offer = ShellCompletion::default();
        if let Some((option, count)) = self.option
            && (count < value_counts(option).0 || !word.starts_with('-'))
        {
            self.add_values(option, "", word, names, &mut offer);
            return offer;
        }
        if !self.is_escaped && word.starts_with('-') {
            let long = word.strip_prefix("--").and_then(|long| long.split_once('='));
            match long {
                Some((name, value)) => {
                    if let Some(option) = self.long_option(name) {
                        self.add_values(option, &format!("--{name}="), value, names, &mut offer);
                    }
                }
                None => self.add_flags(word, &mut offer),
            }
            return offer;
        }
        if !self.is_escaped {
            self.add_commands(word, &mut offer);
        }
        if let Some(positional) = self.positional() {
            self.add_values(positional, "", word, names, &mut offer);
        } else if word.is_empty() && offer.words.is_empty() {
            self.add_flags(word, &mut offer);
        }
        offer
    }

    /// The positional argument that the next word is.
    fn positional(&self) -> Option<&'a Arg> {
        let mut all: Vec<_> = self.command.get_positionals().collect();
        all.sort_by_key(|positional| positional.get_index());
        let last = all.last().copied().filter(|last| value_counts(last).1 > 1);
        all.get(self.position).copied().or(last)
    }

    fn add_commands(&self, word: &str, offer: &mut ShellCompletion) {
        let shown = self.command.get_subcommands().filter(|inner| !inner.is_hide_set());
        for inner in shown.filter(|inner| inner.get_name().starts_with(word)) {
            let help = inner.get_about().map(ToString::to_string).unwrap_or_default();
            offer.words.push(OfferedWord { value: inner.get_name().to_owned(), help });
        }
    }

    /// Hidden flags are offered to those who have begun to type one.
    fn add_flags(&self, word: &str, offer: &mut ShellCompletion) {
        for is_hidden in [false, true] {
            for flag in self.command.get_arguments().filter(|flag| flag.is_hide_set() == is_hidden)
            {
                let value = flag.get_long().map(|long| format!("--{long}"));
                if let Some(value) = value.filter(|value| value.starts_with(word)) {
                    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                    let help = help.lines().next().unwrap_or_default().to_owned();
                    offer.words.push(OfferedWord { value, help });
                }
            }
            if !offer.words.is_empty() {
                return;
            }
        }
    }

    /// The values of `arg` that begin with `word`; `before` precedes them in the same word.
    fn add_values(
        &self,
        arg: &Arg,
        before: &str,
        word: &str,
        names: ConfiguredNames<'_>,
        offer: &mut ShellCompletion,
    ) {
        let delimiter = arg.get_value_delimiter();
        let start = delimiter.and_then(|delimiter| word.rfind(delimiter)).map_or(0, |at| at + 1);
        let (done, part) = word.split_at(start);
        let before = format!("{before}{done}");
        let known = match is_of::<SourceName>(arg) {
            true => without_help(names(self.config)),
            false => known_values(arg),
        };
        let fitting = known.into_iter().filter(|known| known.value.starts_with(part));
        let fitting = fitting.map(|OfferedWord { value, help }| OfferedWord {
            value: format!("{before}{value}"),
            help,
        });
        offer.words.extend(fitting);
        offer.paths = match arg.get_value_hint() {
            ValueHint::AnyPath | ValueHint::FilePath => PathKind::Files,
            ValueHint::DirPath => PathKind::Folders,
            _ => PathKind::None,
        };
        offer.prefix = before;
        if arg.get_id() == "store" && part.starts_with(FILE_PREFIX) {
            (offer.words, offer.paths) = (Vec::new(), PathKind::Files);
            offer.prefix.push_str(FILE_PREFIX);
        }
    }
}

/// How many values `arg` takes, at least and at most.
fn value_counts(arg: &Arg) -> (usize, usize) {
    arg.get_num_args().map_or((1, 1), |range| (range.min_values(), range.max_values()))
}

fn takes_value(arg: &Arg) -> bool {
    value_counts(arg).1 > 0
}

/// Whether the values of `arg` are read as `T`.
fn is_of<T: 'static>(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<T>()
}

/// The words that `arg` takes, if they can be listed, or the usual ones.
fn known_values(arg: &Arg) -> Vec<OfferedWord> {
    let listed = arg.get_possible_values();
    if !listed.is_empty() {
        let shown = listed.into_iter().filter(|value| !value.is_hide_set());
        let offer = |value: clap::builder::PossibleValue| OfferedWord {
            value: value.get_name().to_owned(),
            help: value.get_help().map(ToString::to_string).unwrap_or_default(),
        };
        return shown.map(offer).collect();
    }
    if is_of::<TypedTime>(arg) {
        return without_help(USUAL_TIMES);
    }
    if is_of::<SiteProduct>(arg) {
        return without_help(SiteProduct::ALL.map(SiteProduct::as_str));
    }
    if is_of::<FieldPath>(arg) {
        return without_help(FieldPath::names());
    }
    match arg.get_id().as_str() {
        "tz" => without_help(["local"].into_iter().chain(UserZone::names())),
        "store" => without_help(["keyring", FILE_PREFIX]),
        "object_store" => without_help(STORE_SCHEMES.map(|scheme| format!("{scheme}://"))),
        _ => Vec::new(),
    }
}

fn without_help<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Vec<OfferedWord> {
    let offer = |value: T| OfferedWord { value: value.into(), help: String::new() };
    values.into_iter().map(offer).collect()
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
