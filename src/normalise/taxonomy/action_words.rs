//! The words of an action's name that say how it ended and what was done, by `action_words.tsv`.

use std::sync::LazyLock;

use crate::model::hashing::QuickMap;
use crate::model::meaning::{Deed, OcsfClass, Outcome};

/// The table as people edit it.
pub const TEXT: &str = include_str!("../action_words.tsv");

/// What one word says of the outcome; of several words, the first of these decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeProof {
    Failed,
    Open,
    Done,
    Nothing,
}

/// What a word says.
#[derive(Debug, Clone, Copy)]
pub struct WordMeaning {
    pub proof: OutcomeProof,
    named: Option<NamedDeed>,
}

/// What was done, by a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedDeed {
    deed: Deed,
    /// Whether something was added or removed, which may be a part of something else.
    is_part: bool,
}

/// The words that say anything; a test proves that no line is left out.
static WORDS: LazyLock<QuickMap<&str, WordMeaning>> =
    LazyLock::new(|| TEXT.lines().filter_map(parse_line).flatten().collect());

/// The words of a line of the table, each with what it says.
pub fn parse_line(line: &'static str) -> Option<impl Iterator<Item = (&'static str, WordMeaning)>> {
    let (proof, rest) = line.split_once('\t')?;
    let (deed, words) = rest.split_once('\t')?;
    let proof = match proof {
        "failed" => OutcomeProof::Failed,
        "open" => OutcomeProof::Open,
        "done" => OutcomeProof::Done,
        "-" => OutcomeProof::Nothing,
        _ => return None,
    };
    let deed = match deed {
        "-" => None,
        word => Some(Deed::from_word(word)?),
    };
    Some(words.split(' ').map(move |word| {
        let is_part = matches!(word, "added" | "removed");
        (word, WordMeaning { proof, named: deed.map(|deed| NamedDeed { deed, is_part }) })
    }))
}

/// How `action` ended and what was done, as far as the words of its name tell: of several that say
/// what was done the last counts, and nothing of what was only requested.
pub fn infer(action: &str) -> (Outcome, Option<NamedDeed>) {
    let mut proof = OutcomeProof::Nothing;
    let mut named: Option<NamedDeed> = None;
    let mut before = "";
    for text in words(action) {
        if matches!(text, "to" | "from") {
            // What is added to something, or removed from it, changes that.
            let change = NamedDeed { deed: Deed::Update, is_part: false };
            named = named.map(|named| if named.is_part { change } else { named });
        }
        // A pull request asks for nothing that an audit log waits for.
        let is_thing = (before, text) == ("pull", "request");
        before = text;
        if let Some(word) = WORDS.get(text).filter(|_| !is_thing) {
            proof = proof.min(word.proof);
            named = word.named.or(named);
        }
    }
    let outcome = match proof {
        OutcomeProof::Failed => Outcome::Failure,
        OutcomeProof::Open | OutcomeProof::Nothing => Outcome::Unknown,
        OutcomeProof::Done => Outcome::Success,
    };
    (outcome, named.filter(|_| proof != OutcomeProof::Open))
}

/// Whether a word of `action` says that it failed.
pub fn indicates_failure(action: &str) -> bool {
    words(action).any(|word| WORDS.get(word).is_some_and(|it| it.proof == OutcomeProof::Failed))
}

fn words(action: &str) -> impl Iterator<Item = &str> {
    action.split(|c: char| !c.is_alphanumeric())
}

impl NamedDeed {
    /// The deed, within a class. A privilege that is added is assigned; what is created for a group
    /// is no new group.
    pub fn within(self, class: OcsfClass) -> Deed {
        let is_group = class == OcsfClass::GroupManagement;
        let is_access = is_group || class == OcsfClass::UserAccess;
        match self.deed {
            Deed::Create if is_access && self.is_part => Deed::Assign,
            Deed::Delete if is_access && self.is_part => Deed::Revoke,
            Deed::Create | Deed::Delete if is_group => Deed::Other,
            Deed::Create if class == OcsfClass::ApplicationLifecycle => Deed::Install,
            Deed::Delete if class == OcsfClass::ApplicationLifecycle => Deed::Remove,
            Deed::Move if class != OcsfClass::EntityManagement => Deed::Update,
            deed => deed,
        }
    }
}

/// The values of `event.category` that fit audit events, each with the values of `event.type` that
/// ECS 9.4 allows with it, of those that are used here.
pub const ECS: [(&str, &[&str]); 7] = [
    (
        "api",
        &[
            "access", "admin", "allowed", "change", "creation", "deletion", "denied", "end",
            "info", "start", "user",
        ],
    ),
    ("authentication", &["start", "end", "info"]),
    ("configuration", &["access", "change", "creation", "deletion", "info"]),
    ("file", &["access", "change", "creation", "deletion", "info"]),
    ("iam", &["admin", "change", "creation", "deletion", "group", "info", "user"]),
    ("session", &["start", "end", "info"]),
    ("web", &["access", "error", "info"]),
];

/// The category of ECS that `word` is.
pub fn ecs_category(word: &str) -> Option<&'static str> {
    ECS.iter().map(|row| row.0).find(|known| *known == word)
}

/// The type of ECS that `word` is.
pub fn ecs_type(word: &str) -> Option<&'static str> {
    ECS.iter().flat_map(|row| row.1).copied().find(|known| *known == word)
}

/// The types that ECS allows with a category.
pub fn allowed_types(category: &str) -> &'static [&'static str] {
    ECS.iter().find(|row| row.0 == category).map_or(&[], |row| row.1)
}

/// The types of a pattern's action: what it is `of`, and the type of its deed; `info` where ECS has
/// or allows none. Of the web, only to look at something has a type at all.
pub fn ecs_types(
    category: Option<&'static str>,
    of: Option<&'static str>,
    deed: Deed,
) -> [Option<&'static str>; 3] {
    let Some(category) = category else {
        return [None; 3];
    };
    let of_deed = match deed {
        Deed::Create | Deed::Install | Deed::Import => "creation",
        Deed::Read | Deed::Search | Deed::Export => "access",
        Deed::Delete | Deed::Remove => "deletion",
        Deed::Logon => "start",
        Deed::Logoff => "end",
        Deed::AccountSwitch | Deed::Other => "info",
        _ => "change",
    };
    let is_telling = of_deed != "info" && allowed_types(category).contains(&of_deed);
    match is_telling || category != "web" {
        true => [of, Some(if is_telling { of_deed } else { "info" }), None],
        false => [None; 3],
    }
}
