//! Prompts for what `auth login` needs to know about a source that is not configured yet.

use std::io;

use crate::cli::args::LoginArgs;
use crate::config::error::HintedError;
use crate::config::keywords;
use crate::config::prompt::{self, UserPrompt};
use crate::config::validate;
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;

const SIGN_IN: &str = "\
Sign in with
  1  a personal access token
  2  a user name and its password
Sign in with [1]: ";

/// Prompts for missing values: with flags, only for what is required; without flags, for all.
///
/// # Errors
/// There is no terminal any more, or no valid answer.
pub fn prompt_missing(typed: &mut LoginArgs, person: &mut dyn UserPrompt) -> io::Result<()> {
    let implied = match (&typed.kind, &typed.org_id, &typed.site, &typed.username) {
        (Some(kind), ..) => Some(*kind),
        (None, Some(_), ..) => Some(SourceKind::implied_by(SourceAddress::Organization)),
        (None, None, Some(_), _) => Some(SourceKind::implied_by(SourceAddress::Site)),
        (None, None, None, Some(_)) => Some(SourceKind::implied_by(SourceAddress::Server)),
        (None, None, None, None) => None,
    };
    let kind = match implied {
        Some(kind) => kind,
        None => {
            person.show(&format!("`{}` is a new source. {}", typed.name, list_of_kinds()))?;
            prompt::ask_until_valid(person, "Type [1]: ", parse_kind)?
        }
    };
    // Only now: a typed type may contradict the other flags, and is refused with them later.
    typed.kind.get_or_insert(kind);
    let asks_all = implied.is_none();
    match kind.address() {
        SourceAddress::Organization => organization(typed, person),
        SourceAddress::Site => site(typed, person, asks_all),
        SourceAddress::Server => datacenter(typed, person, asks_all),
    }
}

fn list_of_kinds() -> String {
    let mut text = "What does it collect?\n".to_owned();
    for (number, kind) in (1..).zip(SourceKind::ALL) {
        let descriptor = kind.descriptor();
        text.push_str(&format!("  {number}  {:<19}{}\n", descriptor.word, descriptor.summary));
    }
    text
}

fn parse_kind(answer: &str) -> Result<SourceKind, HintedError> {
    let typed = if answer.is_empty() { "1" } else { answer };
    let number = typed.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    if let Some(kind) = number.and_then(|number| SourceKind::ALL.get(number)) {
        return Ok(*kind);
    }
    if validate::looks_like_key(answer) {
        let most = SourceKind::ALL.len();
        let error = HintedError::new("that is a key; you are asked for it later");
        return Err(error.hint(format!("answer a number from 1 to {most}")));
    }
    keywords::source_kind(answer)
}

fn organization(typed: &mut LoginArgs, person: &mut dyn UserPrompt) -> io::Result<()> {
    if typed.org_id.is_none() {
        let question = "Organization id, as in https://admin.atlassian.com/o/ID \
            (Enter: look it up with the key): ";
        typed.org_id = prompt::ask_optional(person, question, validate::org_uuid)?;
    }
    Ok(())
}

fn site(typed: &mut LoginArgs, person: &mut dyn UserPrompt, asks_all: bool) -> io::Result<()> {
    if typed.site.is_none() {
        typed.site = Some(prompt::ask_until_valid(
            person,
            "Site, such as acme.atlassian.net: ",
            validate::site,
        )?);
    }
    if typed.email.is_none() {
        let question = "E-mail of the token's owner (Enter: use it as a bearer token): ";
        typed.email = prompt::ask_optional(person, question, validate::email)?;
    }
    if asks_all && !typed.gateway {
        let question = "Scoped token or service account? [y/N] ";
        typed.gateway = prompt::confirm(person, question)?;
    }
    Ok(())
}

fn datacenter(
    typed: &mut LoginArgs,
    person: &mut dyn UserPrompt,
    asks_all: bool,
) -> io::Result<()> {
    if typed.base_url.is_none() {
        let question = "Address, such as https://jira.acme.example: ";
        typed.base_url = Some(prompt::ask_until_valid(person, question, validate::base_url)?);
    }
    // Asked before a name: a token that is typed as a user name would be shown, and kept as one.
    if asks_all
        && typed.username.is_none()
        && prompt::ask_until_valid(person, SIGN_IN, has_password)?
    {
        let question = "User name: ";
        typed.username = Some(prompt::ask_until_valid(person, question, validate::username)?);
    }
    Ok(())
}

fn has_password(answer: &str) -> Result<bool, HintedError> {
    match answer {
        "" | "1" => Ok(false),
        "2" => Ok(true),
        _ => Err(HintedError::new("answer 1 or 2; the token or password is asked for later")),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::args::{AuthCommand, Command};
    use crate::cli::parse::parse;
    use crate::config::prompt::script::ScriptedUser;

    const ORG_ID: &str = "6f1b2c3d-0000-4000-8000-000000000000";

    fn answered(line: &str, answers: &[&'static str]) -> (LoginArgs, ScriptedUser) {
        let line = format!("atlaudit auth login {line}");
        let args = parse(line.split(' ').map(OsString::from)).unwrap();
        let Command::Auth { command: AuthCommand::Login(mut typed) } = args.command else {
            panic!("no login");
        };
        let mut person = ScriptedUser::new(answers);
        prompt_missing(&mut typed, &mut person).unwrap();
        assert!(person.answers.is_empty(), "not asked: {:?}", person.answers);
        (*typed, person)
    }

    #[test]
    fn whoever_types_a_name_only_is_asked_for_all_of_it() {
        let (typed, person) = answered("acme", &["", "o-1", ORG_ID]);
        assert_eq!(typed.kind, Some(SourceKind::OrgEvents));
        assert_eq!(typed.org_id.as_deref(), Some(ORG_ID));
        assert!(person.seen.contains("not an organization id"));
        let (typed, person) = answered("j", &["5", "2", "acme", "a.example", "", "y"]);
        assert_eq!(typed.kind, Some(SourceKind::JiraAudit));
        assert_eq!((typed.site.as_deref(), typed.email), (Some("a.example"), None));
        assert!(typed.gateway && person.seen.contains("not a site's host name"));
        let (typed, _) = answered("dc", &["datacenter-audit", "http://x", "https://x", "2", "ada"]);
        assert_eq!(typed.base_url.unwrap().as_str(), "https://x/");
        assert_eq!(typed.username.as_deref(), Some("ada"));
    }

    #[test]
    fn a_token_of_a_data_center_is_never_taken_for_a_user_name() {
        for answer in ["", "1"] {
            let (typed, _) = answered("dc", &["4", "https://x", answer]);
            assert_eq!(typed.username, None);
        }
        let (typed, person) = answered("dc", &["4", "https://x", "OTk4SECRET", "1"]);
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
    fn whoever_types_flags_is_asked_for_what_is_missing() {
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
}
