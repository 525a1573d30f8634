//! The sandbox: a server on loopback that speaks Atlassian's audit APIs with their quirks, over
//! made-up data.
//!
//! `atlaudit demo` and `atlaudit sandbox` run it for people, and the integration tests run it
//! in-process with scripted faults. It imports nothing from the other folders: a double that shared
//! types with the code it stands against would agree with that code's mistakes.
//!
//! ```text
//! server      accepts connections and answers their requests (the only async code)
//!   exchange    fault -> credential -> rate limit -> endpoint -> reply
//!     access      whose credential it is, and the refusal where it is not enough
//!     org, jira, confluence, datacenter, workspace, event_queries   the APIs: how they page
//!     admin       users, policies and credentials of an organization, and what changes them
//!     cursor_page  pages with an opaque cursor, of organizations and workspaces
//!     record_log  the records of one API
//!     throttle    rate limits; fault: scripted faults
//!     page_changes  errors and values that a behaviour puts into a finished page
//!   delivery    writes a reply to the connection: whole, slow, cut, endless
//! data        composes the events: people at work for a month, and one incident
//! object_server  another server: of objects, as S3 keeps them
//! control     the handle with which a test scripts all of this while it runs
//! ```
//!
//! Every behaviour that Atlassian does not document, or that sources disagree about, is a switch in
//! [`Behaviour`].

mod access;
mod admin;
mod behaviour;
mod confluence;
mod connection;
mod control;
mod cursor_page;
mod data;
mod datacenter;
mod delivery;
mod event_queries;
mod exchange;
mod fault;
mod jira;
mod json_text;
pub mod object_server;
mod org;
mod page_changes;
mod quirk;
mod record_log;
mod reply;
mod request;
mod server;
mod server_state;
mod throttle;
mod workspace;

#[cfg(test)]
mod smoke_tests;

pub use behaviour::{
    AdminRefusal, Behaviour, CursorBounds, CursorBoundsRule, CursorPlace, DataOptions, EndOfStream,
    EventQueries, FilterClock, NextPageOffset, OrgRetention, OverLimit, PageError, RangeEnd,
    RateLimit, RateWindow, ResetPrecision, SandboxOptions, WorkspaceDates,
};
pub use control::SandboxControl;
pub use data::history;
pub use fault::Fault;
pub use page_changes::{CONTROLS, PROXY};
pub use quirk::{ApiQuirk, QUIRKS};
pub use request::Api;
pub use server::Sandbox;
pub use server_state::{EventQuery, LoggedRequest};

/// The only organization that exists here.
pub const ORG_ID: &str = "4d2c1f7a-9b60-4e8e-8f35-6a1d0c7e5b92";
/// Its name.
pub const ORG_NAME: &str = "Lindenfell Instruments";
/// An organization API key without scopes: reads everything.
pub const API_KEY: &str = "sandbox-org-api-key";
/// A scoped key without any scope of the admin APIs: 401 with a message of its own.
pub const API_KEY_NO_SCOPE: &str = "sandbox-org-api-key-without-scope";
/// A key with the scopes that a posture check needs, and `read:events:admin`: it changes nothing.
pub const API_KEY_SCOPED: &str = "sandbox-org-api-key-scoped";
/// A key with the same scopes, `write:policies:admin` and `delete:keys:admin`.
pub const API_KEY_RESPOND_SCOPED: &str = "sandbox-org-api-key-respond-scoped";
/// The directory of most users.
pub const DIRECTORY_ID: &str = "8d7c0a11-4f20-4a6b-9c3e-51d2e8f0d001";
/// The other directory, of a few users.
pub const LABS_DIRECTORY_ID: &str = "8d7c0a11-4f20-4a6b-9c3e-51d2e8f0d002";
/// The authentication policy of those who sign in with SSO.
pub const AUTH_POLICY_SSO: &str = "90aa6e15-0c3d-4b72-8f91-d4a7b2c80001";
/// The authentication policy of all other managed accounts.
pub const AUTH_POLICY_DEFAULT: &str = "90aa6e15-0c3d-4b72-8f91-d4a7b2c80002";
/// An authentication policy that holds nobody, for accounts that are to be contained.
pub const AUTH_POLICY_QUARANTINE: &str = "90aa6e15-0c3d-4b72-8f91-d4a7b2c80003";
/// The site whose Jira and Confluence are served. The server answers under its own address,
/// whatever the `Host`.
pub const JIRA_SITE: &str = "lindenfell-example.atlassian.net";
/// The site's cloud id, for the gateway paths `/ex/jira/{cloud_id}/...` and
/// `/ex/confluence/{cloud_id}/...`, and for the workspaces
/// `ari:cloud:jira::site/{cloud_id}` and `ari:cloud:confluence::site/{cloud_id}`.
pub const CLOUD_ID: &str = "b1c7e0d4-52a9-4f1e-9c33-7d08e64fa215";
/// An administrator of Jira and Confluence, for Basic authentication with [`JIRA_TOKEN`].
pub const JIRA_EMAIL: &str = "auditor@lindenfell.example";
/// The administrator's API token; also accepted as a Bearer token.
pub const JIRA_TOKEN: &str = "sandbox-jira-token";
/// A user who may sign in but is no administrator: 403.
pub const JIRA_EMAIL_NOT_ADMIN: &str = "reader@lindenfell.example";
/// That user's API token; also accepted as a Bearer token.
pub const JIRA_TOKEN_NOT_ADMIN: &str = "sandbox-jira-token-not-admin";
/// The administrator's token with scopes: it works through the gateway, and is a 401 at the site
/// itself.
pub const JIRA_TOKEN_SCOPED: &str = "sandbox-jira-token-scoped";
/// One with scopes of which none is for audit logs: 401 at the gateway too, with a message of its
/// own.
pub const JIRA_TOKEN_NO_SCOPE: &str = "sandbox-jira-token-without-scope";
/// An administrator of the Data Center product, which answers at the root and below `/dc`.
pub const DATACENTER_USER: &str = "auditor";
/// That user's password, for Basic authentication.
pub const DATACENTER_PASSWORD: &str = "sandbox-datacenter-password";
/// That user's personal access token, for Bearer authentication.
pub const DATACENTER_TOKEN: &str = "sandbox-datacenter-token";
/// A user who may sign in but is no administrator: 403.
pub const DATACENTER_USER_NOT_ADMIN: &str = "reader";
/// That user's personal access token.
pub const DATACENTER_TOKEN_NOT_ADMIN: &str = "sandbox-datacenter-token-not-admin";
