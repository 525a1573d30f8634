//! The words of an action's name that say how it ended and what was done.
//!
//! Only whole words count, and only where no row has the exact name: of a known family they say what was done, of any
//! action that it failed.

use std::sync::LazyLock;

use crate::model::hashing::QuickMap;
use crate::model::meaning::{Deed, EcsCategory, EcsType, OcsfClass, Outcome};

/// Words that prove a failure, of whatever action.
pub const FAILED: &[&str] =
    &["failed", "failure", "denied", "rejected", "blocked", "unsuccessful", "error"];

/// Words after which nothing is proved yet, whatever else is said.
const OPEN: &str = "requested request attempted attempt started scheduled pending initiated";

/// Words that prove that it was done, and say nothing of what.
const DONE: &str = "\
    accepted allowed anonymized applied approved cancelled claimed cleared cloned closed \
    completed declined discovered emptied ended enforced expired finished invited joined left \
    locked logged opened performed promoted published pushed registered released reset \
    restricted saved sent set succeeded success successful synced triggered turned unclaimed \
    unlocked unreleased verified";

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionVerb {
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
const VERBS: &[(ActionVerb, &str, &str)] = &[
    (
        ActionVerb::Created,
        "created generated copied forked installed uploaded",
        "creation installation",
    ),
    (ActionVerb::Added, "added", ""),
    (ActionVerb::Viewed, "viewed accessed downloaded", ""),
    (
        ActionVerb::Changed,
        "updated edited renamed changed modified configured merged rotated archived unarchived \
         restored transferred linked unlinked connected disconnected upgraded downgraded \
         migrated reopened unshared",
        "update modification",
    ),
    (ActionVerb::Moved, "moved", "move"),
    (ActionVerb::Deleted, "deleted purged trashed uninstalled", "deletion uninstallation"),
    (ActionVerb::Removed, "removed", ""),
    (ActionVerb::Granted, "granted assigned", ""),
    (ActionVerb::Revoked, "revoked unassigned", ""),
    (ActionVerb::Enabled, "enabled", ""),
    (ActionVerb::Disabled, "disabled", ""),
    (ActionVerb::Activated, "activated reactivated", ""),
    (ActionVerb::Deactivated, "deactivated", ""),
    (ActionVerb::Suspended, "suspended", ""),
    (ActionVerb::Resumed, "resumed unsuspended", ""),
    (ActionVerb::Exported, "exported", "export"),
    (ActionVerb::Imported, "imported", "import"),
    (ActionVerb::Shared, "shared", ""),
    (ActionVerb::Searched, "searched", "search"),
    (ActionVerb::SignedIn, "", "login"),
    (ActionVerb::SignedOut, "", "logout"),
];

/// What one word says of the outcome; of several words, the first of these decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum OutcomeProof {
    Failed,
    Open,
    Done,
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct WordMeaning {
    proof: OutcomeProof,
    verb: Option<ActionVerb>,
}

/// The words that say anything.
static WORDS: LazyLock<QuickMap<&str, WordMeaning>> = LazyLock::new(|| {
    let mut all = QuickMap::default();
    let mut add = |words: &'static str, proof, verb| {
        let words = words.split_ascii_whitespace();
        all.extend(words.map(|word| (word, WordMeaning { proof, verb })));
    };
    add(OPEN, OutcomeProof::Open, None);
    add(DONE, OutcomeProof::Done, None);
    for (verb, proving, naming) in VERBS {
        add(proving, OutcomeProof::Done, Some(*verb));
        add(naming, OutcomeProof::Nothing, Some(*verb));
    }
    for word in FAILED {
        add(word, OutcomeProof::Failed, None);
    }
    all
});

/// How an action ended and what was done, as far as the words of its name tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferredAction {
    /// How it ended.
    pub outcome: Outcome,
    /// What was done; nothing of what was only asked for.
    pub verb: Option<ActionVerb>,
}

/// What the words of `action` say; of several that say what was done, the last counts.
pub fn infer(action: &str) -> InferredAction {
    let mut proof = OutcomeProof::Nothing;
    let mut verb = None;
    let mut before = "";
    for text in words(action) {
        if matches!(text, "to" | "from") {
            verb = verb.map(ActionVerb::as_change);
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
        OutcomeProof::Failed => Outcome::Failure,
        OutcomeProof::Open | OutcomeProof::Nothing => Outcome::Unknown,
        OutcomeProof::Done => Outcome::Success,
    };
    let verb = verb.filter(|_| proof != OutcomeProof::Open);
    InferredAction { outcome, verb }
}

/// Whether a word of `action` says that it failed.
pub fn indicates_failure(action: &str) -> bool {
    words(action).any(|word| FAILED.contains(&word))
}

fn words(action: &str) -> impl Iterator<Item = &str> {
    action.split(|c: char| !c.is_alphanumeric())
}

impl ActionVerb {
    /// What is added to something, or removed from it, changes that.
    fn as_change(self) -> ActionVerb {
        match self {
            ActionVerb::Added | ActionVerb::Removed => ActionVerb::Changed,
            other => other,
        }
    }

    /// The deed, within a class. A privilege that is added is assigned; what is created for a group is no new group.
    pub fn deed(self, class: OcsfClass) -> Deed {
        let is_group = class == OcsfClass::GroupManagement;
        let is_access = is_group || class == OcsfClass::UserAccess;
        match self {
            ActionVerb::Created | ActionVerb::Deleted if is_group => Deed::Other,
            ActionVerb::Added | ActionVerb::Granted if is_access => Deed::Assign,
            ActionVerb::Removed | ActionVerb::Revoked if is_access => Deed::Revoke,
            ActionVerb::Created | ActionVerb::Added => Deed::Create,
            ActionVerb::Viewed => Deed::Read,
            ActionVerb::Changed => Deed::Update,
            ActionVerb::Moved if class == OcsfClass::EntityManagement => Deed::Move,
            ActionVerb::Moved => Deed::Update,
            ActionVerb::Deleted | ActionVerb::Removed => Deed::Delete,
            ActionVerb::Granted => Deed::Assign,
            ActionVerb::Revoked => Deed::Revoke,
            ActionVerb::Enabled => Deed::Enable,
            ActionVerb::Disabled => Deed::Disable,
            ActionVerb::Activated => Deed::Activate,
            ActionVerb::Deactivated => Deed::Deactivate,
            ActionVerb::Suspended => Deed::Suspend,
            ActionVerb::Resumed => Deed::Resume,
            ActionVerb::Exported => Deed::Export,
            ActionVerb::Imported => Deed::Import,
            ActionVerb::Shared => Deed::Share,
            ActionVerb::Searched => Deed::Search,
            ActionVerb::SignedIn => Deed::Logon,
            ActionVerb::SignedOut => Deed::Logoff,
        }
    }
}

/// The values of `event.type` that ECS 9.4 allows with a category, of those that are used here.
pub fn allowed_types(category: EcsCategory) -> &'static [EcsType] {
    use EcsType::*;
    match category {
        EcsCategory::Api => {
            &[Access, Admin, Allowed, Change, Creation, Deletion, Denied, End, Info, Start, User]
        }
        EcsCategory::Authentication | EcsCategory::Session => &[Start, End, Info],
        EcsCategory::Configuration | EcsCategory::File => {
            &[Access, Change, Creation, Deletion, Info]
        }
        EcsCategory::Iam => &[Admin, Change, Creation, Deletion, Group, Info, User],
        EcsCategory::Web => &[Access, Error, Info],
    }
}

/// The types of a pattern's action: what it is `of`, and the type of its deed; `info` where ECS has or
/// allows none. Of the web, only to look at something has a type at all.
pub fn ecs_types(
    category: Option<EcsCategory>,
    of: Option<EcsType>,
    deed: Deed,
) -> [Option<EcsType>; 3] {
    let Some(category) = category else {
        return [None; 3];
    };
    let of_deed = ecs_type(deed).filter(|kind| allowed_types(category).contains(kind));
    if category == EcsCategory::Web && of_deed.is_none() {
        return [None; 3];
    }
    [of, of_deed.or(Some(EcsType::Info)), None]
}

/// The type that ECS has for a deed.
fn ecs_type(deed: Deed) -> Option<EcsType> {
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
