//! The rules that are part of the program.

/// Names the files of `src/detect/rules`, with their texts.
macro_rules! rules {
    ($($name:literal,)*) => {
        /// Each file and its text.
        pub const RULES: [(&str, &str); [$($name,)*].len()] = [
            $(($name, include_str!(concat!("../rules/", $name))),)*
        ];
    };
}

rules! {
    "admin_global_permission_added.yml",
    "admin_group_made_admin.yml",
    "admin_joined_admin_group.yml",
    "admin_organization_admin_added.yml",
    "admin_role_granted.yml",
    "admin_several_made.yml",
    "apps_installed.yml",
    "apps_third_party_connected.yml",
    "apps_tunnel_created.yml",
    "confluence_public_link.yml",
    "confluence_read_with_admin_key.yml",
    "datacenter_directory_changed.yml",
    "datacenter_link_created.yml",
    "datacenter_ssh_key_added.yml",
    "datacenter_token_created.yml",
    "destruction_account_deleted.yml",
    "destruction_all_passwords_reset.yml",
    "destruction_container_deleted.yml",
    "destruction_many_deleted.yml",
    "destruction_repository_deleted.yml",
    "identity_accounts_unclaimed.yml",
    "identity_authentication_policy_weakened.yml",
    "identity_bitbucket_two_step_off.yml",
    "identity_domain_added.yml",
    "identity_domain_removed.yml",
    "identity_google_sign_on_off.yml",
    "identity_saml_changed.yml",
    "identity_saml_removed.yml",
    "identity_two_step_not_enforced.yml",
    "identity_two_step_off_for_user.yml",
    "jira_permission_scheme_changed.yml",
    "keys_admin_api_key_created.yml",
    "keys_bitbucket_key_added.yml",
    "keys_many_tokens_of_one_person.yml",
    "keys_provisioning_token_rotated.yml",
    "keys_user_token_created.yml",
    "leaving_alerts_exported.yml",
    "leaving_audit_log_exported.yml",
    "leaving_content_exported.yml",
    "leaving_full_backup.yml",
    "leaving_keys_listed.yml",
    "leaving_migration_scheduled.yml",
    "leaving_much_content_exported.yml",
    "leaving_space_exported.yml",
    "leaving_users_exported.yml",
    "logins_failed.yml",
    "logins_failed_from_one_address.yml",
    "opening_anonymous_access.yml",
    "opening_data_security_policy_loosened.yml",
    "opening_data_security_policy_off.yml",
    "opening_invitation_link.yml",
    "opening_policy_disabled.yml",
    "opening_repository_privacy_changed.yml",
    "opening_third_party_invites.yml",
    "watch_address_allowlist_off.yml",
    "watch_audit_settings_changed.yml",
    "watch_auditing_disabled.yml",
    "watch_detection_disabled.yml",
    "watch_detection_narrowed.yml",
    "watch_webhook_deleted.yml",
}
