//! Tests of resolving command lines.

use std::ffi::OsString;
use std::io::{self, ErrorKind};

use super::*;
use crate::cli::parse::parse;
use crate::config::request::{ConvertRequest, EventInput, LoginRequest, PullRequest, RawLines};
use crate::config::settings::{CredentialSpec, OutputFormat, OutputPath};
use crate::exit::Exit;
use crate::model::name::SourceKind;
use crate::model::time::{format_millis, parse_api_time};
use crate::sink::location::FileIdentity;

pub(in crate::cli) const FILE: &str = "[sources.acme]\ntype = 'org-events'\norg_id = '6f1b2c3d-0000-4000-8000-000000000000'\n[sources.j]\ntype = 'jira-audit'\nsite = 'a.atlassian.net'\n";

/// Resolves `line` with `file` as the content of every configuration file.
fn run_in(
    line: &str,
    file: Option<&str>,
    env: &ProcessEnv,
    keyring: &[&str],
) -> Result<CommandRequest, AppError> {
    let args = parse(line.split(' ').map(OsString::from)).unwrap();
    let now = parse_api_time("2026-11-20T12:00:00Z").unwrap();
    let read =
        |_: &Path| file.map(str::to_owned).ok_or_else(|| io::Error::from(ErrorKind::NotFound));
    let in_keyring = || keyring.iter().map(|name| name.parse().unwrap()).collect();
    resolve(
        args,
        env,
        now,
        &HostAccess {
            read_file: &read,
            keyring_names: &in_keyring,
            check_store: &|_| Ok(()),
            identify: &FileIdentity::missing,
            open_prompt: &|| None,
        },
    )
}

pub(in crate::cli) fn home() -> ProcessEnv {
    ProcessEnv::with([("HOME", "/h")], "/w")
}

pub(in crate::cli) fn run(line: &str, file: Option<&str>) -> Result<CommandRequest, AppError> {
    run_in(line, file, &home(), &[])
}

fn pull(line: &str, file: Option<&str>) -> PullRequest {
    match run(line, file) {
        Ok(CommandRequest::Pull(request)) => request,
        other => panic!("{line}: {other:?}"),
    }
}

pub(in crate::cli) fn login(line: &str, file: Option<&str>) -> LoginRequest {
    match run(line, file) {
        Ok(CommandRequest::AuthLogin(request)) => *request,
        other => panic!("{line}: {other:?}"),
    }
}

pub(in crate::cli) fn refuse(line: &str, file: Option<&str>) -> AppError {
    run(line, file).map(|_| line).unwrap_err()
}

#[test]
fn pull_takes_all_sources_or_those_named() {
    let all = pull("atlaudit pull", Some(FILE));
    assert_eq!(all.sources.len(), 2);
    assert_eq!(all.state_dir, Path::new("/h/.local/state/atlaudit"));
    assert_eq!(all.one_off, None);
    assert_eq!(pull("atlaudit pull j", Some(FILE)).sources[0].name.as_str(), "j");
    let error = refuse("atlaudit pull nobody", Some(FILE));
    assert_eq!(error.exit(), Exit::Config);
    assert!(error.hint_text().unwrap().contains("`acme`, `j`"));
}

#[test]
fn flags_win_over_the_file() {
    let request = pull(
        "atlaudit --state-dir s pull --format raw --output {source}-%d.jsonl --compression none --max-events 5 --dry-run --report r",
        Some(FILE),
    );
    assert_eq!(request.state_dir, Path::new("/w/s"));
    assert_eq!(request.sources[0].output.path, OutputPath::File("acme-%d.jsonl".to_owned()));
    assert_eq!(request.sources[1].output.format, OutputFormat::Raw);
    assert_eq!((request.max_events, request.dry_run), (Some(5), true));
    let error = refuse("atlaudit pull --output one.parquet", Some(FILE));
    assert_eq!(error.exit(), Exit::Config);
    assert!(error.hint_text().unwrap().contains("{source}"));
    assert!(run("atlaudit pull --output one.jsonl --format raw", Some(FILE)).is_ok());
    assert!(run("atlaudit pull -o -", Some(FILE)).is_ok());
}

#[test]
fn windows_are_not_empty() {
    let window = pull("atlaudit pull --since 7d --until 2026-11-20", Some(FILE)).one_off.unwrap();
    assert_eq!(window.since.map(format_millis).as_deref(), Some("2026-11-13T12:00:00.000Z"));
    assert_eq!(window.until.map(format_millis).as_deref(), Some("2026-11-20T00:00:00.000Z"));
    let error = refuse("atlaudit pull --since 1d --until 2d", Some(FILE));
    assert_eq!(error.exit(), Exit::Usage);
    let said = error.text();
    assert!(
        said.contains("2026-11-19T12:00:00.000Z") && said.contains("2026-11-18T12:00:00.000Z"),
        "{said}"
    );
    assert_eq!(refuse("atlaudit pull --since 2027-01-01", Some(FILE)).exit(), Exit::Usage);
    assert!(pull("atlaudit pull --until 1d", Some(FILE)).one_off.unwrap().since.is_none());
}

#[test]
fn a_file_that_was_named_has_to_exist() {
    let error = refuse("atlaudit --config x.toml pull", None);
    assert_eq!(error.exit(), Exit::Config);
    assert!(error.text().starts_with("/w/x.toml: "), "{}", error.text());
    assert!(run("atlaudit --config x.toml auth login new", None).is_ok());
}

#[test]
fn without_a_file_environment_and_keyring_are_asked() {
    let env = ProcessEnv::with(
        [("HOME", "/h"), ("ATLAUDIT_API_KEY", "k"), ("ATLAUDIT_ORG_ID", "o")],
        "/w",
    );
    let Ok(CommandRequest::Pull(request)) = run_in("atlaudit pull", None, &env, &["a", "b"]) else {
        panic!("the environment's source");
    };
    assert_eq!(request.sources[0].credential, CredentialSpec::Env("ATLAUDIT_API_KEY".to_owned()));
    let error = run_in("atlaudit pull", None, &home(), &["a", "b"]).map(|_| ()).unwrap_err();
    assert!(error.text().contains("`a`, `b`"), "{}", error.text());
    assert!(run_in("atlaudit pull a", None, &home(), &["a", "b"]).is_ok());
    let Ok(CommandRequest::AuthStatus(settings, false, _)) =
        run_in("atlaudit auth status", None, &home(), &["a", "b"])
    else {
        panic!("the status of all entries");
    };
    assert_eq!(settings.sources.len(), 2);
}

#[test]
fn login_of_a_new_source_needs_no_file() {
    let request = login(
        "atlaudit auth login acme --org-id 6f1b2c3d-0000-4000-8000-000000000000 --with-key \
         --base-url http://127.0.0.1:1/",
        None,
    );
    assert_eq!(request.config_file, Path::new("/h/.config/atlaudit/config.toml"));
    assert!(request.known.is_none() && request.with_key);
    assert_eq!(request.source.target.kind(), SourceKind::OrgEvents);
    assert_eq!(request.source.target.base_url().as_str(), "http://127.0.0.1:1/");
    let request =
        login("atlaudit auth login j --site https://A.atlassian.net/ --email a@b.c", None);
    let target = request.source.target;
    assert_eq!(
        (target.site(), target.account.as_deref()),
        (Some("a.atlassian.net".to_owned()), Some("a@b.c"))
    );
}

#[test]
fn login_knows_the_configured_source() {
    let request = login("atlaudit auth login acme", Some(FILE));
    assert!(request.source.target.org_id.is_some());
    assert!(request.known.is_some());
    for line in [
        "atlaudit auth login acme --type jira-audit",
        "atlaudit auth login acme --site a.b",
        "atlaudit auth login new --type jira-audit",
        "atlaudit auth login new --type org-events --email a@b.c",
        "atlaudit auth login j --org-id 00000000-0000-4000-8000-000000000000",
    ] {
        assert_eq!(refuse(line, Some(FILE)).exit(), Exit::Usage, "{line}");
    }
}

#[test]
fn some_commands_read_no_file() {
    for line in ["demo", "demo --format raw", "sandbox --port 0", "schema", "auth logout acme"] {
        assert!(
            run_in(&format!("atlaudit {line}"), Some("broken ["), &ProcessEnv::default(), &[])
                .is_ok(),
            "{line}"
        );
    }
    assert_eq!(refuse("atlaudit pull", Some("broken [")).exit(), Exit::Config);
}

#[test]
fn quiet_and_verbose_contradict_each_other() {
    for line in ["atlaudit -q -v schema", "atlaudit -v schema -q"] {
        assert_eq!(refuse(line, None).exit(), Exit::Usage);
    }
    let line = "atlaudit -v --log-format json --color never schema";
    let args = parse(line.split(' ').map(OsString::from)).unwrap();
    let telemetry = telemetry(&args, &ProcessEnv::default());
    assert_eq!(telemetry.verbosity, LogVerbosity::Verbose);
    assert_eq!(telemetry.color, ColorMode::Never);
}

fn convert(line: &str, file: Option<&str>) -> ConvertRequest {
    match run(line, file) {
        Ok(CommandRequest::Convert(request)) => request,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn convert_reads_stdin_or_files_and_writes_to_stdout() {
    let request = convert("atlaudit convert", None);
    assert_eq!(request.inputs, [EventInput::Stdin]);
    assert_eq!(request.raw, RawLines::default());
    assert_eq!(request.output.path, OutputPath::Stdout);
    let request = convert("atlaudit convert a - -o x-%d.jsonl --format raw", None);
    assert_eq!(request.inputs, [EventInput::File("a".into()), EventInput::Stdin]);
    assert_eq!(request.output.path, OutputPath::File("x-%d.jsonl".to_owned()));
    assert_eq!(request.output.format, OutputFormat::Raw);
    let error = refuse("atlaudit convert -o {source}.jsonl", None);
    assert_eq!(error.exit(), Exit::Usage);
}

#[test]
fn a_source_says_what_raw_lines_do_not() {
    let raw = convert("atlaudit convert --source j", Some(FILE)).raw;
    assert_eq!(raw.kind, Some(SourceKind::JiraAudit));
    assert_eq!(raw.site.as_deref(), Some("a.atlassian.net"));
    let raw = convert("atlaudit convert --source acme --org-id o2", Some(FILE)).raw;
    assert_eq!(raw.name.unwrap().as_str(), "acme");
    assert_eq!(raw.org_id.as_deref(), Some("o2"));
    for (line, exit) in [
        ("atlaudit convert --source nobody", Exit::Config),
        ("atlaudit convert --source j --type org-events", Exit::Usage),
        ("atlaudit convert --source j --org-id o1", Exit::Usage),
        ("atlaudit convert --type org-events --site a.b", Exit::Usage),
    ] {
        assert_eq!(refuse(line, Some(FILE)).exit(), exit, "{line}");
    }
}

#[test]
fn convert_without_a_source_needs_of_the_configuration_only_the_taxonomy() {
    let refused = run("atlaudit convert a", Some("not TOML")).unwrap_err();
    assert_eq!(refused.exit(), Exit::Config);
    assert!(run("atlaudit convert a", Some("[sources.acme]\ntype = 'x'\n")).is_ok());
    assert!(run_in("atlaudit convert a", None, &ProcessEnv::default(), &[]).is_ok());
}

#[test]
fn the_table_of_actions_needs_no_home() {
    assert!(run_in("atlaudit actions", None, &ProcessEnv::default(), &[]).is_ok());
    assert!(run_in("atlaudit actions a", None, &ProcessEnv::default(), &[]).is_err());
}

#[test]
fn a_terminal_cannot_show_what_convert_packs() {
    let mut env = home();
    env.stdout_is_terminal = true;
    let packed = "atlaudit convert --compression gzip";
    assert!(run_in(packed, None, &env, &[]).is_err());
    assert!(run_in("atlaudit convert --compression gzip -o x", None, &env, &[]).is_ok());
}

#[test]
fn a_warning_comes_before_what_is_critical() {
    let line = "atlaudit status --nagios --warn-lag 2h --max-lag 1h";
    assert_eq!(refuse(line, Some(FILE)).exit(), Exit::Usage);
    for line in ["--warn-lag 1h --max-lag 1h", "--warn-lag 1h", "--max-lag 1h", ""] {
        let line = format!("atlaudit status --nagios {line}");
        assert!(run(line.trim_end(), Some(FILE)).is_ok(), "{line}");
    }
}
