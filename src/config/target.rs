//! Checks the keys that address a source, which depend on its kind.

use url::Url;

use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{ErrorLocation, SourceTable, SpannedText};
use crate::config::settings::{GatewayRoute, SiteRoute, SiteTarget, SourceTarget};
use crate::config::validate;
use crate::model::address::is_loopback;
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;

/// A key that is missing, and what to do about it.
type MissingKey = (&'static str, &'static str);

const CLOUD_HOST: &str = "api.atlassian.com";

/// The target that `table` describes; the inner error is a key that it lacks.
pub(super) fn check(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    kind: SourceKind,
) -> Result<Result<SourceTarget, MissingKey>, ConfigError> {
    reject_inapplicable_keys(at, table, kind)?;
    let base_url = at.check_value("base_url", &table.base_url, |text| validate::base_url(text))?;
    Ok(match kind.address() {
        SourceAddress::Organization => Ok(SourceTarget::OrgEvents {
            base_url: base_url.map_or_else(|| https(CLOUD_HOST), Ok)?,
            org_id: at.check_value("org_id", &table.org_id, |text| validate::org_id(text))?,
        }),
        SourceAddress::Site => site(at, table, kind, base_url)?,
        SourceAddress::Server => {
            let username =
                at.check_value("username", &table.username, |text| validate::username(text))?;
            let missing = ("base_url", "add `base_url = \"https://jira.acme.example\"`");
            base_url.map(|base_url| SourceTarget::Datacenter { base_url, username }).ok_or(missing)
        }
    })
}

fn site(
    at: &ErrorLocation<'_>,
    table: &SourceTable,
    kind: SourceKind,
    base_url: Option<Url>,
) -> Result<Result<SourceTarget, MissingKey>, ConfigError> {
    let Some(site) = at.check_value("site", &table.site, |text| validate::site(text))? else {
        return Ok(Err(("site", "add `site = \"acme.atlassian.net\"`")));
    };
    let email = at.check_value("email", &table.email, |text| validate::email(text))?;
    let cloud_id = at.check_value("cloud_id", &table.cloud_id, |text| validate::cloud_id(text))?;
    let gateway = at.check_value("gateway", &table.gateway, |&yes| match (yes, &cloud_id) {
        (false, Some(_)) => Err(HintedError::new("`cloud_id` has no effect without the gateway")
            .hint("take one of them out")),
        (yes, _) => Ok(yes),
    })?;
    let resolve_users = at.check_value("resolve_users", &table.resolve_users, |&yes| Ok(yes))?;
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
    Ok(Ok(SourceTarget::Site(SiteTarget {
        kind,
        site,
        email,
        route,
        resolve_users: resolve_users.unwrap_or(false),
    })))
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
        at.check_value(key, value, |_| only_for(address, kind))?;
    }
    at.check_value("gateway", &table.gateway, |_| only_for(Site, kind))?;
    at.check_value("resolve_users", &table.resolve_users, |_| only_for(Site, kind))?;
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

fn https(host: &str) -> Result<Url, ConfigError> {
    validate::base_url(&format!("https://{host}")).map_err(ConfigError::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::config::env::ProcessEnv;
    use crate::config::file::ConfigFile;

    fn target(table: &str) -> Result<SourceTarget, String> {
        let text = format!("[sources.a]\n{table}\n");
        let file = ConfigFile::parse("/c.toml".as_ref(), text).unwrap();
        let settings = check::settings(&file, &ProcessEnv::default(), "/s".into());
        settings
            .map(|settings| settings.sources[0].target.clone())
            .map_err(|error| error.to_string())
    }

    fn site(table: &str) -> SiteTarget {
        match target(&format!("site = 'Acme.example'\n{table}")) {
            Ok(SourceTarget::Site(site)) => site,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_site_is_asked_itself_or_through_the_gateway() {
        let direct = site("type = 'jira-audit'");
        let url = |text: &str| Url::parse(text).unwrap();
        assert_eq!(direct.route, SiteRoute::Direct(url("https://acme.example/")));
        let wanted = |cloud_id: Option<&str>| {
            SiteRoute::Gateway(GatewayRoute {
                base_url: url("https://api.atlassian.com/"),
                site_url: url("https://acme.example/"),
                cloud_id: cloud_id.map(str::to_owned),
            })
        };
        let found = site("type = 'confluence-audit'\ngateway = true");
        assert_eq!(found.route, wanted(None));
        // A cloud id is of use for nothing else.
        let known = site("type = 'jira-audit'\ncloud_id = 'b1c7-e0'");
        assert_eq!(known.route, wanted(Some("b1c7-e0")));
        let SiteRoute::Gateway(gateway) = known.route else { panic!("no gateway") };
        assert_eq!(
            gateway.product_url(SourceKind::ConfluenceAudit, "c1").as_str(),
            "https://api.atlassian.com/ex/confluence/c1"
        );
    }

    #[test]
    fn another_gateway_is_no_site_but_a_server_on_this_machine_is_everything() {
        for (base_url, site_url) in [
            ("https://gov.example/a", "https://acme.example/"),
            ("http://127.0.0.1:80/a", "http://127.0.0.1/a"),
        ] {
            let table = format!("type = 'jira-audit'\ngateway = true\nbase_url = '{base_url}/'");
            let SiteRoute::Gateway(gateway) = site(&table).route else { panic!("no gateway") };
            assert_eq!(gateway.site_url.as_str(), site_url);
            let url = gateway.product_url(SourceKind::JiraAudit, "c1");
            assert!(url.path() == "/a/ex/jira/c1", "{url}");
        }
    }

    #[test]
    fn a_data_center_is_named_by_host_port_and_path() {
        let named = |url: &str| {
            let table = format!("type = 'datacenter-audit'\nbase_url = '{url}'");
            target(&table).unwrap().site().unwrap()
        };
        assert_eq!(named("https://dc.example"), "dc.example");
        assert_eq!(named("https://dc.example:8443/jira/"), "dc.example:8443/jira");
    }

    #[test]
    fn what_is_missing_or_of_no_use_is_refused() {
        let cases = [
            ("type = 'jira-audit'", "`site` is missing"),
            ("type = 'confluence-audit'", "`site` is missing"),
            ("type = 'datacenter-audit'", "`base_url` is missing"),
            ("type = 'org-events'\ngateway = true", "`gateway`: belongs to"),
            ("type = 'org-events'\nusername = 'x'", "`datacenter-audit` only"),
            ("type = 'datacenter-audit'\nresolve_users = true", "`resolve_users`: belongs to"),
            (
                "type = 'jira-audit'\nsite = 'a.b'\ncloud_id = 'c/d'",
                "`cloud_id`: not a site's cloud id",
            ),
            (
                "type = 'jira-audit'\nsite = 'a.b'\ncloud_id = 'c'\ngateway = false",
                "`gateway`: `cloud_id` has no effect",
            ),
            (
                "type = 'datacenter-audit'\nbase_url = 'https://x'\nusername = 'a:b'",
                "`username`: not a user name",
            ),
        ];
        for (table, want) in cases {
            let error = target(table).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }
}
