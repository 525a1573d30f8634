//! Refusals that look alike and are not: each cause has its own hint.

use atlaudit::sandbox::{
    API_KEY_NO_SCOPE, DATACENTER_TOKEN_NOT_ADMIN, JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN,
    JIRA_TOKEN_NO_SCOPE, JIRA_TOKEN_NOT_ADMIN, JIRA_TOKEN_SCOPED,
};

use crate::support::Site;

const CLOUD: [&str; 2] = ["acme-jira", "acme-confluence"];

fn site() -> Site {
    Site::of(10, 10).with_all_sources()
}

#[test]
fn a_token_with_scopes_at_the_site() {
    let mut site = site();
    site.set_env("JIRA_KEY", JIRA_TOKEN_SCOPED);
    for source in CLOUD {
        site.run(&["pull", source]).refused(4, &["401", "a token with scopes", "`gateway = true`"]);
        site.set(source, "gateway", true);
        site.ok(&["pull", source]);
    }
}

#[test]
fn a_token_without_the_scope() {
    let mut site = site();
    site.set_env("JIRA_KEY", JIRA_TOKEN_NO_SCOPE);
    for (source, scope) in
        CLOUD.into_iter().zip(["read:audit-log:jira", "read:audit-log:confluence"])
    {
        site.set(source, "gateway", true);
        site.run(&["pull", source]).refused(4, &["401", "lacks a scope", scope]);
    }
    site.set_env("ACME_KEY", API_KEY_NO_SCOPE);
    site.run(&["pull", "acme"]).refused(4, &["lacks a scope", "`read:events:admin`"]);
}

#[test]
fn a_wrong_token_behind_the_gateway() {
    let mut site = site();
    site.set_env("JIRA_KEY", "another-token");
    for source in CLOUD {
        site.set(source, "gateway", true);
        site.run(&["pull", source]).refused(4, &["401", "`email`", "`cloud_id`"]);
    }
}

#[test]
fn all_products_on_a_free_plan() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.free_plan = true);
    for source in CLOUD {
        site.run(&["pull", source])
            .refused(4, &["403", "no audit log on its plan", "Standard plan"]);
    }
}

#[test]
fn an_account_that_is_no_administrator() {
    let mut site = site();
    site.set_env("JIRA_KEY", JIRA_TOKEN_NOT_ADMIN);
    site.set_env("DC_KEY", DATACENTER_TOKEN_NOT_ADMIN);
    for source in CLOUD {
        site.set(source, "email", JIRA_EMAIL_NOT_ADMIN);
    }
    for (source, who) in [
        ("acme-jira", "`Administer Jira`"),
        ("acme-confluence", "Confluence administrator"),
        ("acme-dc", "system administrator"),
    ] {
        site.run(&["pull", source]).refused(4, &["403", "lacks a permission", who]);
    }
}

#[test]
fn a_token_of_a_site_for_an_organization() {
    let mut site = site();
    site.set_env("ACME_KEY", JIRA_TOKEN);
    site.run(&["pull", "acme"])
        .refused(4, &["401", "organization API key", "personal API token does not work"]);
}

#[test]
fn a_data_centers_token_that_is_not_known() {
    let mut site = site();
    site.set_env("DC_KEY", "another-token");
    site.run(&["pull", "acme-dc"]).refused(4, &["401", "personal access token", "`username`"]);
}
