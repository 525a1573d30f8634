//! The things that an action's name speaks of, by `action_terms.tsv`.

use std::sync::LazyLock;

use crate::model::hashing::QuickMap;
use crate::model::meaning::{ActionMeaning, Category, Deed, EcsKind, OcsfClass};
use crate::normalise::taxonomy::action_words::{self, NamedDeed, ecs_category, ecs_type};

/// The table as people edit it.
pub const TEXT: &str = include_str!("../action_terms.tsv");

/// What actions of one kind have alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionKind {
    /// Our own word.
    pub category: Category,
    /// The category of ECS, if one fits.
    pub ecs: Option<&'static str>,
    /// Types of ECS that all of them have, beside the type of what was done.
    pub ecs_types: [Option<&'static str>; 2],
    /// The class of OCSF.
    pub class: OcsfClass,
}

/// A line of the table.
#[derive(Debug)]
pub struct TermLine {
    pub kind: ActionKind,
    /// Activities that differ from those that the words say: said, meant.
    activities: Vec<(Deed, Deed)>,
    pub terms: Vec<&'static str>,
}

/// A term in a name, by the words that it takes up.
#[derive(Debug, Clone, Copy)]
struct FoundTerm {
    /// The line of the table, from 0: the lower, the more specific it is.
    line: usize,
    start: usize,
    end: usize,
}

/// What a name is about.
#[derive(Debug)]
pub struct NamedThing {
    line: &'static TermLine,
    /// The words of the name that it takes up.
    start: usize,
    end: usize,
    /// Whether a person is named, here or as something less telling.
    has_person: bool,
}

#[derive(Debug)]
struct TermTable {
    lines: Vec<TermLine>,
    /// The line of each term.
    of_term: QuickMap<&'static str, usize>,
    /// The most words that a term has, by its first one.
    longest: QuickMap<&'static str, usize>,
}

static TABLE: LazyLock<TermTable> = LazyLock::new(|| {
    let lines: Vec<TermLine> = TEXT.lines().filter_map(parse_line).collect();
    let numbered = lines.iter().enumerate();
    let of_term: QuickMap<_, _> =
        numbered.flat_map(|(at, line)| line.terms.iter().map(move |term| (*term, at))).collect();
    let mut longest: QuickMap<&str, usize> = QuickMap::default();
    for term in of_term.keys() {
        let most = longest.entry(term.split('_').next().unwrap_or_default()).or_default();
        *most = term.split('_').count().max(*most);
    }
    TermTable { lines, of_term, longest }
});

/// Reads a line of the table; a test proves that none is left out.
pub fn parse_line(line: &'static str) -> Option<TermLine> {
    let columns: [&str; 6] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let [category, ecs, types, class, activities, terms] = columns;
    let list = |text: &'static str| text.split(", ").filter(|word| *word != "-");
    let mut ecs_types = [None; 2];
    for (at, word) in list(types).enumerate() {
        *ecs_types.get_mut(at)? = Some(ecs_type(word)?);
    }
    let activities = list(activities).map(|pair| {
        let (said, meant) = pair.split_once('=')?;
        Some((Deed::from_word(said)?, Deed::from_word(meant)?))
    });
    let kind = ActionKind {
        category: Category::from_word(category)?,
        ecs: Some(ecs_category(ecs)?),
        ecs_types,
        class: OcsfClass::from_word(class)?,
    };
    let activities = activities.collect::<Option<_>>()?;
    Some(TermLine { kind, activities, terms: terms.split(' ').collect() })
}

/// What `action` is about: of all things in its name the most specific one.
pub fn find_thing(action: &str) -> Option<NamedThing> {
    let found = find_terms(action);
    let best = *found.iter().min_by_key(|term| term.line)?;
    let line = &TABLE.lines[best.line];
    let is_person =
        |term: &FoundTerm| TABLE.lines[term.line].kind.ecs_types.contains(&Some("user"));
    Some(NamedThing {
        line,
        start: best.start,
        end: best.end,
        has_person: found.iter().any(is_person),
    })
}

/// The terms in the name, the longest at each place. What follows a word that says that it failed
/// is the reason (`app_update_failed_permission_required`).
fn find_terms(action: &str) -> Vec<FoundTerm> {
    let words: Vec<&str> = action_words::split(action).collect();
    let mut found: Vec<FoundTerm> = Vec::new();
    let mut start = 0;
    while start < words.len() {
        if !found.is_empty() && action_words::is_failure(words[start]) {
            break;
        }
        let most = TABLE.longest.get(words[start]).copied().unwrap_or(1);
        let ends = (start + 1..=words.len().min(start + most)).rev();
        let term = ends.filter_map(|end| {
            let line = match &words[start..end] {
                [word] => line_of(word),
                several => line_of(&several.join("_")),
            };
            Some(FoundTerm { line: line?, start, end })
        });
        let term = { term }.next();
        start = term.map_or(start + 1, |term| term.end);
        found.extend(term);
    }
    found
}

/// The line of a term, or of what it is the plural of.
fn line_of(term: &str) -> Option<usize> {
    let find = |term: &str| TABLE.of_term.get(term).copied();
    let singular = || match term.strip_suffix("ies") {
        Some(stem) => find(&[stem, "y"].concat()),
        None => find(term.strip_suffix('s')?),
    };
    find(term).or_else(singular)
}

impl ActionKind {
    /// What an action of this kind means that did `deed`.
    pub fn meaning(self, deed: Deed) -> ActionMeaning {
        let types = action_words::ecs_types(self.ecs, self.ecs_types, deed);
        let has_type = types.iter().any(Option::is_some);
        let ecs = EcsKind { categories: [self.ecs.filter(|_| has_type), None], types };
        ActionMeaning { category: self.category, ecs, class: self.class, deed }
    }
}

impl NamedThing {
    /// What kind of action it is, and what was done to it, by what the words tell.
    pub fn meaning(&self, named: Option<NamedDeed>) -> (ActionKind, Deed) {
        let mut kind = self.line.kind;
        let said = named.map_or(Deed::Other, |named| named.deed);
        let is_grant = matches!(said, Deed::Assign | Deed::Revoke);
        if is_grant && matches!(kind.category, Category::Account | Category::Group) {
            // Who is granted something, or loses it, has or had access to that.
            kind.category = Category::Permission;
            if kind.class == OcsfClass::AccountChange {
                kind.class = OcsfClass::UserAccess;
            }
        }
        if let Some((_, meant)) = self.line.activities.iter().find(|(word, _)| *word == said) {
            return (kind, *meant);
        }
        let deed = named.map_or(Deed::Other, |named| self.deed_within(kind.class, named));
        (kind, deed)
    }

    /// The activity that a class has for what was done: a person that is added to a group is its
    /// member, a privilege that is added is assigned, any other part of a thing changes it. A word
    /// that does not stand beside the thing is about one of its parts, for which OCSF has
    /// no activity in accounts and groups (`user_card_deleted` deletes no user).
    fn deed_within(&self, class: OcsfClass, named: NamedDeed) -> Deed {
        use OcsfClass::{AccountChange, EntityManagement, GroupManagement, UserAccess};
        let NamedDeed { deed, at, is_part, has_whole } = named;
        let is_beside = at == self.end || at + 1 == self.start;
        match (class, deed) {
            (GroupManagement, Deed::Create) if is_part && self.has_person => Deed::AddUser,
            (GroupManagement, Deed::Delete) if is_part && self.has_person => Deed::RemoveUser,
            _ if is_part && has_whole => Deed::Update,
            (GroupManagement | UserAccess, Deed::Create) if is_part => Deed::Assign,
            (GroupManagement | UserAccess, Deed::Delete) if is_part => Deed::Revoke,
            (GroupManagement | AccountChange, _) if !is_beside => Deed::Other,
            (_, Deed::PasswordReset) if class != AccountChange => Deed::Update,
            (_, Deed::Move) if class != EntityManagement => Deed::Update,
            (_, deed) => deed,
        }
    }
}
