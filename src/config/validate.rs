//! Validates single values: durations, hosts, URLs, ids and modes. An error quotes a value only
//! where it cannot be a secret.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use url::Url;

use crate::config::error::HintedError;
use crate::model::address::{SafeUrl, is_loopback};
use crate::model::source_kind::LogRetention;
use crate::model::time::parse_span;

/// Whether `text` looks like a key or token itself, where only a reference to one belongs.
///
/// Atlassian's keys start with `ATATT3x` (API tokens), `ATCTT3x` (organization keys) and their like.
pub fn looks_like_key(text: &str) -> bool {
    let upper =
        |range| text.get(range).is_some_and(|s: &str| s.bytes().all(|b| b.is_ascii_uppercase()));
    text.starts_with("AT") && upper(0..5) && text.get(5..7) == Some("3x")
}

/// A span of time such as `7d`, `12h` or `90s`.
pub fn duration(text: &str) -> Result<Duration, HintedError> {
    parse_span(text).ok_or_else(|| {
        HintedError::new("not a span of time").hint("write it like `7d`, `12h`, `15m` or `90s`")
    })
}

/// A span of time that is not zero.
pub fn nonzero_duration(text: &str) -> Result<Duration, HintedError> {
    let span = duration(text)?;
    if span.is_zero() {
        return Err(
            HintedError::new("must be longer than zero").hint("write it like `30s` or `5m`")
        );
    }
    Ok(span)
}

/// How far back a first pull reads: at most as long as Atlassian keeps an organization's events.
pub fn lookback(text: &str) -> Result<Duration, HintedError> {
    let most = LogRetention::ORGANIZATION;
    let span = nonzero_duration(text)?;
    if span > most.span() {
        let days = most.days;
        return Err(HintedError::new(
            "reaches back further than Atlassian keeps an organization's events",
        )
        .hint(format!("use at most `{days}d`")));
    }
    Ok(span)
}

/// A whole number within `range`.
pub fn number(value: i64, range: RangeInclusive<u32>) -> Result<u32, HintedError> {
    let fitting = u32::try_from(value).ok().filter(|n| range.contains(n));
    fitting.ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        match *most {
            u32::MAX => HintedError::new(format!("must be at least {least}, not {value}")),
            _ => HintedError::new(format!("must be {least} to {most}, not {value}")),
        }
    })
}

const ORG_ID: &str = "write it like `6f1b2c3d-0000-4000-8000-000000000000`; it is in the URL of admin.atlassian.com, after /o/";

/// An organization's id: it becomes a segment of a URL's path. What a template has in its place is none.
pub fn org_id(text: &str) -> Result<String, HintedError> {
    let id = text.trim();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let is_template = id.to_ascii_lowercase().starts_with("your-");
    let is_odd = id.is_empty() || id.len() > 128 || !id.bytes().all(fits);
    match is_odd || is_template || looks_like_key(id) {
        true => Err(HintedError::new("not an organization id").hint(ORG_ID)),
        false => Ok(id.to_owned()),
    }
}

/// The same, typed by a person. All known ids are UUIDs, so a typing error is reported at once.
pub fn org_uuid(text: &str) -> Result<String, HintedError> {
    // The address of a page of admin.atlassian.com, as it is pasted.
    let pasted = text.split_once("/o/").map(|(_, rest)| rest);
    let id = pasted.and_then(|rest| rest.split(['/', '?', '#']).next());
    let id = org_id(id.unwrap_or(text))?;
    let groups: Vec<&str> = id.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths = groups.iter().map(|group| group.len());
    match lengths.eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex) {
        true => Ok(id),
        false => Err(HintedError::new("not an organization id").hint(ORG_ID)),
    }
}

/// The e-mail address of a token's account: the user name of Basic authentication, so without `:`.
pub fn email(text: &str) -> Result<String, HintedError> {
    let email = text.trim();
    let fits = email.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    match email.split_once('@') {
        Some((user, domain)) if fits && !user.is_empty() && !domain.is_empty() => {
            Ok(email.to_owned())
        }
        _ => Err(HintedError::new("not an e-mail address")
            .hint("use the address of the account that owns the API token")),
    }
}

/// The user name of an account of a Data Center: of Basic authentication, so without `:`.
pub fn username(text: &str) -> Result<String, HintedError> {
    let name = text.trim();
    let is_odd = |c: char| c.is_control() || c == ':';
    if name.is_empty() || name.len() > 255 || name.contains(is_odd) || looks_like_key(name) {
        return Err(HintedError::new("not a user name").hint(
            "use the name that the account signs in with; a personal access token needs none",
        ));
    }
    Ok(name.to_owned())
}

/// What the organization's list of keys calls a key: its name, label or id, and never the key itself.
pub fn key_name(text: &str) -> Result<String, HintedError> {
    let name = text.trim();
    if name.is_empty()
        || name.len() > 255
        || name.contains(char::is_control)
        || looks_like_key(name)
    {
        return Err(HintedError::new("not the name of a key").hint(
            "use the name that Atlassian Administration shows beside the key, not the key itself",
        ));
    }
    Ok(name.to_owned())
}

/// A site's cloud id: it becomes a segment of a URL's path.
pub fn cloud_id(text: &str) -> Result<String, HintedError> {
    let id = text.trim();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if id.is_empty() || id.len() > 128 || !id.bytes().all(fits) {
        return Err(HintedError::new("not a site's cloud id").hint(
            "leave it out, or copy it from https://SITE/_edge/tenant_info: letters, digits and `-`",
        ));
    }
    Ok(id.to_owned())
}

/// Hosts whose pages are pasted by mistake: they serve every customer.
const NOT_SITES: [&str; 4] =
    ["admin.atlassian.com", "api.atlassian.com", "home.atlassian.com", "id.atlassian.com"];

/// A site's bare host name, also out of the address of one of its pages.
pub fn site(text: &str) -> Result<String, HintedError> {
    let bare = text.trim().to_ascii_lowercase();
    let schemes = ["https://", "http://"].iter();
    let bare =
        schemes.fold(bare.as_str(), |rest, scheme| rest.strip_prefix(scheme).unwrap_or(rest));
    let host = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.strip_suffix(":443").unwrap_or(host).to_owned();
    let label =
        |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if host.len() > 253 || !host.contains('.') || !host.split('.').all(label) {
        return Err(
            HintedError::new("not a site's host name").hint("write it like `acme.atlassian.net`")
        );
    }
    if NOT_SITES.contains(&host.as_str()) {
        return Err(HintedError::new(
            "an address that Atlassian uses for all customers, not a site's",
        )
        .hint("write it like `acme.atlassian.net`"));
    }
    Ok(host)
}

/// Where requests start: `https`, or `http` to this machine; without user, query and fragment.
/// Trailing slashes are taken off the path.
pub fn base_url(text: &str) -> Result<Url, HintedError> {
    let mut url = Url::parse(text.trim()).map_err(|_| {
        HintedError::new("not a URL").hint("write it like `https://api.atlassian.com`")
    })?;
    if !url.has_host() {
        return Err(HintedError::new("a URL without a host")
            .hint("write it like `https://api.atlassian.com`"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(HintedError::new("`http://` would send the key in the clear")
                .hint("use `https://` (`http://` is only for a server on this machine)"));
        }
        _ => {
            return Err(HintedError::new("must start with `https://`")
                .hint("write it like `https://api.atlassian.com`"));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(HintedError::new("must not hold a user name or password")
            .hint("keep secrets in `credential`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(HintedError::new("must end before `?` and `#`")
            .hint("write it like `https://api.atlassian.com`"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A proxy's URL, which may hold a user name and password.
pub fn proxy(text: &str) -> Result<SafeUrl, HintedError> {
    let fits = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    match Url::parse(text.trim()) {
        Ok(url) if fits(&url) => Ok(SafeUrl::new(url)),
        _ => {
            Err(HintedError::new("not a proxy's URL")
                .hint("write it like `http://proxy.example:3128`"))
        }
    }
}

/// A file's path; nobody expands `~` here, and a folder of that name is never meant.
pub fn path(text: &str) -> Result<PathBuf, HintedError> {
    if text.trim().is_empty() {
        return Err(HintedError::new("must not be empty"));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(HintedError::new("`~` is not expanded").hint("write the whole path"));
    }
    Ok(PathBuf::from(text))
}

/// Permission bits of output files, in octal; the owner has to be able to write.
pub fn mode(text: &str) -> Result<u32, HintedError> {
    let hint = "write it in octal, like `0600` or `0640`";
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| octal && *bits <= 0o777);
    match bits {
        None => Err(HintedError::new("not a file's permission bits").hint(hint)),
        Some(bits) if bits & 0o600 != 0o600 => {
            Err(HintedError::new("the owner must be able to read and write").hint(hint))
        }
        Some(bits) if bits & 0o113 != 0 => {
            Err(HintedError::new("an audit log is neither a program nor for everybody to write")
                .hint(hint))
        }
        Some(bits) => Ok(bits),
    }
}

/// A day such as `2027-06-30`.
pub fn date(text: &str) -> Result<NaiveDate, HintedError> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
        .map_err(|_| HintedError::new("not a day").hint("write it like `2027-06-30`"))
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
