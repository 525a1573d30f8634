//! Runs `init`: sets up sources, the output and a schedule at a terminal, one question at a time.
//! Each step is a command of its own or one replaced file, so that a set-up that is stopped leaves
//! nothing half-written, and the next `init` goes on from there.

mod cron;
mod service;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;

use crate::commands::config::ConfigChecker;
use crate::commands::{auth, config_file, pull};
use crate::config::edit;
use crate::config::env::ProcessEnv;
use crate::config::error::HintedError;
use crate::config::path_template::parse_template;
use crate::config::prompt::{self, UserPrompt};
use crate::config::request::{CommandRequest, InitRequest, KeyLocation};
use crate::config::settings::{CredentialSpec, OutputPath, SourceSettings};
use crate::credentials;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::sink::preflight::check_writable;
use crate::telemetry::console::StderrConsole;
use crate::telemetry::terminal::Terminal;

/// Resolves the words after `atlaudit` with the configuration file of the set-up.
pub type LineResolver<'a> = &'a dyn Fn(&Path, &[&str]) -> Result<CommandRequest, AppError>;

/// What `init` needs of the command line.
#[derive(Clone, Copy)]
pub struct InitHooks<'a> {
    /// Resolves the command lines of the steps.
    pub resolve: LineResolver<'a>,
    /// Checks a changed configuration.
    pub check: ConfigChecker<'a>,
}

/// Asks for everything, and sets it up.
///
/// # Errors
/// A step fails, or the person stops.
pub async fn run(
    request: InitRequest,
    hooks: InitHooks<'_>,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let mut person = Terminal::open().map_err(|error| stopped(&error))?;
    let mut setup = SetupSession { request, hooks, env, console, person: &mut person };
    setup.introduce()?;
    setup.add_sources().await?;
    setup.choose_output()?;
    let is_scheduled = setup.offer_schedule()?;
    setup.finish(is_scheduled).await
}

/// One `init`.
struct SetupSession<'a> {
    request: InitRequest,
    hooks: InitHooks<'a>,
    env: &'a ProcessEnv,
    console: &'a Arc<StderrConsole>,
    person: &'a mut dyn UserPrompt,
}

impl SetupSession<'_> {
    fn introduce(&mut self) -> Result<(), AppError> {
        let users = if self.request.is_system { " (for all users)" } else { "" };
        let file = format!("{}{users}", self.request.file.display());
        let what = match self.request.sources.as_slice() {
            [] if !self.request.exists => format!("The configuration will be {file}.\n"),
            [] => format!("The configuration is {file}, without a source yet.\n"),
            sources => {
                let names: Vec<_> = sources.iter().map(|it| format!("`{}`", it.name)).collect();
                let names = names.join(", ");
                format!("The configuration is {file}, with {names}. What is there stays.\n")
            }
        };
        self.show(&format!("{what}Ctrl-C stops at any question; what is set up by then stays.\n\n"))
    }

    /// Adds sources, at least one if there is none.
    async fn add_sources(&mut self) -> Result<(), AppError> {
        let mut question = "Add another source? [y/N] ";
        if self.request.sources.is_empty() {
            question = "";
        }
        while question.is_empty() || self.confirm(question)? {
            question = "\nAdd another source? [y/N] ";
            self.add_source().await?;
        }
        match self.request.is_system && !self.request.exists {
            true => self.share_with_users(),
            false => Ok(()),
        }
    }

    /// Makes a new configuration in `/etc` one that `atlaudit status` of every admin finds.
    fn share_with_users(&self) -> Result<(), AppError> {
        let file = &self.request.file;
        let old = fs::read_to_string(file).unwrap_or_default();
        let new = edit::with_state_dir(&old, service::STATE)
            .map_err(|refusal| AppError::refused(Exit::Config, refusal))?;
        config_file::replace(&self.request.file, &old, new)?;
        service::open_config(file).map_err(|error| {
            let what = format!("`{}` stays unreadable for other users", file.display());
            AppError::new(Exit::Config, what)
                .because(&error)
                .hint("let them read it with `chmod`; it holds no key")
        })
    }

    /// Adds one source, as `auth login` does.
    async fn add_source(&mut self) -> Result<(), AppError> {
        let known: Vec<_> = self.request.sources.iter().map(|it| it.name.clone()).collect();
        let free_name = |answer: &str| {
            let name: SourceName = answer.parse().map_err(|rule: String| HintedError::new(rule))?;
            match known.contains(&name) {
                true => Err(HintedError::new("there is a source of this name already")),
                false => Ok(name),
            }
        };
        let question = "Name of the new source, such as acme (it is in every event): ";
        let name = prompt::ask_until_valid(self.person, question, free_name)
            .map_err(|error| stopped(&error))?;
        let store = self.choose_store(&name)?;
        let mut words = vec!["auth", "login", name.as_str(), "--store", &store];
        if let Some(url) = &self.request.base_url {
            words.extend(["--base-url", url.as_str()]);
        }
        if let CommandRequest::AuthLogin(login) = (self.hooks.resolve)(&self.request.file, &words)?
        {
            auth::login::login(*login, self.env, self.console).await?;
        }
        self.reload_sources()
    }

    /// Where the key is stored, as `--store` takes it.
    fn choose_store(&mut self, name: &SourceName) -> Result<String, AppError> {
        let folder = self.request.file.parent().unwrap_or(Path::new("/")).join("keys");
        let path = folder.join(name.as_str()).display().to_string();
        let file = format!("file:{path}");
        let keyring = CredentialSpec::Keyring;
        let place = KeyLocation { name, credential: &keyring, is_configured: false };
        if credentials::check_store(&place, self.env).is_err() {
            self.show(&format!("Its key will be in {path}, readable by this user only.\n"))?;
            return Ok(file);
        }
        let question = format!(
            "Where is its key stored?\n  1  {path}, readable by this user only: cron and systemd \
             can use it\n  2  the OS keyring, which only programs of your session can reach\n\
             Store it in [1]: "
        );
        let is_file = |answer: &str| match answer {
            "" | "1" => Ok(true),
            "2" => Ok(false),
            _ => Err(HintedError::new("answer 1 or 2; the key is asked for later")),
        };
        let is_file = prompt::ask_until_valid(self.person, &question, is_file);
        let is_file = is_file.map_err(|error| stopped(&error))?;
        Ok(if is_file { file } else { "keyring".to_owned() })
    }

    /// Reads the sources again.
    fn reload_sources(&mut self) -> Result<(), AppError> {
        let listed = (self.hooks.resolve)(&self.request.file, &["sources", "list"])?;
        if let CommandRequest::Sources(listed) = listed {
            self.request.sources = listed.sources;
        }
        Ok(())
    }

    /// Asks where events go, where the configuration does not say so.
    fn choose_output(&mut self) -> Result<(), AppError> {
        if self.request.has_output {
            return self.show(&format!("\nEvents go to {}, as configured.\n", self.outputs()));
        }
        let usual = self.usual_output();
        let question = format!(
            "\nFile for the events; {{source}} is the name of the source, - prints them \
             [{usual}]: "
        );
        let (file, check, now) = (self.request.file.clone(), self.hooks.check, Utc::now());
        let old = fs::read_to_string(&file).unwrap_or_default();
        let with_path = |answer: &str| {
            let path = if answer.is_empty() { usual.as_str() } else { answer };
            let is_elsewhere = path == "-" || path.contains("://");
            if !is_elsewhere && !path.starts_with(['/', '~']) {
                let what = "not a whole path: cron and services start in other folders";
                return Err(HintedError::new(what).hint("begin it with `/` or `~/`"));
            }
            parse_template(path)?;
            let new = edit::with_output_path(&old, path)?;
            let refused = |error: AppError| HintedError {
                what: [&[error.text().to_owned()], error.causes()].concat().join(": "),
                hint: error.hint_text().map(str::to_owned),
            };
            let checked = check(&file, &new).map_err(refused)?;
            for source in &checked.sources {
                check_writable(&source.output, now).map_err(|error| refused(error.into()))?;
            }
            Ok(new)
        };
        let new = prompt::ask_until_valid(self.person, &question, with_path)
            .map_err(|error| stopped(&error))?;
        config_file::replace(&self.request.file, &old, new)?;
        self.reload_sources()
    }

    /// Where the events of the sources go.
    fn outputs(&self) -> String {
        let outputs = self.request.sources.iter().map(|source| match &source.output.path {
            OutputPath::Stdout => "standard output",
            OutputPath::File(path) | OutputPath::Object(path) => path.as_str(),
        });
        let mut outputs: Vec<_> = outputs.collect();
        outputs.dedup();
        outputs.join(", ")
    }

    fn usual_output(&self) -> String {
        if self.env.user == 0 {
            return "/var/log/atlaudit/{source}.jsonl".to_owned();
        }
        let folder = self.env.absolute_path("XDG_DATA_HOME").map(Path::to_owned);
        let home = || Some(self.env.absolute_path("HOME")?.join(".local/share"));
        let folder = folder.or_else(home).unwrap_or_else(|| self.env.cwd().to_owned());
        folder.join("atlaudit/{source}.jsonl").display().to_string()
    }

    /// Offers to run it by itself. Returns whether it does so already.
    fn offer_schedule(&mut self) -> Result<bool, AppError> {
        if prints_events(&self.request.sources) {
            return Ok(false);
        }
        let crontab = cron::CrontabProgram::find(self.env);
        let service = service::SystemService::find(self.env);
        let mut question = "\nHow does it run?\n  1  by hand, with `atlaudit pull`\n  \
                            2  every ten minutes, by cron\n"
            .to_owned();
        if service.is_some() {
            question.push_str("  3  all the time, as a service of systemd\n");
        }
        question.push_str("Run it [1]: ");
        let choice = |answer: &str| match answer {
            "" | "1" => Ok(1),
            "2" => Ok(2),
            "3" if service.is_some() => Ok(3),
            _ => Err(HintedError::new("answer one of the numbers")),
        };
        let choice = prompt::ask_until_valid(self.person, &question, choice);
        match (choice.map_err(|error| stopped(&error))?, service) {
            (2, _) => {
                self.install_cron(crontab.as_ref())?;
                Ok(false)
            }
            (3, Some(service)) => self.install_service(&service),
            _ => Ok(false),
        }
    }

    /// Shows the line of a crontab, and adds it where there is a program for that.
    fn install_cron(&mut self, crontab: Option<&cron::CrontabProgram>) -> Result<(), AppError> {
        let line = cron::line(&self.program()?, &self.request);
        let stored = |source: &&SourceSettings| source.credential == CredentialSpec::Keyring;
        for source in self.request.sources.iter().filter(stored) {
            self.console.warn(format!(
                "cron cannot reach the OS keyring: move the key with `atlaudit auth login {} \
                 --store file:PATH`",
                source.name
            ));
        }
        self.show(&format!("The line of the crontab:\n  {line}\n"))?;
        let Some(crontab) = crontab else {
            return self.show("There is no `crontab` here; add the line where cron reads it.\n");
        };
        if self.confirm("Add it to the crontab of this user? [y/N] ")? {
            crontab.add(&line)?;
            self.console.notice("added the line; `crontab -e` changes it");
        }
        Ok(())
    }

    /// Shows what a service needs, and installs it. Returns whether it runs.
    fn install_service(&mut self, service: &service::SystemService) -> Result<bool, AppError> {
        let old = fs::read_to_string(&self.request.file).unwrap_or_default();
        let plan = match service.plan(&self.program()?, &self.request, &old) {
            Ok(plan) => plan,
            Err(refusal) => {
                self.show(&format!("  not possible: {refusal}\n"))?;
                return Ok(false);
            }
        };
        self.show(&plan.describe())?;
        if !self.confirm("Do all of this? [y/N] ")? {
            return Ok(false);
        }
        (self.hooks.check)(&self.request.file, plan.config())?;
        config_file::replace(&self.request.file, &old, plan.config().to_owned())?;
        plan.install()?;
        self.console.notice("the service runs: `systemctl status atlaudit`, `atlaudit status`");
        Ok(true)
    }

    fn program(&self) -> Result<PathBuf, AppError> {
        std::env::current_exe().map_err(|error| {
            AppError::new(Exit::Usage, "the path of this program is not known").because(&error)
        })
    }

    /// Offers the first pull, and says how to go on.
    async fn finish(&mut self, is_scheduled: bool) -> Result<Exit, AppError> {
        if is_scheduled {
            return Ok(Exit::Done);
        }
        let next = "`atlaudit status` shows how far each source has been read, `atlaudit config \
                    edit` changes the configuration";
        if prints_events(&self.request.sources) {
            self.console.notice(format!("set up; `atlaudit pull --human` shows events; {next}"));
            return Ok(Exit::Done);
        }
        if !self.confirm("\nPull now? The first pull reads the last seven days. [y/N] ")? {
            self.console.notice(format!("set up; `atlaudit pull` collects; {next}"));
            return Ok(Exit::Done);
        }
        let CommandRequest::Pull(pull) = (self.hooks.resolve)(&self.request.file, &["pull"])?
        else {
            return Ok(Exit::Done);
        };
        let exit = pull::run(pull, self.env, self.console).await?;
        self.console.notice(next);
        Ok(exit)
    }

    fn show(&mut self, lines: &str) -> Result<(), AppError> {
        self.person.show(lines).map_err(|error| stopped(&error))
    }

    fn confirm(&mut self, question: &str) -> Result<bool, AppError> {
        prompt::confirm(self.person, question, false).map_err(|error| stopped(&error))
    }
}

/// Whether events go to standard output, where no schedule could keep them.
fn prints_events(sources: &[SourceSettings]) -> bool {
    sources.iter().any(|source| source.output.path == OutputPath::Stdout)
}

fn stopped(error: &io::Error) -> AppError {
    AppError::new(Exit::Usage, "the set-up was stopped")
        .because(error)
        .hint("what was set up by then stays; `atlaudit init` goes on from there")
}
