//! Tests what `auth login` is asked to do, by its flags, the configuration and a person's answers.

use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::cli::args::{AuthCommand, Command};
use crate::cli::load::HostAccess;
use crate::cli::parse::parse;
use crate::cli::resolve::resolve;
use crate::cli::resolve::tests::{FILE, home, login, refuse, run};
use crate::config::prompt::script::ScriptedUser;
use crate::config::request::CommandRequest;
use crate::credentials::CredentialError;
use crate::model::time::parse_api_time;
use crate::model::workspace::SiteProduct;
use crate::sink::location::FileIdentity;

/// Resolves a login at a terminal where these answers are given.
fn login_at_terminal(line: &str, answers: &[&'static str]) -> Result<LoginRequest, AppError> {
    let mut env = home();
    env.stdin_is_terminal = true;
    let args = parse(line.split(' ').map(OsString::from)).unwrap();
    let now = parse_api_time("2026-11-20T12:00:00Z").unwrap();
    let read = |_: &Path| Ok(FILE.to_owned());
    let person = || Some(Box::new(ScriptedUser::new(answers)) as Box<dyn UserPrompt>);
    let outside = HostAccess {
        read_file: &read,
        keyring_names: &Vec::new,
        check_store: &|_| Ok(()),
        identify: &FileIdentity::missing,
        open_prompt: &person,
    };
    match resolve(args, &env, now, &outside)? {
        CommandRequest::AuthLogin(request) => Ok(*request),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn only_a_new_source_asks_a_person_at_a_terminal() {
    let asked = login_at_terminal("atlaudit auth login new", &["2", "b.example", "", "y"]);
    let asked = asked.unwrap();
    assert!(asked.known.is_none() && asked.source.target.gateway.is_some());
    assert_eq!(asked.source.target.site().as_deref(), Some("b.example"));
    // For one that is known there is nothing to ask but the key.
    let known =
        login_at_terminal("atlaudit auth login j --email a@b.c --expires-on 2027-06-30", &[]);
    let known = known.unwrap();
    assert_eq!(known.expires_on.unwrap().to_string(), "2027-06-30");
    assert_ne!(known.known.unwrap().target, known.source.target);
    // A key from a pipe comes from a program, even if there is a terminal.
    let error = login_at_terminal("atlaudit auth login new --type jira-audit --with-key", &["x"]);
    assert!(error.unwrap_err().hint_text().unwrap().contains("--site"));
    let gone = login_at_terminal("atlaudit auth login new", &[]).unwrap_err();
    assert_eq!(gone.exit(), Exit::Usage);
    assert!(gone.hint_text().unwrap().contains("--help"));
}

#[test]
fn a_known_source_collects_from_where_it_did() {
    for line in [
        "atlaudit auth login acme --org-id 00000000-0000-4000-8000-000000000000",
        "atlaudit auth login j --site b.example",
    ] {
        let error = refuse(line, Some(FILE));
        assert_eq!(error.exit(), Exit::Usage, "{line}");
        assert!(error.hint_text().unwrap().contains("another name"), "{line}");
    }
    assert!(
        run("atlaudit auth login acme --org-id 6f1b2c3d-0000-4000-8000-000000000000", Some(FILE))
            .is_ok()
    );
    let moved = login("atlaudit auth login acme --base-url https://gov.example", Some(FILE));
    assert_eq!(moved.source.target.base_url().as_str(), "https://gov.example/");
}

#[test]
fn a_place_for_the_key_is_checked_before_the_first_question() {
    let args = || parse("atlaudit auth login new --store file:k".split(' ').map(OsString::from));
    let now = parse_api_time("2026-11-20T12:00:00Z").unwrap();
    let mut env = home();
    env.stdin_is_terminal = true;
    let refuse = |place: &KeyLocation<'_>| {
        assert_eq!(*place.credential, CredentialSpec::File("/w/k".into()));
        let refusal = HintedError::new("not writable");
        Err(CredentialError::new(place.name, refusal))
    };
    let outside = HostAccess {
        read_file: &|_| {
            Ok("[sources.acme]\ntype = 'org-events'\ncredential = 'file:/keys/acme'\n".to_owned())
        },
        keyring_names: &Vec::new,
        check_store: &refuse,
        identify: &FileIdentity::missing,
        open_prompt: &|| panic!("somebody is asked"),
    };
    let error = resolve(args().unwrap(), &env, now, &outside).unwrap_err();
    assert_eq!((error.exit(), error.text()), (Exit::Credential, "source `new`: not writable"));
}

#[test]
fn a_key_is_stored_where_the_source_reads_it_or_where_the_flag_says() {
    let file = |credential: &str| {
        format!("[sources.acme]\ntype = 'org-events'\ncredential = '{credential}'\n")
    };
    let stored = |line: &str, configured: &str| {
        login(&format!("atlaudit auth login {line}"), Some(&file(configured))).source.credential
    };
    let home = format!("{}/k", std::env::var("HOME").unwrap());
    let at = |path: &str| CredentialSpec::File(path.into());
    assert_eq!(stored("acme", "file:/k"), at("/k"));
    assert_eq!(stored("acme --store keyring", "file:/k"), CredentialSpec::Keyring);
    assert_eq!(stored("acme --store file:~/k", "env:K"), at(&home));
    assert_eq!(stored("new", "env:K"), CredentialSpec::Keyring);
    let error = refuse("atlaudit auth login acme", Some(&file("env:K")));
    assert_eq!(error.exit(), Exit::Config);
    assert!(error.hint_text().unwrap().contains("--store"));
    let error = refuse("atlaudit auth login acme --store file:~ada/k", Some(&file("env:K")));
    assert_eq!(error.exit(), Exit::Usage);
}

const ORG_ID: &str = "6f1b2c3d-0000-4000-8000-000000000000";

fn answered(line: &str, answers: &[&'static str]) -> (LoginFlags, ScriptedUser) {
    let line = format!("atlaudit auth login {line}");
    let args = parse(line.split(' ').map(OsString::from)).unwrap();
    let Command::Auth { command: AuthCommand::Login(mut typed) } = args.command else {
        panic!("no login");
    };
    let mut person = ScriptedUser::new(answers);
    prompt_missing(&mut typed, &mut person).unwrap();
    assert!(person.answers.is_empty(), "not asked: {:?}", person.answers);
    (typed.source, person)
}

#[test]
fn login_with_a_name_only_asks_for_everything() {
    let (typed, person) = answered("acme", &["", "o-1", ORG_ID]);
    assert_eq!(typed.kind, Some(SourceKind::OrgEvents));
    assert_eq!(typed.org_id.as_deref(), Some(ORG_ID));
    assert!(person.seen.contains("not an organization id"));
    let (typed, person) = answered("j", &["6", "2", "acme", "a.example", "", "y"]);
    assert_eq!(typed.kind, Some(SourceKind::JiraAudit));
    assert_eq!((typed.site.as_deref(), typed.email), (Some("a.example"), None));
    assert!(typed.gateway && person.seen.contains("not a site's host name"));
    let (typed, person) = answered("w", &["4", "a.example", "", "trello", "Jira"]);
    assert_eq!(typed.product, Some(SiteProduct::Jira));
    assert!(!typed.gateway && person.seen.contains("not a product that has a workspace"));
    let (typed, _) = answered("dc", &["datacenter-audit", "http://x", "https://x", "2", "ada"]);
    assert_eq!(typed.base_url.unwrap().as_str(), "https://x/");
    assert_eq!(typed.username.as_deref(), Some("ada"));
}

#[test]
fn a_token_of_a_data_center_is_never_taken_for_a_user_name() {
    for answer in ["", "1"] {
        let (typed, _) = answered("dc", &["5", "https://x", answer]);
        assert_eq!(typed.username, None);
    }
    let (typed, person) = answered("dc", &["5", "https://x", "OTk4SECRET", "1"]);
    assert_eq!(typed.username, None);
    assert!(!person.seen.contains("SECRET"), "{}", person.seen);
}

#[test]
fn a_pasted_address_is_taken_for_its_site() {
    let (typed, _) = answered("j", &["2", "https://A.example/jira/your-work", "", ""]);
    assert_eq!(typed.site.as_deref(), Some("a.example"));
    let page = "https://admin.atlassian.com/o/6f1b2c3d-0000-4000-8000-000000000000/overview";
    let (typed, _) = answered("acme", &["1", page]);
    assert_eq!(typed.org_id.as_deref(), Some(ORG_ID));
}

#[test]
fn login_with_flags_asks_for_what_is_missing() {
    let (typed, _) = answered("j --site a.example", &["ada@a.example"]);
    assert_eq!(typed.email.as_deref(), Some("ada@a.example"));
    assert_eq!(typed.kind, Some(SourceKind::JiraAudit));
    assert!(!typed.gateway);
    answered("j --site a.example --email a@b.c", &[]);
    answered(&format!("acme --org-id {ORG_ID}"), &[]);
    answered("dc --type datacenter-audit --base-url https://x", &[]);
    answered("dc --username ada", &["https://x"]);
    answered("c --type confluence-audit", &["a.example", ""]);
}

#[test]
fn a_key_typed_too_early_is_not_shown() {
    let (_, person) = answered("acme", &["ATCTT3xSECRET", "1", "ATCTT3xSECRET", ORG_ID]);
    assert!(!person.seen.contains("SECRET"), "{}", person.seen);
}
