//! Reads the state of an account or key, and sends changes: each once.

use std::collections::HashSet;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::account_state::{AccountState, DirectoryAccess, KeyState, ResponseSubject};
use crate::collect::connector::ApiClient;
use crate::collect::org_lists::OrgLists;
use crate::config::respond::ResponseAction;
use crate::http::client::Transport;
use crate::http::failure::{Failure, FailureKind};
use crate::http::message::{Endpoint, Request, Response, UnreadableBody};
use crate::http::retry::RetryBudget;
use crate::model::json::Document;
use crate::model::time::Timestamp;
use crate::posture::{ApiToken, OrgUser, policy_member_address};
use crate::source::admin_lists::{self, AdminList};
use crate::source::org_account::{self, AccountPrivileges, AccountQuery, PolicyMove, WriteStep};

/// How long a limit may let a change wait.
const MAX_WRITE_WAIT: Duration = Duration::from_secs(60);

/// Events that are looked at for the trace of a change: so many pages, of so many.
const MAX_EVENT_PAGES: usize = 10;
const EVENTS_PER_PAGE: &str = "500";

/// What became of a change.
#[derive(Debug)]
pub enum WriteOutcome {
    /// It was accepted.
    Accepted(Response),
    /// Atlassian refused it, or it was not sent: nothing was changed.
    Refused(Failure),
    /// It was sent, and whether it was done is not known.
    Unknown(Failure),
}

/// Why the state of an account or key could not be found.
#[derive(Debug)]
pub enum LookupError {
    /// A request failed.
    Failed(Failure),
    /// So many accounts or keys fit, and not one.
    NotOne(usize),
}

impl From<Failure> for LookupError {
    fn from(failure: Failure) -> LookupError {
        LookupError::Failed(failure)
    }
}

/// One organization, reached with the second credential.
#[derive(Clone)]
pub struct OrgAccess<T> {
    lists: OrgLists<T>,
    /// Sends changes.
    writer: ApiClient<T>,
    /// The credential: a server that quotes it must not bring it into the record.
    secret: SecretString,
}

impl<T: Transport> OrgAccess<T> {
    /// Access through `lists`, and through `writer` for changes, which it sends once.
    pub fn new(lists: OrgLists<T>, writer: ApiClient<T>, secret: SecretString) -> OrgAccess<T> {
        let retry_budget = RetryBudget { retry_for: Duration::ZERO, max_wait: MAX_WRITE_WAIT };
        let mut writer = writer;
        writer.retry_budget = retry_budget;
        OrgAccess { lists, writer, secret }
    }

    /// The same, which tries everything that it reads only once: for looks that are repeated.
    pub fn impatient(&self) -> OrgAccess<T>
    where
        T: Clone,
    {
        let api = self.lists.api.without_retries();
        OrgAccess { lists: OrgLists { api, ..self.lists.clone() }, ..self.clone() }
    }

    /// The organization.
    pub fn org_id(&self) -> &str {
        &self.lists.org_id
    }

    /// The server.
    pub fn server(&self) -> String {
        self.lists.base_url.to_string()
    }

    /// The state of the account or key that `name` names, with all that the guards look at; of an
    /// account by its address or id.
    ///
    /// # Errors
    /// Something of it cannot be read, or not exactly one fits.
    pub async fn subject(
        &self,
        action: ResponseAction,
        name: &str,
    ) -> Result<ResponseSubject, LookupError> {
        let mut subject = self.subject_state(action, name).await?;
        if let ResponseSubject::Account(account) = &mut subject {
            // To give access back must not depend on more than it needs.
            if action.is_containment() {
                account.is_service = self.is_service_account(&account.user.id).await?;
                account.other_admins = self.other_admins(&account.user.id).await?;
                account.keys = self.valid_keys().await?;
            }
        }
        Ok(subject)
    }

    /// The same without what only the guards look at.
    ///
    /// # Errors
    /// Something of it cannot be read, or not exactly one fits.
    pub async fn subject_state(
        &self,
        action: ResponseAction,
        name: &str,
    ) -> Result<ResponseSubject, LookupError> {
        if action == ResponseAction::RevokeKey {
            return self.key(name).await.map(ResponseSubject::Key);
        }
        let query = match name.contains('@') {
            true => AccountQuery::Email(name),
            false => AccountQuery::Id(name),
        };
        let user = self.user(None, query).await?;
        let fits = match query {
            AccountQuery::Email(email) => {
                user.email.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(email))
            }
            AccountQuery::Id(id) => user.id == id,
            AccountQuery::OrgAdmins => false,
        };
        if !fits || !org_account::is_safe_id(&user.id) {
            return Err(LookupError::NotOne(0));
        }
        self.account(action, user).await.map(|account| ResponseSubject::Account(Box::new(account)))
    }

    /// The one user that fits.
    async fn user(
        &self,
        directory_id: Option<&str>,
        query: AccountQuery<'_>,
    ) -> Result<OrgUser, LookupError> {
        let (base_url, org_id) = (&self.lists.base_url, &self.lists.org_id);
        let request = org_account::account_request(base_url, org_id, directory_id, query);
        let page = self.read(&request, admin_lists::read_page).await?;
        let mut users: Vec<OrgUser> = page.entries.iter().filter_map(OrgUser::read).collect();
        let is_one = users.iter().zip(users.iter().skip(1)).all(|(one, next)| one.id == next.id);
        if users.len() != page.entries.len() || !is_one || page.next.is_some() {
            return Err(LookupError::NotOne(page.entries.len().max(2)));
        }
        let Some(mut user) = users.pop() else { return Err(LookupError::NotOne(0)) };
        // One account that is listed more than once has all the roles of its entries.
        for other in users {
            user.roles = user.roles.zip(other.roles).map(|(one, more)| [one, more].concat());
        }
        Ok(user)
    }

    async fn account(
        &self,
        action: ResponseAction,
        user: OrgUser,
    ) -> Result<AccountState, LookupError> {
        let mut account = AccountState { user, ..AccountState::default() };
        let id = account.user.id.clone();
        account.directories = self.directories(&id).await?;
        let needs_privileges = matches!(
            action,
            ResponseAction::Disable | ResponseAction::Enable | ResponseAction::RevokeTokens
        );
        if needs_privileges {
            account.privileges = self.privileges(&id).await?;
        }
        if action == ResponseAction::RevokeTokens
            && account.privileges.get("apiToken.read").is_none_or(Result::is_ok)
        {
            account.tokens = self.tokens(&id).await?;
        }
        if matches!(action, ResponseAction::Quarantine | ResponseAction::Release) {
            account.policy_id = self.policy(&account.user).await?;
        }
        Ok(account)
    }

    /// The directories that hold an account, with its access in each.
    async fn directories(&self, id: &str) -> Result<Vec<DirectoryAccess>, LookupError> {
        let (base_url, org_id) = (&self.lists.base_url, &self.lists.org_id);
        let request = org_account::directories_request(base_url, org_id, id);
        let page = self.read(&request, admin_lists::read_page).await?;
        if page.next.is_some() {
            let why = "the account is in more directories than one page lists";
            return Err(Failure::of_contents(FailureKind::Unreadable, &request, why).into());
        }
        let mut directories = Vec::new();
        for entry in &page.entries {
            let root = entry.root();
            let Some(directory_id) = root.text_of("directoryId") else {
                let why = "a directory has no id";
                return Err(Failure::of_contents(FailureKind::Unreadable, &request, why).into());
            };
            if directories.iter().any(|it: &DirectoryAccess| *it.id == *directory_id) {
                continue;
            }
            let user = self.user(Some(&directory_id), AccountQuery::Id(id)).await?;
            if user.id != id {
                let why = "a directory answers with another account";
                return Err(Failure::of_contents(FailureKind::Unreadable, &request, why).into());
            }
            directories.push(DirectoryAccess {
                id: directory_id.into_owned(),
                name: root.text_of("name").map(|name| name.into_owned()),
                is_suspended: user.is_suspended,
            });
        }
        Ok(directories)
    }

    async fn is_service_account(&self, id: &str) -> Result<bool, Failure> {
        let accounts = self.lists.read(AdminList::ServiceAccounts).await?;
        let ids = ["atlassianId", "id"];
        let is_it = |entry: &Document| {
            ids.into_iter().any(|key| entry.root().scalar_of(key).is_some_and(|it| it == id))
        };
        Ok(accounts.iter().any(is_it))
    }

    /// People who are active organization admins, of the first page of them, but the one of `id`.
    async fn other_admins(&self, id: &str) -> Result<usize, Failure> {
        let (base_url, org_id) = (&self.lists.base_url, &self.lists.org_id);
        let query = AccountQuery::OrgAdmins;
        let request = org_account::account_request(base_url, org_id, None, query);
        let page = self.read(&request, admin_lists::read_page).await?;
        let users = page.entries.iter().filter_map(OrgUser::read);
        let admins = users.filter(|user| {
            user.id != id
                && user.is_person == Some(true)
                && user.has_role("org-admin")
                && user.is_active == Some(true)
        });
        Ok(admins.map(|user| user.id).collect::<HashSet<_>>().len())
    }

    /// Keys that have not ended, by the clock of this machine.
    async fn valid_keys(&self) -> Result<Vec<ApiToken>, Failure> {
        let now = chrono::Utc::now();
        let keys = self.lists.read(AdminList::OrgKeys).await?;
        let read: Vec<ApiToken> = keys.iter().filter_map(ApiToken::read).collect();
        if read.len() != keys.len() {
            let request = Request::get(Endpoint::OrgAdmin, self.lists.base_url.clone());
            let why = "an API key has no id";
            return Err(Failure::of_contents(FailureKind::Unreadable, &request, why));
        }
        Ok(read.into_iter().filter(|key| key.expires.is_none_or(|end| end > now)).collect())
    }

    async fn privileges(&self, id: &str) -> Result<AccountPrivileges, Failure> {
        let request = org_account::privileges_request(&self.lists.base_url, id);
        self.read(&request, org_account::read_privileges).await
    }

    async fn tokens(&self, id: &str) -> Result<Vec<ApiToken>, Failure> {
        let request = org_account::tokens_request(&self.lists.base_url, id);
        let tokens = self.read(&request, admin_lists::read_array).await?;
        let mut read: Vec<ApiToken> = tokens.iter().filter_map(ApiToken::read).collect();
        let mut known = HashSet::new();
        match read.len() == tokens.len() {
            true => {
                read.retain(|token| known.insert(token.id.clone()));
                Ok(read)
            }
            false => {
                let why = "a token has no id";
                Err(Failure::of_contents(FailureKind::Unreadable, &request, why))
            }
        }
    }

    /// The authentication policy of a user, whom `bulk-fetch` names by id or address.
    async fn policy(&self, user: &OrgUser) -> Result<Option<String>, Failure> {
        let members = self.lists.policy_members(std::slice::from_ref(&user.id)).await?;
        let email = user.email.as_ref().map(|email| email.to_ascii_lowercase());
        let is_of_user = |entry: &&Document| {
            let id = entry.root().scalar_of("accountId");
            match id {
                Some(id) => id == user.id,
                None => policy_member_address(entry).map(|(address, _)| address) == email,
            }
        };
        let member = members.iter().find(is_of_user);
        let policy = member.and_then(|entry| entry.root().scalar_of("policyId"));
        Ok(policy.map(|policy| policy.into_owned()))
    }

    async fn key(&self, name: &str) -> Result<KeyState, LookupError> {
        let keys = self.valid_keys().await?;
        let fits = |key: &&ApiToken| key.id == name || key.label.as_deref() == Some(name);
        let found: Vec<&ApiToken> = keys.iter().filter(fits).collect();
        match found[..] {
            [] | [_] => Ok(KeyState {
                name: name.to_owned(),
                key: found.first().map(|key| (*key).clone()),
                keys: keys.clone(),
            }),
            [..] => Err(LookupError::NotOne(found.len())),
        }
    }

    /// The request of a change.
    pub fn request(&self, step: &WriteStep) -> Request {
        step.request(&self.lists.base_url, &self.lists.org_id)
    }

    /// A text of the server's without the key, which it may quote.
    pub fn without_key(&self, text: &str) -> String {
        text.replace(self.secret.expose_secret(), "[key]")
    }

    /// Sends a change: a second time only if a limit refused it.
    pub async fn write(&self, request: &Request) -> WriteOutcome {
        let taken = |response: &Response| Ok(response.clone());
        let failure = match self.writer.request(request, taken).await {
            Ok(response) => return WriteOutcome::Accepted(response),
            Err(failure) => failure.without(self.secret.expose_secret()),
        };
        match failure.kind {
            FailureKind::CredentialRefused
            | FailureKind::ScopeMissing
            | FailureKind::Forbidden
            | FailureKind::FreePlan
            | FailureKind::CaptchaRequired
            | FailureKind::NotFound
            | FailureKind::BadRequest
            | FailureKind::RateLimited
            | FailureKind::Unreachable
            | FailureKind::Tls => WriteOutcome::Refused(failure),
            // Our own client did not send it.
            FailureKind::Unexpected if failure.status.is_none() => WriteOutcome::Refused(failure),
            _ => WriteOutcome::Unknown(failure),
        }
    }

    /// How far the task of a move is.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn policy_task(&self, task_id: &str) -> Result<PolicyMove, Failure> {
        let (base_url, org_id) = (&self.lists.base_url, &self.lists.org_id);
        let request = org_account::policy_task_request(base_url, org_id, task_id);
        self.read(&request, org_account::read_policy_task).await
    }

    /// The ids of the events since `since` that are of one of `actions` and hold `text` as a value.
    ///
    /// # Errors
    /// The events cannot be read.
    pub async fn events_of(
        &self,
        since: Timestamp,
        actions: &[&str],
        text: &str,
    ) -> Result<Vec<String>, Failure> {
        let path = "/admin/v1/orgs/{org}/events-stream";
        let (mut ids, mut cursor): (Vec<String>, Option<String>) = (Vec::new(), None);
        for _ in 0..MAX_EVENT_PAGES {
            let mut url = admin_lists::org_url(&self.lists.base_url, path, &self.lists.org_id);
            url.query_pairs_mut()
                .append_pair("from", &since.timestamp_millis().to_string())
                .append_pair("limit", EVENTS_PER_PAGE);
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().clear().append_pair("cursor", cursor);
            }
            let request = Request::get(Endpoint::EventsStream, url);
            let page = self.read(&request, admin_lists::read_page).await?;
            let is_empty = page.entries.is_empty();
            ids.extend(page.entries.iter().filter_map(|event| {
                let root = event.root();
                let attributes = root.get("attributes")?;
                let action = attributes.text_of("action")?;
                // Not the actor: whoever is contained may have acted.
                let about = ["context", "container"].into_iter();
                let about = about.filter_map(|key| attributes.get(key));
                let is_trace = actions.contains(&&*action)
                    && about.into_iter().any(|node| org_account::has_value(node, text));
                let id = root.scalar_of("id").filter(|_| is_trace)?;
                Some(id.into_owned())
            }));
            match page.next {
                Some(next) if !is_empty && cursor.as_ref() != Some(&next) => cursor = Some(next),
                _ => break,
            }
        }
        Ok(ids)
    }

    async fn read<P>(
        &self,
        request: &Request,
        read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    ) -> Result<P, Failure> {
        let read = self.lists.api.request(request, read).await;
        read.map_err(|failure| failure.without(self.secret.expose_secret()))
    }
}
