//! Parses and validates single values of the configuration and of flags: words, durations, hosts,
//! URLs, ids and modes. An error quotes a value only where it cannot be a secret.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use clap::ValueEnum;
use clap::builder::{PossibleValue, TypedValueParser};
use url::Url;

use crate::config::env;
use crate::config::error::HintedError;
use crate::config::settings::{
    BackfillMode, Compression, Encoding, KeepFiles, OutputFormat, Rotation,
};
use crate::model::address::{SafeUrl, is_loopback};
use crate::model::name::SourceKind;
use crate::model::source_kind::LogRetention;
use crate::model::text::printable;
use crate::model::time::{Timestamp, parse_span};
use crate::model::typed_time::TypedTime;
use crate::model::workspace::{SiteProduct, SiteWorkspace};

/// Whether `text` looks like a key or token itself, where only a reference to one belongs.
///
/// Atlassian's keys start with `ATATT3x` (API tokens), `ATCTT3x` (organization keys) and the like.
pub fn looks_like_key(text: &str) -> bool {
    let upper =
        |range| text.get(range).is_some_and(|s: &str| s.bytes().all(|b| b.is_ascii_uppercase()));
    text.starts_with("AT") && upper(0..5) && text.get(5..7) == Some("3x")
}

/// A time range such as `7d`, `12h` or `90s`.
pub fn duration(text: &str) -> Result<Duration, HintedError> {
    parse_span(text).ok_or_else(|| {
        HintedError::new("not a span of time").hint("write it like `7d`, `12h`, `15m` or `90s`")
    })
}

/// A time range that is not zero.
pub fn nonzero_duration(text: &str) -> Result<Duration, HintedError> {
    let span = duration(text)?;
    require(!span.is_zero(), span, "must be longer than zero", "write it like `30s` or `5m`")
}

/// How far back a first pull reads: at most as long as Atlassian keeps an organization's events.
pub fn lookback(text: &str) -> Result<Duration, HintedError> {
    let most = LogRetention::ORGANIZATION;
    let span = nonzero_duration(text)?;
    let what = "reaches back further than Atlassian keeps an organization's events";
    require(span <= most.span(), span, what, &format!("use at most `{}d`", most.days))
}

/// An instant: a time with its zone, or a day, which begins at midnight UTC, whatever `--tz` says:
/// a file must mean the same to everyone who reads it.
pub fn instant(text: &str) -> Result<Timestamp, HintedError> {
    text.parse().ok().and_then(TypedTime::fixed).ok_or_else(|| {
        HintedError::new("not a point in time")
            .hint("write it like `2026-12-01T00:00:00Z` or `2026-12-01` (UTC)")
    })
}

/// `value` if it is valid.
pub(super) fn require<T>(
    is_valid: bool,
    value: T,
    what: &str,
    hint: &str,
) -> Result<T, HintedError> {
    match is_valid {
        true => Ok(value),
        false => Err(HintedError::new(what).hint(hint)),
    }
}

/// Whether `id` can be a segment of a URL's path.
fn is_path_segment(id: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !id.is_empty() && id.len() <= 128 && id.bytes().all(fits)
}

/// Whether `name` can be what people call something, and not a key.
fn is_name(name: &str) -> bool {
    let fits = !name.is_empty() && name.len() <= 255 && !name.contains(char::is_control);
    fits && !looks_like_key(name)
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

const ORG_ID: &str = "write it like `6f1b2c3d-0000-4000-8000-000000000000`; it is in the URL of \
                      admin.atlassian.com, after /o/";

/// An organization's id. The placeholder of a template, such as `YOUR-ORG-ID`, is not accepted.
pub fn org_id(text: &str) -> Result<String, HintedError> {
    let id = text.trim();
    let is_template = id.to_ascii_lowercase().starts_with("your-");
    let is_id = is_path_segment(id) && !is_template && !looks_like_key(id);
    require(is_id, id.to_owned(), "not an organization id", ORG_ID)
}

/// The same, typed by a person. All known ids are UUIDs, so a typing error is reported at once.
pub fn org_uuid(text: &str) -> Result<String, HintedError> {
    // The address of a page of admin.atlassian.com, as it is pasted.
    let pasted = text.split_once("/o/").map(|(_, rest)| rest);
    let id = pasted.and_then(|rest| rest.split(['/', '?', '#']).next());
    let id = org_id(id.unwrap_or(text))?;
    let is_hex = id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    let is_uuid = is_hex && id.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    require(is_uuid, id, "not an organization id", ORG_ID)
}

/// The e-mail address of a token's account: the user name of Basic authentication, so without `:`.
pub fn email(text: &str) -> Result<String, HintedError> {
    let email = text.trim();
    let fits = email.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    let parts = email.split_once('@');
    let is_email = fits && parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    let hint = "use the address of the account that owns the API token";
    require(is_email, email.to_owned(), "not an e-mail address", hint)
}

/// The user name of an account of a Data Center: of Basic authentication, so without `:`.
pub fn username(text: &str) -> Result<String, HintedError> {
    let name = text.trim();
    let hint = "use the name that the account signs in with; a personal access token needs none";
    require(is_name(name) && !name.contains(':'), name.to_owned(), "not a user name", hint)
}

/// What the organization's list of keys calls a key: its name, label or id, and never the key
/// itself.
pub fn key_name(text: &str) -> Result<String, HintedError> {
    let name = text.trim();
    let hint =
        "use the name that Atlassian Administration shows beside the key, not the key itself";
    require(is_name(name), name.to_owned(), "not the name of a key", hint)
}

/// A site's cloud id.
pub fn cloud_id(text: &str) -> Result<String, HintedError> {
    let id = text.trim();
    let hint = "leave it out, or copy it from https://SITE/_edge/tenant_info: letters, digits and \
                `-`";
    require(is_path_segment(id), id.to_owned(), "not a site's cloud id", hint)
}

/// The product of a site whose workspace is read.
pub fn site_product(text: &str) -> Result<SiteProduct, HintedError> {
    text.trim().parse().map_err(|()| {
        HintedError::new("not a product that has a workspace").hint("`jira` or `confluence`")
    })
}

/// How a long window of workspace events is read.
pub fn backfill(text: &str) -> Result<BackfillMode, HintedError> {
    match text {
        "auto" => Ok(BackfillMode::Auto),
        "pages" => Ok(BackfillMode::Pages),
        "query" => Ok(BackfillMode::Query),
        _ => Err(HintedError::new("not a way to read the past")
            .hint("`auto`, `pages` (page by page) or `query` (asynchronous searches)")),
    }
}

/// The workspace of a product of a site.
pub fn site_workspace(text: &str) -> Result<SiteWorkspace, HintedError> {
    text.trim().parse().map_err(|()| {
        HintedError::new("not the ARI of a workspace").hint("like `ari:cloud:jira::site/CLOUD-ID`")
    })
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
    let is_host = host.len() <= 253 && host.contains('.') && host.split('.').all(label);
    let hint = "write it like `acme.atlassian.net`";
    let host = require(is_host, host, "not a site's host name", hint)?;
    let what = "an address that Atlassian uses for all customers, not a site's";
    require(!NOT_SITES.contains(&host.as_str()), host, what, hint)
}

/// Where requests start: `https`, or `http` to this machine; without user, query and fragment.
/// Trailing slashes are taken off the path.
pub fn base_url(text: &str) -> Result<Url, HintedError> {
    let example = "write it like `https://api.atlassian.com`";
    let mut url =
        Url::parse(text.trim()).map_err(|_| HintedError::new("not a URL").hint(example))?;
    let (what, hint) = match url.scheme() {
        _ if !url.has_host() => ("a URL without a host", example),
        "http" if !is_loopback(&url) => (
            "`http://` would send the key in the clear",
            "use `https://` (`http://` is only for a server on this machine)",
        ),
        scheme if !["http", "https"].contains(&scheme) => ("must start with `https://`", example),
        _ if !url.username().is_empty() || url.password().is_some() => {
            ("must not hold a user name or password", "keep secrets in `credential`")
        }
        _ if url.query().is_some() || url.fragment().is_some() => {
            ("must end before `?` and `#`", example)
        }
        _ => {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&path);
            return Ok(url);
        }
    };
    Err(HintedError::new(what).hint(hint))
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

/// A file's path. `~/` at its start is the home folder: no shell expands it in a file or in quotes.
pub fn path(text: &str) -> Result<PathBuf, HintedError> {
    let (home, rest) = split_home(text)?;
    Ok(PathBuf::from(home + rest))
}

/// The home folder that a path begins with as `~/`, and the rest.
pub(super) fn split_home(text: &str) -> Result<(String, &str), HintedError> {
    if text.trim().is_empty() {
        return Err(HintedError::new("must not be empty"));
    }
    if !text.starts_with('~') {
        return Ok((String::new(), text));
    }
    let Some(rest) = text.strip_prefix("~/") else {
        let hint = "write the whole path; a file of such a name is `./~NAME`";
        return Err(HintedError::new("only `~/` is replaced, by HOME").hint(hint));
    };
    match env::home_folder() {
        Some(home) => Ok((format!("{}/", home.trim_end_matches('/')), rest)),
        None => Err(HintedError::new("`~/` cannot be replaced, since HOME is not set")
            .hint("write the whole path")),
    }
}

/// A path that means the same wherever the program is started.
pub fn absolute_path(text: &str) -> Result<PathBuf, HintedError> {
    let path = path(text)?;
    let is_absolute = path.is_absolute();
    require(is_absolute, path, "not an absolute path", "write the whole path, from `/` on")
}

/// Permission bits of output files, in octal; the owner has to be able to write.
pub fn mode(text: &str) -> Result<u32, HintedError> {
    let hint = "write it in octal, like `0600` or `0640`";
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let bits = u32::from_str_radix(text, 8).ok().filter(|bits| octal && *bits <= 0o777);
    let problem = match bits {
        None => "not a file's permission bits",
        Some(bits) if bits & 0o600 != 0o600 => "the owner must be able to read and write",
        Some(bits) if bits & 0o113 != 0 => {
            "an audit log is neither a program nor for everybody to write"
        }
        Some(bits) => return Ok(bits),
    };
    Err(HintedError::new(problem).hint(hint))
}

/// A day such as `2027-06-30`.
pub fn date(text: &str) -> Result<NaiveDate, HintedError> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
        .map_err(|_| HintedError::new("not a day").hint("write it like `2027-06-30`"))
}

/// `format`: the format of output lines.
pub fn format(text: &str) -> Result<OutputFormat, HintedError> {
    word_of_list("format", text)
}

/// The clouds whose stores are known, by the schemes of their URLs.
pub const STORE_SCHEMES: [&str; 3] = ["s3", "az", "gs"];

/// The address of an object store: `s3://BUCKET/PREFIX`.
pub fn object_store(text: &str) -> Result<Url, HintedError> {
    let hint =
        "write it like `s3://audit-lake/atlassian` (`az://CONTAINER/...`, `gs://BUCKET/...`)";
    let url = Url::parse(text.trim()).ok().filter(|url| STORE_SCHEMES.contains(&url.scheme()));
    let url =
        url.ok_or_else(|| HintedError::new("not the address of an object store").hint(hint))?;
    let is_bare = url.username().is_empty() && url.port().is_none() && url.query().is_none();
    let is_named = url.host_str().is_some_and(|bucket| !bucket.is_empty());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.=/".contains(c);
    let is_plain = url.path().chars().all(is_plain) && url.fragment().is_none();
    require(is_bare && is_named && is_plain, url, "not the address of an object store", hint)
}

/// `encoding`: what output files are made of.
pub fn encoding(text: &str) -> Result<Encoding, HintedError> {
    word_of_list("encoding", text)
}

/// `compression`: how output is compressed.
pub fn compression(text: &str) -> Result<Compression, HintedError> {
    word_of_list("compression", text)
}

/// `type`: the kind of a source.
pub fn source_kind(text: &str) -> Result<SourceKind, HintedError> {
    word_of_list("source type", text)
}

/// The variant named `text`; `of` says what the words are.
pub(super) fn word_of_list<T: ValueEnum>(of: &str, text: &str) -> Result<T, HintedError> {
    T::from_str(text, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(T::to_possible_value);
        let names: Vec<_> = names.map(|value| format!("`{}`", value.get_name())).collect();
        let known = match names.as_slice() {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            names => names.concat(),
        };
        unknown(of, text, &known)
    })
}

/// clap's parser of a word that `read` accepts, for a flag whose completions show all of them.
pub fn word<T>(read: fn(&str) -> Result<T, HintedError>) -> WordParser<T> {
    WordParser(read)
}

/// See [`word`]. The errors are those of the configuration, not clap's.
#[derive(Clone)]
pub struct WordParser<T: 'static>(fn(&str) -> Result<T, HintedError>);

impl<T: ValueEnum + Send + Sync + 'static> TypedValueParser for WordParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        self.0.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(T::value_variants().iter().filter_map(T::to_possible_value)))
    }
}

/// `rotate`: `never`, `hourly`, `daily`, a span such as `5m`, or a size such as `100MiB`.
pub fn rotate(text: &str) -> Result<Rotation, HintedError> {
    match text {
        "never" => Ok(Rotation::Never),
        "hourly" => Ok(Rotation::HOURLY),
        "daily" => Ok(Rotation::DAILY),
        // Not every span: `100M` would mean months, and be taken for a size.
        _ if text.strip_suffix(['m', 'h', 'd']).is_some_and(is_number) => {
            let span = duration(text)?;
            let hint = format!("use {ROTATIONS}");
            require(span >= MINUTE, Rotation::Every(span), "must be at least a minute", &hint)
        }
        _ if text.starts_with(|c: char| c.is_ascii_digit()) => size(text).map(Rotation::Size),
        _ => Err(unknown("rotation", text, ROTATIONS)),
    }
}

/// `keep`: how long finished files are kept.
pub fn keep(text: &str) -> Result<KeepFiles, HintedError> {
    if text == "forever" {
        return Ok(KeepFiles::Forever);
    }
    let span = duration(text)?;
    let hint = "write it like `90d`, or `forever`";
    require(span >= DAY, KeepFiles::For(span), "must be at least a day", hint)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

const ROTATIONS: &str = "`never`, `hourly`, `daily`, a span from `1m` on such as `5m`, or a size \
     from `1KiB` on such as `100MiB` (B, KiB, MiB, GiB, KB, MB or GB)";

const MINUTE: Duration = Duration::from_secs(60);

/// The least size of a file: a smaller one would hold a line or two.
const LEAST_SIZE: u64 = 1024;

/// A size in bytes: a whole number and a unit, 1024 or 1000 times the one before.
fn size(text: &str) -> Result<u64, HintedError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default().trim_start();
    let factor = match unit {
        _ if !is_number(digits) => return Err(unknown("rotation", text, ROTATIONS)),
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(unknown("rotation", text, ROTATIONS)),
    };
    let problem = match digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)) {
        Some(bytes) if bytes >= LEAST_SIZE => return Ok(bytes),
        Some(_) => "a file of less than 1KiB holds hardly a line".to_owned(),
        None => format!("`{}` is too large", printable(text)),
    };
    Err(HintedError::new(problem).hint(format!("use {ROTATIONS}")))
}

fn unknown(of: &str, text: &str, known: &str) -> HintedError {
    HintedError::new(format!("unknown {of} `{}`", printable(text))).hint(format!("use {known}"))
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
