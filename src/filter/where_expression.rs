//! Reads and evaluates the expressions of `--where`.
//!
//! ```text
//! expression  = and-part { "or" and-part }
//! and-part    = not-part { "and" not-part }
//! not-part    = "not" not-part | "(" expression ")" | test
//! test        = field                                        it is there
//!             | field ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~") value
//!             | field ["not"] "in" "(" value { "," value } ")"
//! value       = word | 'text' | "text"
//! ```
//!
//! A field with several values (`targets.name`) fulfils a test when one of them does; `!=`, `!~`
//! and `not in` are the opposite of `=`, `~` and `in`. Numbers are compared as numbers, times as
//! times, all else as text.

use std::cmp::Ordering;

use wildmatch::WildMatch;

use super::field_path::FieldPath;
use crate::model::json::Node;
use crate::model::meaning::{Category, Outcome};
use crate::model::time::{Timestamp, parse_api_time};

/// How deep parentheses and negations are nested at most: each level takes stack.
const MAX_DEPTH: usize = 64;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum WhereExpression {
    /// One of them is true.
    Or(Vec<WhereExpression>),
    /// All of them are true.
    And(Vec<WhereExpression>),
    /// It is not true.
    Not(Box<WhereExpression>),
    /// One of the field's values fulfils this.
    Test(FieldPath, ValueTest),
}

/// What a value of a field must be.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueTest {
    /// Anything.
    Exists,
    /// One of these.
    In(Vec<ComparedValue>),
    /// Less or more than this, or even: one of the orderings.
    Ordered(Vec<Ordering>, ComparedValue),
    /// Like this, with `*` and `?`; upper and lower case are the same.
    Like(WildMatch),
}

/// A value that others are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedValue {
    text: String,
    number: Option<ComparedNumber>,
    time: Option<Timestamp>,
}

impl WhereExpression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What was expected, and after which part of the text.
    pub fn parse(text: &str) -> Result<WhereExpression, String> {
        let mut reader = ExpressionReader { text, tokens: split(text)?, at: 0 };
        let expression = reader.or_expression(0)?;
        match reader.peek() {
            None => Ok(expression),
            Some(_) => Err(reader.error("expected `and`, `or` or the end")),
        }
    }

    /// Whether it looks at Atlassian's own record.
    pub fn reads_raw(&self) -> bool {
        match self {
            WhereExpression::Or(parts) | WhereExpression::And(parts) => {
                parts.iter().any(WhereExpression::reads_raw)
            }
            WhereExpression::Not(part) => part.reads_raw(),
            WhereExpression::Test(field, _) => field.is_of_raw(),
        }
    }

    /// Whether it is true of a normalized event.
    pub fn is_true(&self, event: Node<'_>) -> bool {
        match self {
            WhereExpression::Or(parts) => parts.iter().any(|part| part.is_true(event)),
            WhereExpression::And(parts) => parts.iter().all(|part| part.is_true(event)),
            WhereExpression::Not(part) => !part.is_true(event),
            WhereExpression::Test(field, ValueTest::Exists) => field.exists(event),
            WhereExpression::Test(field, test) => {
                field.any_value(event, &mut |value| test.is_fulfilled(value))
            }
        }
    }
}

impl ValueTest {
    fn is_fulfilled(&self, value: &str) -> bool {
        match self {
            ValueTest::Exists => true,
            ValueTest::In(values) => values.iter().any(|it| it.equals(value)),
            ValueTest::Ordered(orders, than) => {
                than.compare(value).is_some_and(|order| orders.contains(&order))
            }
            ValueTest::Like(pattern) => pattern.matches(value),
        }
    }
}

impl ComparedValue {
    fn new(text: String) -> ComparedValue {
        ComparedValue { number: ComparedNumber::of(&text), time: parse_api_time(&text), text }
    }

    fn equals(&self, value: &str) -> bool {
        value == self.text || self.compare(value) == Some(Ordering::Equal)
    }

    /// How `value` is ordered against this one; not at all where only one is a number or a time.
    fn compare(&self, value: &str) -> Option<Ordering> {
        if let Some(own) = self.number {
            return ComparedNumber::of(value).and_then(|other| other.compare(own));
        }
        match self.time {
            Some(own) => parse_api_time(value).map(|other| other.cmp(&own)),
            None => Some(value.cmp(&self.text)),
        }
    }
}

/// A number: exact where it is a whole one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ComparedNumber {
    Whole(i128),
    Float(f64),
}

impl ComparedNumber {
    /// The number that `text` writes in digits; not `nan` or `infinity`.
    fn of(text: &str) -> Option<ComparedNumber> {
        if let Ok(whole) = text.parse() {
            return Some(ComparedNumber::Whole(whole));
        }
        let is_digits = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        text.parse::<f64>().ok().filter(|it| is_digits && it.is_finite()).map(ComparedNumber::Float)
    }

    fn compare(self, other: ComparedNumber) -> Option<Ordering> {
        use ComparedNumber::{Float, Whole};
        match (self, other) {
            (Whole(own), Whole(other)) => Some(own.cmp(&other)),
            (Whole(own), Float(other)) => (own as f64).partial_cmp(&other),
            (Float(own), Whole(other)) => own.partial_cmp(&(other as f64)),
            (Float(own), Float(other)) => own.partial_cmp(&other),
        }
    }
}

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A word: a field, a value, `and`.
    Word(String),
    /// A text in quotes: a value.
    Quoted(String),
    Sign(&'static str),
}

/// The signs, longer ones before those that they begin with.
const SIGNS: [&str; 12] = ["==", "!=", "!~", "<=", ">=", "=", "<", ">", "~", "(", ")", ","];

/// The tokens of `text`, each with where it starts.
fn split(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(*sign))
        {
            (Token::Sign(sign), sign.len())
        } else if matches!(first, '"' | '\'') {
            let (inner, length) = quoted(rest, first)
                .ok_or_else(|| format!("the quote at `{}` has no end", shortened(rest)))?;
            (Token::Quoted(inner), length)
        } else {
            let length = word_length(rest)
                .ok_or_else(|| format!("`{first}` has no meaning at `{}`", shortened(rest)))?;
            (Token::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
        };
        tokens.push((at, token));
        at += length;
    }
    Ok(tokens)
}

/// The length of the word that `text` begins with; keys of a field may be in quotes in it, behind a
/// dot.
fn word_length(text: &str) -> Option<usize> {
    let is_end = |c: char| c.is_whitespace() || "=!<>~(),\"'".contains(c);
    let mut length = 0;
    loop {
        let rest = text.get(length..)?;
        length += rest.find(is_end).unwrap_or(rest.len());
        let (word, next) = text.split_at_checked(length)?;
        if !(word.ends_with('.') && next.starts_with('"')) {
            return Some(length).filter(|length| *length > 0);
        }
        length += next.get(1..)?.find('"')? + 2;
    }
}

/// The text in quotes that `text` begins with, and the length of all of it. A backslash takes the
/// next character as it is.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => inner.push(chars.next()?.1),
            c if c == quote => return Some((inner, at + c.len_utf8())),
            c => inner.push(c),
        }
    }
    None
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(20) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

struct ExpressionReader<'t> {
    text: &'t str,
    tokens: Vec<(usize, Token)>,
    at: usize,
}

impl ExpressionReader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    /// Takes the next token if it is this sign, or this word in any case.
    fn take(&mut self, wanted: &str) -> bool {
        let is_it = match self.peek() {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(wanted),
            Some(Token::Sign(sign)) => *sign == wanted,
            _ => false,
        };
        self.at += usize::from(is_it);
        is_it
    }

    fn error(&self, expected: &str) -> String {
        match self.tokens.get(self.at) {
            None => format!("{expected}, and it ends there"),
            Some((start, _)) => {
                let rest = self.text.get(*start..).unwrap_or_default();
                format!("{expected} at `{}`", shortened(rest))
            }
        }
    }

    fn or_expression(&mut self, depth: usize) -> Result<WhereExpression, String> {
        let mut parts = vec![self.and_expression(depth)?];
        while self.take("or") {
            parts.push(self.and_expression(depth)?);
        }
        Ok(one_or(parts, WhereExpression::Or))
    }

    fn and_expression(&mut self, depth: usize) -> Result<WhereExpression, String> {
        let mut parts = vec![self.not_expression(depth)?];
        while self.take("and") {
            parts.push(self.not_expression(depth)?);
        }
        Ok(one_or(parts, WhereExpression::And))
    }

    fn not_expression(&mut self, depth: usize) -> Result<WhereExpression, String> {
        if depth == MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        if self.take("not") {
            return Ok(negated(self.not_expression(depth + 1)?));
        }
        if self.take("(") {
            let inner = self.or_expression(depth + 1)?;
            return match self.take(")") {
                true => Ok(inner),
                false => Err(self.error("expected `)`")),
            };
        }
        self.test()
    }

    fn test(&mut self) -> Result<WhereExpression, String> {
        let field = self.field()?;
        let ordered = |orders: &[Ordering], value| ValueTest::Ordered(orders.to_vec(), value);
        let (test, is_negated) = match self.peek() {
            Some(Token::Sign(sign)) if !matches!(*sign, "(" | ")" | ",") => {
                let sign = *sign;
                self.at += 1;
                let text = self.value()?;
                let value = ComparedValue::new(text.clone());
                check_value(&field, sign, &value)?;
                match sign {
                    "=" | "==" => (ValueTest::In(vec![value]), false),
                    "!=" => (ValueTest::In(vec![value]), true),
                    "<" => (ordered(&[Ordering::Less], value), false),
                    "<=" => (ordered(&[Ordering::Less, Ordering::Equal], value), false),
                    ">" => (ordered(&[Ordering::Greater], value), false),
                    ">=" => (ordered(&[Ordering::Greater, Ordering::Equal], value), false),
                    _ => (ValueTest::Like(WildMatch::new_case_insensitive(&text)), sign == "!~"),
                }
            }
            Some(Token::Word(_)) => {
                let start = self.at;
                let is_negated = self.take("not");
                match self.take("in") {
                    true => (ValueTest::In(self.value_list()?), is_negated),
                    false => {
                        self.at = start;
                        (ValueTest::Exists, false)
                    }
                }
            }
            _ => (ValueTest::Exists, false),
        };
        let test = WhereExpression::Test(field, test);
        Ok(if is_negated { negated(test) } else { test })
    }

    fn field(&mut self) -> Result<FieldPath, String> {
        let Some(Token::Word(word)) = self.peek() else {
            return Err(self.error("expected a field such as `client.ip`"));
        };
        let field = FieldPath::parse(word)?;
        self.at += 1;
        Ok(field)
    }

    fn value(&mut self) -> Result<String, String> {
        let value = match self.peek() {
            Some(Token::Word(text) | Token::Quoted(text)) => text.clone(),
            _ => return Err(self.error("expected a value")),
        };
        self.at += 1;
        Ok(value)
    }

    fn value_list(&mut self) -> Result<Vec<ComparedValue>, String> {
        if !self.take("(") {
            return Err(self.error("expected `(` after `in`"));
        }
        let mut values = vec![ComparedValue::new(self.value()?)];
        while self.take(",") {
            values.push(ComparedValue::new(self.value()?));
        }
        match self.take(")") {
            true => Ok(values),
            false => Err(self.error("expected `,` or `)`")),
        }
    }
}

/// Refuses comparisons that no event could pass, or all: a typed time where a time stands, and a
/// network where an address stands.
fn check_value(field: &FieldPath, sign: &str, value: &ComparedValue) -> Result<(), String> {
    let text = &value.text;
    let is_time = matches!(&*field.to_string(), "time" | "processed_time" | "observed_time");
    if is_time && matches!(sign, "<" | "<=" | ">" | ">=") && value.time.is_none() {
        return Err(format!(
            "`{text}` is no time; write it as `2026-11-20T09:30:00Z`, or use `--since`"
        ));
    }
    let words: &[&str] = match &*field.to_string() {
        "outcome" => &Outcome::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
        "category" => &Category::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
        _ => &[],
    };
    if !words.is_empty() && matches!(sign, "=" | "==" | "!=") && !words.contains(&&**text) {
        return Err(format!("no {field} is called `{text}`; there are {}", words.join(", ")));
    }
    if field.to_string() == "client.ip" && text.contains('/') {
        return Err(format!("an address is compared, not a network; use `--ip {text}`"));
    }
    Ok(())
}

fn negated(expression: WhereExpression) -> WhereExpression {
    WhereExpression::Not(Box::new(expression))
}

/// The only part, or all of them in a `list`.
fn one_or(
    mut parts: Vec<WhereExpression>,
    list: fn(Vec<WhereExpression>) -> WhereExpression,
) -> WhereExpression {
    match parts.len() {
        1 => parts.remove(0),
        _ => list(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;
    use proptest::prelude::*;

    const EVENT: &str = r#"{"time":"2026-11-20T09:30:00.000Z","action":"user_login",
        "outcome":"failure","actor":{"name":"Mei Tanaka","id":"a1"},
        "targets":[{"type":"group","name":"admins"},{"type":"user","name":"Bo"}],
        "client":{"ip":"203.0.113.8"},"labels":{"odd key":"x","in":"y"},
        "raw":{"id":357,"big":9007199254740993,"ok":true,"exponent":1e3,"a b":{"c":1}}}"#;

    fn is_true(text: &str) -> bool {
        let event = Document::new(EVENT.into());
        WhereExpression::parse(text).unwrap().is_true(event.root())
    }

    #[test]
    fn expressions_that_are_true_of_an_event_and_their_opposites() {
        for text in [
            "action = user_login",
            "action == 'user_login'",
            "action ~ user_*",
            "action ~ 'USER_*'",
            "outcome != success",
            "actor.email != x",
            "action !~ '*logout*'",
            "targets.name = Bo",
            "targets.name = admins and targets.type = user",
            "actor = a1",
            "actor",
            "not actor.email",
            "actor.name in ('Mei Tanaka', Bo)",
            "actor.name not in (Bo)",
            "not (action = x or action = y)",
            "action = x or outcome = failure and ip = 203.0.113.8",
            "(action = x or outcome = failure) and ip",
            "raw.id > 9 and raw.id <= 357.0 and raw.id >= 357 and raw.id < 1000",
            "raw.id = 0357",
            "raw.ok = true",
            "raw.big != 9007199254740992",
            "time > 2026-11-20T09:29:00Z and time < '2026-11-20T10:30:01+01:00'",
            "labels.\"odd key\" = x",
            "raw.\"a b\".c = 1",
            "raw.big > 9 and raw.big = 9007199254740993",
            "raw.exponent = 1000",
            "labels.in = y",
            "action in (a, user_login)",
            "NOT action IN (a) AND actor.name ~ \"mei*\"",
            "actor.name = \"Mei \\Tanaka\"",
        ] {
            assert!(is_true(text), "{text}");
            assert!(!is_true(&format!("not ({text})")), "{text}");
        }
    }

    #[test]
    fn an_error_says_what_was_expected_and_where() {
        for (text, said) in [
            ("", "expected a field such as `client.ip`, and it ends there"),
            ("action =", "expected a value, and it ends there"),
            ("action = x y", "expected `and`, `or` or the end at `y`"),
            ("(action = x", "expected `)`, and it ends there"),
            ("action in x", "expected `(` after `in` at `x`"),
            ("action in (x y)", "expected `,` or `)` at `y)`"),
            ("action = 'x", "the quote at `'x` has no end"),
            ("acton = x", "did you mean `action`?"),
            ("action. = x", "`action.` is no field"),
            ("time > yesterday", "`yesterday` is no time"),
            ("outcome = Success", "no outcome is called `Success`; there are success, failure"),
            ("ip = 10.0.0.0/8", "`--ip 10.0.0.0/8`"),
            ("= x", "expected a field"),
            ("action ! x", "`!` has no meaning"),
            ("and", "no field is called `and`"),
            (&"(".repeat(100_000), "nested more than 64 deep"),
            (&"not ".repeat(100_000), "nested more than 64 deep"),
        ] {
            let error = WhereExpression::parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[ a-z.=!<>~(),"'\\é]{0,40}|(action|and|or|not|in|\(|\)|=|'x'| ){0,20}"#) {
            let event = Document::new(EVENT.into());
            if let Ok(expression) = WhereExpression::parse(&text) {
                let negation = WhereExpression::parse(&format!("not ({text})")).unwrap();
                prop_assert_ne!(expression.is_true(event.root()), negation.is_true(event.root()));
            }
        }
    }
}
