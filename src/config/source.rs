//! Checks the table of one source and turns it into settings that the rest of the program trusts.

use std::ops::Range;
use std::time::Duration;

use chrono::NaiveDate;
use url::Url;

use crate::config::credential_spec;
use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{ConfigFile, ErrorLocation, OutputTable, SourceTable, SpannedText};
use crate::config::output::OutputLayer;
use crate::config::path_template::parse_template;
use crate::config::settings::{
    CLOUD_HOST, ConnectionSettings, CredentialSpec, GatewayRoute, OutputSettings, SourceSettings,
    SourceTarget, server_name,
};
use crate::config::validate::{self, duration, nonzero_duration, number};
use crate::model::address::is_loopback;
use crate::model::name::{SourceKind, SourceName};
use crate::model::source_kind::{GatewayUse, SourceAddress};
use crate::model::time::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks one source, whose name is at `place`. Values are checked in the order of this code:
/// the first error is reported.
pub(super) fn check(
    file: &ConfigFile,
    (name, place): (&SourceName, &Range<usize>),
    table: &SourceTable,
    below: &OutputLayer,
) -> Result<SourceSettings, ConfigError> {
    let at = ErrorLocation { file, source: Some((name, place)) };
    let kind = at
        .text("type", &table.kind, validate::source_kind)?
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
        backfill: at.text("backfill", &table.backfill, validate::backfill)?.unwrap_or_default(),
        overlap: at.text("overlap", &table.overlap, duration)?.unwrap_or(10 * MINUTE),
        late_margin: at.text("late_margin", &table.late_margin, duration)?.unwrap_or(DAY),
        initial_lookback: at
            .text("initial_lookback", &table.initial_lookback, validate::lookback)?
            .unwrap_or(7 * DAY),
        initial_from: initial_from(&at, table)?,
        key_name: at.text("key_name", &table.key_name, validate::key_name)?,
        expires_on: at.value("expires_on", &table.expires_on, expiry)?,
        connection: connection(&at, table)?,
        output: {
            let own = output_layer(&at, &table.output)?;
            let mut output = OutputSettings::default();
            below.apply(&mut output, name);
            own.apply(&mut output, name);
            if let Some(preset) = output.preset {
                let check = || preset.check(&output);
                // What is wrong stands where something is said.
                let says_nothing = OutputLayer { mode: own.mode, ..OutputLayer::default() } == own;
                let all = ErrorLocation { file, source: None };
                match says_nothing {
                    true => all.value("output.preset", &file.tables.output.preset, |_| check())?,
                    false => at.whole("output", check).map(Some)?,
                };
            }
            output
        },
        // They follow from what is the same for all sources, and from flags.
        alerts: None,
        extra_actions: None,
    })
}

fn initial_from(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
) -> Result<Option<Timestamp>, ConfigError> {
    at.value("initial_from", &table.initial_from, |value| {
        if table.initial_lookback.is_some() {
            return Err(HintedError::new("stands beside `initial_lookback`")
                .hint("take one of them out: both say where the first pull begins"));
        }
        // TOML has dates of its own.
        match value.as_str() {
            Some(text) => validate::instant(text),
            None => validate::instant(&value.to_string()),
        }
    })
}

/// TOML has dates of its own; a string is read the same way.
fn expiry(value: &toml::Value) -> Result<NaiveDate, HintedError> {
    match value.as_str() {
        Some(text) => validate::date(text),
        None => validate::date(&value.to_string()),
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
        preset: at
            .text("output.preset", &table.preset, |text| validate::word_of_list("preset", text))?,
        path: at.text("output.path", &table.path, parse_template)?,
        format: at.text("output.format", &table.format, validate::format)?,
        encoding: at.text("output.encoding", &table.encoding, validate::encoding)?,
        compression: at.text("output.compression", &table.compression, validate::compression)?,
        rotation: at.text("output.rotate", &table.rotate, validate::rotate)?,
        keep: at.text("output.keep", &table.keep, validate::keep)?,
        mode: at.text("output.mode", &table.mode, validate::mode)?,
    })
}

/// Checks the keys that address a source, which depend on its kind.
fn target(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    kind: SourceKind,
) -> Result<SourceTarget, ConfigError> {
    let cloud = validate::base_url(&format!("https://{CLOUD_HOST}"))?;
    let typed_url = at.text("base_url", &table.base_url, validate::base_url)?;
    let mut target = SourceTarget {
        kind,
        base_url: typed_url.clone().unwrap_or(cloud),
        org_id: at.text("org_id", &table.org_id, validate::org_id)?,
        site: at.text("site", &table.site, validate::site)?,
        account: None,
        gateway: None,
        product: at.text("product", &table.product, validate::site_product)?,
        resolve_users: table.resolve_users.as_ref().is_some_and(|yes| *yes.get_ref()),
    };
    match kind.address() {
        SourceAddress::Organization => {}
        SourceAddress::Site => route_to_site(at, table, typed_url, &mut target)?,
        SourceAddress::Server => {
            target.account = at.text("username", &table.username, validate::username)?;
            if typed_url.is_none() {
                let hint = "add `base_url = \"https://jira.acme.example\"`";
                return Err(at.missing("base_url", hint));
            }
            target.site = Some(server_name(&target.base_url));
        }
    }
    Ok(target)
}

fn route_to_site(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    typed_url: Option<Url>,
    target: &mut SourceTarget,
) -> Result<(), ConfigError> {
    let is_workspace = target.kind.descriptor().gateway == GatewayUse::Workspace;
    target.account = at.text("email", &table.email, validate::email)?;
    let cloud_id = at.text("cloud_id", &table.cloud_id, validate::cloud_id)?;
    let gateway = at.value("gateway", &table.gateway, |&yes| match (yes, &cloud_id) {
        (false, Some(_)) => Err(HintedError::new("`cloud_id` has no effect without the gateway")
            .hint("take one of them out")),
        (yes, _) => Ok(yes),
    })?;
    if is_workspace && target.product.is_none() {
        let hint = "add `product = \"jira\"` or `product = \"confluence\"`";
        return Err(at.missing("product", hint));
    }
    if let (Some(id), None, true) = (&cloud_id, &target.site, is_workspace) {
        target.gateway = Some(GatewayRoute::CloudId(id.clone()));
        return Ok(());
    }
    let Some(site) = &target.site else {
        return Err(at.missing("site", "add `site = \"acme.atlassian.net\"`"));
    };
    let site_url = || validate::base_url(&format!("https://{site}"));
    if !is_workspace && !gateway.unwrap_or(cloud_id.is_some()) {
        target.base_url = typed_url.map_or_else(site_url, Ok)?;
        return Ok(());
    }
    target.gateway = Some(match cloud_id {
        Some(id) => GatewayRoute::CloudId(id),
        // A loopback server replaces all of Atlassian's servers; another gateway is no site.
        None => GatewayRoute::LookUp(typed_url.filter(is_loopback).map_or_else(site_url, Ok)?),
    });
    Ok(())
}

/// A key that would do nothing is refused: most often it is the `type` that is wrong.
fn reject_inapplicable_keys(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    kind: SourceKind,
) -> Result<(), ConfigError> {
    use SourceAddress::{Organization, Server, Site};
    let texts: [(&str, &SpannedText, SourceAddress); 8] = [
        ("org_id", &table.org_id, Organization),
        ("key_name", &table.key_name, Organization),
        ("respond_credential", &table.respond_credential, Organization),
        ("respond_key_name", &table.respond_key_name, Organization),
        ("site", &table.site, Site),
        ("email", &table.email, Site),
        ("cloud_id", &table.cloud_id, Site),
        ("username", &table.username, Server),
    ];
    for (key, value, address) in texts {
        at.value(key, value, |_| only_for(kind, |kind| kind.address() == address))?;
    }
    let has_gateway = |kind: SourceKind| kind.descriptor().gateway;
    let is_audit_log = |kind| matches!(has_gateway(kind), GatewayUse::Optional(_));
    let is_workspace = |kind| has_gateway(kind) == GatewayUse::Workspace;
    at.value("gateway", &table.gateway, |_| only_for(kind, is_audit_log))?;
    at.value("resolve_users", &table.resolve_users, |_| only_for(kind, is_audit_log))?;
    at.value("product", &table.product, |_| only_for(kind, is_workspace))?;
    at.value("backfill", &table.backfill, |_| only_for(kind, is_workspace))?;
    Ok(())
}

/// Refuses a key of a source of type `kind` that only other types have.
fn only_for(kind: SourceKind, has_key: impl Fn(SourceKind) -> bool) -> Result<(), HintedError> {
    if has_key(kind) {
        return Ok(());
    }
    let kinds = SourceKind::ALL.into_iter().filter(|kind| has_key(*kind));
    let names: Vec<String> = kinds.map(|kind| format!("`{kind}`")).collect();
    let names = names.join(", ");
    Err(HintedError::new(format!("belongs to sources of type {names} only"))
        .hint("check the source's `type`, or take the key out"))
}
