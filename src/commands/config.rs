//! Runs `config`: shows, checks and edits the configuration.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::commands::config_file;
use crate::commands::sources::text_table;
use crate::config::env::{ConfigOrigin, ProcessEnv};
use crate::config::error::HintedError;
use crate::config::prompt::{self, UserPrompt as _};
use crate::config::request::{CheckedConfig, ConfigPlace, ConfigRequest};
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
    format!("{file}: OK, {}", counted(checked.sources as u64, "source"))
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
    let mut rows = vec![["STATE", "NAMED BY", "FILE"].map(str::to_owned)];
    rows.extend(places.iter().map(|place| {
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
        [state.to_owned(), origin.to_owned(), place.file.path.display().to_string()]
    }));
    text_table(&rows)
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
    let checked = loop {
        open_editor(copy.path(), env)?;
        let new = fs::read_to_string(copy.path()).map_err(copy_error)?;
        if new == begin {
            console.notice(format!("{} is as it was", path.display()));
            return Ok(());
        }
        match check(path, &new) {
            Ok(checked) => {
                replace(path, old.as_deref(), new, copy)?;
                break checked;
            }
            Err(error) if wants_to_edit_again(&error, env) => {}
            Err(error) => {
                let stays = "the file stays as it was, since the new text is wrong";
                return Err(error.with_context(stays));
            }
        }
    };
    console.notice(format!("changed {}", summary(&checked)));
    Ok(())
}

/// Puts `new` into the place of the file, unless somebody else has changed it meanwhile.
fn replace(
    path: &Path,
    old: Option<&str>,
    new: String,
    copy: NamedTempFile,
) -> Result<(), AppError> {
    let prepared = config_file::prepare(path, |now| match now == old.unwrap_or_default() {
        true => Ok(new),
        false => Err(HintedError::new("somebody else changed it while you edited")),
    });
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            // It is the only place of what the person wrote.
            let kept = copy.keep().map(|(_, path)| path.display().to_string());
            let hint = match kept {
                Ok(kept) => format!("your text is in {kept}"),
                Err(_) => "edit it again".to_owned(),
            };
            return Err(error.hint(hint));
        }
    };
    prepared.commit()
}

/// Runs the editor of the person on the file at `path`, and waits for its end.
fn open_editor(path: &Path, env: &ProcessEnv) -> Result<(), AppError> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| env.var_text(name));
    let script = named.map_or(USUAL_EDITORS.to_owned(), |editor| format!("{editor} \"$1\""));
    let ended = Command::new("/bin/sh").args(["-c", &script, "atlaudit"]).arg(path).status();
    let failed = AppError::new(Exit::Config, "the editor failed, and nothing was changed")
        .hint("set VISUAL or EDITOR to an editor that waits until you close the file");
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed.because(&io::Error::other(status.to_string()))),
        Err(error) => Err(failed.because(&error)),
    }
}

/// Shows what is wrong, and asks whether the person wants to mend it, where there is a person.
fn wants_to_edit_again(error: &AppError, env: &ProcessEnv) -> bool {
    let person = env.stdin_is_terminal.then(Terminal::open);
    let Some(Ok(mut person)) = person else {
        return false;
    };
    let hint = error.hint_text().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    let question = "Edit it again? [Y/n] ";
    let is_yes = |answer: &str| match answer.to_ascii_lowercase().as_str() {
        "" | "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err(HintedError::new("answer `y` or `n`")),
    };
    person.show(&format!("error: {}{hint}\n", error.text())).is_ok()
        && prompt::ask_until_valid(&mut person, question, is_yes).unwrap_or(false)
}
