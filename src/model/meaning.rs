//! What an action means: to us, and to the schemas that SIEMs speak.
//!
//! ECS categories and types: Elastic Common Schema 9.4, `event.category` and `event.type`. OCSF
//! classes and activities: OCSF 1.8.0, `class_uid` and `activity_id` (numbers in `render::ocsf`,
//! where they are written).

/// What an action means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionMeaning {
    /// Our own word.
    pub category: Category,
    /// To ECS: empty where none fits.
    pub ecs: EcsKind,
    /// The class that OCSF has for it; an event that lacks what the class requires is rendered in
    /// another.
    pub class: OcsfClass,
    /// What was done: the activity within whichever class.
    pub deed: Deed,
}

/// What nothing is known of.
pub const UNKNOWN_MEANING: ActionMeaning = ActionMeaning {
    category: Category::Other,
    ecs: EcsKind { categories: [None; 2], types: [None; 3] },
    class: OcsfClass::EntityManagement,
    deed: Deed::Other,
};

/// `event.category` and `event.type`, in the words of ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcsKind {
    /// In the order of the output.
    pub categories: [Option<&'static str>; 2],
    /// In the order of the output; only those that ECS allows with one of the categories.
    pub types: [Option<&'static str>; 3],
}

/// Closed vocabularies: ours and those of the schemas.
macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word for it in events and in `taxonomy.tsv`.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// Reads the word for it.
            #[allow(dead_code, reason = "not all of these are read by themselves")]
            pub fn from_word(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// The kind of thing that was done.
    #[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename_all = "snake_case"))]
    Category {
        Authentication = "authentication",
        Account = "account",
        Group = "group",
        Permission = "permission",
        Token = "token",
        App = "app",
        Policy = "policy",
        Content = "content",
        Configuration = "configuration",
        DataExport = "data_export",
        Other = "other",
    }
}

words! {
    /// How it ended, as far as the source states it or the action's name proves it.
    #[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename_all = "snake_case"))]
    Outcome {
        Success = "success",
        Failure = "failure",
        Unknown = "unknown",
    }
}

words! {
    /// Where an action is known from.
    RowEvidence {
        /// Atlassian's list of the actions of an organization, as a tenant recorded it.
        Catalogue = "catalogue",
        /// Recorded answers of the APIs.
        Seen = "seen",
        /// Atlassian's documentation of what is logged.
        Documented = "documented",
        /// None of these: other collectors' test data, features of the products, memory.
        Unconfirmed = "unconfirmed",
    }
}

words! {
    /// A class of OCSF 1.8.0, by its `class_name`.
    OcsfClass {
        /// 3001: a user's account.
        AccountChange = "Account Change",
        /// 3002: logging on and off.
        Authentication = "Authentication",
        /// 3004: anything that is managed: policies, apps, domains, settings, projects.
        EntityManagement = "Entity Management",
        /// 3005: a user's privileges.
        UserAccess = "User Access Management",
        /// 3006: groups and who is in them.
        GroupManagement = "Group Management",
        /// 6001: content that people work on, and exports.
        WebResources = "Web Resources Activity",
        /// 6002: an app that is installed, updated, enabled, disabled or removed.
        ApplicationLifecycle = "Application Lifecycle",
        /// 6003: a call of an API.
        Api = "API Activity",
    }
}

words! {
    /// What was done, as an activity of OCSF is named; which number that is depends on the class,
    /// and none in some.
    Deed {
        Create = "Create",
        Read = "Read",
        Update = "Update",
        Delete = "Delete",
        Enable = "Enable",
        Disable = "Disable",
        Install = "Install",
        /// What an app is that is uninstalled.
        Remove = "Remove",
        Activate = "Activate",
        Deactivate = "Deactivate",
        Suspend = "Suspend",
        Resume = "Resume",
        Move = "Move",
        Enroll = "Enroll",
        Unenroll = "Unenroll",
        Lock = "Lock",
        Unlock = "Unlock",
        PasswordChange = "Password Change",
        PasswordReset = "Password Reset",
        MfaEnable = "MFA Factor Enable",
        MfaDisable = "MFA Factor Disable",
        AttachPolicy = "Attach Policy",
        DetachPolicy = "Detach Policy",
        Logon = "Logon",
        Logoff = "Logoff",
        AccountSwitch = "Account Switch",
        /// Gives a privilege.
        Assign = "Assign Privileges",
        /// Takes a privilege away.
        Revoke = "Revoke Privileges",
        AddUser = "Add User",
        RemoveUser = "Remove User",
        AddSubgroup = "Add Subgroup",
        RemoveSubgroup = "Remove Subgroup",
        Search = "Search",
        Import = "Import",
        Export = "Export",
        Share = "Share",
        /// Something that no activity says: the action itself is the label.
        Other = "Other",
    }
}
