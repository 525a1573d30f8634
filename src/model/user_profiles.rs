//! The names and addresses behind account ids, where a record says less.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Whom an account id means, as far as the site tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserProfile {
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
}

/// Users by their account ids.
pub type UserProfiles = Arc<HashMap<String, UserProfile>>;
