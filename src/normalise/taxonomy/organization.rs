//! Owns the rows of the organization: its domains, directories, products and settings.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Domains, identity providers, directories, products, billing, settings.
pub const ORGANIZATION: ActionFamily = ActionFamily {
    title: "Organization",
    provenance: "After the activities and features that Atlassian documents, spelled as the organization events that were \
           seen: not confirmed.",
    names: ORGANIZATION_NAMES,
    patterns: ORGANIZATION_PATTERNS,
};

const ORGANIZATION_NAMES: &[NamedAction] = names! {
    "org_renamed"                Configuration Done   [Configuration: Change]   EntityManagement Update;
    "org_updated"                Configuration Done   [Configuration: Change]   EntityManagement Update;
    "org_settings_updated"       Configuration Done   [Configuration: Change]   EntityManagement Update;
    "domain_claimed"             Configuration Done   [Configuration: Change]   EntityManagement Enroll;
    "domain_unclaimed"           Configuration Done   [Configuration: Change]   EntityManagement Unenroll;
    "domain_verified"            Configuration Done   [Configuration: Change]   EntityManagement Update;
    "domain_verification_failed" Configuration Failed [Configuration: Info]     EntityManagement Other;
    "domain_removed"             Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "domain_added"               Configuration Done   [Configuration: Creation] EntityManagement Create;
    "approved_domain_added"      Configuration Done   [Configuration: Change]   EntityManagement Update;
    "approved_domain_removed"    Configuration Done   [Configuration: Change]   EntityManagement Update;
    "saml_configuration_created" Configuration Done   [Configuration: Creation] EntityManagement Create;
    "saml_configuration_updated" Configuration Done   [Configuration: Change]   EntityManagement Update;
    "saml_configuration_deleted" Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "identity_provider_added"    Configuration Done   [Configuration: Creation] EntityManagement Create;
    "identity_provider_updated"  Configuration Done   [Configuration: Change]   EntityManagement Update;
    "identity_provider_removed"  Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "user_directory_created"     Configuration Done   [Configuration: Creation] EntityManagement Create;
    "user_directory_updated"     Configuration Done   [Configuration: Change]   EntityManagement Update;
    "user_directory_deleted"     Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "scim_sync_completed"        Configuration Done   [Configuration: Info]     EntityManagement Other;
    "scim_sync_failed"           Configuration Failed [Configuration: Info]     EntityManagement Other;
    "scim_sync_started"          Configuration Open   [Configuration: Info]     EntityManagement Other;
    "product_added"              Configuration Done   [Configuration: Creation] EntityManagement Create;
    "product_removed"            Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "product_suspended"          Configuration Done   [Configuration: Change]   EntityManagement Suspend;
    "product_discovered"         Configuration Done   [Configuration: Info]     EntityManagement Other;
    "product_request_created"    Configuration Open   [Configuration: Info]     EntityManagement Other;
    "product_request_approved"   Configuration Done   [Configuration: Change]   EntityManagement Update;
    "product_request_denied"     Configuration Failed [Configuration: Info]     EntityManagement Other;
    "site_created"               Configuration Done   [Configuration: Creation] EntityManagement Create;
    "site_renamed"               Configuration Done   [Configuration: Change]   EntityManagement Update;
    "site_url_changed"           Configuration Done   [Configuration: Change]   EntityManagement Update;
    "sandbox_created"            Configuration Done   [Configuration: Creation] EntityManagement Create;
    "sandbox_deleted"            Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "sandbox_reset"              Configuration Done   [Configuration: Change]   EntityManagement Update;
    "release_track_changed"      Configuration Done   [Configuration: Change]   EntityManagement Update;
    "audit_log_settings_updated" Configuration Done   [Configuration: Change]   EntityManagement Update;
};

const ORGANIZATION_PATTERNS: &[ActionPattern] = patterns! {
    "org_*"               Configuration [Configuration] EntityManagement Told;
    "domain_*"            Configuration [Configuration] EntityManagement Told;
    "saml_*"              Configuration [Configuration] EntityManagement Told;
    "sso_*"               Configuration [Configuration] EntityManagement Told;
    "scim_*"              Configuration [Configuration] EntityManagement Told;
    "identity_provider_*" Configuration [Configuration] EntityManagement Told;
    "directory_*"         Configuration [Configuration] EntityManagement Told;
    "user_directory_*"    Configuration [Configuration] EntityManagement Told;
    "product_*"           Configuration [Configuration] EntityManagement Told;
    "site_*"              Configuration [Configuration] EntityManagement Told;
    "sandbox_*"           Configuration [Configuration] EntityManagement Told;
    "billing_*"           Configuration [Configuration] EntityManagement Told;
};
