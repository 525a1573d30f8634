//! Names one product of a Cloud site as Atlassian's newer APIs address it: by the ARI (Atlassian
//! resource identifier) of its workspace.

use std::fmt;
use std::str::FromStr;

/// A product that has a workspace on a Cloud site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SiteProduct {
    /// Jira.
    Jira,
    /// Confluence.
    Confluence,
}

impl SiteProduct {
    /// Every product.
    pub const ALL: [SiteProduct; 2] = [SiteProduct::Jira, SiteProduct::Confluence];

    /// Its word in the configuration, in events and in ARIs.
    pub fn as_str(self) -> &'static str {
        match self {
            SiteProduct::Jira => "jira",
            SiteProduct::Confluence => "confluence",
        }
    }
}

impl FromStr for SiteProduct {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = SiteProduct::ALL.into_iter();
        all.find(|product| text.eq_ignore_ascii_case(product.as_str())).ok_or(())
    }
}

/// The workspace of one product of one site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SiteWorkspace {
    /// The product.
    pub product: SiteProduct,
    /// The site's cloud id.
    pub cloud_id: String,
}

impl fmt::Display for SiteWorkspace {
    /// Its ARI, `ari:cloud:jira::site/{cloud id}` (developer.atlassian.com/cloud/admin/audit-log;
    /// Confluence's is inferred from it).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ari:cloud:{}::site/{}", self.product.as_str(), self.cloud_id)
    }
}

impl FromStr for SiteWorkspace {
    type Err = ();

    /// Reads an ARI.
    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.strip_prefix("ari:cloud:").ok_or(())?;
        let (product, cloud_id) = rest.split_once("::site/").ok_or(())?;
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match !cloud_id.is_empty() && cloud_id.chars().all(is_id) {
            true => Ok(SiteWorkspace { product: product.parse()?, cloud_id: cloud_id.to_owned() }),
            false => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ari_reads_back_and_nothing_else_does() {
        for product in SiteProduct::ALL {
            let workspace = SiteWorkspace { product, cloud_id: "b1c7-e0".to_owned() };
            assert_eq!(workspace.to_string().parse(), Ok(workspace));
        }
        for other in [
            "",
            "ari:cloud:jira::site/",
            "ari:cloud:trello::site/a",
            "ari:cloud:jira:site/a",
            "ari:cloud:jira::site/../x",
            "jira::site/a",
        ] {
            assert_eq!(other.parse::<SiteWorkspace>(), Err(()), "{other}");
        }
    }
}
