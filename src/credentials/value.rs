//! Parses and writes the stored text of a secret: the key alone, or a JSON object with what
//! belongs to it.

use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::error::HintedError;
use crate::config::validate;
use crate::model::time::{Timestamp, format_millis, parse_api_time};

/// A source's secret and what was stored beside it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The API key or token.
    pub key: SecretString,
    /// The organization: the configured one, else the one stored beside the key.
    pub org_id: Option<String>,
    /// The account of Basic authentication: the configured one, else the one stored beside the key.
    pub account: Option<String>,
    /// Where it was found, in words that may be printed.
    pub origin: String,
    /// When `auth login` stored it, where that is known.
    pub stored: Option<Timestamp>,
    /// The day it expires, if it was given to `auth login`.
    pub expires: Option<NaiveDate>,
}

/// The JSON form. Without `Debug`: it holds the key in the clear.
#[derive(Serialize, Deserialize, Default)]
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

impl Credential {
    /// The text to store, with or without the account.
    pub(super) fn to_text(&self, has_email: bool) -> Result<SecretString, HintedError> {
        let object = StoredSecretJson {
            org_id: self.org_id.clone(),
            email: self.account.clone().filter(|_| has_email),
            api_key: self.key.expose_secret().to_owned(),
            stored: self.stored.map(|time| format_millis(time).into()),
            expires: self.expires.map(|day| day.to_string().into()),
        };
        serde_json::to_string(&object)
            .map(SecretString::from)
            .map_err(|_| HintedError::new("the key cannot be written as JSON"))
    }
}

/// Reads what was found at `origin`.
pub(super) fn parse(text: &SecretString, origin: &str) -> Result<Credential, HintedError> {
    let text = text.expose_secret().trim();
    let object: StoredSecretJson = match text.starts_with('{') {
        false => StoredSecretJson { api_key: text.to_owned(), ..StoredSecretJson::default() },
        // serde's message would quote a value of the wrong type.
        true => serde_json::from_str(text).map_err(|_| {
            HintedError::new(format!(
                "{origin}: not a JSON object with the texts `api_key` and `org_id` or `email`"
            ))
            .hint(
                "keep the key alone, or an object like {\"org_id\": \"...\", \"api_key\": \"...\"}",
            )
        })?,
    };
    let beside = |key: &str, value: Option<String>, check: fn(&str) -> _| {
        let value = value.filter(|value| !value.trim().is_empty());
        let checked = value.map(|value| check(&value)).transpose();
        checked.map_err(|refusal: HintedError| refusal.with_context(format!("{origin}: `{key}`")))
    };
    let text = |value: &Option<serde_json::Value>| value.as_ref()?.as_str().map(str::to_owned);
    Ok(Credential {
        stored: text(&object.stored).and_then(|time| parse_api_time(&time)),
        expires: text(&object.expires).and_then(|day| validate::date(&day).ok()),
        key: check_key(&object.api_key).map_err(|refusal| refusal.with_context(origin))?,
        org_id: beside("org_id", object.org_id, validate::org_id)?,
        account: beside("email", object.email, validate::email)?,
        origin: origin.to_owned(),
    })
}

/// Checks that a key can be sent in a header; blanks and newlines around it are removed. Its length
/// says nothing: Atlassian's keys have many.
pub fn check_key(text: &str) -> Result<SecretString, HintedError> {
    let key = text.trim();
    if key.is_empty() {
        return Err(HintedError::new("the key is empty")
            .hint("paste the key and press Enter, or look at what it is read from"));
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

    fn read(text: &str) -> Result<Credential, HintedError> {
        parse(&SecretString::from(text), "here")
    }

    #[test]
    fn a_key_alone_or_an_object() {
        assert_eq!(read("k=1\r\n\n").unwrap().key.expose_secret(), "k=1");
        let kept = read(r#" {"email": "a@b.c", "api_key": "k", "more": 1} "#).unwrap();
        assert_eq!((kept.account.as_deref(), kept.key.expose_secret()), (Some("a@b.c"), "k"));
        assert_eq!(read(r#"{"org_id": "", "api_key": "k"}"#).unwrap().org_id, None);
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let kept = Credential {
            key: SecretString::from("k\"1"),
            org_id: Some("o-1".to_owned()),
            account: Some("ada".to_owned()),
            origin: String::new(),
            stored: parse_api_time("2026-11-20T09:30:00Z"),
            expires: validate::date("2027-06-30").ok(),
        };
        let text = kept.to_text(false).unwrap();
        assert_eq!(
            text.expose_secret(),
            r#"{"org_id":"o-1","api_key":"k\"1","stored":"2026-11-20T09:30:00.000Z","expires":"2027-06-30"}"#
        );
        let earlier = read(r#"{"api_key": "k", "stored": 5, "expires": "soon"}"#).unwrap();
        assert_eq!((earlier.stored, earlier.expires), (None, None));
        let back = parse(&text, "here").unwrap();
        assert_eq!((back.org_id.as_deref(), back.key.expose_secret()), (Some("o-1"), "k\"1"));
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
