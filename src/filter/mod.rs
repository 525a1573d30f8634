//! Chooses events by what they say: by the flags of `search` and its relatives (`--actor`, ...) and
//! by expressions (`--where`). Works on normalized events, whatever was saved.

mod field_path;
mod value_pattern;
mod where_expression;

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use crate::model::json::{Document, Node};
use crate::model::time::{Timestamp, parse_api_time};

pub use field_path::FieldPath;
pub use value_pattern::{AddressRange, ValuePattern, parse_network};
pub use where_expression::WhereExpression;

/// Which events are chosen: those that fulfil everything here.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// The first time that is chosen.
    pub since: Option<Timestamp>,
    /// The first time that no longer is.
    pub until: Option<Timestamp>,
    /// What fields must say, or must not.
    pub conditions: Vec<FieldCondition>,
    /// Expressions that must all be true.
    pub expressions: Vec<WhereExpression>,
}

/// What a field of an event must say.
#[derive(Debug, Clone)]
pub struct FieldCondition {
    /// Which field.
    pub field: FilterField,
    /// One of these must fit.
    pub any_of: Vec<ValuePattern>,
    /// Or rather none of them.
    pub is_negated: bool,
}

/// A field that has a flag of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterField {
    /// What was done.
    Action,
    /// The kind of thing that was done.
    Category,
    /// How it ended.
    Outcome,
    /// Who did it, or for whom: name, email or id.
    Actor,
    /// What was acted on, and what that belongs to: name, email or id.
    Target,
    /// The address that it came from.
    Ip,
    /// The country's name or code.
    Country,
    /// The product.
    Product,
    /// The event's id.
    Id,
    /// Any text of the event, also in `raw`.
    Text,
}

/// The words that say who or what something is.
const NAMES: [&str; 3] = ["name", "email", "id"];

impl EventFilter {
    /// Whether it looks at Atlassian's own record.
    pub fn reads_raw(&self) -> bool {
        self.conditions.iter().any(|condition| condition.field == FilterField::Text)
            || self.expressions.iter().any(WhereExpression::reads_raw)
    }

    /// Whether events of some times are left out.
    pub fn has_time_range(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether the fields of `event` fulfil all conditions but those on its time.
    pub fn accepts_fields(&self, event: &Document) -> bool {
        let root = event.root();
        self.conditions.iter().all(|condition| condition.is_fulfilled(root))
            && self.expressions.iter().all(|expression| expression.is_true(root))
    }

    /// Whether the event of a line may be accepted, by a look at its bytes: never wrongly false. It
    /// spares lines of other addresses the work of becoming events.
    pub fn may_accept(&self, line: &[u8]) -> bool {
        self.conditions.iter().all(|condition| condition.may_be_fulfilled(line))
    }

    /// Whether a time is chosen.
    pub fn accepts_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}

/// When a normalized event happened.
pub fn time_of(event: &Document) -> Option<Timestamp> {
    parse_api_time(&event.root().text_of("time")?)
}

impl FieldCondition {
    fn is_fulfilled(&self, event: Node<'_>) -> bool {
        let fits = |text: &str| self.any_of.iter().any(|pattern| pattern.fits(text));
        self.field.any_value(event, &fits) != self.is_negated
    }
}

impl FieldCondition {
    /// A value stands in its line as it is, unless it is escaped. An IPv4 address may also be
    /// written as an IPv6 one, in hexadecimal digits (`::ffff:cb00:7150`).
    fn may_be_fulfilled(&self, line: &[u8]) -> bool {
        static MAPPED: LazyLock<[Finder<'_>; 2]> =
            LazyLock::new(|| value_pattern::MAPPED.map(Finder::new));
        let may_have =
            |it: &ValuePattern| it.literal().is_none_or(|literal| literal.find(line).is_some());
        self.is_negated
            || self.any_of.iter().any(may_have)
            || memchr(b'\\', line).is_some()
            || MAPPED.iter().any(|mapped| mapped.find(line).is_some())
    }
}

impl FilterField {
    /// Whether `fits` holds for one of the field's values.
    fn any_value(self, event: Node<'_>, fits: &dyn Fn(&str) -> bool) -> bool {
        let one = |object: Option<Node<'_>>, keys: &[&str]| {
            object.is_some_and(|object| {
                keys.iter().any(|key| object.scalar_of(key).is_some_and(|text| fits(&text)))
            })
        };
        match self {
            FilterField::Action => one(Some(event), &["action"]),
            FilterField::Category => one(Some(event), &["category"]),
            FilterField::Outcome => one(Some(event), &["outcome"]),
            FilterField::Product => one(Some(event), &["product"]),
            FilterField::Id => one(Some(event), &["id"]),
            FilterField::Ip => one(event.get("client"), &["ip"]),
            FilterField::Country => one(event.get("client"), &["country", "country_code"]),
            FilterField::Actor => event.get("actor").is_some_and(|actor| {
                one(Some(actor), &NAMES) || one(actor.get("on_behalf_of"), &NAMES)
            }),
            FilterField::Target => {
                let targets = event.get("targets").into_iter().flat_map(Node::items);
                let mut targets = targets.map(Some);
                targets.any(|target| {
                    one(target, &NAMES) || one(target.and_then(|it| it.get("parent")), &NAMES)
                })
            }
            FilterField::Text => any_text(event, fits),
        }
    }
}

/// Whether `fits` holds for a text, number or boolean anywhere in `node`. Depth costs no stack.
fn any_text(node: Node<'_>, fits: &dyn Fn(&str) -> bool) -> bool {
    let mut rest = vec![node];
    while let Some(node) = rest.pop() {
        if node.scalar().is_some_and(|text| fits(&text)) {
            return true;
        }
        rest.extend(node.items());
        rest.extend(node.entries().map(|(_, value)| value));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"schema":"atlaudit/1","id":"org:1","time":"2026-11-20T09:30:00.000Z",
        "action":"user_login","category":"authentication","outcome":"failure","product":"jira",
        "actor":{"type":"user","id":"712020:a1","name":"Mei Tanaka","email":"mei@acme.example",
          "on_behalf_of":{"name":"Support"}},
        "targets":[{"type":"issue","id":"10","name":"ACME-1","parent":{"name":"Space"}}],
        "client":{"ip":"203.0.113.80","country":"Germany","country_code":"DE"},
        "raw":{"attributes":{"x":[{"deep":"Pass\u0077ord"},7]}}}"#;

    fn event() -> Document {
        Document::new(EVENT.into())
    }

    fn accepts(field: FilterField, pattern: ValuePattern) -> bool {
        let condition = |is_negated| FieldCondition {
            field,
            any_of: vec![ValuePattern::whole("no such value"), pattern.clone()],
            is_negated,
        };
        let filter = |is_negated| EventFilter {
            conditions: vec![condition(is_negated)],
            ..EventFilter::default()
        };
        let accepts = filter(false).accepts_fields(&event());
        assert_eq!(filter(true).accepts_fields(&event()), !accepts);
        accepts
    }

    #[test]
    fn each_field_has_its_values() {
        for (field, value) in [
            (FilterField::Action, "USER_LOGIN"),
            (FilterField::Action, "user_*"),
            (FilterField::Category, "authentication"),
            (FilterField::Outcome, "failure"),
            (FilterField::Product, "Jira"),
            (FilterField::Id, "org:1"),
            (FilterField::Country, "germany"),
            (FilterField::Country, "de"),
            (FilterField::Actor, "mei@acme.example"),
            (FilterField::Actor, "support"),
            (FilterField::Target, "acme-1"),
            (FilterField::Target, "space"),
        ] {
            assert!(accepts(field, ValuePattern::whole(value)), "{field:?} {value}");
        }
        assert!(accepts(FilterField::Actor, ValuePattern::part("TANA")));
        assert!(accepts(FilterField::Text, ValuePattern::part("password")));
        assert!(accepts(FilterField::Text, ValuePattern::whole("7")));
        let range = |text: &str| ValuePattern::Address(Box::new(text.parse().unwrap()));
        assert!(accepts(FilterField::Ip, range("203.0.113.0/24")));
        assert!(!accepts(FilterField::Ip, range("203.0.113.8")));
        assert!(!accepts(FilterField::Actor, ValuePattern::whole("mei")));
        assert!(!accepts(FilterField::Target, ValuePattern::whole("issue")));
    }

    #[test]
    fn a_line_that_cannot_fit_is_told_by_its_bytes() {
        let filter = |text: &str, is_negated| EventFilter {
            conditions: vec![FieldCondition {
                field: FilterField::Ip,
                any_of: vec![ValuePattern::Address(Box::new(text.parse().unwrap()))],
                is_negated,
            }],
            ..EventFilter::default()
        };
        let may = |text: &str, line: &str| filter(text, false).may_accept(line.as_bytes());
        assert!(!may("203.0.113.80", EVENT.replace("\\u0077", "w").replace(".80", ".81").as_str()));
        for line in [EVENT, r#"{"ip":"203.0.113\u002e80"}"#, r#"{"ip":"::ffff:cb00:7150"}"#] {
            assert!(may("203.0.113.80", line), "{line}");
        }
        for text in ["203.0.113.0/24", "2001:db8::1"] {
            assert!(may(text, "{}"), "{text}");
        }
        assert!(filter("203.0.113.80", true).may_accept(b"{}"));
    }

    #[test]
    fn what_is_missing_or_of_another_type_fits_nothing() {
        let odd = Document::new(r#"{"actor":[],"targets":{},"client":7,"action":{}}"#.into());
        for field in [FilterField::Actor, FilterField::Target, FilterField::Ip, FilterField::Action]
        {
            let condition =
                FieldCondition { field, any_of: vec![ValuePattern::whole("*")], is_negated: false };
            assert!(!condition.is_fulfilled(odd.root()), "{field:?}");
        }
    }

    #[test]
    fn a_range_of_time_has_its_start_and_not_its_end() {
        let time = time_of(&event()).unwrap();
        let later = time + chrono::TimeDelta::milliseconds(1);
        let filter = |since, until| EventFilter { since, until, ..EventFilter::default() };
        assert!(filter(Some(time), Some(later)).accepts_time(time));
        assert!(!filter(None, Some(time)).accepts_time(time));
        assert!(!filter(Some(later), None).accepts_time(time));
        assert!(filter(None, None).accepts_time(time));
        assert!(!filter(None, None).has_time_range() && filter(Some(time), None).has_time_range());
    }
}
