//! Composes the organization of the admin APIs from tables: with faults to find, or without.

use super::directory::{
    AccessToken, DirectoryInfo, DirectoryMembership, OrgAccount, OrgDirectory, OrgDomain, OrgKey,
    OrgPolicy, ServiceAccount,
};
use crate::sandbox::{
    AUTH_POLICY_DEFAULT, AUTH_POLICY_SSO, CLOUD_ID, DIRECTORY_ID, LABS_DIRECTORY_ID,
    data::{
        people::{self, SamplePerson},
        table_lines,
    },
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long ago the deactivated people were deactivated.
const DEACTIVATED_DAYS: i64 = 35;

/// What decides the values of the tables.
#[derive(Clone, Copy)]
struct DirectorySeed {
    is_sound: bool,
    now_ms: i64,
}

/// The organization at `now_ms`, epoch milliseconds; a sound one has no fault.
pub fn compose_directory(is_sound: bool, now_ms: i64) -> OrgDirectory {
    let seed = DirectorySeed { is_sound, now_ms };
    OrgDirectory {
        is_sound,
        directories: vec![
            DirectoryInfo { id: DIRECTORY_ID, name: "Lindenfell" },
            DirectoryInfo { id: LABS_DIRECTORY_ID, name: "Lindenfell Labs" },
        ],
        accounts: seed.accounts(),
        service_accounts: seed.service_accounts(),
        tokens: seed.tokens(),
        keys: seed.keys(),
        domains: vec![
            OrgDomain { name: "lindenfell.example", method: "dns", status: "verified" },
            OrgDomain {
                name: "lindenfell-labs.example",
                method: "http",
                status: seed.choose("unverified|verified"),
            },
        ],
        policies: seed.policies(),
        tasks: Vec::new(),
    }
}

impl DirectorySeed {
    /// The part of a cell `with faults|without` that holds here.
    fn choose(self, cell: &'static str) -> &'static str {
        match cell.split_once('|') {
            Some((_, sound)) if self.is_sound => sound,
            Some((faulty, _)) => faulty,
            None => cell,
        }
    }

    /// So many days ago.
    fn days_ago(self, days: i64) -> i64 {
        self.now_ms - days * DAY_MS
    }

    /// The time so many days ago that a cell names; None for `-`.
    fn time_ago(self, cell: &'static str) -> Option<i64> {
        self.choose(cell).parse().ok().map(|days: i64| self.days_ago(days))
    }

    fn accounts(self) -> Vec<OrgAccount> {
        let rows = table_lines(include_str!("accounts.tsv"));
        rows.enumerate().map(|(number, row)| self.account(number, row)).collect()
    }

    fn account(self, number: usize, row: [&'static str; 11]) -> OrgAccount {
        let [name, email, id, cells @ ..] = row;
        let [claim, source, mfa, roles, directories, policy, products, active] =
            cells.map(|cell| self.choose(cell));
        let person = people::named(name);
        let given = |cell: &'static str, default| if cell.is_empty() { default } else { cell };
        let stated = |cell: &'static str| (cell != "-").then_some(cell);
        let is_deactivated = person.name == name && person.is_deactivated();
        let age = i64::try_from(number).unwrap_or_default();
        OrgAccount {
            id: given(id, person.account_id),
            kind: if claim == "-" { "app" } else { "atlassian" },
            name,
            email: stated(given(email, person.email)),
            claim: stated(claim),
            source: stated(source),
            has_mfa: mfa == "yes",
            roles: items(roles).filter_map(role).collect(),
            policy_id: match policy {
                "sso" => Some(AUTH_POLICY_SSO.to_owned()),
                "default" => Some(AUTH_POLICY_DEFAULT.to_owned()),
                _ => None,
            },
            memberships: items(directories).map(membership).collect(),
            products: items(products).collect(),
            last_active_ms: self.time_ago(active).filter(|_| !products.is_empty()),
            added_ms: self.days_ago(700 - 20 * age),
            deactivated_ms: is_deactivated.then(|| self.days_ago(DEACTIVATED_DAYS)),
        }
    }

    fn service_accounts(self) -> Vec<ServiceAccount> {
        let people = people::EVERYBODY.iter().filter(|person| person.is_service());
        let account = |person: &SamplePerson| ServiceAccount {
            id: person.account_id,
            name: person.name,
            email: person.email,
            created_by: people::people()[0].account_id,
            updated_ms: self.days_ago(30),
        };
        people.map(account).collect()
    }

    /// The rows of the table of credentials that hold here and are of one of these kinds.
    fn credentials(
        self,
        kinds: &'static [&'static str],
    ) -> impl Iterator<Item = [&'static str; 10]> {
        let rows = table_lines(include_str!("credentials.tsv"));
        rows.filter(move |row: &[&'static str; 10]| {
            kinds.contains(&row[0]) && (row[9].is_empty() || !self.is_sound)
        })
    }

    fn tokens(self) -> Vec<AccessToken> {
        let rows = self.credentials(&["user", "service"]);
        let token =
            |[kind, owner, id, label, status, created, expires, active, ..]: [_; 10]| AccessToken {
                id,
                label,
                owner_id: people::named(owner).account_id,
                is_of_service: kind == "service",
                status,
                created_ms: self.time_ago(created).unwrap_or(self.now_ms),
                expires_ms: self.time_ahead(expires),
                last_active_ms: self.time_ago(active),
            };
        rows.map(token).collect()
    }

    fn keys(self) -> Vec<OrgKey> {
        let rows = self.credentials(&["key", "more"]);
        let key =
            |[kind, creator, id, label, _, created, expires, active, scopes, _]: [_; 10]| OrgKey {
                id,
                label,
                created_by: people::named(self.choose(creator)).account_id,
                is_default: kind == "key",
                scopes: items(self.choose(scopes)).collect(),
                created_ms: self.time_ago(created).unwrap_or(self.now_ms),
                expires_ms: self.time_ahead(expires),
                last_active_ms: self.time_ago(active),
            };
        rows.map(key).collect()
    }

    /// The time so many days from now that a cell names; None for `-`.
    fn time_ahead(self, cell: &'static str) -> Option<i64> {
        self.choose(cell).parse().ok().map(|days: i64| self.days_ago(-days))
    }

    fn policies(self) -> Vec<OrgPolicy> {
        let of_site = |product: &str| format!("ari:cloud:{product}::site/{CLOUD_ID}");
        let policy = |[id, kind, name, status, rule, metadata]: [&'static str; 6]| OrgPolicy {
            id,
            kind,
            name,
            status: self.choose(status),
            rule: self.choose(rule),
            metadata: self.choose(metadata),
            resources: match kind {
                "ip-allowlist" => vec![
                    (of_site("jira"), "applied"),
                    (of_site("confluence"), self.choose("failed|applied")),
                ],
                _ => Vec::new(),
            },
            created_ms: self.days_ago(400),
            updated_ms: self.days_ago(25),
        };
        table_lines(include_str!("policies.tsv")).map(policy).collect()
    }
}

/// The items of a cell that holds a list.
fn items(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split(',').filter(|item| !item.is_empty())
}

fn membership(word: &'static str) -> DirectoryMembership {
    let (name, is_suspended) = word.strip_suffix('!').map_or((word, false), |name| (name, true));
    let directory_id = if name == "labs" { LABS_DIRECTORY_ID } else { DIRECTORY_ID };
    DirectoryMembership { directory_id, is_suspended }
}

fn role(word: &'static str) -> Option<&'static str> {
    match word {
        "org-admin" => Some("atlassian/org-admin"),
        "site-admin" => Some("atlassian/site-admin"),
        "user-access-admin" => Some("atlassian/user-access-admin"),
        _ => None,
    }
}
