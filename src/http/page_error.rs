//! Recognises an error envelope in a page that came with a 2xx.
//!
//! Its members stand beside the list of records, which may be empty or hold a part of them: neither is a page. No page of
//! any API here has a member of these names of its own (`errors`, where it is empty, is no error).

use serde_json::{Map, Value};

use super::envelope::{error_code, error_text};
use super::error::UnreadableBody;

/// The members that an envelope may have, over all shapes that `envelope` reads.
pub const MEMBERS: [&str; 11] = [
    "errors",
    "errorMessages",
    "error",
    "statusCode",
    "status-code",
    "status",
    "code",
    "message",
    "title",
    "detail",
    "error_description",
];

/// Members that say by being there that something failed.
const ERROR_MEMBERS: [&str; 3] = ["errors", "errorMessages", "error"];

/// Members that state an HTTP status, or one in words.
const STATUS_MEMBERS: [&str; 3] = ["statusCode", "status-code", "status"];

/// Members that mean an error where no status says that there is none.
const MESSAGE_MEMBERS: [&str; 3] = ["code", "message", "detail"];

/// Texts that say that nothing is wrong.
const SUCCESS_TEXTS: [&str; 3] = ["ok", "success", "none"];

/// A larger member is quoted from its beginning, and not parsed.
const MAX_PARSED_BYTES: usize = 64 * 1024;

/// The error that `members` report: names out of [`MEMBERS`], and their values as JSON text.
pub fn find_error<'a>(
    members: impl Iterator<Item = (&'static str, &'a str)>,
) -> Option<UnreadableBody> {
    let mut envelope = Map::new();
    for (name, text) in members {
        let value = parse(text);
        // Of two members of one name the one that says something counts.
        if !is_empty_or_success(&value) {
            envelope.insert(name.to_owned(), value);
        }
    }
    let has = |name: &&str| envelope.contains_key(*name);
    let stated = STATUS_MEMBERS
        .iter()
        .filter_map(|name| status_is_failure(envelope.get(*name)?));
    let (failed, fine): (Vec<_>, Vec<_>) = stated.partition(|is_failure| *is_failure);
    let is_error = !failed.is_empty()
        || ERROR_MEMBERS.iter().any(has)
        || (fine.is_empty() && MESSAGE_MEMBERS.iter().any(has));
    if !is_error {
        return None;
    }
    let envelope = Value::Object(envelope);
    let message = match error_text(&envelope) {
        empty if empty.trim().is_empty() => envelope.to_string(),
        message => message,
    };
    Some(UnreadableBody::server_error(
        error_code(&envelope),
        &message,
    ))
}

fn parse(text: &str) -> Value {
    let quoted = || Value::String(text.chars().take(MAX_PARSED_BYTES).collect());
    match text.len() {
        0..=MAX_PARSED_BYTES => serde_json::from_str(text).unwrap_or_else(|_| quoted()),
        _ => quoted(),
    }
}

/// Whether a status is one of a failure; nothing where it states none.
fn status_is_failure(value: &Value) -> Option<bool> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => Some(number),
            Err(_) => {
                let text = text.to_ascii_lowercase();
                return (text.contains("error") || text.contains("fail")).then_some(true);
            }
        },
        _ => None,
    }?;
    (number >= 100.0).then_some(number >= 400.0)
}

/// Whether a member says nothing: absent in all but name, or a word of success.
fn is_empty_or_success(value: &Value) -> bool {
    let is_blank = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    };
    match value {
        Value::Bool(is_set) => !is_set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.iter().all(is_blank),
        Value::Object(fields) => fields.values().all(is_blank),
        Value::String(text) => {
            is_blank(value) || SUCCESS_TEXTS.contains(&text.trim().to_ascii_lowercase().as_str())
        }
        Value::Null => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message, and the code.
    fn read_error(envelope: &str) -> Option<(String, Option<String>)> {
        let object: Map<String, Value> = serde_json::from_str(envelope).unwrap();
        let texts: Vec<_> = object
            .iter()
            .map(|(name, value)| (name, value.to_string()))
            .collect();
        let members = texts.iter().filter_map(|(name, text)| {
            let name = MEMBERS.into_iter().find(|known| known == name)?;
            Some((name, text.as_str()))
        });
        let error = find_error(members)?;
        let code = error.reported_code().map(str::to_owned);
        Some((error.message, code))
    }

    #[test]
    fn every_shape_is_quoted() {
        for (envelope, message, code) in [
            (
                r#"{"errors":[{"code":"ADMIN-500-1","title":"Broken"}]}"#,
                "Broken",
                Some("ADMIN-500-1"),
            ),
            (r#"{"errors":["Broken"]}"#, "Broken", None),
            (r#"{"errors":"Broken"}"#, "Broken", None),
            (
                r#"{"errors":{"from":"too early"}}"#,
                "from: too early",
                None,
            ),
            (r#"{"errors":[{}]}"#, r#"{"errors":[{}]}"#, None),
            (r#"{"errors":true}"#, r#"{"errors":true}"#, None),
            (
                r#"{"errors":3,"status":200}"#,
                r#"{"errors":3,"status":200}"#,
                None,
            ),
            (r#"{"errorMessages":["a","b"],"errors":{}}"#, "a; b", None),
            (
                r#"{"error":{"code":"E7","message":"Broken"}}"#,
                "Broken",
                Some("E7"),
            ),
            (
                r#"{"status":500,"error":"Internal","message":"Broken"}"#,
                "Internal: Broken",
                None,
            ),
            (r#"{"statusCode":503}"#, r#"{"statusCode":503}"#, None),
            (r#"{"status":"FAILED"}"#, r#"{"status":"FAILED"}"#, None),
            (
                r#"{"status":"500","message":"ok"}"#,
                r#"{"status":"500"}"#,
                None,
            ),
            (
                r#"{"status-code":400,"statusCode":200}"#,
                r#"{"status-code":400,"statusCode":200}"#,
                None,
            ),
            (r#"{"message":"Broken"}"#, "Broken", None),
            (r#"{"code":429,"message":"Slow down"}"#, "Slow down", None),
            (
                r#"{"code":"ADMIN-403-3"}"#,
                r#"{"code":"ADMIN-403-3"}"#,
                Some("ADMIN-403-3"),
            ),
            (r#"{"detail":"Broken","title":"No"}"#, "No: Broken", None),
        ] {
            let want = Some((message.to_owned(), code.map(str::to_owned)));
            assert_eq!(read_error(envelope), want, "{envelope}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_error() {
        for envelope in [
            "{}",
            r#"{"errors":[],"errorMessages":[]}"#,
            r#"{"errors":{},"error":null}"#,
            r#"{"errors":[null,""],"message":" "}"#,
            r#"{"errors":{"from":null},"error":false,"code":0}"#,
            r#"{"error":"","message":"Success","code":"OK"}"#,
            r#"{"status":200,"code":"X-1","message":"Found 3 records"}"#,
            r#"{"statusCode":"204","message":"Nothing"}"#,
            r#"{"title":"Audit log"}"#,
            r#"{"status":"complete"}"#,
        ] {
            assert_eq!(read_error(envelope), None, "{envelope}");
        }
    }

    #[test]
    fn a_second_member_of_one_name_hides_no_error() {
        let twice = [("errors", r#"["Broken"]"#), ("errors", "[]")];
        assert_eq!(find_error(twice.into_iter()).unwrap().message, "Broken");
    }

    #[test]
    fn a_huge_or_deep_member_is_quoted_and_not_parsed() {
        let huge = format!(r#"["{}"]"#, "x".repeat(MAX_PARSED_BYTES));
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        for text in [huge, deep] {
            let error = find_error([("errors", text.as_str())].into_iter()).unwrap();
            assert!(error.message.chars().count() <= 301);
        }
    }
}
