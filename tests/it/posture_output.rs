//! `posture`: its exit codes, what changed since the last run, the inventory, and its formats.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use atlaudit::sandbox::ORG_ID;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::posture::{finding, posture, refusing, site, sound_site, verdicts};
use crate::support::{Site, small};

#[test]
fn a_job_can_fail_on_a_verdict() {
    let faulty = site();
    let run = |args: &[&str]| posture(&faulty, args).code;
    assert_eq!(run(&["--fail-on", "fail"]), 10);
    assert_eq!(run(&["--fail-on", "review"]), 10);
    assert_eq!(run(&[]), 0);
    let only_review = ["--check", "mfa.users", "--check", "mobile.policy", "--fail-on"];
    assert_eq!(run(&[&only_review[..], &["review"]].concat()), 10);
    assert_eq!(run(&[&only_review[..], &["fail"]].concat()), 0);
    assert_eq!(posture(&sound_site(), &["--fail-on", "review"]).code, 0);
    posture(&faulty, &["--fail-on", "pass"]).fails(2, &["pass", "review"]);
}

#[test]
fn a_refused_list_matters_more_than_a_verdict() {
    let site = refusing(site(), "/domains", 401);
    assert_eq!(posture(&site, &["--fail-on", "fail"]).code, 4);
}

/// The changes that `--since-last` prints, by check.
fn changes(site: &Site) -> Vec<(String, Value)> {
    let run = posture(site, &["--since-last"]);
    let text = |finding: &Value| finding["check"].as_str().unwrap().to_owned();
    run.trees().iter().map(|finding| (text(finding), finding["change"].clone())).collect()
}

#[test]
fn the_first_run_has_nothing_to_compare_with() {
    let site = site();
    let first = changes(&site);
    assert_eq!(first.len(), 18);
    assert!(first.iter().all(|(_, change)| change["was"].is_null()), "{first:?}");
}

#[test]
fn only_what_changed_is_shown() {
    let site = site();
    posture(&site, &[]);
    assert_eq!(changes(&site), []);
    site.control.set_behaviour(|behaviour| behaviour.sound_organization = true);
    let changed = changes(&site);
    let names: Vec<&str> = changed.iter().map(|(check, _)| &**check).collect();
    let wanted = [
        "mfa.admins",
        "mfa.users",
        "mobile.policy",
        "admins.idle",
        "users.idle",
        "users.external",
        "domains.verified",
        "ip.allowlist",
        "data.export",
        "tokens.users",
        "service.tokens",
    ];
    assert_eq!(names, wanted);
    let (_, domains) = changed.iter().find(|(check, _)| check == "domains.verified").unwrap();
    assert_eq!(domains["was"], "fail");
    assert_eq!(domains["gone"], serde_json::json!(["lindenfell-labs.example"]));
    assert_eq!(changes(&site), []);
}

#[test]
fn the_table_says_what_changed() {
    let site = site();
    let table = |site: &Site| site.run(&["posture", "--check", "keys.org", "--since-last"]).text();
    assert!(table(&site).contains("not checked before"), "{}", table(&site));
    assert!(table(&site).starts_with("acme: nothing changed since the last run\n"));
    site.control.set_behaviour(|behaviour| behaviour.many_keys = true);
    let changed = table(&site);
    assert!(changed.contains("was pass on ") && changed.contains("; 2 new: "), "{changed}");
}

#[test]
fn a_list_that_could_not_be_read_hides_no_change() {
    let site = site();
    posture(&site, &[]);
    let site = refusing(site, "/domains", 500);
    let unread = changes(&site);
    assert_eq!(unread.len(), 1, "{unread:?}");
    assert_eq!(unread[0].1["was"], "fail");
    site.control.set_behaviour(|behaviour| {
        behaviour.admin_refusals.clear();
        behaviour.sound_organization = true;
    });
    let changed = changes(&site);
    let domains = changed.iter().find(|(check, _)| check == "domains.verified");
    assert_eq!(domains.unwrap().1["was"], "fail");
}

#[test]
fn findings_of_another_organization_are_not_compared() {
    let mut site = site();
    posture(&site, &[]);
    let path = site.state().join("posture/acme.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(ORG_ID, "another")).unwrap();
    assert_eq!(changes(&site).len(), 18);
    site.set_posture("[posture]\nskip = ['keys.org']");
    assert_eq!(changes(&site), []);
}

const LISTS: [&str; 7] = [
    "api-keys",
    "api-tokens",
    "domains",
    "policies",
    "service-account-tokens",
    "service-accounts",
    "users",
];

#[test]
fn the_inventory_holds_every_list_as_it_was_received() {
    let site = site();
    site.ok(&["posture", "--check", "domains.verified", "--inventory", "lists"]);
    let folder = site.path("lists");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, LISTS.map(|list| format!("acme-{list}.jsonl")));
    for (name, list) in names.iter().zip(LISTS) {
        let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let lines = site.read(&format!("lists/{name}")).trees();
        assert!(!lines.is_empty(), "{name}");
        for line in lines {
            assert_eq!(line["schema"], "atlaudit-inventory/1");
            assert_eq!((&line["list"], &line["org_id"]), (&list.into(), &ORG_ID.into()));
            assert!(line["entry"].is_object(), "{line}");
        }
    }
    let domain = &site.read("lists/acme-domains.jsonl").trees()[0]["entry"];
    assert!(domain["attributes"]["claim"]["status"].is_string(), "{domain}");
    assert!(domain["links"]["self"].is_string(), "{domain}");
}

#[test]
fn a_list_that_could_not_be_read_leaves_no_file() {
    let site = refusing(site(), "/domains", 401);
    let run = site.run(&["posture", "--check", "keys.org", "--inventory", "lists"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(!site.path("lists/acme-domains.jsonl").exists());
    assert!(site.path("lists/acme-users.jsonl").exists());
}

#[test]
fn names_of_the_inventory_serve_other_sources() {
    let mut site = Site::new(small(0, 2_000)).with_output("path", "{source}");
    site.set("acme-jira", "resolve_users", true);
    site.ok(&["posture", "acme", "--check", "keys.org", "--inventory", "lists"]);
    site.ok(&["pull", "acme-jira"]);
    let events = site.read("acme-jira").trees();
    let marta = "marta.oliveira@lindenfell.example";
    assert!(events.iter().any(|event| event["actor"]["email"] == marta));
    let listed = site.read("lists/acme-users.jsonl").trees();
    let listed: HashSet<&str> =
        listed.iter().map(|line| line["entry"]["accountId"].as_str().unwrap()).collect();
    let requests = site.control.requests();
    let look_ups = requests.iter().filter(|one| one.path.ends_with("/rest/api/3/user/bulk"));
    let requested = look_ups.flat_map(|one| &one.query);
    let known: Vec<_> = requested.filter(|(_, value)| listed.contains(&**value)).collect();
    assert!(known.is_empty(), "{known:?}");
}

#[test]
fn the_inventory_is_not_written_into_folders_of_our_own() {
    let site = site();
    let state = "home/.local/state/atlaudit";
    for folder in [state, "home/.local/state/atlaudit/lists", "home/.config/atlaudit/config.toml"] {
        let run = site.run(&["posture", "--inventory", folder]);
        run.refused(6, &["the folder of the inventory"]);
    }
}

#[test]
fn a_finding_has_a_schema() {
    let run = posture(&site(), &[]);
    for found in run.trees() {
        assert_eq!(found["schema"], "atlaudit-posture/1");
        let items = found["items"].as_array().unwrap();
        assert_eq!(found["affected"], items.len());
        assert_eq!(found["advice"].is_string(), found["verdict"] != "pass", "{found}");
        for key in ["source", "org_id", "title", "basis", "as_of", "summary", "console"] {
            assert!(found[key].is_string(), "{key}: {found}");
        }
    }
}

#[test]
fn a_compliance_finding_of_ocsf_has_its_required_fields() {
    let site = site();
    let own = posture(&site, &[]).trees();
    let ocsf = site.ok(&["posture", "--ocsf"]).trees();
    assert_eq!(ocsf.len(), own.len());
    for (line, own) in ocsf.iter().zip(&own) {
        assert_eq!(line["class_uid"], 2003);
        assert_eq!((&line["category_uid"], &line["type_uid"]), (&2.into(), &200_301.into()));
        assert!(line["time"].is_i64() && line["severity_id"].is_i64(), "{line}");
        assert_eq!(line["metadata"]["version"], "1.8.0");
        assert!(line["metadata"]["product"]["vendor_name"].is_string());
        assert_eq!(line["finding_info"]["title"], own["title"]);
        assert!(line["finding_info"]["uid"].is_string());
        assert_eq!(line["compliance"]["control"], own["check"]);
        let status = match own["verdict"].as_str().unwrap() {
            "pass" => 1,
            "review" => 2,
            "fail" => 3,
            _ => 0,
        };
        assert_eq!(line["compliance"]["status_id"], status);
    }
}

#[test]
fn a_report_shows_the_findings() {
    let site = Site::of(20, 0);
    site.ok(&["pull", "acme", "--output", "saved.jsonl"]);
    fs::write(site.path("posture.jsonl"), posture(&site, &["acme"]).stdout).unwrap();
    site.ok(&["report", "saved.jsonl", "--posture", "posture.jsonl", "-o", "page.html"]);
    let page = fs::read_to_string(site.path("page.html")).unwrap();
    for words in ["id=\"posture\"", "mfa.admins", "henk.dijkstra@lindenfell.example"] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn a_report_refuses_what_is_no_finding() {
    let site = Site::of(20, 0);
    site.ok(&["pull", "acme", "--output", "saved.jsonl"]);
    let run = site.run(&["report", "saved.jsonl", "--posture", "saved.jsonl", "-o", "page.html"]);
    run.refused(2, &["line 1"]);
}

#[test]
fn no_line_of_the_table_is_wider_than_the_terminal() {
    let mut site = site().behaving(|behaviour| behaviour.many_keys = true);
    for columns in [60, 89, 90, 160] {
        site.set_env("COLUMNS", &columns.to_string());
        for args in [&["posture"][..], &["posture", "-v", "--since-last"]] {
            site.forget_pauses();
            let table = site.ok(args).text();
            for line in table.lines() {
                assert!(line.width() <= columns, "{columns}: {line}");
            }
        }
    }
}

#[test]
fn the_table_of_each_organization_has_its_name() {
    let mut site = site();
    site.add("other", "acme");
    let table = site.ok(&["posture", "--check", "keys.org"]).text();
    assert!(table.starts_with(&format!("acme, organization {ORG_ID}\nCHECK")), "{table}");
    assert!(table.contains(&format!("\n\nother, organization {ORG_ID}\nCHECK")), "{table}");
    assert!(table.ends_with("\n\n2 pass\n"), "{table}");
}

#[test]
fn every_account_is_listed_when_more_is_asked_for() {
    let site = site();
    let lines = |args: &[&str]| site.ok(args).text().matches("lindenfell.example").count();
    assert_eq!(lines(&["posture", "--check", "mfa.users"]), 5);
    assert_eq!(lines(&["posture", "--check", "mfa.users", "-v"]), 6);
}

#[test]
fn only_the_requested_checks_are_run() {
    let site = site();
    let run = posture(&site, &["--check", "domains.verified", "--check", "keys.org"]);
    let names: Vec<String> = verdicts(&run).into_keys().collect();
    assert_eq!(names, ["domains.verified", "keys.org"]);
    let requests = site.control.requests();
    let is_needed = |path: &str| {
        ["/domains", "/api-keys", "/users/search"].iter().any(|end| path.ends_with(end))
    };
    assert!(requests.iter().all(|request| is_needed(&request.path)), "{requests:?}");
    assert_eq!(finding(&run, "keys.org")["verdict"], "pass");
    posture(&site, &["--check", "mfa"]).fails(2, &["mfa"]);
}
