//! Checks the table of one source and turns it into settings that the rest of the program trusts.

use std::ops::Range;
use std::time::Duration;

use chrono::NaiveDate;
use url::Url;

use crate::config::credential_spec;
use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{ConfigFile, ErrorLocation, OutputTable, SourceTable, SpannedText};
use crate::config::keywords;
use crate::config::output::{self, OutputLayer};
use crate::config::settings::{
    ConnectionSettings, CredentialSpec, GatewayRoute, OutputSettings, SiteRoute, SiteTarget,
    SourceSettings, SourceTarget,
};
use crate::config::validate::{self, duration, nonzero_duration, number};
use crate::model::address::is_loopback;
use crate::model::name::{SourceKind, SourceName};
use crate::model::source_kind::SourceAddress;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const CLOUD_HOST: &str = "api.atlassian.com";

/// Checks one source, whose name stands at `place`. Values are checked in the order of this code:
/// the first error is reported.
pub(super) fn check(
    file: &ConfigFile,
    (name, place): (&SourceName, &Range<usize>),
    table: &SourceTable,
    below: &OutputLayer,
) -> Result<SourceSettings, ConfigError> {
    let at = ErrorLocation { file, source: Some((name, place)) };
    let kind = at
        .text("type", &table.kind, keywords::source_kind)?
        .ok_or_else(|| at.missing("type", "add `type = \"org-events\"`, or another type"))?;
    reject_inapplicable_keys(&at, table, kind)?;
    let most = kind.descriptor().page_size;
    Ok(SourceSettings {
        name: name.clone(),
        target: target(&at, table, kind)?,
        page_size: at
            .value("page_size", &table.page_size, |n| number(*n, 1..=most))?
            .unwrap_or(most),
        concurrency: at
            .value("concurrency", &table.concurrency, |n| number(*n, 1..=64))?
            .unwrap_or(kind.descriptor().concurrency),
        credential: at
            .text("credential", &table.credential, credential_spec::parse)?
            .unwrap_or(CredentialSpec::Keyring),
        overlap: at.text("overlap", &table.overlap, duration)?.unwrap_or(10 * MINUTE),
        late_margin: at.text("late_margin", &table.late_margin, duration)?.unwrap_or(DAY),
        initial_lookback: at
            .text("initial_lookback", &table.initial_lookback, validate::lookback)?
            .unwrap_or(7 * DAY),
        key_name: at.text("key_name", &table.key_name, validate::key_name)?,
        expires_on: at.value("expires_on", &table.expires_on, expiry)?,
        connection: connection(&at, table)?,
        output: {
            let mut output = OutputSettings::default();
            below.apply(&mut output, name);
            output_layer(&at, &table.output)?.apply(&mut output, name);
            output
        },
    })
}

/// TOML has dates of its own; a string is read the same way.
fn expiry(value: &toml::Value) -> Result<NaiveDate, HintedError> {
    match value {
        toml::Value::String(text) => validate::date(text),
        toml::Value::Datetime(day) => validate::date(&day.to_string()),
        _ => validate::date(""),
    }
}

fn connection(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
) -> Result<ConnectionSettings, ConfigError> {
    Ok(ConnectionSettings {
        timeout: at
            .text("timeout", &table.timeout, nonzero_duration)?
            .unwrap_or(Duration::from_secs(30)),
        retry_for: at.text("retry_for", &table.retry_for, duration)?.unwrap_or(MINUTE),
        max_wait: at.text("max_wait", &table.max_wait, duration)?.unwrap_or(15 * MINUTE),
        requests_per_minute: at.value("requests_per_minute", &table.requests_per_minute, |n| {
            number(*n, 1..=u32::MAX)
        })?,
        ca_file: at.text("ca_file", &table.ca_file, validate::path)?,
        proxy: at.text("proxy", &table.proxy, validate::proxy)?,
    })
}

/// Checks `[output]` or a source's `output.*`.
pub(super) fn output_layer(
    at: &ErrorLocation<'_>,
    table: &OutputTable,
) -> Result<OutputLayer, ConfigError> {
    Ok(OutputLayer {
        path: at.text("output.path", &table.path, output::path_template)?,
        format: at.text("output.format", &table.format, keywords::format)?,
        compression: at.text("output.compression", &table.compression, keywords::compression)?,
        rotation: at.text("output.rotate", &table.rotate, keywords::rotate)?,
        mode: at.text("output.mode", &table.mode, validate::mode)?,
    })
}

/// The keys that address a source, which depend on its kind.
fn target(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    kind: SourceKind,
) -> Result<SourceTarget, ConfigError> {
    let base_url = at.text("base_url", &table.base_url, validate::base_url)?;
    match kind.address() {
        SourceAddress::Organization => Ok(SourceTarget::OrgEvents {
            base_url: base_url.map_or_else(|| https(CLOUD_HOST), Ok)?,
            org_id: at.text("org_id", &table.org_id, validate::org_id)?,
        }),
        SourceAddress::Site => site(at, table, kind, base_url),
        SourceAddress::Server => {
            let username = at.text("username", &table.username, validate::username)?;
            let missing =
                || at.missing("base_url", "add `base_url = \"https://jira.acme.example\"`");
            Ok(SourceTarget::Datacenter { base_url: base_url.ok_or_else(missing)?, username })
        }
    }
}

fn site(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    kind: SourceKind,
    base_url: Option<Url>,
) -> Result<SourceTarget, ConfigError> {
    let site = at
        .text("site", &table.site, validate::site)?
        .ok_or_else(|| at.missing("site", "add `site = \"acme.atlassian.net\"`"))?;
    let email = at.text("email", &table.email, validate::email)?;
    let cloud_id = at.text("cloud_id", &table.cloud_id, validate::cloud_id)?;
    let gateway = at.value("gateway", &table.gateway, |&yes| match (yes, &cloud_id) {
        (false, Some(_)) => Err(HintedError::new("`cloud_id` has no effect without the gateway")
            .hint("take one of them out")),
        (yes, _) => Ok(yes),
    })?;
    let route = match (gateway.unwrap_or(cloud_id.is_some()), base_url) {
        (false, Some(base_url)) => SiteRoute::Direct(base_url),
        (false, None) => SiteRoute::Direct(https(&site)?),
        (true, base_url) => SiteRoute::Gateway(GatewayRoute {
            // A loopback server replaces all of Atlassian's servers; another gateway is no site.
            site_url: match &base_url {
                Some(url) if is_loopback(url) => url.clone(),
                _ => https(&site)?,
            },
            base_url: base_url.map_or_else(|| https(CLOUD_HOST), Ok)?,
            cloud_id,
        }),
    };
    let resolve_users = table.resolve_users.as_ref().is_some_and(|yes| *yes.get_ref());
    Ok(SourceTarget::Site(SiteTarget { kind, site, email, route, resolve_users }))
}

/// A key that would do nothing is refused: most often it is the `type` that is wrong.
fn reject_inapplicable_keys(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    kind: SourceKind,
) -> Result<(), ConfigError> {
    use SourceAddress::{Organization, Server, Site};
    let texts: [(&str, &SpannedText, SourceAddress); 6] = [
        ("org_id", &table.org_id, Organization),
        ("key_name", &table.key_name, Organization),
        ("site", &table.site, Site),
        ("email", &table.email, Site),
        ("cloud_id", &table.cloud_id, Site),
        ("username", &table.username, Server),
    ];
    for (key, value, address) in texts {
        at.value(key, value, |_| only_for(address, kind))?;
    }
    at.value("gateway", &table.gateway, |_| only_for(Site, kind))?;
    at.value("resolve_users", &table.resolve_users, |_| only_for(Site, kind))?;
    Ok(())
}

fn only_for(address: SourceAddress, kind: SourceKind) -> Result<(), HintedError> {
    if kind.address() == address {
        return Ok(());
    }
    let kinds = SourceKind::addressed_by(address);
    let names: Vec<String> = kinds.map(|kind| format!("`{kind}`")).collect();
    let names = names.join(" and ");
    Err(HintedError::new(format!("belongs to sources of type {names} only"))
        .hint("check the source's `type`, or take the key out"))
}

fn https(host: &str) -> Result<Url, HintedError> {
    validate::base_url(&format!("https://{host}"))
}
