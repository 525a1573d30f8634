//! Refuses a response that would do more harm than good, or that cannot succeed.

use super::account_state::{AccountState, KeyState, PlanOptions, ResponseSubject};
use crate::config::respond::{RespondSettings, ResponseAction};
use crate::model::text::printable_line;
use crate::posture::ApiToken;
use crate::source::org_account::is_safe_id;

/// Why a response is refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardRefusal {
    /// What is wrong.
    pub what: String,
    /// What to do instead.
    pub hint: String,
}

fn refuse(what: impl Into<String>, hint: impl Into<String>) -> Result<(), GuardRefusal> {
    Err(GuardRefusal { what: what.into(), hint: hint.into() })
}

/// Refuses what must not be done.
///
/// # Errors
/// Why.
pub fn guard(
    action: ResponseAction,
    subject: &ResponseSubject,
    options: &PlanOptions,
    settings: &RespondSettings,
) -> Result<(), GuardRefusal> {
    if !is_safe_id(subject.id()) {
        return refuse(
            "the id has characters that an id of Atlassian's has not",
            "use the console, and report this",
        );
    }
    match subject {
        ResponseSubject::Key(key) => guard_key(key, settings),
        ResponseSubject::Account(account) => {
            guard_identity(account)?;
            if action.is_containment() {
                guard_containment(action, account, options, settings)?;
            }
            guard_feasibility(action, account, options)
        }
    }
}

/// Who it is.
fn guard_identity(account: &AccountState) -> Result<(), GuardRefusal> {
    let user = &account.user;
    if user.is_person == Some(false) || account.is_service {
        return refuse(
            "it is the account of an app or a service, not of a person",
            "end it where it is made: remove the app, or revoke the service account's tokens in \
             the console",
        );
    }
    Ok(())
}

/// Whom it would lock out.
fn guard_containment(
    action: ResponseAction,
    account: &AccountState,
    options: &PlanOptions,
    settings: &RespondSettings,
) -> Result<(), GuardRefusal> {
    let user = &account.user;
    let is_listed = |listed: &&String| {
        listed.eq_ignore_ascii_case(&user.id)
            || user.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(listed))
    };
    let has_addresses = settings.break_glass.iter().any(|listed| listed.contains('@'));
    if has_addresses && user.email.is_none() {
        return refuse(
            "the account shows no address, and `[respond] break_glass` lists addresses",
            "list accounts by their ids there, or use the console",
        );
    }
    if settings.break_glass.iter().any(|listed| is_listed(&listed)) {
        return refuse(
            "the account is one of `[respond] break_glass`",
            "it is the last way in: whoever must be locked out of it changes the configuration \
             first; giving access back is always possible",
        );
    }
    if user.roles.is_none() {
        return refuse(
            "the roles of the account are not listed, so that it may be an admin's",
            "look in the console; the key may lack a scope",
        );
    }
    if user.is_person.is_none() {
        return refuse(
            "the list of users does not say whether it is the account of a person or an app",
            "look in the console, and end it there",
        );
    }
    let ends_access = action != ResponseAction::RevokeTokens;
    if ends_access && user.has_role("org-admin") && account.other_admins == 0 {
        return refuse(
            "it is the last active organization admin",
            "give the role to somebody else first: without an admin nobody can undo this",
        );
    }
    if ends_access {
        guard_key_maker(account, settings)?;
    }
    if user.is_admin() && !options.allows_admin {
        return refuse(
            "the account is an admin's",
            "add `--admin` if that is meant; consider taking the role first",
        );
    }
    Ok(())
}

/// Whether the key in use could end with the account.
fn guard_key_maker(account: &AccountState, settings: &RespondSettings) -> Result<(), GuardRefusal> {
    let user = &account.user;
    let keys = keys_possibly_ours(&account.keys, settings);
    if keys.is_empty() {
        return refuse(
            "the list of API keys does not have the key of `respond_key_name`, so that it \
             cannot be told who made it",
            "set `respond_key_name` to what the list calls the key",
        );
    }
    if keys.iter().any(|key| key.owner_id.is_none()) {
        return refuse(
            "the list of API keys does not say who made the key in use",
            "look in the console: the key could end with its maker",
        );
    }
    let is_address =
        |owner: &str| user.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(owner));
    let is_maker = |key: &&ApiToken| {
        key.owner_id.as_deref() == Some(user.id.as_str())
            || key.owner.as_deref().is_some_and(is_address)
    };
    if keys.iter().any(is_maker) {
        return refuse(
            "the account made an API key that may be the one in use, which could end with it",
            "use a key of another admin, and set `respond_key_name` to its name",
        );
    }
    Ok(())
}

/// The keys of which one is in use: that of `respond_key_name`, or any.
fn keys_possibly_ours<'a>(keys: &'a [ApiToken], settings: &RespondSettings) -> Vec<&'a ApiToken> {
    let is_ours = |key: &&ApiToken| match &settings.key_name {
        Some(name) => key.label.as_ref() == Some(name) || key.id == *name,
        None => true,
    };
    keys.iter().filter(is_ours).collect()
}

/// Whether Atlassian would do it.
fn guard_feasibility(
    action: ResponseAction,
    account: &AccountState,
    options: &PlanOptions,
) -> Result<(), GuardRefusal> {
    guard_privilege(action, account)?;
    let is_move = matches!(action, ResponseAction::Quarantine | ResponseAction::Release);
    if is_move && account.user.email.is_none() {
        return refuse(
            "the account has no address, and users are moved by their address",
            "use the console",
        );
    }
    if is_move && account.user.is_managed == Some(false) {
        return refuse(
            "the organization does not manage the account, and only managed ones have its policies",
            "use `suspend`, which takes its access to this organization",
        );
    }
    if is_move && options.policy_id.as_deref().is_none_or(|policy| !is_safe_id(policy)) {
        return refuse(
            "`--policy` is missing, or is no id",
            "name the id of the policy to move to",
        );
    }
    if matches!(action, ResponseAction::Suspend | ResponseAction::Restore)
        && account.directories.is_empty()
    {
        return refuse(
            "the account is in no directory, so that it has no access to suspend",
            "a managed account can be disabled instead",
        );
    }
    let odd = account.directories.iter().any(|directory| !is_safe_id(&directory.id))
        || account.tokens.iter().any(|token| !is_safe_id(&token.id));
    match odd {
        true => {
            refuse("the id of a directory or token is none", "use the console, and report this")
        }
        false => guard_directories(account, options),
    }
}

/// Whether the account is in each directory that is named.
fn guard_directories(account: &AccountState, options: &PlanOptions) -> Result<(), GuardRefusal> {
    let holds = |id: &&String| account.directories.iter().any(|directory| directory.id == **id);
    match options.directories.iter().find(|id| !holds(id)) {
        Some(id) => refuse(
            format!("the account is not in the directory `{}`", printable_line(id)),
            "name one that the plan lists without `--directory`",
        ),
        None => Ok(()),
    }
}

/// What Atlassian says may be done to the account.
fn guard_privilege(action: ResponseAction, account: &AccountState) -> Result<(), GuardRefusal> {
    let needed: &[&str] = match action {
        ResponseAction::Disable | ResponseAction::Enable => &["lifecycle.enablement"],
        ResponseAction::RevokeTokens => &["apiToken.read", "apiToken.delete"],
        ResponseAction::Suspend
        | ResponseAction::Restore
        | ResponseAction::RevokeKey
        | ResponseAction::Quarantine
        | ResponseAction::Release
        | ResponseAction::SignInAgain
        | ResponseAction::Notify => &[],
    };
    for privilege in needed {
        match account.privileges.get(*privilege) {
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                let (meaning, hint) = explain(reason);
                return refuse(format!("Atlassian does not allow it: {meaning} ({reason})"), hint);
            }
            None => {
                return refuse(
                    format!("Atlassian does not say whether it allows it (`{privilege}`)"),
                    "use the console, or the identity provider",
                );
            }
        }
    }
    Ok(())
}

/// What a reason of `.../manage` means, and what to do (user management API, `reason.key`).
fn explain(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "externalDirectory.scim" => (
            "the identity provider manages the account by SCIM",
            "deactivate it there: the provider would only enable it again; `suspend` works here",
        ),
        "externalDirectory.google" => (
            "the account is synchronised with Google",
            "suspend it in Google; `suspend` works here",
        ),
        "managedAccount" => (
            "the organization does not manage the account",
            "use `suspend`, which takes its access to this organization",
        ),
        "administrative.notMyself" => ("the key's own account", "use a key of another admin"),
        "authPolicy.saml" => ("its authentication policy uses SAML", "use the identity provider"),
        "blocked.exportControl" => ("Atlassian blocks it (export control)", "contact Atlassian"),
        _ => ("a reason that is not known here", "look in the console"),
    }
}

fn guard_key(state: &KeyState, settings: &RespondSettings) -> Result<(), GuardRefusal> {
    let Some(key) = &state.key else { return Ok(()) };
    let ours = keys_possibly_ours(&state.keys, settings);
    if settings.key_name.is_none() {
        return refuse(
            "nothing says which of the keys is the one in use, and that one must stay",
            "set `respond_key_name` to what the list calls the key of `respond_credential`",
        );
    }
    match ours.iter().any(|it| it.id == key.id) {
        true => refuse(
            "it is the key in use, which must stay until this is done",
            "use another key, or revoke this one in the console",
        ),
        false if ours.is_empty() => refuse(
            "the list of API keys does not have the key of `respond_key_name`",
            "set `respond_key_name` to what the list calls the key",
        ),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::CredentialSpec;
    use crate::posture::OrgUser;
    use crate::respond::account_state::DirectoryAccess;

    fn key(owner_id: Option<&str>, owner: Option<&str>) -> ApiToken {
        ApiToken {
            id: "key-1".to_owned(),
            label: Some("ours".to_owned()),
            owner_id: owner_id.map(str::to_owned),
            owner: owner.map(str::to_owned),
            ..ApiToken::default()
        }
    }

    fn admin() -> AccountState {
        let user = OrgUser {
            id: "a".to_owned(),
            email: Some("a@x.example".to_owned()),
            is_person: Some(true),
            is_active: Some(true),
            is_managed: Some(true),
            roles: Some(vec!["org-admin".to_owned()]),
            ..OrgUser::default()
        };
        let directory = DirectoryAccess { id: "d".to_owned(), name: None, is_suspended: None };
        AccountState {
            user,
            directories: vec![directory],
            other_admins: 1,
            keys: vec![key(Some("z"), Some("z@x.example"))],
            ..AccountState::default()
        }
    }

    fn refusal(account: AccountState, break_glass: &[&str]) -> Option<String> {
        let options = PlanOptions { allows_admin: true, ..PlanOptions::default() };
        let settings = RespondSettings {
            credential: CredentialSpec::Env("K".to_owned()),
            key_name: Some("ours".to_owned()),
            break_glass: break_glass.iter().map(|it| (*it).to_owned()).collect(),
        };
        let subject = ResponseSubject::Account(Box::new(account));
        let guarded = guard(ResponseAction::Suspend, &subject, &options, &settings);
        guarded.err().map(|refusal| refusal.what)
    }

    #[test]
    fn what_is_not_known_of_the_key_or_the_account_is_refused() {
        let with_keys = |keys| AccountState { keys, ..admin() };
        assert_eq!(refusal(admin(), &[]), None);
        let cases = [
            (with_keys(vec![key(None, Some("a@x.example"))]), "does not say who made"),
            (with_keys(vec![key(Some("b"), Some("A@X.example"))]), "made an API key"),
            (with_keys(Vec::new()), "does not have the key"),
            (AccountState { other_admins: 0, ..admin() }, "last active"),
            (AccountState { user: OrgUser { roles: None, ..admin().user }, ..admin() }, "roles"),
            (AccountState { is_service: true, ..admin() }, "app or a service"),
        ];
        for (account, words) in cases {
            let refused = refusal(account, &[]).unwrap_or_default();
            assert!(refused.contains(words), "{words}: {refused}");
        }
    }

    #[test]
    fn a_break_glass_account_is_known_by_any_writing_of_its_name() {
        for listed in ["A@x.example", "A"] {
            assert!(refusal(admin(), &[listed]).unwrap().contains("break_glass"), "{listed}");
        }
        let mut nameless = admin();
        nameless.user.email = None;
        assert!(refusal(nameless, &["b@x.example"]).unwrap().contains("no address"));
        assert_eq!(refusal(admin(), &["b@x.example"]), None);
    }
}
