//! The names of sources and their types.

use std::fmt;
use std::str::FromStr;

/// The name a user gave a source: 1 to 64 ASCII letters, digits, `-`, `_` or `.`, starting with a
/// letter or digit. It names a file in the state directory and an entry in the keyring.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(String);

impl SourceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if text.len() <= 64 && starts_well && text.chars().all(allowed) {
            Ok(SourceName(text.to_owned()))
        } else {
            Err("a source's name is 1 to 64 letters, digits, `-`, `_` or `.`, and starts with a letter or digit".to_owned())
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which Atlassian API a source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename_all = "kebab-case")
)]
pub enum SourceKind {
    /// The organization's `events-stream`.
    OrgEvents,
    /// A Jira Cloud site's audit records.
    JiraAudit,
    /// A Confluence Cloud site's audit records.
    ConfluenceAudit,
    /// The audit events of a Jira, Confluence or Bitbucket Data Center.
    DatacenterAudit,
}

impl SourceKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [SourceKind; 4] = [
        SourceKind::OrgEvents,
        SourceKind::JiraAudit,
        SourceKind::ConfluenceAudit,
        SourceKind::DatacenterAudit,
    ];

    /// The word for it in the configuration, in events and in the state.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::OrgEvents => "org-events",
            SourceKind::JiraAudit => "jira-audit",
            SourceKind::ConfluenceAudit => "confluence-audit",
            SourceKind::DatacenterAudit => "datacenter-audit",
        }
    }
}

impl FromStr for SourceKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        SourceKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                let known = SourceKind::ALL.map(SourceKind::as_str).join("`, `");
                format!("unknown source type `{text}`; known types: `{known}`")
            })
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_as_a_file_name() {
        for good in ["acme", "acme-jira", "a.b_c", "0"] {
            assert!(good.parse::<SourceName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<SourceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_kind_reads_its_own_word() {
        for kind in SourceKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }
}
