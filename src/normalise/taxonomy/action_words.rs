//! The words of an action's name that say how it ended and what was done, by `action_words.tsv`.

use std::sync::LazyLock;

use crate::model::hashing::QuickMap;
use crate::model::meaning::{Deed, Outcome};

/// The table as people edit it.
pub const TEXT: &str = include_str!("../action_words.tsv");

/// What one word says of the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeProof {
    Failed,
    Doubt,
    Open,
    Done,
}

/// What a word says.
#[derive(Debug, Clone, Copy)]
pub struct WordMeaning {
    pub proof: OutcomeProof,
    deed: Option<Deed>,
    /// Whether it says that something happened, and not only what (`created`, not `creation`).
    is_past: bool,
}

/// What was done, by a word of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedDeed {
    pub deed: Deed,
    /// Which word of the name it is, from 0.
    pub at: usize,
    /// Whether something was added or removed, which may be a part of something else.
    pub is_part: bool,
    /// Whether that other thing follows: `added to`, `removed from`.
    pub has_whole: bool,
}

/// What the words of a name tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordReading {
    pub outcome: Outcome,
    /// What was done, and nothing of what was only asked for.
    pub deed: Option<NamedDeed>,
}

/// The words that say anything; a test proves that no line is left out.
static WORDS: LazyLock<QuickMap<&str, WordMeaning>> =
    LazyLock::new(|| TEXT.lines().filter_map(parse_line).flatten().collect());

/// The words of a line of the table, each with what it says.
pub fn parse_line(line: &'static str) -> Option<impl Iterator<Item = (&'static str, WordMeaning)>> {
    let columns: [&str; 4] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let [proof, deed, past, named] = columns;
    let proof = match proof {
        "failed" => OutcomeProof::Failed,
        "doubt" => OutcomeProof::Doubt,
        "open" => OutcomeProof::Open,
        "done" => OutcomeProof::Done,
        _ => return None,
    };
    let deed = match deed {
        "-" => None,
        word => Some(Deed::from_word(word)?),
    };
    let words = [(past, true), (named, false)].into_iter().flat_map(|(text, is_past)| {
        text.split(' ').filter(|word| *word != "-").map(move |word| (word, is_past))
    });
    Some(words.map(move |(word, is_past)| (word, WordMeaning { proof, deed, is_past })))
}

/// How `action` ended and what was done, as far as the words of its name tell.
///
/// Words that tell count before those that only name; where there are none of the first, an
/// imperative that begins the name counts alone (`modify_access_request_settings`). Of several the
/// last counts (`scheduled_export_deleted`, `deletion_scheduled`).
pub fn read(action: &str) -> WordReading {
    let words: Vec<&str> = split(action).collect();
    let known = words.iter().enumerate().filter_map(|(at, word)| Some((at, *WORDS.get(word)?)));
    let known: Vec<(usize, WordMeaning)> = known.collect();
    let is_past = known.iter().any(|(_, word)| word.is_past);
    let is_imperative = !is_past && known.first().is_some_and(|(at, _)| *at == 0);
    let counts = |at: usize, word: WordMeaning| {
        word.is_past
            || word.proof == OutcomeProof::Failed
            || !is_past && (at == 0 || !is_imperative)
    };
    let telling = known.iter().filter(|(at, word)| counts(*at, *word)).map(|(_, word)| word.proof);
    let proof = telling.reduce(|before, proof| match (before, proof) {
        (OutcomeProof::Failed, OutcomeProof::Open) => before,
        _ => proof,
    });
    let is_doubtful = known.iter().any(|(_, word)| word.proof == OutcomeProof::Doubt);
    let outcome = match proof {
        Some(OutcomeProof::Failed) => Outcome::Failure,
        Some(OutcomeProof::Done) if !is_doubtful => Outcome::Success,
        _ => Outcome::Unknown,
    };
    let of_deed = |(at, word): &(usize, WordMeaning)| Some((*at, word.deed?));
    let past = known.iter().filter(|(_, word)| word.is_past).filter_map(of_deed).next_back();
    let named = || match is_imperative {
        true => known.first().and_then(of_deed),
        false => known.iter().filter_map(of_deed).next_back(),
    };
    let deed = past.or_else(named).map(|(at, deed)| NamedDeed {
        deed,
        at,
        is_part: words[at].starts_with("add") || words[at].starts_with("remov"),
        has_whole: words
            .get(at + 1..)
            .is_some_and(|rest| rest.iter().any(|word| matches!(*word, "to" | "from"))),
    });
    WordReading { outcome, deed: deed.filter(|_| outcome != Outcome::Unknown) }
}

/// Whether this word says that something failed.
pub fn is_failure(word: &str) -> bool {
    WORDS.get(word).is_some_and(|it| it.proof == OutcomeProof::Failed)
}

/// The words of a name.
pub fn split(action: &str) -> impl Iterator<Item = &str> {
    action.split(|c: char| !c.is_alphanumeric())
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

/// The types of an action: what it is `of`, and the type of its deed; `info` where ECS has or
/// allows none. Of the web, only to look at something has a type at all.
pub fn ecs_types(
    category: Option<&'static str>,
    of: [Option<&'static str>; 2],
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
        true => [of[0], of[1], Some(if is_telling { of_deed } else { "info" })],
        false => [None; 3],
    }
}
