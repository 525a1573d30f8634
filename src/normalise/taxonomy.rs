//! Owns the taxonomy: the category and the outcome of an action, told from its words.
//!
//! Works on any snake_case action, known or new, so that an action Atlassian adds tomorrow gets a
//! sensible category without a release. An outcome is claimed only where a word proves it.

use std::sync::LazyLock;

use crate::model::event::{Category, Outcome};
use crate::model::hashing::QuickMap;

/// Words and the category that they tell; the first that occurs in the action decides.
///
/// Ordered from the most to the least telling: an exported page is an export, a group's permission
/// is a permission, a user added to a group is a matter of the group.
const CATEGORIES: &[(&[&str], Category)] = &[
    (
        &["export", "exports", "exported", "backup"],
        Category::DataExport,
    ),
    (
        &[
            "login",
            "logout",
            "logged",
            "signin",
            "signed",
            "mfa",
            "2fa",
            "session",
            "sudo",
            "verification",
        ],
        Category::Authentication,
    ),
    (&["token", "tokens", "key", "keys"], Category::Token),
    (&["policy", "policies"], Category::Policy),
    (
        &[
            "permission",
            "permissions",
            "role",
            "roles",
            "access",
            "restriction",
            "restrictions",
            "admin",
            "grant",
            "granted",
            "privilege",
            "privileges",
        ],
        Category::Permission,
    ),
    (&["group", "groups"], Category::Group),
    (
        &[
            "app",
            "apps",
            "plugin",
            "addon",
            "connect",
            "oauth",
            "webhook",
            "webhooks",
            "integration",
        ],
        Category::App,
    ),
    (
        &[
            "user", "users", "username", "account", "accounts", "invite", "invited", "password",
            "email", "profile", "member", "members", "managed",
        ],
        Category::Account,
    ),
    (
        &[
            "page",
            "pages",
            "space",
            "spaces",
            "blog",
            "blogpost",
            "comment",
            "comments",
            "attachment",
            "attachments",
            "issue",
            "issues",
            "content",
            "repository",
            "repositories",
            "pull",
            "branch",
            "branches",
            "whiteboard",
            "database",
            "board",
            "video",
            "worklog",
        ],
        Category::Content,
    ),
    (
        &[
            "setting",
            "settings",
            "config",
            "configuration",
            "configured",
            "domain",
            "domains",
            "saml",
            "sso",
            "scim",
            "directory",
            "field",
            "fields",
            "workflow",
            "workflows",
            "scheme",
            "site",
            "product",
            "residency",
            "allowlist",
            "whitelist",
            "retention",
            "project",
            "projects",
            "screen",
            "status",
            "notification",
            "notifications",
            "mail",
            "license",
            "sandbox",
            "organization",
            "org",
            "version",
            "component",
            "filter",
            "dashboard",
            "automation",
            "rule",
            "audit",
            "system",
            "schema",
            "type",
            "priority",
            "resolution",
            "announcement",
            "billing",
        ],
        Category::Configuration,
    ),
];

/// Words that prove a failure.
const FAILED: &[&str] = &[
    "failed",
    "failure",
    "denied",
    "rejected",
    "blocked",
    "unsuccessful",
    "error",
];

/// Words after which nothing is proved yet, whatever else is said.
const OPEN: &[&str] = &[
    "requested",
    "request",
    "attempted",
    "attempt",
    "started",
    "scheduled",
    "pending",
    "initiated",
];

/// Past participles, and the like: what the action says was done, was done.
const DONE: &[&str] = &[
    "accepted",
    "accessed",
    "activated",
    "added",
    "allowed",
    "applied",
    "approved",
    "archived",
    "assigned",
    "cancelled",
    "changed",
    "claimed",
    "cleared",
    "cloned",
    "closed",
    "completed",
    "configured",
    "connected",
    "copied",
    "created",
    "deactivated",
    "deleted",
    "disabled",
    "disconnected",
    "downloaded",
    "edited",
    "enabled",
    "expired",
    "exported",
    "finished",
    "forked",
    "generated",
    "granted",
    "imported",
    "installed",
    "invited",
    "joined",
    "left",
    "linked",
    "locked",
    "logged",
    "merged",
    "migrated",
    "modified",
    "moved",
    "opened",
    "performed",
    "promoted",
    "published",
    "purged",
    "pushed",
    "reactivated",
    "registered",
    "released",
    "removed",
    "renamed",
    "reopened",
    "reset",
    "restored",
    "restricted",
    "revoked",
    "rotated",
    "saved",
    "sent",
    "set",
    "shared",
    "succeeded",
    "successful",
    "suspended",
    "transferred",
    "trashed",
    "turned",
    "uninstalled",
    "unarchived",
    "unassigned",
    "unclaimed",
    "unlinked",
    "unlocked",
    "unshared",
    "unsuspended",
    "updated",
    "upgraded",
    "uploaded",
    "verified",
    "viewed",
];

/// Actions that name a success without a participle. A login that failed has a name of its own.
const SUCCESSES: &[&str] = &["user_login", "user_logout"];

/// What one word says.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// The place in [`CATEGORIES`] of the category it tells; behind their end where it tells none.
    category: usize,
    proof: Proof,
}

/// What a word says of the outcome; of several words, the first of these decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    Failed,
    Open,
    Done,
    Nothing,
}

impl Word {
    const SILENT: Word = Word {
        category: usize::MAX,
        proof: Proof::Nothing,
    };

    fn and(self, other: Word) -> Word {
        Word {
            category: self.category.min(other.category),
            proof: self.proof.min(other.proof),
        }
    }
}

/// Every word of the lists above with all that they say of it: an action has three words or four, and
/// the lists three hundred.
static WORDS: LazyLock<QuickMap<&str, Word>> = LazyLock::new(|| {
    let categories = CATEGORIES.iter().enumerate().flat_map(|(category, of)| {
        let said = Word {
            category,
            ..Word::SILENT
        };
        of.0.iter().map(move |&word| (word, said))
    });
    let outcomes = [
        (FAILED, Proof::Failed),
        (OPEN, Proof::Open),
        (DONE, Proof::Done),
    ];
    let proofs = outcomes.into_iter().flat_map(|(words, proof)| {
        let said = Word {
            proof,
            ..Word::SILENT
        };
        words.iter().map(move |&word| (word, said))
    });
    let mut all = QuickMap::default();
    for (word, said) in categories.chain(proofs) {
        let known = all.entry(word).or_insert(Word::SILENT);
        *known = known.and(said);
    }
    all
});

/// The category of a snake_case action, `Other` where no word tells, and the outcome that its words
/// prove.
pub fn meaning(action: &str) -> (Category, Outcome) {
    let known = words_of(action).filter_map(|word| WORDS.get(word));
    let said = known.fold(Word::SILENT, |sum, word| sum.and(*word));
    let category = CATEGORIES.get(said.category);
    let outcome = match said.proof {
        Proof::Failed => Outcome::Failure,
        Proof::Open => Outcome::Unknown,
        Proof::Done => Outcome::Success,
        Proof::Nothing if SUCCESSES.contains(&action) => Outcome::Success,
        Proof::Nothing => Outcome::Unknown,
    };
    (category.map_or(Category::Other, |of| of.1), outcome)
}

fn words_of(action: &str) -> impl Iterator<Item = &str> {
    action.split(|c: char| !c.is_alphanumeric())
}

/// A human summary as an action: `User added to group` becomes `user_added_to_group`. Letters and
/// digits of any script are kept, an apostrophe joins (`User's` is `users`). Nothing where there are none.
pub fn snake_case(summary: &str) -> Option<String> {
    let mut out = String::with_capacity(summary.len());
    for c in summary.chars().filter(|c| !matches!(c, '\'' | '’')) {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_of_known_and_new_actions() {
        use Category::*;
        let cases = [
            ("user_login", Authentication),
            ("user_login_failed", Authentication),
            ("user_logged_in_as_user", Authentication),
            ("api_token_created", Token),
            ("user_added_to_group", Group),
            ("group_permission_granted", Permission),
            ("user_invited", Account),
            ("confluence_space_exported", DataExport),
            ("confluence_page_viewed", Content),
            ("authentication_policy_updated", Policy),
            ("app_installed", App),
            ("custom_field_created", Configuration),
            ("repositories_forked", Content),
            ("page_restriction_added", Permission),
            ("personal_access_token_created", Token),
            ("username_changed", Account),
            ("keyboard_layout_invented", Other),
            ("", Other),
        ];
        for (action, want) in cases {
            assert_eq!(meaning(action).0, want, "{action}");
        }
    }

    #[test]
    fn an_outcome_needs_a_proof() {
        use Outcome::*;
        let cases = [
            ("user_login", Success),
            ("user_login_failed", Failure),
            ("user_added_to_group", Success),
            ("login_successful", Success),
            ("login_unsuccessful", Failure),
            ("export_requested", Unknown),
            ("login_attempt_failed", Failure),
            ("something_new", Unknown),
            ("unparsed", Unknown),
        ];
        for (action, want) in cases {
            assert_eq!(meaning(action).1, want, "{action}");
        }
    }

    #[test]
    fn summaries_become_actions() {
        let cases = [
            ("User added to group", Some("user_added_to_group")),
            ("User's password changed", Some("users_password_changed")),
            ("  Éditer — 2 champs! ", Some("éditer_2_champs")),
            ("!!", None),
        ];
        for (summary, want) in cases {
            assert_eq!(snake_case(summary).as_deref(), want, "{summary}");
        }
    }
}
