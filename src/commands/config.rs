//! Runs `config`: shows, checks and edits the configuration.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::commands::config_file;
use crate::commands::text_table::{plain, text_table};
use crate::config::env::{ConfigOrigin, ProcessEnv};
use crate::config::prompt::{self, UserPrompt as _};
use crate::config::request::{CheckedConfig, ConfigPlace, ConfigRequest};
use crate::config::settings::{SourceSettings, TableSpace};
use crate::error::AppError;
use crate::exit::Exit;
use crate::files::if_exists;
use crate::model::text::counted;
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;
use crate::telemetry::terminal::Terminal;

/// Checks a text as the content of the configuration file at a path.
pub type ConfigChecker<'a> = &'a dyn Fn(&Path, &str) -> Result<CheckedConfig, AppError>;

/// Runs the request.
///
/// # Errors
/// Standard output cannot be written, or the file cannot be edited, or is wrong then.
pub fn run(
    request: ConfigRequest,
    check: ConfigChecker<'_>,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<(), AppError> {
    match request {
        ConfigRequest::Path { places, all: true } => Ok(stdout::print(&list_of_places(&places))?),
        ConfigRequest::Path { places, all: false } => print_used_place(&places, console),
        ConfigRequest::Show(text) => Ok(stdout::print(&text)?),
        ConfigRequest::Check(checked) => Ok(stdout::print(&format!("{}\n", summary(&checked)))?),
        ConfigRequest::Edit(path) => edit(&path, check, env, console),
    }
}

fn summary(checked: &CheckedConfig) -> String {
    let file = match &checked.file {
        Some(path) => path.display().to_string(),
        None => "no file, but the environment or the keyring".to_owned(),
    };
    format!("{file}: OK, {}", counted(checked.sources.len() as u64, "source"))
}

fn print_used_place(places: &[ConfigPlace], console: &StderrConsole) -> Result<(), AppError> {
    for place in places.iter().filter(|place| place.is_used) {
        stdout::print(&format!("{}\n", place.file.path.display()))?;
        if !place.exists {
            console.notice("this file does not exist yet; `atlaudit config path --all` shows all");
        }
    }
    Ok(())
}

fn list_of_places(places: &[ConfigPlace]) -> String {
    let rows = places.iter().map(|place| {
        let state = match (place.is_used, place.exists) {
            (true, true) => "used",
            (true, false) => "used, does not exist",
            (false, true) => "not used",
            (false, false) => "does not exist",
        };
        let origin = match place.file.origin {
            ConfigOrigin::Flag => "--config",
            ConfigOrigin::Variable => "ATLAUDIT_CONFIG",
            ConfigOrigin::User => "this user",
            ConfigOrigin::System => "the system",
        };
        [state, origin, &place.file.path.display().to_string()].map(plain)
    });
    text_table(["STATE", "NAMED BY", "FILE"], &rows.collect::<Vec<_>>(), TableSpace::default())
}

/// What a new file begins with in the editor.
const NEW_FILE: &str = "\
# Configuration of atlaudit. No secret stands here. `atlaudit auth login NAME` adds a source;
# docs/running.md and config.example.toml show every key.
";

/// The editors that are tried where neither VISUAL nor EDITOR is set.
const USUAL_EDITORS: &str = "if command -v vi >/dev/null 2>&1; then exec vi \"$1\"; \
                             else exec nano \"$1\"; fi";

/// Opens an editor on a copy of the file at `path`, and replaces the file by it once it is right.
fn edit(
    path: &Path,
    check: ConfigChecker<'_>,
    env: &ProcessEnv,
    console: &StderrConsole,
) -> Result<(), AppError> {
    config_file::target_of(path)?;
    let copy_error = |error: io::Error| {
        AppError::new(Exit::Config, format!("`{}` cannot be copied to be edited", path.display()))
            .because(&error)
            .hint("check that this user may read it, and write the folder of temporary files")
    };
    let old = if_exists(fs::read_to_string(path)).map_err(copy_error)?;
    let begin = old.as_deref().unwrap_or(NEW_FILE);
    let copy = tempfile::Builder::new().prefix("atlaudit-config-").suffix(".toml").tempfile();
    let mut copy = copy.map_err(copy_error)?;
    copy.write_all(begin.as_bytes()).map_err(copy_error)?;
    let edited = edit_copy(copy.path(), begin, env, |new| {
        let checked = match new.trim().is_empty() {
            false => check(path, new),
            true => Err(AppError::new(Exit::Config, "it is empty")
                .hint("to have no configuration, remove the file")),
        };
        let checked = checked.map_err(|error| {
            error.with_context("the file stays as it was, since the new text is wrong")
        })?;
        Ok((new.to_owned(), checked))
    });
    let replaced = edited.and_then(|edited| match edited {
        None => Ok(format!("{} is as it was", path.display())),
        Some((new, checked)) => {
            let old = old.as_deref().unwrap_or_default();
            config_file::replace(path, old, new)?;
            let removed = check(path, old).map(|old| removed_sources(&old, &checked));
            Ok(format!("changed {}{}", summary(&checked), removed.unwrap_or_default()))
        }
    });
    match replaced {
        Ok(done) => console.notice(done),
        Err(error) => return Err(keep_text(copy, begin, path, error)),
    }
    Ok(())
}

/// What the sources that only `old` has leave behind.
fn removed_sources(old: &CheckedConfig, new: &CheckedConfig) -> String {
    let is_kept = |old: &SourceSettings| new.sources.iter().any(|new| new.name == old.name);
    let removed = old.sources.iter().filter(|source| !is_kept(source));
    let removed: Vec<_> = removed.map(|source| source.name.to_string()).collect();
    match removed.is_empty() {
        true => String::new(),
        false => format!(
            "; without {} now, whose events, checkpoint and key stay where they are",
            removed.join(", ")
        ),
    }
}

/// Lets a person edit the copy until `check` accepts it. Returns nothing if it stays as it began.
fn edit_copy<T>(
    copy: &Path,
    begin: &str,
    env: &ProcessEnv,
    check: impl Fn(&str) -> Result<T, AppError>,
) -> Result<Option<T>, AppError> {
    loop {
        open_editor(copy, env)?;
        let checked = match fs::read_to_string(copy) {
            Ok(new) if new == begin => return Ok(None),
            Ok(new) => check(&new),
            Err(error) => {
                let what = "the file stays as it was, since the new text cannot be read";
                let hint = match error.kind() {
                    ErrorKind::InvalidData => "save it as UTF-8",
                    _ => "save it under the name that the editor was given",
                };
                Err(AppError::new(Exit::Config, what).because(&error).hint(hint))
            }
        };
        match checked {
            Ok(checked) => return Ok(Some(checked)),
            Err(error) if wants_to_edit_again(&error, copy, env) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Keeps the copy, if a person wrote something into it: it is the only place of that.
fn keep_text(copy: NamedTempFile, begin: &str, path: &Path, error: AppError) -> AppError {
    let is_changed = fs::read(copy.path()).is_ok_and(|text| text != begin.as_bytes());
    let Some(Ok((_, kept))) = is_changed.then(|| copy.keep()) else {
        return error;
    };
    let hint = error.hint_text().map(|hint| format!("{hint}; ")).unwrap_or_default();
    let (kept, path) = (kept.display(), path.display());
    error.hint(format!(
        "{hint}your text is in {kept}: correct it and copy it over {path}, or start again with \
         `atlaudit config edit`"
    ))
}

/// Runs the editor of the person on the file at `path`, and waits for its end.
fn open_editor(path: &Path, env: &ProcessEnv) -> Result<(), AppError> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| env.var_text(name));
    let script = named.map_or(USUAL_EDITORS.to_owned(), |editor| format!("{editor} \"$1\""));
    let ended = Command::new("/bin/sh").args(["-c", &script, "atlaudit"]).arg(path).status();
    let failed = AppError::new(Exit::Config, "the editor failed, and the file stays as it was");
    match ended {
        Ok(status) if status.success() => Ok(()),
        // What a shell ends with where there is no such command.
        Ok(status) if status.code() == Some(127) => {
            Err(failed.hint("set VISUAL or EDITOR to an editor that is installed"))
        }
        Ok(status) => Err(failed.because(&io::Error::other(status.to_string()))),
        Err(error) => Err(failed.because(&error)),
    }
}

/// Shows what is wrong, and asks whether the person wants to mend it, where there is a person.
fn wants_to_edit_again(error: &AppError, copy: &Path, env: &ProcessEnv) -> bool {
    let person = env.stdin_is_terminal.then(Terminal::open);
    let Some(Ok(mut person)) = person else {
        return false;
    };
    let hint = error.hint_text().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    // Ctrl-C ends the program here, and leaves the copy.
    let question = format!("Edit {} again? [Y/n] ", copy.display());
    person.show(&format!("error: {}{hint}\n", error.text())).is_ok()
        && prompt::confirm(&mut person, &question, true).unwrap_or(false)
}
