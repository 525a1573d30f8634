//! A credential that will expire is reported: by `pull` once a day, by `auth status` always.

use std::fs;

use atlaudit::sandbox::API_KEY;
use chrono::Days;

use crate::support::{Site, files};

fn site(days: u64) -> Site {
    let mut site = Site::of(20, 20).with_all_sources();
    let end = chrono::Utc::now().date_naive() + Days::new(days);
    site.set("acme", "expires_on", end.to_string());
    // Only what the user says is known.
    site.control.set_behaviour(|behaviour| behaviour.hides_keys = true);
    site
}

#[test]
fn a_pull_warns_once_a_day_and_source() {
    let mut site = site(12);
    let shown = |site: &Site| {
        let run = site.ok(&["pull", "acme", "acme-jira", "--output", "{source}"]);
        run.stderr.matches("the credential expires in 12 days").count()
    };
    assert_eq!([shown(&site), shown(&site), shown(&site)], [1, 0, 0]);
    let end = chrono::Utc::now().date_naive() + Days::new(12);
    site.set("acme-jira", "expires_on", end.to_string());
    assert_eq!([shown(&site), shown(&site)], [1, 0]);
    // Yesterday's warning is no reason to be silent today.
    let notice = site.state().join("notices/acme.json");
    let yesterday = chrono::Utc::now().date_naive() - Days::new(1);
    fs::write(&notice, format!(r#"{{"end":"{yesterday}"}}"#)).unwrap();
    assert_eq!([shown(&site), shown(&site)], [1, 0]);
    for (path, text) in files(&site.state()) {
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(API_KEY), "{path}");
    }
}

#[test]
fn a_state_that_cannot_remember_warns_again() {
    let site = site(0);
    fs::create_dir_all(site.state()).unwrap();
    fs::write(site.state().join("notices"), "").unwrap();
    for _ in 0..2 {
        let run = site.ok(&["-q", "pull", "acme", "--output", "x"]);
        assert!(run.stderr.contains("warning: source `acme`: the credential expires today"));
        assert!(
            run.stderr
                .contains("hint: make a new one, and put it where this one is (env:ACME_KEY)")
        );
    }
}

#[test]
fn an_end_far_away_is_no_warning() {
    let site = site(31);
    let run = site.ok(&["-q", "pull", "acme", "--output", "x"]);
    assert_eq!(run.stderr, "");
    assert!(!site.state().join("notices").exists());
}

#[test]
fn the_status_of_all_credentials_is_a_table() {
    let mut site = site(12);
    site.set_env("JIRA_KEY", "wrong-key");
    let run = site.run(&["auth", "status"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let end = chrono::Utc::now().date_naive() + Days::new(12);
    let wanted = [
        "NAME             TYPE              CREDENTIAL                     WORKS  AGE  EXPIRES"
            .to_owned(),
        format!(
            "acme             org-events        environment variable ACME_KEY  yes    -    {end} (in 12 days)"
        ),
        "acme-confluence  confluence-audit  environment variable JIRA_KEY  NO     -    -"
            .to_owned(),
        "acme-dc          datacenter-audit  environment variable DC_KEY    yes    -    -"
            .to_owned(),
        "acme-jira        jira-audit        environment variable JIRA_KEY  NO     -    -"
            .to_owned(),
    ];
    assert_eq!(lines, wanted);
    // Every failure is reported, and every warning.
    for words in [
        "warning: source `acme`: the credential expires in 12 days",
        "error: source `acme-confluence`: ",
        "error: source `acme-jira`: ",
    ] {
        assert!(run.stderr.contains(words), "`{words}` in: {}", run.stderr);
    }
    assert_eq!(run.stderr.matches("\n  hint: ").count(), 3, "{}", run.stderr);
    assert!(!run.stderr.contains("wrong-key"));
}

#[test]
fn the_status_of_one_credential_is_a_json_object() {
    let mut site = site(12);
    site.set_env("JIRA_KEY", "wrong-key");
    let run = site.ok(&["auth", "status", "--json", "acme"]);
    let [status] = &run.trees()[..] else { panic!("{}", run.text()) };
    let end = (chrono::Utc::now().date_naive() + Days::new(12)).to_string();
    let works = serde_json::json!({
        "name": "acme", "type": "org-events", "credential": "environment variable ACME_KEY",
        "works": true, "age_days": null, "expires_on": end, "error": null,
    });
    assert_eq!(*status, works);
    let run = site.run(&["auth", "status", "--json", "acme-jira", "acme"]);
    assert_eq!((run.code, run.trees().len()), (4, 2), "{}", run.stderr);
    let refused = &run.trees()[0];
    assert!(refused["works"] == false && refused["error"].is_string(), "{refused}");
    site.run(&["auth", "status", "acmee"]).refused(6, &["did you mean `acme`?"]);
}

#[test]
fn the_list_of_keys_shows_the_status_too() {
    let mut site = site(12);
    site.control.set_behaviour(|behaviour| {
        behaviour.hides_keys = false;
        behaviour.key_pages = vec![
            r#"[{"label":"siem","expiresOn":"2041-01-02"},{"label":"old","expiresOn":"2020-01-01"}]"#.to_owned(),
        ];
    });
    site.unset("acme", "expires_on");
    let run = site.ok(&["auth", "status"]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.contains("yes    -    2041-01-02 (in "), "{text}");
    assert_eq!(run.stderr, "");
}
