//! What a check of an organization's posture compares, and what only a person can see: the settings
//! of `[posture]`.

use std::fmt;
use std::time::Duration;

use chrono::NaiveDate;
use clap::ValueEnum;
use serde::Deserialize;

/// One thing that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum PostureCheck {
    /// Administrators have two-step verification.
    #[value(name = "mfa.admins")]
    MfaAdmins,
    /// Managed users have two-step verification.
    #[value(name = "mfa.users")]
    MfaUsers,
    /// A policy requires two-step verification.
    #[value(name = "mfa.rule")]
    MfaRule,
    /// Idle sessions end.
    #[value(name = "session.rule")]
    SessionRule,
    /// Passwords are strong.
    #[value(name = "password.rule")]
    PasswordRule,
    /// A mobile policy is enforced.
    #[value(name = "mobile.policy")]
    MobilePolicy,
    /// The mobile policy protects data.
    #[value(name = "mobile.data")]
    MobileData,
    /// Few administrators.
    #[value(name = "admins.count")]
    AdminsCount,
    /// No idle administrator.
    #[value(name = "admins.idle")]
    AdminsIdle,
    /// No idle managed user.
    #[value(name = "users.idle")]
    UsersIdle,
    /// No outsider with more than is needed.
    #[value(name = "users.external")]
    UsersExternal,
    /// Domains are verified.
    #[value(name = "domains.verified")]
    DomainsVerified,
    /// Addresses are restricted.
    #[value(name = "ip.allowlist")]
    IpAllowlist,
    /// Exports are restricted.
    #[value(name = "data.export")]
    DataExport,
    /// Users' API tokens end and are used.
    #[value(name = "tokens.users")]
    TokensUsers,
    /// The organization's API keys end, are used, and have scopes.
    #[value(name = "keys.org")]
    KeysOrg,
    /// Service accounts' tokens end and are used.
    #[value(name = "service.tokens")]
    ServiceTokens,
    /// The audit log itself is written.
    #[value(name = "audit.log")]
    AuditLog,
}

impl PostureCheck {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            PostureCheck::MfaAdmins => "mfa.admins",
            PostureCheck::MfaUsers => "mfa.users",
            PostureCheck::MfaRule => "mfa.rule",
            PostureCheck::SessionRule => "session.rule",
            PostureCheck::PasswordRule => "password.rule",
            PostureCheck::MobilePolicy => "mobile.policy",
            PostureCheck::MobileData => "mobile.data",
            PostureCheck::AdminsCount => "admins.count",
            PostureCheck::AdminsIdle => "admins.idle",
            PostureCheck::UsersIdle => "users.idle",
            PostureCheck::UsersExternal => "users.external",
            PostureCheck::DomainsVerified => "domains.verified",
            PostureCheck::IpAllowlist => "ip.allowlist",
            PostureCheck::DataExport => "data.export",
            PostureCheck::TokensUsers => "tokens.users",
            PostureCheck::KeysOrg => "keys.org",
            PostureCheck::ServiceTokens => "service.tokens",
            PostureCheck::AuditLog => "audit.log",
        }
    }
}

impl fmt::Display for PostureCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The verdicts that `--fail-on` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailingVerdict {
    /// `fail`.
    Fail,
    /// `review` or `fail`.
    Review,
}

/// The numbers that are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostureThresholds {
    /// More active organization admins are too many.
    pub max_admins: u32,
    /// Days without activity, after which an account, token or key is idle.
    pub idle_days: u32,
    /// Days that an API token of a user or service account may last.
    pub token_days: u32,
    /// Days after which an API key of the organization is old.
    pub key_days: u32,
    /// Days before the end of a key from which it is named.
    pub ends_soon_days: u32,
    /// Hours that an idle session may last.
    pub idle_session_hours: u32,
    /// Days without any event, after which the log is silent.
    pub silent_days: u32,
}

impl Default for PostureThresholds {
    fn default() -> PostureThresholds {
        PostureThresholds {
            max_admins: 5,
            idle_days: 90,
            token_days: 365,
            key_days: 180,
            ends_soon_days: 30,
            idle_session_hours: 12,
            silent_days: 3,
        }
    }
}

/// What a person saw in the administration of an organization, where no API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDeclaration {
    /// The day of looking.
    pub on: NaiveDate,
    /// Who looked.
    pub by: String,
    /// The ids of the authentication policies that enforce two-step verification or single
    /// sign-on.
    pub enforced_policies: Option<Vec<String>>,
    /// Whether the policies require two-step verification.
    pub two_step_required: Option<bool>,
    /// After which time an idle session ends.
    pub idle_session: Option<Duration>,
    /// How strong passwords must be.
    pub password_strength: Option<PasswordStrength>,
    /// Whether a mobile policy is enforced.
    pub mobile_policy: Option<bool>,
    /// Whether it protects data: no copying, screenshots or backups.
    pub mobile_data_protection: Option<bool>,
}

/// How strong a password must be, in the console's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum PasswordStrength {
    /// Weak.
    Weak,
    /// Fair.
    Fair,
    /// Good.
    Good,
    /// Strong.
    Strong,
    /// Very strong.
    VeryStrong,
}

impl PasswordStrength {
    /// Its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            PasswordStrength::Weak => "weak",
            PasswordStrength::Fair => "fair",
            PasswordStrength::Good => "good",
            PasswordStrength::Strong => "strong",
            PasswordStrength::VeryStrong => "very-strong",
        }
    }
}

/// What the posture of one organization is compared with.
#[derive(Debug, Clone, Default)]
pub struct PostureSettings {
    /// The numbers.
    pub thresholds: PostureThresholds,
    /// What a person declared of it.
    pub declared: Option<PolicyDeclaration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_flags() {
        for check in PostureCheck::value_variants() {
            let value = check.to_possible_value().unwrap();
            assert_eq!(value.get_name(), check.as_str());
        }
        for strength in PasswordStrength::value_variants() {
            let value = strength.to_possible_value().unwrap();
            assert_eq!(value.get_name(), strength.as_str());
        }
    }
}
