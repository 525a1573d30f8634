//! Owns the check of what a source of each type needs to be addressed.

use url::Url;

use crate::config::error::{ConfigError, Refusal};
use crate::config::field;
use crate::config::file::{SourceTable, Text};
use crate::config::settings::{Gateway, Product, Route, SiteTarget, Target};
use crate::config::source::At;
use crate::model::name::SourceKind;

/// A key that is missing, and what to do about it.
type Missing = (&'static str, &'static str);

const CLOUD_HOST: &str = "api.atlassian.com";

/// The target that `table` describes; the inner error is a key that it lacks.
pub(super) fn check(
    at: &At<'_>,
    table: &SourceTable,
    kind: SourceKind,
) -> Result<Result<Target, Missing>, ConfigError> {
    refuse_alien_keys(at, table, kind)?;
    let base_url = at.take("base_url", &table.base_url, |text| field::base_url(text))?;
    Ok(match kind {
        SourceKind::OrgEvents => Ok(Target::OrgEvents {
            base_url: base_url.map_or_else(|| https(CLOUD_HOST), Ok)?,
            org_id: at.take("org_id", &table.org_id, |text| field::org_id(text))?,
        }),
        SourceKind::JiraAudit => site(at, table, Product::Jira, base_url)?,
        SourceKind::ConfluenceAudit => site(at, table, Product::Confluence, base_url)?,
        SourceKind::DatacenterAudit => {
            let username = at.take("username", &table.username, |text| field::username(text))?;
            let missing = ("base_url", "add `base_url = \"https://jira.acme.example\"`");
            base_url
                .map(|base_url| Target::Datacenter { base_url, username })
                .ok_or(missing)
        }
    })
}

fn site(
    at: &At<'_>,
    table: &SourceTable,
    product: Product,
    base_url: Option<Url>,
) -> Result<Result<Target, Missing>, ConfigError> {
    let Some(site) = at.take("site", &table.site, |text| field::site(text))? else {
        return Ok(Err(("site", "add `site = \"acme.atlassian.net\"`")));
    };
    let email = at.take("email", &table.email, |text| field::email(text))?;
    let cloud_id = at.take("cloud_id", &table.cloud_id, |text| field::cloud_id(text))?;
    let gateway =
        at.take("gateway", &table.gateway, |&yes| match (yes, &cloud_id) {
            (false, Some(_)) => Err(Refusal::new("`cloud_id` has no use without the gateway")
                .hint("take one of them out")),
            (yes, _) => Ok(yes),
        })?;
    let resolve_users = at.take("resolve_users", &table.resolve_users, |&yes| Ok(yes))?;
    // A server that stands in for Atlassian's stands in for all of them.
    let in_place_of = |host: &str| base_url.clone().map_or_else(|| https(host), Ok);
    let route = match gateway.unwrap_or(cloud_id.is_some()) {
        false => Route::Direct(in_place_of(&site)?),
        true => Route::Gateway(Gateway {
            base_url: in_place_of(CLOUD_HOST)?,
            site_url: in_place_of(&site)?,
            cloud_id,
        }),
    };
    Ok(Ok(Target::Site(SiteTarget {
        product,
        site,
        email,
        route,
        resolve_users: resolve_users.unwrap_or(false),
    })))
}

/// A key that would do nothing is refused: most often it is the `type` that is wrong.
fn refuse_alien_keys(
    at: &At<'_>,
    table: &SourceTable,
    kind: SourceKind,
) -> Result<(), ConfigError> {
    const ORG: &[SourceKind] = &[SourceKind::OrgEvents];
    const SITE: &[SourceKind] = &[SourceKind::JiraAudit, SourceKind::ConfluenceAudit];
    const DATACENTER: &[SourceKind] = &[SourceKind::DatacenterAudit];
    let texts: [(&str, &Text, &[SourceKind]); 5] = [
        ("org_id", &table.org_id, ORG),
        ("site", &table.site, SITE),
        ("email", &table.email, SITE),
        ("cloud_id", &table.cloud_id, SITE),
        ("username", &table.username, DATACENTER),
    ];
    for (key, value, kinds) in texts {
        at.take(key, value, |_| only_for(kinds, kind))?;
    }
    let flags = [
        ("gateway", &table.gateway),
        ("resolve_users", &table.resolve_users),
    ];
    for (key, value) in flags {
        at.take(key, value, |_| only_for(SITE, kind))?;
    }
    Ok(())
}

fn only_for(kinds: &[SourceKind], kind: SourceKind) -> Result<(), Refusal> {
    if kinds.contains(&kind) {
        return Ok(());
    }
    let names: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    let names = names.join(" and ");
    Err(
        Refusal::new(format!("belongs to sources of type {names} only"))
            .hint("check the source's `type`, or take the key out"),
    )
}

fn https(host: &str) -> Result<Url, ConfigError> {
    field::base_url(&format!("https://{host}")).map_err(ConfigError::from)
}
