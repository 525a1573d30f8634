//! What the entries of the admin lists say. Every field may be missing, null or of another type:
//! then it is not known.

use std::borrow::Cow;

use ipnet::IpNet;

use crate::model::json::{Document, Node};
use crate::model::text::printable_line;
use crate::model::time::{Timestamp, from_epoch, parse_api_time};

/// The most characters of a name that are kept.
const MAX_NAME_LENGTH: usize = 200;

/// A user of the organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrgUser {
    /// The account's id.
    pub id: String,
    /// The name.
    pub name: Option<String>,
    /// The mail address.
    pub email: Option<String>,
    /// Whether it is a person's account, and not an app's or a customer's of a help desk.
    pub is_person: Option<bool>,
    /// Whether it may sign in and use something.
    pub is_active: Option<bool>,
    /// Whether its access is suspended: of a search in one directory, in that one.
    pub is_suspended: Option<bool>,
    /// Whether the account itself is enabled, whatever it may use.
    pub is_enabled: Option<bool>,
    /// Whether the organization manages the account (its domain is verified).
    pub is_managed: Option<bool>,
    /// Whether the account itself has two-step verification. Known of managed accounts only, and
    /// `false` of users behind single sign-on.
    pub has_mfa: Option<bool>,
    /// The platform roles, without their prefix `atlassian/`.
    pub roles: Option<Vec<String>>,
    /// When the user came to the organization.
    pub added: Option<Timestamp>,
    /// What the user may use.
    pub access: ProductAccess,
}

/// What a user may use, and when that was done last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProductAccess {
    /// Not known.
    #[default]
    Unknown,
    /// Nothing.
    Nothing,
    /// Something, which was last used then.
    Products(Option<Timestamp>),
}

impl OrgUser {
    /// The user that an entry of the list is about; nothing where it has no id.
    pub fn read(entry: &Document) -> Option<OrgUser> {
        let root = entry.root();
        let text = |key| word(root, key);
        let account_type = text("accountType");
        Some(OrgUser {
            id: identifier(root, &["accountId", "account_id", "id"])?,
            name: name_of(root, &["name", "nickname"]),
            email: name_of(root, &["email"]),
            is_person: account_type.and_then(|kind| match &*kind.to_ascii_lowercase() {
                "atlassian" => Some(true),
                "app" | "customer" => Some(false),
                _ => None,
            }),
            is_active: is_active(root),
            is_suspended: text("membershipStatus").and_then(|status| match &*status {
                "suspended" => Some(true),
                "active" => Some(false),
                _ => None,
            }),
            is_enabled: text("accountStatus").and_then(|status| match &*status {
                "active" => Some(true),
                "inactive" | "closed" => Some(false),
                _ => None,
            }),
            is_managed: text("claimStatus").and_then(|status| match &*status {
                "managed" => Some(true),
                "unmanaged" => Some(false),
                _ => None,
            }),
            has_mfa: flag(root, "mfaEnabled"),
            roles: root.get("platformRoles").filter(|roles| roles.is_array()).and_then(roles),
            added: time(root, &["addedToOrg"]),
            access: product_access(root),
        })
    }

    /// What two entries of one user agree on: a user may be listed twice.
    pub fn agreed_with(self, other: OrgUser) -> OrgUser {
        fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.filter(|one| other.as_ref() == Some(one))
        }
        OrgUser {
            name: self.name.or(other.name),
            email: self.email.or(other.email),
            is_person: agreed(self.is_person, other.is_person),
            is_active: agreed(self.is_active, other.is_active),
            is_suspended: agreed(self.is_suspended, other.is_suspended),
            is_enabled: agreed(self.is_enabled, other.is_enabled),
            is_managed: agreed(self.is_managed, other.is_managed),
            has_mfa: agreed(self.has_mfa, other.has_mfa),
            roles: agreed(self.roles, other.roles),
            added: agreed(self.added, other.added),
            access: match (self.access, other.access) {
                // Something was used while the list was read.
                (ProductAccess::Products(one), ProductAccess::Products(other)) => {
                    ProductAccess::Products(one.max(other))
                }
                (one, other) if one == other => one,
                _ => ProductAccess::Unknown,
            },
            id: self.id,
        }
    }

    /// Whether the user may administrate the organization or its sites.
    pub fn is_admin(&self) -> bool {
        self.has_role("org-admin") || self.has_role("site-admin")
    }

    /// Whether the user has this platform role.
    pub fn has_role(&self, wanted: &str) -> bool {
        self.roles.iter().flatten().any(|role| role == wanted)
    }

    /// The address, the name or the id.
    pub fn label(&self) -> Option<String> {
        self.email.clone().or_else(|| self.name.clone())
    }

    /// When something was last used, where that is known.
    pub fn last_active(&self) -> Option<Timestamp> {
        match self.access {
            ProductAccess::Products(last_active) => last_active,
            ProductAccess::Unknown | ProductAccess::Nothing => None,
        }
    }
}

/// The roles; nothing where one of them cannot be read, since it might be an admin's.
fn roles(list: Node<'_>) -> Option<Vec<String>> {
    let role =
        |role: Node<'_>| role.text().map(|role| role.trim_start_matches("atlassian/").to_owned());
    list.items().map(role).collect()
}

/// `status` joins the other two; of an answer without it both must be active. A word that is not
/// documented says nothing.
fn is_active(root: Node<'_>) -> Option<bool> {
    let is_active = |key| match &*word(root, key)? {
        "active" => Some(true),
        "suspended" | "not_invited" | "deactivated" | "for_deletion" | "inactive" | "closed"
        | "no_membership" => Some(false),
        _ => None,
    };
    is_active("status").or_else(|| {
        match (is_active("accountStatus"), is_active("membershipStatus")) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true) | None) => Some(true),
            (None, _) => None,
        }
    })
}

fn product_access(root: Node<'_>) -> ProductAccess {
    let Some(list) = root.get("productAccess").filter(|list| list.is_array()) else {
        return ProductAccess::Unknown;
    };
    let times = list.items().filter_map(|product| time(product, &["lastActiveTimestamp"]));
    match list.items().next() {
        None => ProductAccess::Nothing,
        Some(_) => ProductAccess::Products(times.max()),
    }
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDomain {
    /// The domain.
    pub name: String,
    /// `verified`, `unverified`, ...
    pub status: Option<String>,
}

impl ListedDomain {
    /// The domain that an entry of the list is about.
    pub fn read(entry: &Document) -> Option<ListedDomain> {
        let root = entry.root();
        let attributes = root.get("attributes").unwrap_or(root);
        let claim = attributes.get("claim").unwrap_or(attributes);
        let name = name_of(attributes, &["name"]).or_else(|| identifier(root, &["id"]));
        Some(ListedDomain { name: name?, status: name_of(claim, &["status"]) })
    }
}

/// A policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedPolicy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// `ip-allowlist`, `data-security`, ...
    pub kind: String,
    /// `enabled`, `disabled`, `active`, `draft`.
    pub status: Option<String>,
    /// Address ranges that it lets in, as they are written.
    pub ranges: Vec<String>,
    /// Whether mobile apps may come from elsewhere.
    pub allows_mobile_bypass: Option<bool>,
    /// What it does to exports: `allow`, `block`.
    pub export_effect: Option<String>,
    /// How far it reaches: `ORG`, `UNASSIGNED`, ...
    pub coverage: Option<String>,
}

impl ListedPolicy {
    /// The policy that an entry of the list is about.
    pub fn read(entry: &Document) -> Option<ListedPolicy> {
        let root = entry.root();
        let attributes = root.get("attributes").unwrap_or(root);
        // `rule` is an object, or an array of them (live tests of jira.js).
        let rule = attributes.get("rule");
        let rules: Vec<Node<'_>> = match rule {
            Some(rule) if rule.is_array() => rule.items().collect(),
            rule => rule.into_iter().collect(),
        };
        let mut ranges = Vec::new();
        for list in rules.iter().filter_map(|rule| rule.get("in")) {
            // What is no text stays as it is, so that it is a range that cannot be read.
            ranges.extend(list.items().map(|range| match range.text() {
                Some(range) => range.into_owned(),
                None => range.raw().to_owned(),
            }));
        }
        let exports = rules.iter().filter_map(|rule| rule.get("export"));
        let mut effects = exports.map(|export| name_of(export, &["effect"]));
        // Of several rules the laxest counts.
        let laxest = |one: Option<String>, next: Option<String>| match one.as_deref() {
            Some("block") => next,
            _ => one,
        };
        let export_effect =
            effects.next().flatten().and_then(|first| effects.fold(Some(first), laxest));
        let bypasses: Vec<_> = rules.iter().map(|rule| flag(*rule, "allowMobileBypass")).collect();
        let metadata = attributes.get("metadata");
        Some(ListedPolicy {
            id: identifier(root, &["id"])?,
            name: name_of(attributes, &["name"]),
            kind: policy_kind(attributes, root)?,
            status: name_of(attributes, &["status"]),
            ranges,
            allows_mobile_bypass: match bypasses.contains(&Some(true)) {
                true => Some(true),
                false => bypasses.into_iter().reduce(|one, next| one.and(next)).flatten(),
            },
            export_effect,
            coverage: metadata.and_then(|of| name_of(of, &["policyCoverageLevel"])),
        })
    }

    /// Whether it counts: lists of addresses are `enabled`, data security policies `active`.
    pub fn is_in_force(&self) -> bool {
        matches!(self.status.as_deref(), Some("enabled" | "active"))
    }

    /// Whether its ranges together let every address in; `None` where one cannot be read.
    pub fn admits_everybody(&self) -> Option<bool> {
        let parsed: Option<Vec<IpNet>> =
            self.ranges.iter().map(|range| parse_range(range)).collect();
        let all = IpNet::aggregate(&parsed?);
        Some(all.iter().any(|range| range.prefix_len() == 0))
    }
}

/// The entry's own `type` is `policy` for all of them, and says nothing.
fn policy_kind(attributes: Node<'_>, root: Node<'_>) -> Option<String> {
    let mut kinds = [attributes, root].into_iter().filter_map(|node| word(node, "type"));
    kinds.find(|kind| kind != "policy").map(Cow::into_owned)
}

/// `198.51.100.0/24`, or one address.
fn parse_range(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let address = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address)
}

/// An API token of a user or service account, or an API key of the organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub label: Option<String>,
    /// Whether it is blocked.
    pub is_blocked: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was used last.
    pub last_active: Option<Timestamp>,
    /// Whose it is: of a key who made it.
    pub owner_id: Option<String>,
    /// That one's address or name.
    pub owner: Option<String>,
    /// Its scopes, where they are listed.
    pub scopes: Option<Vec<String>>,
}

impl ApiToken {
    /// The token or key that an entry of a list is about.
    pub fn read(entry: &Document) -> Option<ApiToken> {
        let root = entry.root();
        let owners = ["user", "createdBy", "serviceAccount", "owner"];
        let owner = owners.into_iter().find_map(|key| root.get(key).filter(|it| it.is_object()));
        Some(ApiToken {
            id: identifier(root, &["id", "tokenId"])?,
            label: name_of(root, &["label", "name", "displayName"]),
            is_blocked: word(root, "status").is_some_and(|status| status == "BLOCKED"),
            created: time(root, &["createdAt"]),
            expires: time(root, &["expiresAt", "expiry"]),
            last_active: time(root, &["lastActiveAt", "lastAccess"]),
            owner_id: owner
                .and_then(|owner| identifier(owner, &["id", "accountId", "atlassianId"])),
            owner: owner.and_then(|owner| name_of(owner, &["email", "name", "displayName"])),
            scopes: root.get("scopes").filter(|scopes| scopes.is_array()).map(|scopes| {
                scopes.items().filter_map(Node::text).map(|scope| scope.into_owned()).collect()
            }),
        })
    }
}

/// The account and the authentication policy of an entry of `bulk-fetch`.
pub fn policy_member(entry: &Document) -> Option<(String, String)> {
    let root = entry.root();
    Some((identifier(root, &["accountId", "id"])?, identifier(root, &["policyId"])?))
}

/// The address and the authentication policy of an entry of `bulk-fetch` that has no account id,
/// which is not documented.
pub fn policy_member_address(entry: &Document) -> Option<(String, String)> {
    let root = entry.root();
    if identifier(root, &["accountId", "id"]).is_some() {
        return None;
    }
    let email = word(root, "email")?.to_ascii_lowercase();
    Some((email, identifier(root, &["policyId"])?))
}

fn word<'a>(node: Node<'a>, key: &str) -> Option<Cow<'a, str>> {
    node.text_of(key).filter(|text| !text.trim().is_empty())
}

fn identifier(node: Node<'_>, keys: &[&str]) -> Option<String> {
    let mut texts = keys.iter().filter_map(|key| node.scalar_of(key));
    texts.find(|text| !text.trim().is_empty()).map(Cow::into_owned)
}

/// A text that people read: one line without control characters, of a length that can be shown.
fn name_of(node: Node<'_>, keys: &[&str]) -> Option<String> {
    let mut texts = keys.iter().filter_map(|key| word(node, key));
    let text = texts.find(|text| !text.trim().is_empty())?;
    Some(printable_line(text.trim()).chars().take(MAX_NAME_LENGTH).collect())
}

/// A bool, or its text.
fn flag(node: Node<'_>, key: &str) -> Option<bool> {
    match &*node.get(key)?.scalar()? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A time as text, or in seconds or milliseconds since 1970.
fn time(node: Node<'_>, keys: &[&str]) -> Option<Timestamp> {
    keys.iter().find_map(|key| {
        let value = node.get(key)?.scalar()?;
        parse_api_time(&value).or_else(|| match value.parse::<i64>().ok()? {
            seconds @ 1_000_000_000..100_000_000_000 => from_epoch(seconds, 0),
            millis @ 1_000_000_000_000..100_000_000_000_000 => {
                Timestamp::from_timestamp_millis(millis)
            }
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(more: &str) -> OrgUser {
        let text = format!(r#"{{"accountId":"a"{more}}}"#);
        OrgUser::read(&Document::new(text.into())).unwrap()
    }

    #[test]
    fn a_role_that_cannot_be_read_might_be_an_admins() {
        assert_eq!(user(r#","platformRoles":[{"id":"atlassian/org-admin"}]"#).roles, None);
        assert_eq!(user(r#","platformRoles":["org-admin",null]"#).roles, None);
        assert!(user(r#","platformRoles":["atlassian/org-admin"]"#).is_admin());
        assert_eq!(user(r#","platformRoles":[]"#).roles, Some(Vec::new()));
    }

    #[test]
    fn a_word_that_is_not_documented_says_nothing() {
        for word in ["ACTIVE", "enabled", "Active"] {
            let user = user(&format!(
                r#","status":"{word}","accountStatus":"{word}","membershipStatus":"{word}""#
            ));
            let known = (user.is_active, user.is_enabled, user.is_suspended);
            assert_eq!(known, (None, None, None), "{word}");
        }
        assert_eq!(user(r#","status":"deactivated""#).is_active, Some(false));
    }
}
