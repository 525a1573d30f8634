//! The endpoints of the admin APIs: path, method, and the scope that a key needs for each.

use axum::http::Method;

/// What a path and a method of the admin APIs lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminEndpoint {
    /// `GET /admin/v2/orgs/{org}/directories`
    Directories,
    /// `POST .../directories/{directory}/users/search`
    UserSearch,
    /// `GET .../directories/{directory}/users`
    Users,
    /// `GET .../directories/{directory}/users/{account}`
    User,
    /// `GET .../directories/{directory}/users/{account}/role-assignments`
    RoleAssignments,
    /// `POST .../directories/{directory}/users/{account}/suspend`
    SuspendUser,
    /// `POST .../directories/{directory}/users/{account}/restore`
    RestoreUser,
    /// `POST /admin/v2/orgs/{org}/workspaces`
    Workspaces,
    /// `GET /admin/v1/orgs/{org}/domains`
    Domains,
    /// `GET /admin/v1/orgs/{org}/policies`
    OrgPolicies,
    /// `GET /admin/control/v1/orgs/{org}/policies`, and v2
    ControlPolicies,
    /// `GET /admin/control/v1/orgs/{org}/policies/{policy}/resources`, and v2
    PolicyResources,
    /// `POST /admin/control/v1/orgs/{org}/users/auth-policies/bulk-fetch`
    AuthPolicyMembers,
    /// `POST /admin/control/v1/orgs/{org}/auth-policy/{policy}/add-users`
    AddPolicyUsers,
    /// `GET /admin/control/v1/orgs/{org}/auth-policy/task/{task}`
    PolicyTask,
    /// `GET /admin/api-access/v1/orgs/{org}/api-tokens`
    ApiTokens,
    /// `GET .../api-tokens/count`
    ApiTokenCount,
    /// `DELETE .../api-tokens`: revokes the tokens of every managed account
    RevokeAllTokens,
    /// `GET .../api-keys`
    ApiKeys,
    /// `GET .../api-keys/count`
    ApiKeyCount,
    /// `PATCH .../api-keys/revoke/{key}`
    RevokeKey,
    /// `GET .../service-accounts`
    ServiceAccounts,
    /// `POST .../service-accounts/count`
    ServiceAccountCount,
    /// `GET .../service-accounts/api-tokens`
    ServiceTokens,
    /// `GET .../service-accounts/{account}/api-tokens`
    ServiceAccountTokens,
    /// `DELETE .../service-accounts/{account}/api-tokens`
    RevokeServiceTokens,
    /// `GET /users/{account}/manage`
    Privileges,
    /// `GET /users/{account}/manage/api-tokens`
    UserTokens,
    /// `DELETE /users/{account}/manage/api-tokens/{token}`
    RevokeUserToken,
    /// `POST /users/{account}/manage/lifecycle/disable`
    DisableUser,
    /// `POST /users/{account}/manage/lifecycle/enable`
    EnableUser,
}

/// What a key must have for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointAccess {
    /// This scope, or no scopes at all.
    Scope(&'static str),
    /// No scopes: a scoped key is a 403 of user management.
    UnscopedManage,
    /// No scopes: a scoped key is a 403 of the organizations API.
    UnscopedDirectory,
}

impl AdminEndpoint {
    /// The endpoint at the segments of a path. A path that takes several methods leads to the
    /// endpoint of this one, else to the one that is read.
    pub fn of(method: &Method, path: &[&str]) -> Option<Self> {
        match path {
            ["admin", "v2", "orgs", _, rest @ ..] => Self::of_v2(rest),
            ["admin", "v1", "orgs", _, "domains"] => Some(Self::Domains),
            ["admin", "v1", "orgs", _, "policies"] => Some(Self::OrgPolicies),
            ["admin", "control", "v1" | "v2", "orgs", _, rest @ ..] => Self::of_control(rest),
            ["admin", "api-access", "v1", "orgs", _, rest @ ..] => {
                Self::of_api_access(method, rest)
            }
            ["users", _, "manage", rest @ ..] => Self::of_user_management(rest),
            _ => None,
        }
    }

    fn of_v2(rest: &[&str]) -> Option<Self> {
        match rest {
            ["directories"] => Some(Self::Directories),
            ["workspaces"] => Some(Self::Workspaces),
            ["directories", _, "users", "search"] => Some(Self::UserSearch),
            ["directories", _, "users"] => Some(Self::Users),
            ["directories", _, "users", _] => Some(Self::User),
            ["directories", _, "users", _, "role-assignments"] => Some(Self::RoleAssignments),
            ["directories", _, "users", _, "suspend"] => Some(Self::SuspendUser),
            ["directories", _, "users", _, "restore"] => Some(Self::RestoreUser),
            _ => None,
        }
    }

    fn of_control(rest: &[&str]) -> Option<Self> {
        match rest {
            ["policies"] => Some(Self::ControlPolicies),
            ["policies", _, "resources"] => Some(Self::PolicyResources),
            ["users", "auth-policies", "bulk-fetch"] => Some(Self::AuthPolicyMembers),
            ["auth-policy", "task", _] => Some(Self::PolicyTask),
            ["auth-policy", _, "add-users"] => Some(Self::AddPolicyUsers),
            _ => None,
        }
    }

    fn of_api_access(method: &Method, rest: &[&str]) -> Option<Self> {
        match rest {
            ["api-tokens"] if *method == Method::DELETE => Some(Self::RevokeAllTokens),
            ["api-tokens"] => Some(Self::ApiTokens),
            ["api-tokens", "count"] => Some(Self::ApiTokenCount),
            ["api-keys"] => Some(Self::ApiKeys),
            ["api-keys", "count"] => Some(Self::ApiKeyCount),
            ["api-keys", "revoke", _] => Some(Self::RevokeKey),
            ["service-accounts"] => Some(Self::ServiceAccounts),
            ["service-accounts", "count"] => Some(Self::ServiceAccountCount),
            ["service-accounts", "api-tokens"] => Some(Self::ServiceTokens),
            ["service-accounts", _, "api-tokens"] if *method == Method::DELETE => {
                Some(Self::RevokeServiceTokens)
            }
            ["service-accounts", _, "api-tokens"] => Some(Self::ServiceAccountTokens),
            _ => None,
        }
    }

    fn of_user_management(rest: &[&str]) -> Option<Self> {
        match rest {
            [] => Some(Self::Privileges),
            ["api-tokens"] => Some(Self::UserTokens),
            ["api-tokens", _] => Some(Self::RevokeUserToken),
            ["lifecycle", "disable"] => Some(Self::DisableUser),
            ["lifecycle", "enable"] => Some(Self::EnableUser),
            _ => None,
        }
    }

    /// The method it takes.
    pub fn method(self) -> Method {
        match self {
            Self::UserSearch
            | Self::Workspaces
            | Self::AuthPolicyMembers
            | Self::ServiceAccountCount
            | Self::SuspendUser
            | Self::RestoreUser
            | Self::AddPolicyUsers
            | Self::DisableUser
            | Self::EnableUser => Method::POST,
            Self::RevokeAllTokens | Self::RevokeServiceTokens | Self::RevokeUserToken => {
                Method::DELETE
            }
            Self::RevokeKey => Method::PATCH,
            _ => Method::GET,
        }
    }

    /// Whether it changes the organization.
    pub fn is_write(self) -> bool {
        matches!(
            self,
            Self::SuspendUser
                | Self::RestoreUser
                | Self::AddPolicyUsers
                | Self::RevokeAllTokens
                | Self::RevokeKey
                | Self::RevokeServiceTokens
                | Self::RevokeUserToken
                | Self::DisableUser
                | Self::EnableUser
        )
    }

    /// What a key needs. Searching users has no documented scope; that of the list is taken.
    pub fn access(self) -> EndpointAccess {
        EndpointAccess::Scope(match self {
            Self::Privileges
            | Self::UserTokens
            | Self::RevokeUserToken
            | Self::DisableUser
            | Self::EnableUser => return EndpointAccess::UnscopedManage,
            Self::SuspendUser | Self::RestoreUser => return EndpointAccess::UnscopedDirectory,
            Self::Directories
            | Self::UserSearch
            | Self::Users
            | Self::User
            | Self::RoleAssignments => "read:directories:admin",
            Self::Workspaces => "read:workspaces:admin",
            Self::Domains => "read:domains:admin",
            Self::OrgPolicies
            | Self::ControlPolicies
            | Self::PolicyResources
            | Self::AuthPolicyMembers => "read:policies:admin",
            Self::AddPolicyUsers | Self::PolicyTask => "write:policies:admin",
            Self::ApiTokens | Self::ApiTokenCount => "read:tokens:admin",
            Self::RevokeAllTokens => "delete:tokens:admin",
            Self::ApiKeys | Self::ApiKeyCount => "read:keys:admin",
            Self::RevokeKey => "delete:keys:admin",
            Self::ServiceAccounts | Self::ServiceAccountCount => "read:service-accounts:admin",
            Self::ServiceTokens | Self::ServiceAccountTokens => {
                "read:service-accounts-tokens:admin"
            }
            Self::RevokeServiceTokens => "delete:service-accounts-tokens:admin",
        })
    }
}
