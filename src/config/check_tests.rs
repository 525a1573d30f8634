//! Tests of whole configuration files.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::settings::{CredentialSpec, OutputFormat, OutputPath};

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn load(text: &str) -> ConfigFile {
    ConfigFile::parse(Path::new("/c.toml"), text.to_owned())
        .map_err(|error| format!("{error}\n{text}"))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn check(text: &str, env: &ProcessEnv) -> Result<Settings, ConfigError> {
    settings(&load(text), env, "/state".into())
}

fn ok(text: &str) -> Settings {
    check(text, &ProcessEnv::with([("HOME", "/h")], "/w")).unwrap()
}

fn refuse(text: &str) -> ConfigError {
    check(text, &ProcessEnv::default()).unwrap_err()
}

#[test]
fn defaults_fill_missing_keys() {
    let settings = ok(
        "[sources.acme]\ntype = 'org-events'\n[sources.j]\ntype = 'jira-audit'\nsite = 'https://A.atlassian.net/'",
    );
    let [org, jira] = settings.sources.as_slice() else {
        panic!("two sources");
    };
    assert_eq!(org.target.base_url().as_str(), "https://api.atlassian.com/");
    assert_eq!(jira.target.base_url().as_str(), "https://a.atlassian.net/");
    assert_eq!((org.page_size, org.concurrency), (500, 5));
    assert_eq!((jira.page_size, jira.concurrency), (1000, 8));
    assert_eq!(org.credential, CredentialSpec::Keyring);
    assert_eq!(org.initial_lookback, Duration::from_secs(7 * 86_400));
    assert_eq!(org.overlap, Duration::from_secs(600));
    assert_eq!(org.late_margin, Duration::from_secs(86_400));
    assert_eq!(org.connection.timeout, Duration::from_secs(30));
    assert_eq!(org.connection.retry_for, Duration::from_secs(60));
    assert_eq!(org.connection.max_wait, Duration::from_secs(900));
    assert_eq!(org.output.path, OutputPath::Stdout);
    assert_eq!((org.output.format, org.output.mode), (OutputFormat::Normalized, 0o600));
}

#[test]
fn a_source_overrides_the_output_table_key_by_key() {
    let settings = ok(
        "[output]\npath = '{source}.jsonl'\nmode = '0640'\n[sources.a]\ntype = 'org-events'\noutput.format = 'raw'\n[sources.b]\ntype = 'org-events'\n[sources.b.output]\npath = '-'\n",
    );
    let [a, b] = settings.sources.as_slice() else {
        panic!("two sources");
    };
    assert_eq!(a.output.path, OutputPath::File("a.jsonl".to_owned()));
    assert_eq!((a.output.format, a.output.mode), (OutputFormat::Raw, 0o640));
    assert_eq!((&b.output.path, b.output.mode), (&OutputPath::Stdout, 0o640));
}

#[test]
fn a_refusal_names_source_key_and_line() {
    let cases = [
        ("page_size = 501", "`page_size`: must be 1 to 500, not 501"),
        ("initial_lookback = '200d'", "`initial_lookback`: reaches back further"),
        ("initial_from = '7d'", "`initial_from`: not a point in time"),
        ("initial_from = 2026-11-20T00:00:00", "`initial_from`: not a point in time"),
        ("overlap = 'x'", "`overlap`: not a span of time"),
        ("concurrency = 65", "`concurrency`: must be 1 to 64"),
        ("requests_per_minute = 0", "`requests_per_minute`: must be at least 1"),
        ("timeout = '0s'", "`timeout`: must be longer than zero"),
        ("base_url = 'http://x.example'", "`base_url`: `http://` would send the key"),
        ("org_id = 'a/b'", "`org_id`: not an organization id"),
        (
            "site = 'a.atlassian.net'",
            "`site`: belongs to sources of type `jira-audit`, `confluence-audit`, `workspace-events` only",
        ),
        ("expires_on = 5", "`expires_on`: not a day"),
        ("output.mode = '0400'", "`output.mode`: the owner must"),
        ("output.path = '{name}'", "`output.path`: unknown placeholder `{name}`"),
        ("output.compression = 'lz4'", "`output.compression`: unknown compression `lz4`"),
        ("ca_file = '~bo/ca.pem'", "`ca_file`: only `~/` is replaced, by HOME"),
        ("proxy = 'x'", "`proxy`: not a proxy's URL"),
    ];
    for (line, want) in cases {
        let error = refuse(&format!("[sources.acme]\ntype = 'org-events'\n{line}\n"));
        let want = format!("/c.toml:3: source `acme`: {want}");
        assert!(error.to_string().starts_with(&want), "{error}");
    }
}

#[test]
fn a_first_pull_begins_at_an_instant_or_so_long_ago() {
    let from = |line: &str| {
        let text = format!("[sources.acme]\ntype = 'org-events'\n{line}\n");
        ok(&text).sources[0].initial_from.map(|time| time.to_rfc3339())
    };
    let instant = Some("2026-11-20T00:00:00+00:00".to_owned());
    for line in ["'2026-11-20T00:00:00Z'", "2026-11-20T01:00:00+01:00", "2026-11-20"] {
        assert_eq!(from(&format!("initial_from = {line}")), instant, "{line}");
    }
    assert_eq!(from(""), None);
    let both = "initial_lookback = '3d'\ninitial_from = 2026-11-20";
    let error = refuse(&format!("[sources.acme]\ntype = 'org-events'\n{both}\n"));
    let want = "/c.toml:4: source `acme`: `initial_from`: stands beside `initial_lookback`";
    assert!(error.to_string().starts_with(want), "{error}");
}

#[test]
fn what_is_missing_blames_the_table() {
    let error = refuse("\n[sources.acme]\norg_id = 'x'\n");
    assert_eq!(error.to_string(), "/c.toml:2: source `acme`: `type` is missing");
    let error = refuse("[sources.j]\ntype = 'jira-audit'\n");
    assert_eq!(error.to_string(), "/c.toml:1: source `j`: `site` is missing");
    let error = refuse("[sources.'a b']\ntype = 'org-events'\n");
    assert!(
        error.to_string().starts_with("/c.toml:1: source `a b`: not a source's name"),
        "{error}"
    );
    assert!(
        refuse("[output]\nrotate = 'weekly'").to_string().starts_with("/c.toml:2: `output.rotate`")
    );
}

#[test]
fn an_inline_secret_is_not_shown() {
    let error = refuse("[sources.a]\ntype = 'org-events'\ncredential = 'ATATT3xSECRET'\n");
    assert_eq!(error.line(), Some(3));
    assert!(!format!("{error}{error:?}").contains("SECRET"));
}

#[test]
fn days_may_be_strings_or_dates() {
    let day = chrono::NaiveDate::from_ymd_opt(2027, 6, 30);
    for typed in ["'2027-06-30'", "2027-06-30"] {
        let settings = ok(&format!("[sources.a]\ntype = 'org-events'\nexpires_on = {typed}\n"));
        assert_eq!(settings.sources[0].expires_on, day, "{typed}");
    }
}

#[test]
fn two_sources_never_share_a_file() {
    let text = "[output]\npath = './x.jsonl'\n[sources.a]\ntype = 'org-events'\n[sources.b]\ntype = 'org-events'\noutput.path = 'x.jsonl'\n";
    let error = refuse(text);
    assert!(error.to_string().contains("`a` and `b`"), "{error}");
    assert!(error.hint_text().unwrap().contains("{source}"));
}

#[test]
fn the_environment_wins_over_the_only_organization() {
    let env = ProcessEnv::with([(env::ORG_ID, "from-env"), (env::API_KEY, "k")], "/w");
    let one = "[sources.a]\ntype = 'org-events'\norg_id = 'file'\n[sources.j]\ntype = 'jira-audit'\nsite = 'a.b'\n";
    let settings = check(one, &env).unwrap();
    assert_eq!(settings.sources[0].target.org_id.as_deref(), Some("from-env"));
    assert_eq!(settings.sources[0].credential, CredentialSpec::Env(env::API_KEY.to_owned()));
    assert_eq!(settings.sources[1].credential, CredentialSpec::Keyring);
    let bad = ProcessEnv::with([(env::ORG_ID, "a/b")], "/w");
    let error = check(one, &bad).unwrap_err();
    assert!(error.to_string().starts_with("ATLAUDIT_ORG_ID: not an"), "{error}");
    let two = format!("{one}[sources.b]\ntype = 'org-events'\n");
    let settings = check(&two, &env).unwrap();
    assert_eq!(settings.sources[0].credential, CredentialSpec::Keyring);
}

#[test]
fn names_select_sources_once() {
    let settings = ok("[sources.a]\ntype = 'org-events'\n[sources.b]\ntype = 'org-events'\n");
    let names =
        |list: &[&str]| -> Vec<SourceName> { list.iter().map(|n| n.parse().unwrap()).collect() };
    assert_eq!(select(&settings, &[]).unwrap().len(), 2);
    assert_eq!(select(&settings, &names(&["b", "b"])).unwrap().len(), 1);
    let error = select(&settings, &names(&["c"])).unwrap_err();
    assert_eq!(error.to_string(), "/c.toml: there is no source `c`");
    assert!(error.hint_text().unwrap().contains("`a`, `b`"));
}

#[test]
fn login_lays_flags_over_the_file() {
    let file = load("[sources.a]\ntype = 'org-events'\norg_id = 'old'\npage_size = 7\n");
    let flags = LoginFlags { org_id: Some("new".to_owned()), ..LoginFlags::default() };
    let known = login_source(&file, &"a".parse().unwrap(), &flags).unwrap();
    assert_eq!(known.page_size, 7);
    assert_eq!(known.target.org_id.as_deref(), Some("new"));
    let fresh = login_source(&file, &"b".parse().unwrap(), &flags).unwrap();
    assert_eq!(fresh.target.kind(), SourceKind::OrgEvents);
}

/// The example as it stands, and with every commented key put to work.
#[test]
fn the_example_is_right() {
    assert_eq!(ok(EXAMPLE).sources.len(), 5);
    let uncommented: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| {
            line.strip_prefix("#")
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
                // They replace other keys.
                .filter(|rest| !rest.starts_with("initial_from") && !rest.starts_with("preset"))
                .unwrap_or(line)
        })
        .collect();
    assert!(
        uncommented.iter().filter(|line| line.contains(" = ")).count()
            > EXAMPLE.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count()
    );
    let settings = ok(&uncommented.join("\n"));
    assert_eq!(settings.sources[0].initial_lookback, Duration::from_secs(7 * 86_400));
    assert!(settings.sources[0].expires_on.is_some());
}

#[test]
fn the_example_shows_every_key() {
    let keys = "state_dir type org_id site email gateway cloud_id resolve_users username credential initial_lookback initial_from overlap late_margin expires_on key_name base_url page_size \
                concurrency requests_per_minute timeout retry_for max_wait ca_file proxy preset path format encoding compression rotate mode";
    for key in keys.split_whitespace() {
        assert!(EXAMPLE.contains(&format!("{key} = ")), "{key}");
    }
}

fn name(text: &str) -> SourceName {
    text.parse().unwrap()
}

fn implied(env: &ProcessEnv, typed: &[&str], keyring: &[&str]) -> Settings {
    let typed: Vec<_> = typed.iter().map(|t| name(t)).collect();
    let found = || keyring.iter().map(|t| name(t)).collect();
    implied_settings(&ConfigFile::absent(), env, "/s".into(), &typed, &found).unwrap()
}

fn names_of(settings: &Settings) -> Vec<&str> {
    settings.sources.iter().map(|source| source.name.as_str()).collect()
}

#[test]
fn the_environment_describes_a_source() {
    let env = ProcessEnv::with([(env::API_KEY, "k"), (env::ORG_ID, "o-1")], "/");
    let settings = implied(&env, &[], &["acme"]);
    assert_eq!(names_of(&settings), [DEFAULT_SOURCE]);
    let source = &settings.sources[0];
    assert_eq!(source.credential, CredentialSpec::Env(env::API_KEY.to_owned()));
    assert_eq!(source.target.org_id.as_deref(), Some("o-1"));
    assert_eq!(names_of(&implied(&env, &["mine"], &[])), ["mine"]);
}

#[test]
fn the_keyring_describes_sources_otherwise() {
    let env = ProcessEnv::default();
    assert_eq!(names_of(&implied(&env, &[], &["acme"])), ["acme"]);
    assert_eq!(names_of(&implied(&env, &["x"], &["acme"])), ["x"]);
    let env = ProcessEnv::with([(env::ORG_ID, "o-1")], "/");
    let none = implied(&env, &[], &[]);
    assert_eq!(names_of(&none), [DEFAULT_SOURCE]);
    assert_eq!(none.sources[0].credential, CredentialSpec::Keyring);
    assert!(reject_ambiguous_keyring(&none).is_ok());
}

#[test]
fn nothing_at_all_is_refused() {
    for typed in [&[][..], &[name("acme")]] {
        let env = ProcessEnv::default();
        let refused = implied_settings(&ConfigFile::absent(), &env, "/s".into(), typed, &Vec::new);
        let error = refused.unwrap_err();
        assert_eq!(error.to_string(), "nothing is configured yet");
        assert!(error.hint_text().unwrap().contains("auth login"));
    }
}

#[test]
fn several_keyring_entries_are_rejected() {
    let error = reject_ambiguous_keyring(&implied(&ProcessEnv::default(), &[], &["b", "a", "b"]))
        .unwrap_err();
    assert!(error.to_string().contains("`a`, `b`"), "{error}");
}
