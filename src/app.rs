//! Dispatches the command line to a command, and returns its exit code.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{self, HostAccess, generate, manual};
use crate::commands::nagios::unknown_line;
use crate::commands::{
    self, actions, auth, check, config, convert, demo, detect, export, follow, init, posture, pull,
    report, rules, sandbox, search, sources, stats, status, top, verify,
};
use crate::config::env::ProcessEnv;
use crate::config::request::{CommandRequest, FollowRequest};
use crate::config::telemetry::{ColorMode, LogFormat, TelemetrySettings};
use crate::credentials::{self, keyring};
use crate::error::AppError;
use crate::exit::{Exit, PluginState};
use crate::render::SCHEMA_TEXT;
use crate::sink::location::FileIdentity;
use crate::sink::stdout;
use crate::telemetry::console::{StderrConsole, log_to_console};
use crate::telemetry::terminal::Terminal;

/// Runs the program with the arguments `typed`, its own name first. What fails is logged.
pub fn run(typed: impl IntoIterator<Item = OsString>) -> Exit {
    let typed: Vec<OsString> = typed.into_iter().collect();
    let env = ProcessEnv::capture();
    let args = match cli::parse(typed.clone()) {
        Ok(args) => args,
        Err(error) => return answer(&error, &typed, &env),
    };
    let console = Arc::new(StderrConsole::new(cli::telemetry(&args, &env), env.stderr_is_terminal));
    log_to_console(console.clone());
    let is_plugin = args.is_plugin();
    let outside = HostAccess {
        read_file: &read_text,
        keyring_names: &keyring::names,
        check_store: &|place| credentials::check_store(place, &env),
        identify: &FileIdentity::of,
        open_prompt: &|| Some(Box::new(Terminal::open().ok()?)),
    };
    let global = args.global.clone();
    let reread = || reread_follow(&typed, &env, &outside);
    let check_config = |path: &Path, text: &str| {
        cli::check_text((path, text), &global, (&env, chrono::Utc::now()), &outside)
    };
    let resolve_line = |file: &Path, words: &[&str]| {
        let words = ["atlaudit"].iter().chain(words).map(OsString::from);
        let mut args = cli::parse(words)
            .map_err(|error| AppError::new(Exit::Usage, error.kind().to_string()))?;
        args.global.clone_from(&global);
        args.global.config = Some(file.to_owned());
        cli::resolve(args, &env, chrono::Utc::now(), &outside)
    };
    let init = init::InitHooks { resolve: &resolve_line, check: &check_config };
    let result = match cli::resolve(args, &env, chrono::Utc::now(), &outside) {
        Ok(action) => runtime().and_then(|runtime| {
            let result = runtime.block_on(async {
                ignore_size_limit_signal();
                act(action, (&reread, init), &env, &console).await
            });
            // A thread that a keyring or a file system holds must not hold the program.
            runtime.shutdown_background();
            result
        }),
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        if is_plugin && stdout::print(&unknown_line(error.text())).is_ok() {
            return Exit::Plugin(PluginState::Unknown);
        }
        error.report_to(&console);
        error.exit()
    })
}

/// The request of `follow` again, from its configuration as it is now.
fn reread_follow(
    typed: &[OsString],
    env: &ProcessEnv,
    outside: &HostAccess<'_>,
) -> Result<FollowRequest, AppError> {
    let args = cli::parse(typed.to_vec())
        .map_err(|error| AppError::new(Exit::Usage, error.kind().to_string()))?;
    match cli::resolve(args, env, chrono::Utc::now(), outside)? {
        CommandRequest::Follow(request) if request.pull.prints_on_terminal => {
            let what = "the configuration names no output any more, and events would go to the \
                        terminal";
            Err(AppError::new(Exit::Usage, what).hint("set `output.path`"))
        }
        CommandRequest::Follow(request) => Ok(request),
        _ => Err(AppError::new(Exit::Usage, "another command was typed")),
    }
}

/// A configuration file and a table of actions are not larger, in bytes.
const MAX_TEXT_BYTES: u64 = 4 << 20;

/// Reads a text file that a person writes.
fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_TEXT_BYTES {
        true => Err(io::Error::other("it is larger than 4 MiB")),
        false => Ok(text),
    }
}

/// Prints clap's output: help, the version, or what is wrong with the arguments.
fn answer(error: &clap::Error, typed: &[OsString], env: &ProcessEnv) -> Exit {
    if let Some((what, hint)) = cli::parse::describe_error(error, typed) {
        if cli::parse::wants_plugin_line(typed) && stdout::print(&unknown_line(&what)).is_ok() {
            return Exit::Plugin(PluginState::Unknown);
        }
        let is_json = cli::parse::wants_json(typed);
        let log_format = if is_json { LogFormat::Json } else { LogFormat::Text };
        let color = ColorMode::choose(None, env);
        let settings = TelemetrySettings { log_format, color, ..TelemetrySettings::default() };
        let console = StderrConsole::new(settings, env.stderr_is_terminal);
        AppError::new(Exit::Usage, what).hint(hint).report_to(&console);
        return Exit::Usage;
    }
    let is_terminal = match error.use_stderr() {
        true => env.stderr_is_terminal,
        false => env.stdout_is_terminal,
    };
    let help = error.render();
    let help = match ColorMode::choose(None, env).enabled(is_terminal) {
        true => generate::with_spaces(&help.ansi().to_string()),
        false => generate::with_spaces(&help.to_string()),
    };
    let console = StderrConsole::new(TelemetrySettings::default(), false);
    if error.use_stderr() {
        console.show(&help);
        return Exit::Usage;
    }
    let printed = stdout::print(&help).map_err(AppError::from);
    printed.map_or_else(
        |error| {
            error.report_to(&console);
            error.exit()
        },
        |()| Exit::Done,
    )
}

/// File descriptors that a pull of one source opens at most, beside the three of every process.
const DESCRIPTORS: usize = 20;

/// One thread for everything that waits. What blocks or computes for long (a writer, decompression)
/// uses threads of its own. A second thread for the network makes no pull faster, but fragments
/// memory.
fn runtime() -> Result<Runtime, AppError> {
    let start = || {
        probe_limits()?;
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
    };
    start().map_err(|error| {
        AppError::new(Exit::State, "cannot start: the system refuses files or threads")
            .hint(
                "look at the limits of this user and of the system (`ulimit -a`), and at the \
                 system's log",
            )
            .because(&error)
    })
}

/// Opens and closes as many descriptors as a pull needs, and starts a thread. Without these, the
/// runtime and its signals panic, or a run fails half-way with a misleading cause.
fn probe_limits() -> io::Result<()> {
    let opened: io::Result<Vec<_>> =
        (0..DESCRIPTORS).map(|_| io::stdin().as_fd().try_clone_to_owned()).collect();
    opened?;
    let probe = thread::Builder::new().spawn(|| ())?;
    probe.join().map_err(|_| ErrorKind::Other.into())
}

async fn act(
    action: CommandRequest,
    (reread, init): (follow::ConfigReloader<'_>, init::InitHooks<'_>),
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    match action {
        CommandRequest::Pull(request) if request.dry_run => {
            return Ok(pull::dry_run(&request, env, console).await);
        }
        CommandRequest::Pull(request) if request.prints_on_terminal => {
            return Err(pull::refuse_terminal("pull", &request, env, console).await);
        }
        CommandRequest::Follow(request) if request.pull.prints_on_terminal => {
            return Err(pull::refuse_terminal("follow", &request.pull, env, console).await);
        }
        CommandRequest::Pull(request) => return pull::run(request, env, console).await,
        CommandRequest::Export(request) => return export::run(request, env, console).await,
        CommandRequest::Convert(request) => return convert::run(request, env, console).await,
        CommandRequest::Search(request) => return search::run(*request, env, console).await,
        CommandRequest::Report(request) => return report::run(*request, env, console).await,
        CommandRequest::Top(request) => return top::run(*request, env, console).await,
        CommandRequest::Detect(request) => return detect::run(*request, env, console).await,
        #[cfg(feature = "respond")]
        CommandRequest::Respond(request) => {
            return commands::respond::run(request, env, console).await;
        }
        CommandRequest::Posture(request) => return posture::run(*request, env, console).await,
        CommandRequest::Stats(request) => return stats::run(*request, env, console).await,
        CommandRequest::Init(request) => return init::run(request, init, env, console).await,
        CommandRequest::Config(request) => config::run(request, init.check, env, console)?,
        CommandRequest::Sources(request) => sources::run(&request)?,
        CommandRequest::AuthLogin(request) => auth::login::login(*request, env, console).await?,
        CommandRequest::AuthStatus(settings, json, space) => {
            return auth::status(&settings, (json, space), env, console).await;
        }
        CommandRequest::AuthLogout(request) => auth::logout(request, env, console).await?,
        CommandRequest::Demo(request, style) => {
            return demo::run(request, style, env, console).await;
        }
        CommandRequest::Sandbox(request) => sandbox::run(request, console).await?,
        CommandRequest::Schema => stdout::print(SCHEMA_TEXT)?,
        CommandRequest::TableSchema(text) => stdout::print(&text)?,
        CommandRequest::Follow(request) => return follow::run(request, reread, env, console).await,
        CommandRequest::Check(request) => return check::run(&request, env, console).await,
        #[cfg(feature = "object-store")]
        CommandRequest::CheckObjectStore(store) => check::object_store_check::run(&store).await?,
        #[cfg(not(feature = "object-store"))]
        CommandRequest::CheckObjectStore(store) => drop(store), // refused with the command line
        CommandRequest::Verify(request) => return verify::run(request, env, console).await,
        CommandRequest::Actions(request) => actions::run(*request, env, console).await?,
        CommandRequest::Rules(request) => rules::run(request, console)?,
        CommandRequest::Status(request) => return status::run(&request, console),
        CommandRequest::Completions(shell) => stdout::print(&generate::completions(shell))?,
        CommandRequest::Complete(offer) => stdout::print(&offer)?,
        CommandRequest::Man(folder) => {
            let date = env.var_text("SOURCE_DATE_EPOCH");
            match folder {
                None => stdout::print(&manual::page(date))?,
                Some(folder) => commands::write_manual_pages(&folder, manual::pages(date))?,
            }
        }
    }
    Ok(Exit::Done)
}

/// Lets a write beyond `ulimit -f` fail like one to a full disk. By default its signal ends the
/// program.
fn ignore_size_limit_signal() {
    // A signal with a handler stays harmless. If that fails, the next run recovers the file.
    let _ = signal(SignalKind::from_raw(libc::SIGXFSZ));
}
