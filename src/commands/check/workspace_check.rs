//! Finds out whether the workspace events API answers for a site whose product audit API is read,
//! and writes the configuration that reads it.

use url::Url;

use crate::collect::connector::SourceConnector;
use crate::commands::check::api_check::ApiCheck;
use crate::commands::check::check_report::{CheckStep, StepName};
use crate::config::settings::{
    CLOUD_HOST, CredentialSpec, GatewayRoute, SourceSettings, SourceTarget,
};
use crate::config::validate;
use crate::credentials::Credential;
use crate::error::AppError;
use crate::http::failure::{Failure, FailureKind};
use crate::model::address::is_loopback;
use crate::model::name::{SourceKind, SourceName};
use crate::model::workspace::SiteProduct;
use crate::state::caches::LookupCache;

/// The whole page would be thrown away.
const PAGE_SIZE: u32 = 1;

/// A source of workspace events that could replace `audit`.
pub struct SuggestedSource<'a> {
    audit: &'a SourceSettings,
    settings: SourceSettings,
}

impl<'a> SuggestedSource<'a> {
    /// The source beside `audit`, a source of the audit API of `product`. `None` if the credential
    /// belongs to a server that is not Atlassian's: it must not go to Atlassian's gateway.
    pub fn beside(audit: &'a SourceSettings, product: SiteProduct) -> Option<SuggestedSource<'a>> {
        let target = &audit.target;
        let is_known = target.gateway.is_some() || target.has_default_base_url();
        let (base_url, site_url) = if is_loopback(&target.base_url) {
            (target.base_url.clone(), target.base_url.clone())
        } else if is_known {
            let base_url = match target.gateway {
                Some(_) => target.base_url.clone(),
                None => cloud_url(CLOUD_HOST)?,
            };
            (base_url, cloud_url(target.site.as_deref()?)?)
        } else {
            return None;
        };
        let gateway = target.gateway.clone().unwrap_or(GatewayRoute::LookUp(site_url));
        let target = SourceTarget {
            kind: SourceKind::of_workspace(),
            base_url,
            gateway: Some(gateway),
            product: Some(product),
            resolve_users: false,
            ..target.clone()
        };
        let name = suggested_name(&audit.name);
        let settings = SourceSettings { name, target, page_size: PAGE_SIZE, ..audit.clone() };
        Some(SuggestedSource { audit, settings })
    }

    /// Requests an event of the last hour. It is never a failure: nothing depends on it yet.
    pub async fn check(
        &self,
        connector: &mut SourceConnector,
        credential: &Credential,
        lookups: &LookupCache,
    ) -> CheckStep {
        let unknown = |detail: String| CheckStep::unknown(StepName::WorkspaceEvents, detail);
        let prepared = async {
            let mut prepared = connector.connect(&self.settings, credential)?;
            let base_url = prepared.resolve_site(lookups).await?.base_url;
            Ok::<_, AppError>(ApiCheck::new(prepared, &base_url))
        };
        let api = match prepared.await {
            Ok(api) => api,
            Err(error) => return unknown(format!("not tried: {}", error.text())),
        };
        match api.try_first_page().await {
            Ok(_) => {
                let site = self.settings.target.site().unwrap_or_default();
                CheckStep::ok(StepName::WorkspaceEvents, format!("the API answers for {site}"))
                    .with_fact("answers", true)
                    .with_config(self.configuration())
            }
            Err(failure) => self.unavailable_step(&failure),
        }
    }

    fn unavailable_step(&self, failure: &Failure) -> CheckStep {
        let host = self.settings.target.base_url().host_str().unwrap_or_default();
        let unknown = |detail: String| CheckStep::unknown(StepName::WorkspaceEvents, detail);
        match failure.kind {
            FailureKind::NotFound => {
                unknown(format!("not there yet: {host} knows no such workspace (404)"))
                    .with_fact("answers", false)
            }
            FailureKind::CredentialRefused | FailureKind::ScopeMissing | FailureKind::Forbidden => {
                let hint = "to try it, create a token with the scope `manage:jira-configuration` \
                            too (the scope that Confluence needs is not documented)";
                unknown(format!("the token may not read it: {failure}")).with_hint(hint)
            }
            _ => unknown(format!("not known: {failure}")),
        }
    }

    /// The table that reads it, as TOML.
    fn configuration(&self) -> String {
        let SourceTarget { site, account, product, base_url, .. } = &self.settings.target;
        let values = [
            ("type", Some(self.settings.target.kind().as_str().to_owned())),
            ("site", site.clone()),
            ("cloud_id", self.settings.target.cloud_id().map(str::to_owned)),
            ("product", product.map(|product| product.as_str().to_owned())),
            ("email", account.clone()),
            (
                "base_url",
                (!self.settings.target.has_default_base_url()).then(|| base_url.to_string()),
            ),
        ];
        let name = toml::Value::from(self.settings.name.as_str());
        let mut text = match self.settings.name.as_str().contains('.') {
            true => format!("[sources.{name}]\n"),
            false => format!("[sources.{}]\n", self.settings.name),
        };
        for (key, value) in values {
            if let Some(value) = value {
                text.push_str(&format!("{key} = {}\n", toml::Value::from(value)));
            }
        }
        text.push_str(&self.credential_line());
        text
    }

    /// The key for the credential, or how to add it.
    fn credential_line(&self) -> String {
        let (audit, name) = (&self.audit.name, &self.settings.name);
        match &self.settings.credential {
            CredentialSpec::Keyring => format!("# its token: atlaudit auth login {name}\n"),
            // Its arguments may be secret.
            CredentialSpec::Command(_) => format!("# credential = the same as of `{audit}`\n"),
            spec => format!("credential = {}\n", toml::Value::from(spec.to_string())),
        }
    }
}

/// `NAME-events`, or `NAME` where that is too long.
fn suggested_name(audit: &SourceName) -> SourceName {
    format!("{audit}-events").parse().unwrap_or_else(|_| audit.clone())
}

fn cloud_url(host: &str) -> Option<Url> {
    validate::base_url(&format!("https://{host}")).ok()
}
