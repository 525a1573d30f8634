//! Parses and writes the stored text of a secret: the key alone, or a JSON object with what
//! belongs to it.

use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::error::HintedError;
use crate::config::validate;
use crate::model::time::{Timestamp, format_millis, parse_api_time};

/// A key and what is kept beside it.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    /// The API key or token.
    pub api_key: SecretString,
    /// The organization that the key belongs to.
    pub org_id: Option<String>,
    /// The account that the token belongs to.
    pub email: Option<String>,
    /// When it was put there; nothing in what earlier versions kept.
    pub stored: Option<Timestamp>,
    /// The day it ends, where that was known then.
    pub expires: Option<NaiveDate>,
}

/// The JSON form. Without `Debug`: it holds the key in the clear.
#[derive(Serialize, Deserialize)]
struct StoredSecretJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    api_key: String,
    /// Of any type: what nobody can read is not worth a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<serde_json::Value>,
}

impl StoredSecret {
    /// The text to keep.
    pub(super) fn to_text(&self) -> Result<SecretString, HintedError> {
        let object = StoredSecretJson {
            org_id: self.org_id.clone(),
            email: self.email.clone(),
            api_key: self.api_key.expose_secret().to_owned(),
            stored: self.stored.map(|time| format_millis(time).into()),
            expires: self.expires.map(|day| day.to_string().into()),
        };
        serde_json::to_string(&object)
            .map(SecretString::from)
            .map_err(|_| HintedError::new("the key cannot be written as JSON"))
    }
}

/// Reads what was found at `place`.
pub(super) fn parse(text: &SecretString, place: &str) -> Result<StoredSecret, HintedError> {
    let text = text.expose_secret().trim();
    if !text.starts_with('{') {
        return Ok(StoredSecret {
            api_key: key(text, place)?,
            org_id: None,
            email: None,
            stored: None,
            expires: None,
        });
    }
    // serde's message would quote a value of the wrong type.
    let object: StoredSecretJson = serde_json::from_str(text).map_err(|_| {
        HintedError::new(format!(
            "{place}: not a JSON object with the texts `api_key` and `org_id` or `email`"
        ))
        .hint("keep the key alone, or an object like {\"org_id\": \"...\", \"api_key\": \"...\"}")
    })?;
    let beside = |what: &str, checked: Result<String, HintedError>| {
        checked.map_err(|refusal| HintedError {
            what: format!("{place}: `{what}`: {}", refusal.what),
            ..refusal
        })
    };
    let org_id = object.org_id.filter(|id| !id.trim().is_empty());
    let email = object.email.filter(|email| !email.trim().is_empty());
    let text = |value: &Option<serde_json::Value>| value.as_ref()?.as_str().map(str::to_owned);
    Ok(StoredSecret {
        stored: text(&object.stored).and_then(|time| parse_api_time(&time)),
        expires: text(&object.expires).and_then(|day| validate::date(&day).ok()),
        api_key: key(&object.api_key, place)?,
        org_id: org_id.map(|id| beside("org_id", validate::org_id(&id))).transpose()?,
        email: email.map(|email| beside("email", validate::email(&email))).transpose()?,
    })
}

fn key(text: &str, place: &str) -> Result<SecretString, HintedError> {
    check_key(text)
        .map_err(|refusal| HintedError { what: format!("{place}: {}", refusal.what), ..refusal })
}

/// Checks that a key can be sent in a header; blanks and newlines around it are removed. Its length
/// says nothing: Atlassian's keys have many.
pub fn check_key(text: &str) -> Result<SecretString, HintedError> {
    let key = text.trim();
    if key.is_empty() {
        return Err(HintedError::new("the key is empty")
            .hint("paste the key and press Enter, or write it to the file"));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(HintedError::new(
            "the key holds blanks, control characters or letters beyond ASCII",
        )
        .hint("keep the key alone there, on one line, without quotes or a name before it"));
    }
    Ok(SecretString::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StoredSecret, HintedError> {
        parse(&SecretString::from(text), "here")
    }

    #[test]
    fn a_key_alone_or_an_object() {
        assert_eq!(read("k=1\r\n\n").unwrap().api_key.expose_secret(), "k=1");
        let kept = read(r#" {"email": "a@b.c", "api_key": "k", "more": 1} "#).unwrap();
        assert_eq!((kept.email.as_deref(), kept.api_key.expose_secret()), (Some("a@b.c"), "k"));
        assert_eq!(read(r#"{"org_id": "", "api_key": "k"}"#).unwrap().org_id, None);
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let kept = StoredSecret {
            api_key: SecretString::from("k\"1"),
            org_id: Some("o-1".to_owned()),
            email: None,
            stored: parse_api_time("2026-11-20T09:30:00Z"),
            expires: validate::date("2027-06-30").ok(),
        };
        let text = kept.to_text().unwrap();
        assert_eq!(
            text.expose_secret(),
            r#"{"org_id":"o-1","api_key":"k\"1","stored":"2026-11-20T09:30:00.000Z","expires":"2027-06-30"}"#
        );
        let earlier = read(r#"{"api_key": "k", "stored": 5, "expires": "soon"}"#).unwrap();
        assert_eq!((earlier.stored, earlier.expires), (None, None));
        let back = parse(&text, "here").unwrap();
        assert_eq!((back.org_id.as_deref(), back.api_key.expose_secret()), (Some("o-1"), "k\"1"));
        assert_eq!((back.stored, back.expires), (kept.stored, kept.expires));
        assert!(!format!("{back:?}").contains("k\"1"));
    }

    #[test]
    fn useless_values_are_refused_and_not_shown() {
        for bad in [
            "",
            " \n",
            "SECRET KEY",
            "SECRET\nKEY",
            "SECRÉT",
            "SECRET\u{7}",
            r#"{"api_key": ""}"#,
            r#"{"api_key": "SEC RET"}"#,
            r#"{"api_key": ["SECRET"]}"#,
            r#"{"key": "SECRET"}"#,
            r#"{"api_key": "k", "org_id": "SECRET/"}"#,
            r#"{"api_key": "SECRET""#,
        ] {
            let refusal = read(bad).unwrap_err();
            let said = format!("{refusal} {refusal:?}");
            assert!(!said.contains("SEC"), "{said}");
            assert!(refusal.what.starts_with("here: "), "{said}");
        }
    }
}
