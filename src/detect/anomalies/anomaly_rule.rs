//! The detections of this folder: what alerts call them, and what they need.

/// A detection of this folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnomalyRule {
    /// Its id.
    pub id: &'static str,
    /// What it finds.
    pub name: &'static str,
    /// Techniques of ATT&CK.
    pub attack: &'static [&'static str],
    /// What an event must have for it to find anything, for `--coverage`.
    pub needs: AnomalyNeed,
}

/// What a detection cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnomalyNeed {
    /// Logins that fail.
    FailedLogin,
    /// Logins that succeed or sessions, with a place.
    Place,
    /// Addresses, and lists of such.
    ListedAddress,
    /// Administrative acts of people.
    Administration,
    /// Content that is viewed or exported.
    Reading,
    /// Someone who becomes someone else.
    Impersonation,
    /// Accounts that are suspended or deactivated.
    AccessRemoval,
    /// Any events.
    AnyEvent,
    /// Events of keys, and the name of our own.
    OwnKey,
}

macro_rules! anomalies {
    ($($constant:ident = $id:literal, $name:literal, [$($attack:literal),*], $need:ident;)*) => {
        $(
            #[doc = $name]
            pub const $constant: AnomalyRule = AnomalyRule {
                id: $id,
                name: $name,
                attack: &[$($attack),*],
                needs: AnomalyNeed::$need,
            };
        )*
        /// All of them.
        pub const ANOMALIES: &[AnomalyRule] = &[$($constant,)*];
    };
}

anomalies! {
    IMPOSSIBLE_TRAVEL =
        "impossible_travel", "Impossible travel",
        ["T1078.004"], Place;
    NEW_COUNTRY =
        "new_country", "Activity from a new country",
        ["T1078.004"], Place;
    LISTED_ADDRESS =
        "listed_address", "Activity from a listed address",
        ["T1090.003"], ListedAddress;
    FAILED_LOGINS =
        "failed_logins", "Many failed logins",
        ["T1110.001"], FailedLogin;
    PASSWORD_SPRAY =
        "password_spray", "Failed logins of many users from one address",
        ["T1110.003"], FailedLogin;
    SUCCESS_AFTER_FAILURES =
        "success_after_failures", "Login succeeds after many failures",
        ["T1110", "T1078.004"], FailedLogin;
    UNUSUAL_ADMINISTRATION =
        "unusual_administration", "Administration that is new for this person",
        ["T1098"], Administration;
    ADMINISTRATION_BURST =
        "administration_burst", "Far more administration than usual",
        ["T1098"], Administration;
    DORMANT_ADMINISTRATOR =
        "dormant_administrator", "Administration by an account that was dormant",
        ["T1078.004"], Administration;
    DISABLED_ACCOUNT =
        "disabled_account", "Activity of an account whose access was taken away",
        ["T1078.004"], AccessRemoval;
    IMPERSONATION =
        "impersonation", "A person logs in as another",
        ["T1550.001", "T1078.004"], Impersonation;
    IMPERSONATION_ABUSE =
        "impersonation_abuse", "Sensitive act after logging in as another",
        ["T1098", "T1213"], Impersonation;
    MASS_READING =
        "mass_reading", "Far more content read or exported than usual",
        ["T1213", "T1530"], Reading;
    SOURCE_SILENCE =
        "source_silence", "A source was silent for unusually long",
        ["T1562.008"], AnyEvent;
    OWN_KEY =
        "own_key", "The collector's own key was taken away",
        ["T1562.008"], OwnKey;
}

/// Whether `word` is the id or the name of one of them, in whatever case.
pub fn is_anomaly(word: &str) -> bool {
    let is_called =
        |rule: &AnomalyRule| [rule.id, rule.name].iter().any(|own| own.eq_ignore_ascii_case(word));
    ANOMALIES.iter().any(is_called)
}
