//! Owns the words of an action's name that tell how it ended and what was done.
//!
//! Only whole words count. They tell where no row has the exact name: of a family that is known what was done, of any
//! action that it failed.

use std::sync::LazyLock;

use crate::model::event::Outcome;
use crate::model::hashing::QuickMap;
use crate::model::meaning::{Deed, EcsType, OcsfClass};

/// Words that prove a failure, of whatever action.
pub const FAILED: &[&str] = &[
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

/// Words that prove that it was done, and say nothing of what.
const DONE: &[&str] = &[
    "accepted",
    "allowed",
    "anonymized",
    "applied",
    "approved",
    "cancelled",
    "claimed",
    "cleared",
    "cloned",
    "closed",
    "completed",
    "declined",
    "discovered",
    "emptied",
    "ended",
    "enforced",
    "expired",
    "finished",
    "invited",
    "joined",
    "left",
    "locked",
    "logged",
    "opened",
    "performed",
    "promoted",
    "published",
    "pushed",
    "registered",
    "released",
    "reset",
    "restricted",
    "saved",
    "sent",
    "set",
    "succeeded",
    "success",
    "successful",
    "synced",
    "triggered",
    "turned",
    "unclaimed",
    "unlocked",
    "unreleased",
    "verified",
];

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Created,
    /// To nothing that is named: what is added to something changes that.
    Added,
    Viewed,
    Changed,
    Moved,
    Deleted,
    Removed,
    Granted,
    Revoked,
    Enabled,
    Disabled,
    Activated,
    Deactivated,
    Suspended,
    Resumed,
    Exported,
    Imported,
    Shared,
    Searched,
    SignedIn,
    SignedOut,
}

/// Words that prove that it was done, and what; a noun such as `export` says only what.
const VERBS: &[(Verb, &[&str], &[&str])] = &[
    (
        Verb::Created,
        &[
            "created",
            "generated",
            "copied",
            "forked",
            "installed",
            "uploaded",
        ],
        &["creation", "installation"],
    ),
    (Verb::Added, &["added"], &[]),
    (Verb::Viewed, &["viewed", "accessed", "downloaded"], &[]),
    (
        Verb::Changed,
        &[
            "updated",
            "edited",
            "renamed",
            "changed",
            "modified",
            "configured",
            "merged",
            "rotated",
            "archived",
            "unarchived",
            "restored",
            "transferred",
            "linked",
            "unlinked",
            "connected",
            "disconnected",
            "upgraded",
            "downgraded",
            "migrated",
            "reopened",
            "unshared",
        ],
        &["update", "modification"],
    ),
    (Verb::Moved, &["moved"], &["move"]),
    (
        Verb::Deleted,
        &["deleted", "purged", "trashed", "uninstalled"],
        &["deletion", "uninstallation"],
    ),
    (Verb::Removed, &["removed"], &[]),
    (Verb::Granted, &["granted", "assigned"], &[]),
    (Verb::Revoked, &["revoked", "unassigned"], &[]),
    (Verb::Enabled, &["enabled"], &[]),
    (Verb::Disabled, &["disabled"], &[]),
    (Verb::Activated, &["activated", "reactivated"], &[]),
    (Verb::Deactivated, &["deactivated"], &[]),
    (Verb::Suspended, &["suspended"], &[]),
    (Verb::Resumed, &["resumed", "unsuspended"], &[]),
    (Verb::Exported, &["exported"], &["export"]),
    (Verb::Imported, &["imported"], &["import"]),
    (Verb::Shared, &["shared"], &[]),
    (Verb::Searched, &["searched"], &["search"]),
    (Verb::SignedIn, &[], &["login"]),
    (Verb::SignedOut, &[], &["logout"]),
];

/// What one word says of the outcome; of several words, the first of these decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    Failed,
    Open,
    Done,
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct Word {
    proof: Proof,
    verb: Option<Verb>,
}

/// The words that say anything.
static WORDS: LazyLock<QuickMap<&str, Word>> = LazyLock::new(|| {
    let say = |proof, verb| move |&word: &&'static str| (word, Word { proof, verb });
    let mut all = QuickMap::default();
    all.extend(FAILED.iter().map(say(Proof::Failed, None)));
    all.extend(OPEN.iter().map(say(Proof::Open, None)));
    all.extend(DONE.iter().map(say(Proof::Done, None)));
    for (verb, proving, naming) in VERBS {
        all.extend(proving.iter().map(say(Proof::Done, Some(*verb))));
        all.extend(naming.iter().map(say(Proof::Nothing, Some(*verb))));
    }
    all
});

/// How an action ended and what was done, as far as the words of its name tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// How it ended.
    pub outcome: Outcome,
    /// What was done; nothing of what was only asked for.
    pub verb: Option<Verb>,
}

/// What the words of `action` tell; of several that say what was done, the last counts.
pub fn infer_action(action: &str) -> Told {
    let mut proof = Proof::Nothing;
    let mut verb = None;
    let mut before = "";
    for text in words(action) {
        if matches!(text, "to" | "from") {
            verb = verb.map(Verb::as_change);
        }
        // A pull request asks for nothing that an audit log waits for.
        let is_thing = (before, text) == ("pull", "request");
        before = text;
        if let Some(word) = WORDS.get(text).filter(|_| !is_thing) {
            proof = proof.min(word.proof);
            verb = word.verb.or(verb);
        }
    }
    let outcome = match proof {
        Proof::Failed => Outcome::Failure,
        Proof::Open | Proof::Nothing => Outcome::Unknown,
        Proof::Done => Outcome::Success,
    };
    let verb = verb.filter(|_| proof != Proof::Open);
    Told { outcome, verb }
}

/// Whether a word of `action` says that it failed.
pub fn indicates_failure(action: &str) -> bool {
    words(action).any(|word| FAILED.contains(&word))
}

fn words(action: &str) -> impl Iterator<Item = &str> {
    action.split(|c: char| !c.is_alphanumeric())
}

impl Verb {
    /// What is added to something, or removed from it, changes that.
    fn as_change(self) -> Verb {
        match self {
            Verb::Added | Verb::Removed => Verb::Changed,
            other => other,
        }
    }

    /// The deed, within a class. A privilege that is added is assigned; what is created for a group is no new group.
    pub fn deed(self, class: OcsfClass) -> Deed {
        let is_group = class == OcsfClass::GroupManagement;
        let is_access = is_group || class == OcsfClass::UserAccess;
        match self {
            Verb::Created | Verb::Deleted if is_group => Deed::Other,
            Verb::Added | Verb::Granted if is_access => Deed::Assign,
            Verb::Removed | Verb::Revoked if is_access => Deed::Revoke,
            Verb::Created | Verb::Added => Deed::Create,
            Verb::Viewed => Deed::Read,
            Verb::Changed => Deed::Update,
            Verb::Moved if class == OcsfClass::EntityManagement => Deed::Move,
            Verb::Moved => Deed::Update,
            Verb::Deleted | Verb::Removed => Deed::Delete,
            Verb::Granted => Deed::Assign,
            Verb::Revoked => Deed::Revoke,
            Verb::Enabled => Deed::Enable,
            Verb::Disabled => Deed::Disable,
            Verb::Activated => Deed::Activate,
            Verb::Deactivated => Deed::Deactivate,
            Verb::Suspended => Deed::Suspend,
            Verb::Resumed => Deed::Resume,
            Verb::Exported => Deed::Export,
            Verb::Imported => Deed::Import,
            Verb::Shared => Deed::Share,
            Verb::Searched => Deed::Search,
            Verb::SignedIn => Deed::Logon,
            Verb::SignedOut => Deed::Logoff,
        }
    }
}

/// The type that ECS has for a deed.
pub fn ecs_type(deed: Deed) -> Option<EcsType> {
    Some(match deed {
        Deed::Create | Deed::Import => EcsType::Creation,
        Deed::Read | Deed::Search | Deed::Export => EcsType::Access,
        Deed::Delete => EcsType::Deletion,
        Deed::Logon => EcsType::Start,
        Deed::Logoff => EcsType::End,
        Deed::AccountSwitch | Deed::Other => return None,
        _ => EcsType::Change,
    })
}
