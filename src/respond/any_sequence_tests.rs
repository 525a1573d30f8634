//! Whatever is planned, changed and applied in whatever order: a change is only ever sent for the
//! account that the applied plan names.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::Utc;
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use url::Url;

use super::*;
use crate::collect::connector::ApiClient;
use crate::collect::org_lists::OrgLists;
use crate::config::respond::{RespondSettings, ResponseAction};
use crate::config::settings::CredentialSpec;
use crate::http::client::Transport;
use crate::http::message::{Request, Response, TransportError, TransportErrorKind};

const IDS: [&str; 4] = ["712020:a", "712020:b", "712020:c", "712020:d"];

/// An account of the made-up organization.
#[derive(Debug, Clone)]
struct FakeAccount {
    id: &'static str,
    email: String,
    is_suspended: bool,
    is_enabled: bool,
    is_admin: bool,
    policy: String,
    tokens: Vec<String>,
}

/// What a made-up organization holds, and whom each change that reached it was about.
#[derive(Debug, Default)]
struct FakeState {
    accounts: Vec<FakeAccount>,
    written: Vec<String>,
}

/// A made-up organization.
#[derive(Debug, Clone)]
struct FakeOrg(Arc<Mutex<FakeState>>);

impl FakeOrg {
    fn new() -> FakeOrg {
        let account = |(number, id): (usize, &'static str)| FakeAccount {
            id,
            email: format!("p{number}@x.example"),
            is_suspended: false,
            is_enabled: true,
            is_admin: number < 2,
            policy: "policy-1".to_owned(),
            tokens: vec![format!("t{number}"), format!("u{number}")],
        };
        let accounts = IDS.into_iter().enumerate().map(account).collect();
        FakeOrg(Arc::new(Mutex::new(FakeState { accounts, written: Vec::new() })))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<FakeAccount>)) {
        change(&mut self.0.lock().unwrap().accounts);
    }

    fn email(&self, who: usize) -> String {
        self.0.lock().unwrap().accounts[who].email.clone()
    }

    fn take_written(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().written)
    }
}

impl FakeState {
    fn find(&mut self, id: &str) -> Option<&mut FakeAccount> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    fn reply(&mut self, request: &Request) -> Option<Value> {
        let body = request.body().and_then(|body| serde_json::from_str(body).ok());
        let body: Value = body.unwrap_or_default();
        let decode = |text: &str| {
            let pair = url::form_urlencoded::parse(text.as_bytes()).next();
            pair.map(|(text, _)| text.into_owned()).unwrap_or_default()
        };
        let path: Vec<String> = request.url.path().split('/').skip(1).map(decode).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match request.only_reads() {
            true => self.read(&path, &body),
            false => self.write(&path, &body),
        }
    }

    fn read(&mut self, path: &[&str], body: &Value) -> Option<Value> {
        let list = |entries: Vec<Value>| json!({"data": entries, "links": {}});
        Some(match path {
            ["admin", "v2", "orgs", _, "directories", _, "users", "search"] => {
                let fits = |account: &&FakeAccount| account.fits(body);
                list(self.accounts.iter().filter(fits).map(FakeAccount::listed).collect())
            }
            ["admin", "v2", "orgs", _, "directories"] => {
                list(vec![json!({"directoryId": "dir-1"})])
            }
            ["admin", "api-access", "v1", "orgs", _, "api-keys"] => {
                list(vec![json!({"id": "key-1", "label": "ours", "createdBy": {"id": "712020:z"}})])
            }
            ["users", _, "manage"] => json!({"lifecycle.enablement": {"allowed": true},
                "apiToken.read": {"allowed": true}, "apiToken.delete": {"allowed": true}}),
            ["users", id, "manage", "api-tokens"] => {
                let tokens = self.find(id)?.tokens.iter().map(|token| json!({"id": token}));
                Value::Array(tokens.collect())
            }
            ["admin", "control", "v1", "orgs", _, "users", "auth-policies", "bulk-fetch"] => {
                Value::Array(self.accounts.iter().map(FakeAccount::membership).collect())
            }
            ["admin", ..] => list(Vec::new()),
            _ => return None,
        })
    }

    fn write(&mut self, path: &[&str], body: &Value) -> Option<Value> {
        let account = match path {
            ["admin", "v2", "orgs", _, "directories", _, "users", id, verb] => {
                let account = self.find(id)?;
                account.is_suspended = *verb == "suspend";
                account
            }
            ["users", id, "manage", "lifecycle", verb] => {
                let account = self.find(id)?;
                account.is_enabled = *verb == "enable";
                account
            }
            ["users", id, "manage", "api-tokens", token] => {
                let account = self.find(id)?;
                account.tokens.retain(|it| it != token);
                account
            }
            ["admin", "control", "v1", "orgs", _, "auth-policy", policy, "add-users"] => {
                let email = body["users"][0].as_str()?;
                let account = self.accounts.iter_mut().find(|account| account.email == email)?;
                (*policy).clone_into(&mut account.policy);
                account
            }
            _ => return None,
        };
        let id = account.id.to_owned();
        self.written.push(id);
        Some(json!({}))
    }
}

impl FakeAccount {
    fn fits(&self, search: &Value) -> bool {
        let has = |key: &str, text: &str| {
            search[key].as_array().is_none_or(|all| all.iter().any(|one| one == text))
        };
        has("accountIds", self.id)
            && has("emails", &self.email)
            && (search["roleIds"].is_null() || self.is_admin)
    }

    fn listed(&self) -> Value {
        let word = |is: bool, yes: &str, no: &str| if is { yes.to_owned() } else { no.to_owned() };
        json!({
            "accountId": self.id, "email": self.email, "claimStatus": "managed", "accountType": "atlassian",
            "status": word(self.is_suspended || !self.is_enabled, "suspended", "active"),
            "accountStatus": word(self.is_enabled, "active", "inactive"),
            "membershipStatus": word(self.is_suspended, "suspended", "active"),
            "platformRoles": if self.is_admin { vec!["org-admin"] } else { vec![] },
        })
    }

    fn membership(&self) -> Value {
        json!({"accountId": self.id, "email": self.email, "policyId": self.policy})
    }
}

impl Transport for FakeOrg {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let body = self.0.lock().unwrap().reply(request).ok_or_else(|| {
            TransportError::new(TransportErrorKind::Invalid, "no such account or place")
        })?;
        let body = Bytes::from(body.to_string());
        Ok(Response { status: 200, headers: Vec::new(), body })
    }
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody makes a plan.
    Plan(ResponseAction, usize, bool),
    /// Somebody applies one of the plans.
    Apply(usize),
    /// Somebody writes another account's id or address into a plan, and a digest that fits.
    Forge(usize, usize, bool),
    /// A byte of a plan changes.
    Damage(usize, usize),
    /// Two accounts exchange their addresses.
    SwapAddresses(usize, usize),
    /// An account changes by itself.
    Toggle(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let action = prop::sample::select(vec![
        ResponseAction::Suspend,
        ResponseAction::Restore,
        ResponseAction::Disable,
        ResponseAction::Enable,
        ResponseAction::RevokeTokens,
        ResponseAction::Quarantine,
        ResponseAction::Release,
    ]);
    let one = 0..IDS.len();
    prop_oneof![
        4 => (action, one.clone(), any::<bool>()).prop_map(|(a, who, by_id)| Step::Plan(a, who, by_id)),
        4 => (0..8_usize).prop_map(Step::Apply),
        2 => (0..8_usize, one.clone(), any::<bool>()).prop_map(|(p, who, id)| Step::Forge(p, who, id)),
        1 => (0..8_usize, 0..4000_usize).prop_map(|(plan, at)| Step::Damage(plan, at)),
        2 => (one.clone(), one.clone()).prop_map(|(a, b)| Step::SwapAddresses(a, b)),
        1 => one.prop_map(Step::Toggle),
    ]
}

/// The plan with another account in it, signed anew.
fn forge(text: &str, who: usize, is_id: bool) -> String {
    let Ok(mut plan) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    if is_id {
        plan["subject_id"] = IDS[who].into();
    } else {
        let (old, new) = (plan["subject_id"].as_str().unwrap_or_default().to_owned(), IDS[who]);
        let encode = |id: &str| id.replace(':', "%3A");
        let requests = plan["requests"].to_string().replace(&encode(&old), &encode(new));
        plan["requests"] = serde_json::from_str(&requests).unwrap();
    }
    plan["digest"] = "".into();
    let Ok(unsigned) = serde_json::from_value::<ResponsePlan>(plan.clone()) else {
        return text.to_owned();
    };
    plan["digest"] = crate::evidence::hash::sha256(&serde_json::to_vec(&unsigned).unwrap()).into();
    plan.to_string()
}

struct Player {
    org: FakeOrg,
    access: OrgAccess<FakeOrg>,
    settings: RespondSettings,
    plans: Vec<String>,
    record: ResponseRecord,
    applied: usize,
    _folder: tempfile::TempDir,
}

impl Player {
    fn new() -> Player {
        let org = FakeOrg::new();
        let base_url: Url = "https://api.example/".parse().unwrap();
        let api = ApiClient::of_transport(org.clone());
        let lists = OrgLists { api: api.clone(), base_url, org_id: "o-1".to_owned() };
        let folder = tempfile::tempdir().unwrap();
        Player {
            access: OrgAccess::new(lists, api, SecretString::from("key")),
            org,
            settings: RespondSettings {
                credential: CredentialSpec::Env("K".to_owned()),
                key_name: Some("ours".to_owned()),
                break_glass: vec!["p3@x.example".to_owned()],
            },
            plans: Vec::new(),
            record: ResponseRecord::open(&folder.path().join("r.jsonl")).unwrap(),
            applied: 0,
            _folder: folder,
        }
    }

    async fn play(&mut self, step: &Step) {
        match step {
            Step::Plan(action, who, by_id) => self.plan(*action, *who, *by_id).await,
            Step::Apply(plan) => self.apply(*plan).await,
            Step::Forge(plan, who, is_id) => {
                if let Some(text) = self.plans.get_mut(*plan) {
                    *text = forge(text, *who, *is_id);
                }
            }
            Step::Damage(plan, at) => {
                if let Some(text) = self.plans.get_mut(*plan)
                    && let Some(byte) = text.as_bytes().get(*at).copied()
                    && byte.is_ascii_alphanumeric()
                {
                    text.replace_range(at..&(at + 1), "7");
                }
            }
            Step::SwapAddresses(a, b) => self.org.change(|accounts| {
                let email = accounts[*a].email.clone();
                accounts[*a].email = accounts[*b].email.clone();
                accounts[*b].email = email;
            }),
            Step::Toggle(who) => self.org.change(|accounts| {
                accounts[*who].is_suspended = !accounts[*who].is_suspended;
            }),
        }
    }

    async fn plan(&mut self, action: ResponseAction, who: usize, by_id: bool) {
        let email = self.org.email(who);
        let is_move = matches!(action, ResponseAction::Quarantine | ResponseAction::Release);
        let options = PlanOptions {
            policy_id: is_move.then(|| format!("policy-{}", 1 + who % 2)),
            directories: Vec::new(),
            message: None,
            allows_admin: true,
        };
        let named = if by_id { IDS[who] } else { email.as_str() };
        let input = PlanInput {
            source: "acme",
            settings: &self.settings,
            action,
            named,
            options: &options,
        };
        if let Ok((plan, _)) = make_plan(&self.access, &input, Utc::now()).await {
            assert_eq!(plan.subject_id, IDS[who]);
            self.plans.push(serde_json::to_string(&plan).unwrap());
        }
        assert_eq!(self.org.take_written(), Vec::<String>::new(), "a plan changes nothing");
    }

    async fn apply(&mut self, number: usize) {
        let Some(text) = self.plans.get(number) else { return };
        let Ok(plan) = ResponsePlan::read(text, Utc::now()) else { return };
        let steps = steps_of_plan(&self.access, &self.settings, &plan, Utc::now()).await;
        let Ok(steps) = steps else {
            assert_eq!(self.org.take_written(), Vec::<String>::new());
            return;
        };
        let before = self.record.open_intents().count();
        let about = Map::new();
        let application = PlanApplication {
            access: &self.access,
            record: &mut self.record,
            plan: &plan,
            about,
            is_stopped: &|| false,
        };
        application.apply(&steps).await.unwrap();
        assert_eq!(self.record.open_intents().count(), before);
        let written = self.org.take_written();
        self.applied += written.len();
        for id in written {
            assert_eq!(id, plan.subject_id, "a change of an account that the plan does not name");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn a_change_is_only_sent_for_the_account_of_the_plan(
        steps in prop::collection::vec(any_step(), 1..24)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all().start_paused(true).build().unwrap();
        let mut player = Player::new();
        runtime.block_on(async {
            for step in &steps {
                player.play(step).await;
            }
        });
    }
}

#[test]
fn the_player_does_apply_plans() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let mut player = Player::new();
    runtime.block_on(async {
        for (number, action) in
            [ResponseAction::Suspend, ResponseAction::RevokeTokens, ResponseAction::Quarantine]
                .into_iter()
                .enumerate()
        {
            player.play(&Step::Plan(action, 1, true)).await;
            player.play(&Step::Apply(number)).await;
        }
    });
    assert_eq!((player.plans.len(), player.applied), (3, 4));
}
