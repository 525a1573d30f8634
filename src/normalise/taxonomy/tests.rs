//! Tests what single actions mean.

use proptest::prelude::*;

use super::*;
use crate::model::meaning::{Category, Deed, OcsfClass, Outcome};

fn meaning(action: &str) -> (ActionMeaning, Outcome) {
    Taxonomy::default().meaning(action)
}

#[test]
fn categories_of_known_actions_and_of_none_else() {
    use Category::*;
    let cases = [
        ("user_login", Authentication),
        ("user_login_failed", Authentication),
        ("user_logged_in_as_user", Authentication),
        ("api_token_created", Token),
        ("user_added_to_group", Group),
        ("group_permission_granted", Permission),
        ("user_invited", Account),
        ("confluence_space_exported", DataExport),
        ("confluence_page_viewed", Content),
        ("authentication_policy_updated", Policy),
        ("app_installed", App),
        ("custom_field_created", Configuration),
        ("repositories_forked", Content),
        ("page_restriction_added", Permission),
        ("personal_access_token_created", Token),
        ("username_changed", Account),
        ("keyboard_layout_invented", Other),
        ("frobnicator_created", Other),
        ("jira_frobnicator_created", Other),
        ("test_action", Other),
        ("user", Other),
        ("user_", Other),
        ("", Other),
        // By the rule: object and verb in both orders, and any tense.
        ("org_admin_added", Permission),
        ("admin_added_to_site", Permission),
        ("grant_product_access", Permission),
        ("user_granted_hat", Permission),
        ("user_hat_lent", Account),
        ("reset_password_of_users", Account),
        ("scim_group_sync", Group),
        ("user_promoted_to_admin", Permission),
        ("license_key_updated", Configuration),
        ("agent_logged_out", Authentication),
        ("confluence_page_hat_viewed", Content),
        ("views_confluence_pages", Content),
        ("confluence_whiteboard_exported", DataExport),
        ("wherever_exported", DataExport),
        ("exporting_space_finished_export", DataExport),
        ("bitbucket_repository_hat_permission_added", Permission),
        ("email_policy_updated", Policy),
        ("access_policies_deleted", Policy),
        ("jira_upm_app_hat_installed", App),
        ("oauth_client_secret_rotated", Token),
        ("signout_all_sessions", Authentication),
        ("des_promotion_update", Configuration),
        // A longer term hides a shorter one, and a reason is not what it is about.
        ("issue_type_screen_created", Configuration),
        ("issue_created_in_hat", Content),
        ("user_app_update_failed_permission_required", App),
    ];
    for (action, want) in cases {
        assert_eq!(meaning(action).0.category, want, "{action}");
    }
}

#[test]
fn an_outcome_needs_a_proof() {
    use Outcome::*;
    let cases = [
        ("user_login", Success),
        ("user_login_failed", Failure),
        ("user_added_to_group", Success),
        ("login_successful", Success),
        ("space_export_requested", Unknown),
        ("access_request_denied", Failure),
        // By the words of names that no row has.
        ("api_token_hat_created", Success),
        ("create_api_token_hat", Success),
        ("api_token_creation_failed", Failure),
        ("api_token_hat_unauthorized", Failure),
        ("api_token_created_hat_requested", Unknown),
        ("api_token_hat_request", Unknown),
        ("api_token_request_hat_deleted", Success),
        ("api_token_request_hat_approved", Success),
        ("user_hat_deletion_scheduled", Unknown),
        ("user_hat_deletion_cancelled", Success),
        ("user_hat_search", Success),
        ("modify_user_request_hat", Success),
        ("app_blocked", Unknown),
        ("user_not_added_to_hat", Unknown),
        ("user_could_not_login", Unknown),
        ("invalid_login", Failure),
        ("login_incorrect_password", Failure),
        ("tried_to_login", Unknown),
        ("failed_login_attempt", Failure),
        ("failed_login_threshold_updated", Success),
        ("user_hat_update_failed_hat_required", Failure),
        ("user_hat_sync_completed_with_errors", Failure),
        ("scheduled_user_deletion_removed", Success),
        ("user_created_pending_approval", Unknown),
        ("user_hat", Unknown),
        // Of what is not known, only a failure is stated.
        ("login_attempt_failed", Failure),
        ("hat_blocked", Unknown),
        ("hat_denied", Failure),
        ("hat_error_shown", Failure),
        ("hat_unblocked", Unknown),
        ("hat_created", Unknown),
        ("something_new", Unknown),
        ("unparsed", Unknown),
    ];
    for (action, want) in cases {
        assert_eq!(meaning(action).1, want, "{action}");
    }
}

/// Category and types of ECS, class and deed of OCSF.
fn schemas(action: &str) -> (String, OcsfClass, Deed) {
    let (meaning, _) = meaning(action);
    let join =
        |words: &[Option<&str>]| words.iter().flatten().copied().collect::<Vec<_>>().join(" ");
    let ecs = [join(&meaning.ecs.categories), join(&meaning.ecs.types)];
    (ecs.join(": "), meaning.class, meaning.deed)
}

/// Action, category and types of ECS, class and deed of OCSF.
#[rustfmt::skip] // a table reads as a table
const SCHEMAS: &[(&str, &str, OcsfClass, Deed)] = &[
    ("user_login_failed",                  "authentication: start",                OcsfClass::Authentication,   Deed::Logon),
    ("user_logout",                        "authentication: end",                  OcsfClass::Authentication,   Deed::Logoff),
    ("user_logged_in_as_user",             "authentication iam: start admin user", OcsfClass::Authentication,   Deed::AccountSwitch),
    ("user_created",                       "iam: user creation",                   OcsfClass::AccountChange,    Deed::Create),
    ("user_suspended",                     "iam: user change",                     OcsfClass::AccountChange,    Deed::Suspend),
    ("users_password_changed",             "iam: user change",                     OcsfClass::AccountChange,    Deed::PasswordChange),
    ("user_two_step_verification_enabled", "iam: user change",                     OcsfClass::AccountChange,    Deed::MfaEnable),
    ("user_added_to_group",                "iam: group user change",               OcsfClass::GroupManagement,  Deed::AddUser),
    ("group_deleted",                      "iam: group deletion",                  OcsfClass::GroupManagement,  Deed::Delete),
    ("user_granted_product_access",        "iam: admin user change",               OcsfClass::UserAccess,       Deed::Assign),
    ("api_token_created",                  "iam: creation",                        OcsfClass::EntityManagement, Deed::Create),
    ("policy_updated",                     "configuration: change",                OcsfClass::EntityManagement, Deed::Update),
    ("project_created",                    "configuration: creation",              OcsfClass::EntityManagement, Deed::Create),
    ("confluence_page_viewed",             "file: access",                         OcsfClass::WebResources,     Deed::Read),
    ("jira_issue_viewed",                  "web: access",                          OcsfClass::WebResources,     Deed::Read),
    ("jira_issue_deleted",                 ": ",                                   OcsfClass::WebResources,     Deed::Delete),
    ("confluence_space_exported",          "file: access",                         OcsfClass::WebResources,     Deed::Export),
    ("third_party_app_jira_api_request",   "api: access",                          OcsfClass::Api,              Deed::Other),
    // By the rule.
    ("api_token_hat_viewed",               "iam: info",                            OcsfClass::EntityManagement, Deed::Read),
    ("confluence_page_hat_trashed",        "file: deletion",                       OcsfClass::WebResources,     Deed::Delete),
    ("jira_issue_hat_viewed",              "web: access",                          OcsfClass::WebResources,     Deed::Read),
    ("jira_issue_hat_updated",             ": ",                                   OcsfClass::WebResources,     Deed::Update),
    ("project_hat_added_to_shelf",         "configuration: change",                OcsfClass::EntityManagement, Deed::Update),
    ("project_hat_added",                  "configuration: creation",              OcsfClass::EntityManagement, Deed::Create),
    ("project_hat_creation_requested",     "configuration: info",                  OcsfClass::EntityManagement, Deed::Other),
    ("group_role_hat_granted",            "iam: admin change",                    OcsfClass::UserAccess,       Deed::Assign),
    ("user_hat_deleted",                   "iam: user info",                       OcsfClass::AccountChange,    Deed::Other),
    ("user_granted_hat",                   "iam: user change",                     OcsfClass::UserAccess,       Deed::Assign),
    ("user_added_to_hat_group",            "iam: group change",                    OcsfClass::GroupManagement,  Deed::AddUser),
    ("confluence_whiteboard_exported",     "file: access",                         OcsfClass::WebResources,     Deed::Export),
    ("export_hat_finished",                "file: access",                         OcsfClass::WebResources,     Deed::Export),
    ("agent_logged_out",                   "authentication: end",                  OcsfClass::Authentication,   Deed::Logoff),
    ("bitbucket_repository_exported",      "file: access",                         OcsfClass::WebResources,     Deed::Export),
    // Unknown.
    ("hat_deleted",                        ": ",                                   OcsfClass::EntityManagement, Deed::Other),
    ("hat_failed",                         ": ",                                   OcsfClass::EntityManagement, Deed::Other),
];

#[test]
fn actions_map_to_ecs_and_ocsf() {
    for (action, ecs, class, deed) in SCHEMAS {
        let want = ((*ecs).to_owned(), *class, *deed);
        assert_eq!(schemas(action), want, "{action}");
    }
}

#[test]
fn summaries_become_actions() {
    let cases = [
        ("User added to group", Some("user_added_to_group")),
        ("User's password changed", Some("users_password_changed")),
        ("  Éditer — 2 champs! ", Some("éditer_2_champs")),
        ("!!", None),
    ];
    for (summary, want) in cases {
        assert_eq!(snake_case(summary).as_deref(), want, "{summary}");
    }
}

#[test]
fn the_more_specific_category_wins_else_the_source() {
    use Category::*;
    let cases = [
        (Other, "Users and groups", Account),
        (Group, "users and groups", Group),
        (Authentication, "permissions", Authentication),
        (Group, "permissions", Permission),
        (Content, " Global Settings ", Configuration),
        (Permission, "global settings", Permission),
        (Content, "unknown", Content),
        (Other, "", Other),
    ];
    for (of_action, word, want) in cases {
        let filed = filed_category(SourceKind::ConfluenceAudit, word);
        assert_eq!(choose_category(of_action, filed), want, "{of_action:?} {word}");
    }
    assert_eq!(choose_category(Content, None), Content);
    assert_eq!(filed_category(SourceKind::JiraAudit, "users and groups"), None);
}

/// The words that make any action a failure.
pub fn failed_words() -> impl Iterator<Item = &'static str> {
    let words = action_words::TEXT.lines().filter_map(action_words::parse_line).flatten();
    let failed = words.filter(|(_, it)| it.proof == action_words::OutcomeProof::Failed);
    failed.map(|(word, _)| word)
}

/// Anything, and names made of the words that tell something.
fn action() -> impl Strategy<Value = String> {
    let terms = action_terms::TEXT.lines().filter_map(action_terms::parse_line);
    let rows = table::TEXT.lines().filter(|line| !line.starts_with('#'));
    let all: Vec<&'static str> = rows.filter_map(|line| line.split('\t').next()).collect();
    let mut parts: Vec<&'static str> = all.iter().flat_map(|text| text.split('_')).collect();
    parts.extend(terms.flat_map(|line| line.terms));
    parts.extend(failed_words());
    parts.extend(["hat", "é", "", " ", "*"]);
    let made = prop::collection::vec(prop::sample::select(parts), 0..7);
    prop_oneof![
        1 => any::<String>(),
        6 => made.prop_map(|parts| parts.join("_")),
        2 => prop::sample::select(all).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn any_action_means_something_allowed_or_nothing(action in action()) {
        let (found, outcome) = meaning(&action);
        let kinds: Vec<_> = found.ecs.categories.into_iter().flatten().collect();
        let types: Vec<_> = found.ecs.types.into_iter().flatten().collect();
        prop_assert_eq!(kinds.is_empty(), types.is_empty());
        for kind in types {
            let allows = |of: &&str| action_words::allowed_types(of).contains(&kind);
            prop_assert!(kinds.iter().any(allows));
        }
        if found == UNKNOWN_MEANING {
            prop_assert_ne!(outcome, Outcome::Success);
        }
    }

    #[test]
    fn words_that_no_table_has_say_nothing(word in "[xyz]{4,8}", more in "[xyz_]{0,12}") {
        let action = format!("{word}_{more}_{word}");
        prop_assert_eq!(meaning(&action).0, UNKNOWN_MEANING);
        prop_assert_eq!(meaning(&format!("{action}_rejected_{word}")).1, Outcome::Failure);
    }
}
