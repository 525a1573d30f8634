//! The expiry and age of credentials, and the warnings of them.

use chrono::{Months, NaiveDate};

use crate::collect::connector::ApiClient;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::credentials::Credential;
use crate::http::failure::Failure;
use crate::model::time::Timestamp;
use crate::source::api_keys::{self, KeyMatch};
use crate::state::caches::NoticeStore;
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};

/// Days before its expiry from which a credential is warned of.
const END_NOTICE_DAYS: i64 = 30;

/// The age from which a credential is warned of, in months.
const OLD_MONTHS: u32 = 6;

/// When a credential expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialExpiry {
    /// The day, UTC.
    pub day: NaiveDate,
    /// Where it is known from.
    pub source: ExpirySource,
}

/// Where the expiry of a credential is known from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpirySource {
    /// The organization's list of keys, with the name of this one.
    KeyList(Option<String>),
    /// `expires_on`.
    Config,
    /// The answer given to `auth login`.
    Login,
}

impl ExpirySource {
    /// The name in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            ExpirySource::KeyList(_) => "list",
            ExpirySource::Config => "config",
            ExpirySource::Login => "login",
        }
    }
}

/// A reason to create a new credential, and the key under which it is remembered.
pub type ExpiryWarning = (&'static str, ConsoleMessage);

/// Looks up the key in use in the organization's list of keys; `server_now` is the time by the
/// server's clock.
///
/// # Errors
/// The key may not list keys, or the list cannot be read.
pub async fn look_up_key(
    client: &ApiClient,
    source: &SourceSettings,
    org_id: &str,
    server_now: Timestamp,
) -> Result<KeyMatch, Failure> {
    let client = client.without_retries();
    let mut keys = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..api_keys::MAX_PAGES {
        let request = api_keys::request(source.target.base_url(), org_id, cursor.as_deref());
        let page = client.request(&request, api_keys::read).await?;
        keys.extend(page.keys);
        match page.next {
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => {
                return Ok(api_keys::find_key_in_use(keys, source.key_name.as_deref(), server_now));
            }
        }
    }
    // There are more than were read, so the key in use cannot be identified.
    Ok(KeyMatch::Several(keys.len()))
}

/// When `credential` expires, from the best source of it.
pub fn find_expiry(
    source: &SourceSettings,
    credential: Option<&Credential>,
    found: Option<&KeyMatch>,
) -> Option<CredentialExpiry> {
    let expiry = |day, source| CredentialExpiry { day, source };
    let listed = match found {
        Some(KeyMatch::Key(key)) => {
            key.expires_at.map(|end| expiry(end.date_naive(), ExpirySource::KeyList(key.name())))
        }
        _ => None,
    };
    listed
        .or_else(|| Some(expiry(source.expires_on?, ExpirySource::Config)))
        .or_else(|| Some(expiry(credential?.expires?, ExpirySource::Login)))
}

/// Why the list of keys does not show the expiry.
pub fn unknown_reason(found: Option<&KeyMatch>) -> String {
    match found {
        Some(KeyMatch::Several(count)) => format!(
            ": the organization lists {count} keys, and `key_name` does not say which one it is"
        ),
        Some(KeyMatch::NameNotFound) => ": the list of keys has none of that `key_name`".to_owned(),
        Some(KeyMatch::Key(_)) => ": the list of keys has it without an end".to_owned(),
        Some(KeyMatch::NoActiveKey) | None => "; set `expires_on` to be warned".to_owned(),
    }
}

/// Days since `auth login` stored the credential.
pub fn age_in_days(credential: &Credential, now: Timestamp) -> Option<i64> {
    let stored = credential.stored?;
    Some((now - stored).num_days().max(0))
}

/// `in 12 days`, `today`, `12 days ago`.
pub fn relative_day(on: NaiveDate, today: NaiveDate) -> String {
    match (on - today).num_days() {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        -1 => "yesterday".to_owned(),
        days @ ..0 => format!("{} days ago", days.unsigned_abs()),
        days => format!("in {days} days"),
    }
}

/// What to warn of at `now`.
pub fn warnings(
    source: &SourceSettings,
    credential: Option<&Credential>,
    end: Option<&CredentialExpiry>,
    now: Timestamp,
) -> Vec<ExpiryWarning> {
    let mut warnings = Vec::new();
    let left = |end: &CredentialExpiry| (end.day - now.date_naive()).num_days();
    if let Some(end) = end.filter(|end| left(end) <= END_NOTICE_DAYS) {
        let day = end.day;
        let when = match left(end) {
            ..0 => format!("expired on {day}"),
            0 => "expires today".to_owned(),
            1 => "expires tomorrow".to_owned(),
            days => format!("expires in {days} days, on {day}"),
        };
        warnings.push(("end", warning(source, &when)));
    }
    let stored = credential.and_then(|credential| credential.stored);
    if let Some(stored) = stored
        && stored.checked_add_months(Months::new(OLD_MONTHS)).is_some_and(|limit| limit <= now)
    {
        let days = (now - stored).num_days();
        let what = format!("is {days} days old, of {}", stored.date_naive());
        warnings.push(("age", warning(source, &what)));
    }
    warnings
}

fn warning(source: &SourceSettings, what: &str) -> ConsoleMessage {
    let name = &source.name;
    let day = source.expires_on.map_or("", |_| ", and set `expires_on` to its end");
    let hint = match &source.credential {
        CredentialSpec::Keyring => format!(
            "make a new one, then `atlaudit auth login {name}`: the old one stays until the new \
             one works{day}"
        ),
        place => format!("make a new one, and put it where this one is ({place}){day}"),
    };
    ConsoleMessage::new(format!("source `{name}`: the credential {what}")).hint(hint)
}

/// Warns of a credential that expires soon or is old, once a day each.
pub fn warn_daily(
    source: &SourceSettings,
    credential: Option<&Credential>,
    notices: &NoticeStore,
    now: Timestamp,
    console: &StderrConsole,
) {
    let end = find_expiry(source, credential, None);
    for (kind, message) in warnings(source, credential, end.as_ref(), now) {
        if notices.first_today(&source.name, kind, now.date_naive()) {
            console.say(Level::Warning, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::config::check;
    use crate::config::env::ProcessEnv;
    use crate::config::file::ConfigFile;
    use crate::model::time::parse_api_time;

    fn source(more: &str) -> SourceSettings {
        let text = format!("[sources.acme]\ntype = 'org-events'\norg_id = 'o'\n{more}\n");
        let file = ConfigFile::parse("/c".as_ref(), text).unwrap();
        let settings = check::settings(&file, &ProcessEnv::default(), "/s".into()).unwrap();
        settings.sources.into_iter().next().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    fn credential(stored: Option<&str>, expires: Option<&str>) -> Credential {
        Credential {
            key: SecretString::from("k"),
            org_id: None,
            account: None,
            origin: String::new(),
            stored: stored.map(at),
            expires: expires.map(|day| day.parse().unwrap()),
        }
    }

    fn warning_texts(source: &SourceSettings, credential: &Credential, now: &str) -> Vec<String> {
        let end = find_expiry(source, Some(credential), None);
        warnings(source, Some(credential), end.as_ref(), at(now))
            .into_iter()
            .map(|(_, message)| message.text)
            .collect()
    }

    #[test]
    fn an_expiry_is_reported_from_thirty_days_before() {
        let source = source("expires_on = '2027-06-30'");
        let of = credential(None, None);
        for (now, want) in [
            ("2027-05-30T23:59:59Z", None),
            ("2027-05-31T00:00:00Z", Some("expires in 30 days, on 2027-06-30")),
            ("2027-06-29T12:00:00Z", Some("expires tomorrow")),
            ("2027-06-30T12:00:00Z", Some("expires today")),
            ("2027-07-02T00:00:00Z", Some("expired on 2027-06-30")),
        ] {
            let want: Vec<_> = want
                .map(|words| format!("source `acme`: the credential {words}"))
                .into_iter()
                .collect();
            assert_eq!(warning_texts(&source, &of, now), want, "{now}");
        }
    }

    #[test]
    fn an_old_credential_is_reported_after_six_months() {
        let of = credential(Some("2026-08-31T10:00:00Z"), None);
        assert!(warning_texts(&source(""), &of, "2027-02-28T09:59:59Z").is_empty());
        assert_eq!(
            warning_texts(&source(""), &of, "2027-02-28T10:00:00Z"),
            ["source `acme`: the credential is 181 days old, of 2026-08-31"]
        );
        assert_eq!(age_in_days(&of, at("2026-09-02T10:00:00Z")), Some(2));
        // Of a clock that went back.
        assert_eq!(age_in_days(&of, at("2026-08-01T10:00:00Z")), Some(0));
        assert!(
            warning_texts(&source(""), &credential(None, None), "2030-01-01T00:00:00Z").is_empty()
        );
    }

    #[test]
    fn the_key_list_wins_over_the_configuration_and_the_login() {
        let kept = credential(None, Some("2027-01-01"));
        let mut page = api_keys::read(&crate::http::message::Response {
            status: 200,
            headers: Vec::new(),
            body: r#"[{"name":"audit","expiresAt":"2027-03-03T00:00:00Z"}]"#.into(),
        })
        .unwrap();
        let found = KeyMatch::Key(page.keys.remove(0));
        let configured = source("expires_on = '2027-02-02'");
        let on = |source: &SourceSettings, found: Option<&KeyMatch>| {
            find_expiry(source, Some(&kept), found).map(|end| end.day.to_string())
        };
        assert_eq!(on(&configured, Some(&found)).as_deref(), Some("2027-03-03"));
        assert_eq!(on(&configured, Some(&KeyMatch::Several(2))).as_deref(), Some("2027-02-02"));
        assert_eq!(on(&source(""), None).as_deref(), Some("2027-01-01"));
        assert_eq!(find_expiry(&source(""), None, Some(&KeyMatch::NoActiveKey)), None);
        assert_eq!(relative_day(day("2027-01-03"), day("2027-01-01")), "in 2 days");
        assert_eq!(relative_day(day("2027-01-01"), day("2027-01-03")), "2 days ago");
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_hint_names_the_place() {
        let of = credential(None, Some("2027-01-01"));
        let hint = |source: &SourceSettings| {
            let end = find_expiry(source, Some(&of), None);
            let warnings = warnings(source, Some(&of), end.as_ref(), at("2027-01-01T00:00:00Z"));
            warnings[0].1.hint.clone().unwrap()
        };
        assert!(hint(&source("")).contains("`atlaudit auth login acme`"));
        assert!(hint(&source("credential = 'env:K'")).contains("(env:K)"));
    }
}
