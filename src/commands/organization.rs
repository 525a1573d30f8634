//! Owns finding out whose an organization's key is, where nobody said it.

use crate::commands::connect::SourceConnector;
use crate::config::settings::SourceSettings;
use crate::credentials::Credential;
use crate::error::AppError;
use crate::exit::Exit;
use crate::source::lookup::{self, OrganizationInfo};

const WHERE: &str = "it is in the URL of admin.atlassian.com, after /o/";

/// The id of the only organization that `credential` lists.
///
/// # Errors
/// The key is refused, or lists none or several.
pub async fn find(
    connector: &mut SourceConnector,
    source: &SourceSettings,
    credential: &Credential,
) -> Result<String, AppError> {
    let asking = connector.api_client(source, credential)?;
    let request = lookup::organizations_request(source.target.base_url());
    let found = asking.request(&request, lookup::read_organizations).await?;
    match found.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(
            AppError::new(Exit::Usage, "the key does not tell its organization").hint(format!(
                "a key with scopes lists none, whatever it may read: add `--org-id ID`; {WHERE}"
            )),
        ),
        several => {
            let names: Vec<String> = several.iter().map(describe).collect();
            let what = format!("the key is of several organizations: {}", names.join(", "));
            Err(AppError::new(Exit::Usage, what).hint("choose one with `--org-id ID`"))
        }
    }
}

fn describe(organization: &OrganizationInfo) -> String {
    match &organization.name {
        Some(name) => format!("{} ({name})", organization.id),
        None => organization.id.clone(),
    }
}
