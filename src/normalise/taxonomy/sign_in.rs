//! Owns the rows of signing in and out.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Logging on and off, and acting as somebody else.
pub const SIGN_IN: ActionFamily = ActionFamily {
    title: "Signing in",
    provenance: "Organization events seen: user_login, user_login_failed, user_logged_in_as_user. Data Center's as \
           Atlassian lists them, or from memory; the others from memory.",
    names: SIGN_IN_NAMES,
    patterns: SIGN_IN_PATTERNS,
};

const SIGN_IN_NAMES: &[NamedAction] = names! {
    // Organization events.
    "user_login"                             Authentication Done   [Authentication: Start]                Authentication Logon;
    "user_login_failed"                      Authentication Failed [Authentication: Start]                Authentication Logon;
    "user_logout"                            Authentication Done   [Authentication: End]                  Authentication Logoff;
    "user_logged_in_as_user"                 Authentication Done   [Authentication Iam: Start Admin User] Authentication AccountSwitch;
    "user_logged_out"                        Authentication Done   [Authentication: End]                  Authentication Logoff;
    "user_logged_in"                         Authentication Done   [Authentication: Start]                Authentication Logon;
    // Data Center.
    "login_failed"                           Authentication Failed [Authentication: Start]                Authentication Logon;
    "login_successful"                       Authentication Done   [Authentication: Start]                Authentication Logon;
    "user_login_successful"                  Authentication Done   [Authentication: Start]                Authentication Logon;
    "logout_successful"                      Authentication Done   [Authentication: End]                  Authentication Logoff;
    "authentication_failed"                  Authentication Failed [Authentication: Start]                Authentication Logon;
    "authentication_successful"              Authentication Done   [Authentication: Start]                Authentication Logon;
    "secure_administrator_session_started"   Authentication Done   [Session: Start]                       Authentication Logon;
    "secure_administrator_session_ended"     Authentication Done   [Session: End]                         Authentication Logoff;
    "secure_administration_login_failed"     Authentication Failed [Authentication: Start]                Authentication Logon;
    "secure_administration_login_successful" Authentication Done   [Authentication: Start]                Authentication Logon;
};

const SIGN_IN_PATTERNS: &[ActionPattern] = patterns! {
    "user_login_*"       Authentication [Authentication] Authentication Logon;
    "user_logout_*"      Authentication [Authentication] Authentication Logoff;
    "user_session_*"     Authentication [Session]        Authentication Told;
    "*_login_failed"     Authentication [Authentication] Authentication Logon;
    "*_login_successful" Authentication [Authentication] Authentication Logon;
    "*_logged_in"        Authentication [Authentication] Authentication Logon;
    "*_logged_out"       Authentication [Authentication] Authentication Logoff;
};
