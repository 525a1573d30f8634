//! A Data Center account that is locked until its owner solves a CAPTCHA.

use atlaudit::sandbox::{Behaviour, Fault};

use crate::support::{Run, Site, whole};

fn site(status: u16) -> Site {
    let locked = |behaviour: &mut Behaviour| behaviour.datacenter_captcha = Some(status);
    Site::of(10, 10).with_all_sources().behaving(locked)
}

/// The error names the CAPTCHA, and what to do about it.
fn assert_names_captcha(site: &Site, run: &Run) {
    let text = format!("{}{}", run.stderr, String::from_utf8_lossy(&run.stdout));
    assert_eq!(run.code, 4, "{text}");
    assert!(text.contains("CAPTCHA"), "{text}");
    let login = format!("{}/dc/login.jsp", site.base_url());
    assert!(text.contains(&login) && text.contains("in a browser"), "{text}");
    assert!(!text.contains("os_destination"), "{text}");
    assert!(!text.contains("permission"), "{text}");
}

#[test]
fn a_locked_account_makes_one_request_and_is_reported() {
    for status in [401, 403] {
        let mut site = site(status);
        // The second one has the same credential, and a quota of its own.
        site.add("acme-dc-2", "acme-dc");
        let root = site.base_url().to_owned();
        site.set("acme-dc-2", "base_url", root);
        site.set("acme-dc-2", "concurrency", 1);
        let run = site.run(&["pull", "acme-dc", "acme-dc-2", "-o", "{source}"]);
        assert_names_captcha(&site, &run);
        assert_eq!(run.stderr.matches("demands a CAPTCHA").count(), 2, "{}", run.stderr);
        let asked = site.control.requests();
        // Both may have been on their way at once, but never a second request after a refusal.
        assert!(asked.len() <= 2, "{asked:?}");
        site.control.set_behaviour(|behaviour| behaviour.datacenter_captcha = None);
        site.ok(&["pull", "acme-dc", "-o", "{source}"]);
        whole("healed", &site, "acme-dc", &site.read("acme-dc"));
    }
}

#[test]
fn one_source_makes_one_request() {
    for args in [
        &["pull", "acme-dc"][..],
        &["check", "acme-dc"],
        &["export", "acme-dc", "--since", "1d", "-o", "export"],
    ] {
        let site = site(403);
        let run = site.run(args);
        assert_names_captcha(&site, &run);
        assert_eq!(site.control.requests().len(), 1, "{args:?}");
    }
}

#[test]
fn two_checked_sources_of_one_credential_make_one_request() {
    let mut site = site(403);
    site.add("acme-dc-2", "acme-dc");
    let run = site.run(&["check", "acme-dc", "acme-dc-2"]);
    assert_names_captcha(&site, &run);
    assert_eq!(site.control.requests().len(), 1);
}

#[test]
fn a_login_page_elsewhere_is_not_shown() {
    let mut site = site(403);
    site.control.set_behaviour(|behaviour| behaviour.datacenter_captcha = None);
    site.set("acme-dc", "username", "auditor");
    let reason = "captcha_challenge; login-url=https://evil.example/login";
    let refusal = Fault::Status {
        status: 401,
        headers: vec![("X-Authentication-Denied-Reason".to_owned(), reason.to_owned())],
        body: String::new(),
    };
    site.control.inject_always(atlaudit::sandbox::Api::DatacenterAudit, refusal);
    let run = site.run(&["pull", "acme-dc"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("CAPTCHA"), "{}", run.stderr);
    assert!(!run.stderr.contains("evil.example"), "{}", run.stderr);
}
