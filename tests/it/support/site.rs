//! The surroundings of a test: a sandbox, a blank HOME, a configuration, and the program in it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use atlaudit::sandbox::{
    API_KEY, Behaviour, DATACENTER_TOKEN, DataOptions, JIRA_EMAIL, JIRA_SITE, JIRA_TOKEN, ORG_ID,
    Sandbox, SandboxControl, SandboxOptions,
};
use chrono::{SecondsFormat, TimeDelta, Utc};
use toml::{Table, Value};

use super::Run;

/// A sandbox of a test's own, and a HOME with a configuration of its two APIs: `acme` and
/// `acme-jira`.
pub struct Site {
    /// Scripts the sandbox.
    pub control: SandboxControl,
    config: Table,
    env: Vec<(String, String)>,
    base_url: String,
    folder: tempfile::TempDir,
    _sandbox: Sandbox,
    _runtime: tokio::runtime::Runtime,
}

/// So much data of every odd shape, a free port, the default behaviour. Confluence and Data Center
/// have what they have by default.
pub fn small(org_events: usize, jira_records: usize) -> SandboxOptions {
    SandboxOptions {
        port: 0,
        data: DataOptions { org_events, jira_records, ..DataOptions::default() },
        behaviour: Behaviour::default(),
    }
}

impl Site {
    /// A site with the data and the behaviour of `options`.
    pub fn new(options: SandboxOptions) -> Site {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Site {
            control: sandbox.control(),
            config: config(&sandbox.base_url()),
            env: vec![
                ("ACME_KEY".to_owned(), API_KEY.to_owned()),
                ("JIRA_KEY".to_owned(), JIRA_TOKEN.to_owned()),
            ],
            base_url: sandbox.base_url(),
            folder,
            _sandbox: sandbox,
            _runtime: runtime,
        }
    }

    /// The same with two sources more: `acme-confluence` and `acme-dc`.
    pub fn with_all_sources(mut self) -> Site {
        let more: Table = toml::from_str(&format!(
            r#"
            [acme-confluence]
            type = "confluence-audit"
            site = "{JIRA_SITE}"
            email = "{JIRA_EMAIL}"
            base_url = "{base_url}"
            credential = "env:JIRA_KEY"
            initial_lookback = "31d"
            requests_per_minute = 100000
            [acme-dc]
            type = "datacenter-audit"
            base_url = "{base_url}/dc"
            credential = "env:DC_KEY"
            initial_lookback = "31d"
            requests_per_minute = 100000
            "#,
            base_url = self.base_url
        ))
        .unwrap();
        let sources = self.config["sources"].as_table_mut().unwrap();
        sources.extend(more);
        self.set_env("DC_KEY", DATACENTER_TOKEN);
        self
    }

    /// The same with the workspaces of its products: `acme-jira-ws` and `acme-confluence-ws`.
    pub fn with_workspaces(mut self) -> Site {
        let sources = self.config["sources"].as_table_mut().unwrap();
        for product in ["jira", "confluence"] {
            let source: Table = toml::from_str(&format!(
                r#"
                type = "workspace-events"
                site = "{JIRA_SITE}"
                product = "{product}"
                email = "{JIRA_EMAIL}"
                base_url = "{base_url}"
                credential = "env:JIRA_KEY"
                initial_lookback = "31d"
                requests_per_minute = 100000
                "#,
                base_url = self.base_url
            ))
            .unwrap();
            sources.insert(format!("acme-{product}-ws"), source.into());
        }
        self
    }

    /// A site with so many events and records, and otherwise the default data.
    pub fn of(org_events: usize, jira_records: usize) -> Site {
        Site::new(small(org_events, jira_records))
    }

    /// The same with a key of a source.
    pub fn with(mut self, source: &str, key: &str, value: impl Into<Value>) -> Site {
        self.set(source, key, value);
        self
    }

    /// The same with a key of `[output]`.
    pub fn with_output(mut self, key: &str, value: impl Into<Value>) -> Site {
        self.set_output(key, value);
        self
    }

    /// The same with another behaviour of the sandbox.
    pub fn behaving(self, change: impl FnOnce(&mut Behaviour)) -> Site {
        self.control.set_behaviour(change);
        self
    }

    /// Sets a key of a source.
    pub fn set(&mut self, source: &str, key: &str, value: impl Into<Value>) {
        let sources = self.config["sources"].as_table_mut().unwrap();
        let table = sources[source].as_table_mut().unwrap();
        table.insert(key.to_owned(), value.into());
    }

    /// Adds a source `name` that is like `model`.
    pub fn add(&mut self, name: &str, model: &str) {
        let sources = self.config["sources"].as_table_mut().unwrap();
        let like = sources[model].clone();
        sources.insert(name.to_owned(), like);
    }

    /// Takes a key of a source out.
    pub fn unset(&mut self, source: &str, key: &str) {
        let sources = self.config["sources"].as_table_mut().unwrap();
        sources[source].as_table_mut().unwrap().remove(key);
    }

    /// Takes a source out.
    pub fn remove_source(&mut self, source: &str) {
        self.config["sources"].as_table_mut().unwrap().remove(source);
    }

    /// A configuration without a source.
    pub fn remove_sources(&mut self) {
        self.config.remove("sources");
    }

    /// Sets a key of `[output]`.
    pub fn set_output(&mut self, key: &str, value: impl Into<Value>) {
        let output = self.config["output"].as_table_mut().unwrap();
        output.insert(key.to_owned(), value.into());
    }

    /// Writes rows for the table of actions beside the configuration, which names their file.
    pub fn set_extra_actions(&mut self, rows: &str) {
        let folder = self.path("home/.config/atlaudit");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("extra.tsv"), rows).unwrap();
        self.set_taxonomy("path", "extra.tsv");
    }

    /// Sets a key of `[taxonomy]`.
    pub fn set_taxonomy(&mut self, key: &str, value: &str) {
        let table = self.config.entry("taxonomy").or_insert(Table::new().into());
        table.as_table_mut().unwrap().insert(key.to_owned(), value.into());
    }

    /// Sets a key above all tables.
    pub fn set_top(&mut self, key: &str, value: impl Into<Value>) {
        self.config.insert(key.to_owned(), value.into());
    }

    /// Sets `[state] url`.
    pub fn set_state_url(&mut self, url: &str) {
        let table = Table::from_iter([("url".to_owned(), url.into())]);
        self.config.insert("state".to_owned(), table.into());
    }

    /// Sets everything of `[detect]`, as TOML.
    pub fn set_detect(&mut self, text: &str) {
        let table: Table = toml::from_str(text).unwrap();
        self.config.insert("detect".to_owned(), table["detect"].clone());
    }

    /// Sets a key of `[respond]`.
    pub fn set_respond(&mut self, key: &str, values: &[&str]) {
        let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
        let table = Table::from_iter([(key.to_owned(), values.into())]);
        self.config.insert("respond".to_owned(), table.into());
    }

    /// Sets everything of `[posture]`, as TOML.
    pub fn set_posture(&mut self, text: &str) {
        let table: Table = toml::from_str(text).unwrap();
        self.config.insert("posture".to_owned(), table["posture"].clone());
    }

    /// Sets a variable of the program's environment.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable out of the program's environment.
    pub fn unset_env(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    /// Where the sandbox answers.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A path in the test's folder, which the program is started in.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where checkpoints lie.
    pub fn state(&self) -> PathBuf {
        self.path("home/.local/state/atlaudit")
    }

    /// The pauses that a server asked of an earlier run are over, and its minutes past.
    pub fn forget_pauses(&self) {
        // Where no run asked yet, there is nothing to forget.
        let _ = std::fs::remove_dir_all(self.path("tmp/quota"));
    }

    /// Moves the instant at which `acme` was last read by time, as its checkpoint knows it.
    pub fn set_last_check(&self, ago: TimeDelta) {
        let path = self.state().join("acme.json");
        let text = std::fs::read(&path).unwrap();
        let mut state: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let last = &mut state["windows"][0]["read_by_time"];
        assert!(last.is_string(), "no read by time");
        *last = (Utc::now() - ago).to_rfc3339_opts(SecondsFormat::Millis, true).into();
        std::fs::write(&path, state.to_string()).unwrap();
    }

    /// Runs the program with these arguments to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        Run::from(self.command(args).output().unwrap())
    }

    /// Runs it, and it must succeed.
    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
        run
    }

    /// Starts the program, its outputs piped.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::of(self.command(args))
    }

    /// A shell that runs `script`, where `$PROGRAM` is the program, in the surroundings of
    /// [`Site::command`]: for redirections and limits, which only a shell can set.
    pub fn shell(&self, script: &str) -> Command {
        let real = self.command(&[]);
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().current_dir(self.folder.path());
        let env = real.get_envs();
        shell.envs(env.filter_map(|(key, value)| Some((key, value?))));
        shell.env("PROGRAM", env!("CARGO_BIN_EXE_atlaudit"));
        shell.args(["-c", script]);
        shell
    }

    /// The program with these arguments: a blank environment, the configuration in its usual place.
    pub fn command(&self, args: &[&str]) -> Command {
        let home = self.path("home");
        let config = home.join(".config/atlaudit/config.toml");
        std::fs::create_dir_all(config.parent().unwrap()).unwrap();
        let text = toml::to_string(&self.config).unwrap();
        let mut file = std::fs::File::create(config).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut command = blank(&home, &self.path("tmp"));
        command.current_dir(self.folder.path()).args(args);
        command.envs(self.env.iter().cloned());
        command
    }

    /// The lines of a file in the test's folder.
    pub fn read(&self, name: &str) -> Run {
        Run {
            code: 0,
            stdout: std::fs::read(self.path(name)).unwrap_or_default(),
            stderr: String::new(),
        }
    }

    /// How many whole lines a file has, also while it is written.
    pub fn line_count(&self, name: &str) -> usize {
        let text = std::fs::read(self.path(name)).unwrap_or_default();
        text.iter().filter(|&&byte| byte == b'\n').count()
    }
}

/// The program in an environment that holds nothing of the machine's user.
pub fn blank(home: &Path, tmp: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atlaudit"));
    command.env_clear().env("HOME", home).env("TMPDIR", tmp);
    // What the machine has in /etc is no concern of a test either.
    command.env("ATLAUDIT_CRASH_ETC", tmp.join("etc"));
    // Without it the bus and the keyring of the user who runs the tests would be found.
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    // What the user who runs the tests asks elsewhere is no concern of a test.
    command.env("ATLAUDIT_QUOTA_DIR", tmp.join("quota"));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A program that runs; killed when dropped.
pub struct Running(Option<Child>);

impl Running {
    /// Starts `command`, its outputs piped.
    pub fn of(mut command: Command) -> Running {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::as_it_is(command)
    }

    /// Starts `command` with the outputs that it was given.
    pub fn as_it_is(mut command: Command) -> Running {
        Running(Some(command.spawn().unwrap()))
    }

    /// Its process.
    pub fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    /// Sends a signal, named as `kill` names it.
    pub fn signal(&mut self, name: &str) {
        let kill = format!("kill -{name} {}", self.child().id());
        let sent = Command::new("/bin/sh").args(["-c", &kill]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    /// Waits until it has printed `text` to standard error. Returns what it has printed so far, which
    /// [`Running::end`] does not repeat.
    pub fn wait_for_message(&mut self, text: &str) -> String {
        let stderr = self.child().stderr.as_mut().unwrap();
        let (mut printed, mut byte) = (Vec::new(), [0]);
        while !printed.ends_with(text.as_bytes()) {
            let read = std::io::Read::read(stderr, &mut byte).unwrap();
            assert_eq!(read, 1, "{}", String::from_utf8_lossy(&printed));
            printed.push(byte[0]);
        }
        String::from_utf8(printed).unwrap()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Run {
        let output: Output = self.0.take().unwrap().wait_with_output().unwrap();
        Run::from(output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn config(base_url: &str) -> Table {
    toml::from_str(&format!(
        r#"
        [output]
        [sources.acme]
        type = "org-events"
        org_id = "{ORG_ID}"
        base_url = "{base_url}"
        credential = "env:ACME_KEY"
        initial_lookback = "31d"
        requests_per_minute = 100000
        [sources.acme-jira]
        type = "jira-audit"
        site = "{JIRA_SITE}"
        email = "{JIRA_EMAIL}"
        base_url = "{base_url}"
        credential = "env:JIRA_KEY"
        initial_lookback = "31d"
        requests_per_minute = 100000
        "#
    ))
    .unwrap()
}
