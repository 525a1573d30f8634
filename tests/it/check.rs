//! `check`: each step of the way to an event, or the one that fails.

use std::net::TcpListener;
use std::time::Duration;

use atlaudit::sandbox::object_server::{ACCESS_KEY, ObjectServer};
use atlaudit::sandbox::{
    API_KEY_NO_SCOPE, Api, Fault, JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN_NOT_ADMIN, JIRA_TOKEN_SCOPED,
    RateLimit,
};
use serde_json::Value;

use crate::support::{Run, Site, files, status};

const STEPS: [&str; 15] = [
    "configuration",
    "credential",
    "dns",
    "connected",
    "tls",
    "answered",
    "authorised",
    "permitted",
    "page_read",
    "newest_event",
    "clock_skew",
    "limit_left",
    "key_expires",
    "state_writable",
    "output_writable",
];

fn site() -> Site {
    Site::of(60, 60).with_all_sources()
}

fn object(run: &Run) -> Value {
    let trees = run.trees();
    assert_eq!(trees.len(), 1, "{}", run.stderr);
    trees.into_iter().next().unwrap()
}

fn step<'a>(object: &'a Value, name: &str) -> &'a Value {
    let steps = object["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["step"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {object}"))
}

/// It failed at `step` with `code` and a message or hint that says `words`; the steps before it
/// went well, those after it were not tried. Standard error does not repeat what standard output
/// says.
fn assert_fails_at(run: &Run, name: &str, code: i32, words: &[&str]) {
    let object = object(run);
    assert_eq!(run.code, code, "{object}");
    assert_eq!((&object["ok"], &object["exit_code"]), (&false.into(), &code.into()));
    assert_eq!(object["error"]["step"], name, "{object}");
    let steps = object["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let is_rare = |name: &str| ["cloud_id", "actions"].contains(&name);
    let known: Vec<_> = names.iter().filter(|name| !is_rare(name)).copied().collect();
    assert_eq!(known, STEPS, "{object}");
    let at = names.iter().position(|known| *known == name).unwrap();
    for (place, step) in steps.iter().enumerate() {
        let state = step["state"].as_str().unwrap();
        match place.cmp(&at) {
            std::cmp::Ordering::Less => {
                assert!(["ok", "warning", "untold"].contains(&state), "{step}")
            }
            std::cmp::Ordering::Equal => assert_eq!(state, "failed"),
            std::cmp::Ordering::Greater => assert_eq!(state, "not_tried", "{step}"),
        }
    }
    let hint = object["error"]["hint"].as_str().unwrap();
    assert_eq!(run.stderr, "");
    for word in words {
        let said = format!("{} {hint}", object["error"]["message"]);
        assert!(said.contains(word), "`{word}` in: {said}");
    }
}

fn check(site: &Site, source: &str) -> Run {
    site.run(&["check", source, "--json"])
}

#[test]
fn every_source_is_checked_step_by_step() {
    let site = site();
    site.control.add(Api::OrgEvents, 1);
    let run = site.ok(&["check", "--json"]);
    let objects = run.trees();
    assert_eq!(objects.len(), 4);
    for object in &objects {
        assert_eq!((&object["schema"], &object["ok"]), (&"atlaudit/check/1".into(), &true.into()));
        let steps = object["steps"].as_array().unwrap();
        let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
        let is_of_site =
            ["jira-audit", "confluence-audit"].contains(&object["type"].as_str().unwrap());
        assert_eq!(names.contains(&"workspace_events"), is_of_site);
        assert_eq!(names.contains(&"actions"), object["type"] == "org-events");
        let is_rare = |name: &str| ["workspace_events", "actions"].contains(&name);
        let names: Vec<_> = names.into_iter().filter(|name| !is_rare(name)).collect();
        assert_eq!(names, STEPS, "{object}");
        assert_eq!(step(object, "answered")["status"], 200);
        for timed in ["credential", "dns", "connected", "answered", "output_writable"] {
            assert!(step(object, timed)["ms"].as_f64().unwrap() >= 0.0, "{timed}");
        }
        assert_eq!(step(object, "clock_skew")["server_ahead_seconds"], 0.0);
        assert_eq!(step(object, "tls")["is_used"], false);
        let newest = step(object, "newest_event")["time"].as_str().unwrap();
        assert!(newest.starts_with("20") && newest.ends_with('Z'), "{object}");
    }
    let acme = &objects[0];
    assert_eq!(step(acme, "key_expires")["told_by"], "list");
    assert!(step(acme, "key_expires")["detail"].as_str().unwrap().contains("`audit collector`"));
    assert!(step(acme, "page_read")["records"].as_u64().unwrap() > 0);
    assert!(run.stderr.is_empty(), "{}", run.stderr);
}

#[test]
fn the_newest_event_is_the_newest_that_there_is() {
    let site = Site::of(3_000, 60).with_all_sources();
    site.control.add(Api::OrgEvents, 2_000);
    let newest = |source: &str| {
        let object = object(&check(&site, source));
        let time = &step(&object, "newest_event")["time"];
        time.as_str().unwrap().to_owned()
    };
    let of_jira: Value = serde_json::from_str(&site.control.texts(Api::JiraAudit)[0]).unwrap();
    let created = of_jira["created"].as_str().unwrap();
    assert_eq!(newest("acme-jira")[..19], created[..19]);
    // Two thousand of one moment: more than a page, and more follow.
    let object = object(&check(&site, "acme"));
    assert_eq!(step(&object, "newest_event")["newer_follow"], true);
}

#[test]
fn people_read_a_line_for_each_step() {
    let site = site();
    let run = site.ok(&["check", "acme", "acme-dc"]);
    let text = String::from_utf8(run.stdout).unwrap();
    for words in [
        "acme (org-events) http://127.0.0.1:",
        "\n  ok     configuration ",
        "\n  ok     credential ",
        "environment variable ACME_KEY",
        "127.0.0.1: not needed (IP address)",
        "\n  ok     answered ",
        "200, connection included",
        "\n  -      limit left ",
        "standard output",
        "\nacme-dc (datacenter-audit) ",
    ] {
        assert!(text.contains(words), "`{words}` in: {text}");
    }
    assert_eq!(text.matches("\nOK").count(), 2, "{text}");
    let stamp = text.lines().last().unwrap().rsplit(' ').next().unwrap();
    assert!(stamp.len() == 24 && stamp.ends_with('Z'), "{stamp}");
    assert!(run.stderr.is_empty());
}

#[test]
fn the_states_of_the_steps_are_coloured_for_people() {
    let site = site();
    let text = site.ok(&["check", "acme", "--color", "always"]).text();
    assert!(text.contains("\n  \u{1b}[32mok    \u{1b}[0m configuration "), "{text}");
    assert!(!site.ok(&["check", "acme"]).text().contains('\u{1b}'));
    let json = site.ok(&["check", "acme", "--color", "always", "--json"]);
    assert!(!json.text().contains('\u{1b}') && json.trees().len() == 1);
}

#[test]
fn nothing_is_left_behind() {
    let site = site();
    let before = files(&site.path("home"));
    let output = site.path("out/{source}.jsonl");
    let mut site = site;
    site.set_output("path", output.to_str().unwrap());
    site.ok(&["check"]);
    let after = files(&site.path("home"));
    let names = |files: &[(String, Vec<u8>)]| {
        files
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !name.ends_with("config.toml"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&before), names(&after));
    assert!(!site.path("out").exists());
}

#[test]
fn a_failure_stands_in_its_place_with_what_to_do() {
    let mut site = site();
    site.set_env("ACME_KEY", "another-key");
    let run = site.run(&["check", "acme", "acme-jira"]);
    assert_eq!(run.code, 4);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.contains("\n  ok     answered "), "{text}");
    assert!(text.contains("401, connection included"), "{text}");
    assert!(text.contains("\n  FAILED authorised "), "{text}");
    assert!(text.contains("refuses the credential (401)"), "{text}");
    assert!(text.contains("\n         hint: check that the key has neither expired"), "{text}");
    assert!(text.contains("\n  not tried: permitted, page read, newest event, clock,"), "{text}");
    assert!(text.contains("\nCheck failed at step `authorised`  20"), "{text}");
    // The other one is checked all the same.
    assert_eq!(text.matches("\nOK").count(), 1, "{text}");
    assert_eq!(run.stderr, "", "a second time");
    assert!(!text.contains("another-key"));
}

#[test]
fn what_is_wrong_here_fails_before_any_request() {
    let mut site = site();
    site.unset_env("ACME_KEY");
    assert_fails_at(&check(&site, "acme"), "credential", 4, &["ACME_KEY", "set ACME_KEY"]);
    // Without TLS no authority is needed, and none is looked for.
    let secure = site.base_url().replace("http://", "https://");
    site.set("acme-jira", "base_url", secure);
    site.set("acme-jira", "ca_file", "/nowhere/ca.pem");
    assert_fails_at(&check(&site, "acme-jira"), "configuration", 6, &["/nowhere/ca.pem", "PEM"]);
    site.set("acme", "credential", "command:echo k");
    site.unset("acme", "org_id");
    assert_fails_at(&check(&site, "acme"), "credential", 6, &["organization id", "org_id"]);
    assert!(site.control.requests().is_empty());
    site.run(&["check", "acmee"]).refused(6, &["`acmee`", "did you mean `acme`?"]);
}

#[test]
fn each_refusal_fails_at_its_own_step() {
    let mut site = site();
    site.set_env("ACME_KEY", API_KEY_NO_SCOPE);
    assert_fails_at(&check(&site, "acme"), "permitted", 4, &["scope", "read:events:admin"]);
    site.set_env("JIRA_KEY", JIRA_TOKEN_NOT_ADMIN);
    site.set("acme-jira", "email", JIRA_EMAIL_NOT_ADMIN);
    assert_fails_at(&check(&site, "acme-jira"), "permitted", 4, &["403", "Administer Jira"]);
    site.set("acme-confluence", "email", "nobody@lindenfell.example");
    assert_fails_at(&check(&site, "acme-confluence"), "authorised", 4, &["401", "email"]);
    site.set_env("ACME_KEY", atlaudit::sandbox::API_KEY);
    site.set("acme", "org_id", "00000000-0000-4000-8000-000000000000");
    assert_fails_at(&check(&site, "acme"), "permitted", 4, &["404", "org_id"]);
}

#[test]
fn what_the_server_does_wrong_fails_at_the_step_that_it_spoils() {
    for (fault, name, code, words) in [
        (status(503, None, ""), "answered", 3, "status.atlassian.com"),
        (status(429, Some(("retry-after", "30")), "{}"), "answered", 5, "max_wait"),
        (Fault::Html, "answered", 3, "single sign-on"),
        (Fault::Redirect("https://login.example/".to_owned()), "answered", 3, "login.example"),
        (Fault::CloseBeforeResponse, "answered", 3, "firewall"),
        (Fault::NotJson, "page_read", 3, "proxy"),
        (status(400, None, "{}"), "page_read", 3, "rejects"),
        (status(403, None, "{}"), "permitted", 4, "org_id"),
    ] {
        let site = site();
        site.control.inject_always(Api::OrgEvents, fault.clone());
        let run = check(&site, "acme");
        assert_fails_at(&run, name, code, &[words]);
        assert_eq!(site.control.request_count(Api::OrgEvents), 1, "{fault:?}");
    }
}

#[test]
fn a_server_that_is_not_there() {
    let mut site = site();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.set("acme", "base_url", format!("http://{gone}"));
    assert_fails_at(&check(&site, "acme"), "connected", 3, &["Connection refused", "firewall"]);
    site.set("acme", "base_url", "https://nothing.atlaudit.invalid");
    assert_fails_at(&check(&site, "acme"), "dns", 3, &["nothing.atlaudit.invalid", "name server"]);
    site.control.inject_always(Api::JiraAudit, Fault::Hang);
    site.set("acme-jira", "timeout", "300ms");
    assert_fails_at(&check(&site, "acme-jira"), "answered", 3, &["timed out"]);
}

#[test]
fn a_server_without_tls() {
    let mut site = site();
    let base_url = site.base_url().replace("http://", "https://");
    site.set("acme", "base_url", base_url);
    assert_fails_at(
        &check(&site, "acme"),
        "tls",
        3,
        &["no secure connection", "does not speak TLS"],
    );
}

#[test]
fn a_proxy_is_named_and_reached_instead() {
    let mut site = site();
    // Nothing leaves the machine: the proxy is a port that nobody listens to.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.set("acme", "base_url", "https://api.atlaudit.invalid");
    site.set("acme", "proxy", format!("http://{gone}"));
    let run = check(&site, "acme");
    assert_fails_at(&run, "connected", 3, &["the proxy 127.0.0.1", "that the proxy runs"]);
    let dns = object(&run)["steps"][2].clone();
    let shown = dns["detail"].as_str().unwrap();
    assert!(shown.contains("looks api.atlaudit.invalid up itself"), "{shown}");
    assert_eq!(dns["is_proxy"], true);
    site.unset("acme", "proxy");
    site.set_env("HTTPS_PROXY", &format!("http://{gone}"));
    assert_fails_at(&check(&site, "acme"), "connected", 3, &["the proxy 127.0.0.1"]);
    // A proxy that is there, and leads nowhere.
    site.set_env("HTTPS_PROXY", site.base_url().to_owned().as_str());
    let run = check(&site, "acme");
    assert_fails_at(&run, "answered", 3, &["tunnel", "proxy"]);
}

#[test]
fn an_output_or_a_state_that_cannot_be_written() {
    let mut site = site();
    std::fs::write(site.path("plain"), "").unwrap();
    site.set("acme", "output", toml::toml! { path = "plain/acme.jsonl" });
    assert_fails_at(&check(&site, "acme"), "output_writable", 8, &["plain/acme.jsonl", "folder"]);
    let args = ["check", "acme", "--json", "--state-dir", "plain/state"];
    assert_fails_at(&site.run(&args), "state_writable", 7, &["plain/state", "--state-dir"]);
    std::fs::create_dir_all(site.state()).unwrap();
    std::fs::write(site.state().join("acme.json"), "{").unwrap();
    assert_fails_at(&check(&site, "acme"), "state_writable", 7, &["acme.json", "damaged"]);
}

#[test]
fn a_clock_that_is_off_is_a_warning() {
    let site = site();
    for (skew, words) in [
        (3600, ["1 hour behind", "59 minutes"]),
        (-7200, ["ours is 2 hours ahead", "ours is 1 hour 59 minutes ahead"]),
    ] {
        site.control.set_behaviour(|behaviour| behaviour.clock_skew = skew);
        let run = check(&site, "acme-jira");
        assert_eq!(run.code, 0, "{}", run.stderr);
        let object = object(&run);
        let clock = step(&object, "clock_skew");
        assert_eq!(clock["state"], "warning", "{clock}");
        let off = clock["server_ahead_seconds"].as_f64().unwrap();
        assert!((off - skew as f64).abs() < 3.0, "{clock}");
        // The date has no fraction, so that an hour may look a second shorter.
        let shown = clock["detail"].as_str().unwrap();
        assert!(words.iter().any(|words| shown.contains(words)), "{clock}");
        assert!(clock["hint"].as_str().unwrap().contains("NTP"));
    }
}

#[test]
fn what_is_left_of_a_limit_is_reported() {
    let site = site();
    let limit = RateLimit::new(50, Duration::from_secs(60));
    site.control.set_behaviour(|behaviour| behaviour.org_rate_limit = Some(limit));
    let object = object(&check(&site, "acme"));
    let left = step(&object, "limit_left");
    assert_eq!((&left["limit"], &left["state"]), (&"50".into(), &"ok".into()), "{left}");
    let remaining: u32 = left["remaining"].as_str().unwrap().parse().unwrap();
    assert!((40..50).contains(&remaining), "{left}");
}

#[test]
fn an_expiry_is_reported_only_of_the_key_in_use() {
    let mut site = site();
    let two = r#"{"data":[{"id":"1","name":"siem","expiresAt":"2031-01-02T03:04:05Z"}],"links":{"next":"page-1"}}"#;
    let other = r#"{"data":[{"id":"2","name":"other","expiresAt":"2032-01-02T03:04:05Z"}]}"#;
    site.control
        .set_behaviour(|behaviour| behaviour.key_pages = vec![two.to_owned(), other.to_owned()]);
    let end = |site: &Site| {
        let object = object(&check(site, "acme"));
        step(&object, "key_expires").clone()
    };
    let shown = end(&site);
    assert_eq!((&shown["state"], &shown["expires_on"]), (&"untold".into(), &Value::Null));
    assert!(shown["detail"].as_str().unwrap().contains("2 keys"), "{shown}");
    site.set("acme", "key_name", "other");
    assert_eq!(end(&site)["expires_on"], "2032-01-02");
    // A key that may not list keys has only what the user says.
    site.control.set_behaviour(|behaviour| behaviour.hides_keys = true);
    assert_eq!(end(&site)["state"], "untold");
    let soon = chrono::Utc::now().date_naive() + chrono::Days::new(12);
    site.set("acme", "expires_on", soon.to_string());
    let shown = end(&site);
    assert_eq!((&shown["state"], &shown["told_by"]), (&"warning".into(), &"config".into()));
    assert!(shown["detail"].as_str().unwrap().contains("in 12 days"), "{shown}");
}

#[test]
fn the_gateways_cloud_id_is_a_step_of_its_own() {
    let mut site = site();
    site.set("acme-jira", "gateway", true);
    let found = object(&site.ok(&["check", "acme-jira", "--json"]));
    let cloud = step(&found, "cloud_id")["detail"].as_str().unwrap();
    assert!(cloud.starts_with(atlaudit::sandbox::CLOUD_ID), "{cloud}");
}

fn workspace_step(site: &Site, source: &str) -> Value {
    step(&object(&site.ok(&["check", source, "--json"])), "workspace_events").clone()
}

#[test]
fn a_site_with_workspace_events_is_shown_how_to_read_them() {
    let mut site = site();
    site.set("acme-jira", "credential", "env:JIRA_KEY");
    for (source, product) in [("acme-jira", "jira"), ("acme-confluence", "confluence")] {
        let found = workspace_step(&site, source);
        assert_eq!((&found["state"], &found["answers"]), (&"ok".into(), &true.into()), "{found}");
        let config = found["config"].as_str().unwrap();
        assert!(config.starts_with(&format!("[sources.{source}-events]\n")), "{config}");
        // What it says can be used as it stands.
        let path = site.path(&format!("{product}.toml"));
        std::fs::write(&path, config).unwrap();
        let path = path.to_str().unwrap();
        let table = toml::from_str::<toml::Table>(config).unwrap();
        let table = &table["sources"][format!("{source}-events")];
        assert_eq!(table["product"].as_str(), Some(product));
        assert_eq!(table["credential"].as_str(), Some("env:JIRA_KEY"));
        site.ok(&["check", "--config", path]);
    }
    let asked = [Api::JiraWorkspace, Api::ConfluenceWorkspace];
    assert!(asked.iter().all(|api| site.control.request_count(*api) >= 2));
    let run = site.ok(&["check", "acme-jira"]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(text.contains("\n  ok     workspace API "), "{text}");
    assert!(text.contains("\n         type = \"workspace-events\"\n         site = "), "{text}");
}

#[test]
fn a_site_without_workspace_events_is_no_failure() {
    let mut site = site().behaving(|behaviour| behaviour.workspace_missing = true);
    let found = workspace_step(&site, "acme-jira");
    assert_eq!((&found["state"], &found["answers"]), (&"untold".into(), &false.into()));
    assert!(found["detail"].as_str().unwrap().starts_with("not there yet"), "{found}");
    site.control.set_behaviour(|behaviour| behaviour.workspace_missing = false);
    for refused in [status(403, None, "{}"), status(401, None, "{}")] {
        site.control.clear_faults(Api::ConfluenceWorkspace);
        site.control.inject_always(Api::ConfluenceWorkspace, refused);
        let found = workspace_step(&site, "acme-confluence");
        assert_eq!((&found["state"], &found["config"]), (&"untold".into(), &Value::Null));
        assert!(found["hint"].as_str().unwrap().contains("manage:jira-configuration"), "{found}");
    }
    let before = site.control.request_count(Api::JiraWorkspace);
    site.control.inject_always(Api::JiraWorkspace, status(503, None, ""));
    assert_eq!(workspace_step(&site, "acme-jira")["state"], "untold");
    assert_eq!(site.control.request_count(Api::JiraWorkspace), before + 1, "no retries");
    // The site is only asked for its cloud id, and nothing of it is kept.
    assert!(!site.state().join("lookups").exists());
    // A configured gateway leads to the workspace too, with a token of scopes.
    site.set_env("JIRA_KEY", JIRA_TOKEN_SCOPED);
    site.set("acme-jira", "gateway", true);
    assert_eq!(workspace_step(&site, "acme-jira")["state"], "untold");
}

#[test]
fn several_sources_end_with_the_code_of_the_worst() {
    let mut site = site();
    site.control.inject_always(Api::OrgEvents, status(500, None, ""));
    site.set_env("JIRA_KEY", "wrong");
    let run = site.run(&["check", "--json"]);
    assert_eq!(run.code, 4);
    let codes: Vec<_> = run.trees().iter().map(|object| object["exit_code"].clone()).collect();
    assert_eq!(codes, [3, 4, 0, 4].map(Value::from));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = site.command(&["check", "acme-dc"]).stdout(full).output();
    assert_eq!(ended.unwrap().status.code(), Some(8));
}

#[test]
fn the_actions_of_the_api_are_compared_with_the_table() {
    let site = site();
    let run = site.ok(&["check", "acme"]);
    let text = String::from_utf8(run.stdout).unwrap();
    let line = text.lines().find(|line| line.contains(" actions ")).unwrap();
    let words = "in the catalogue, 2 in no row (1 understood by their words, 1 not); -v names them";
    assert!(line.starts_with("  ok ") && line.ends_with(words), "{line}");
    assert!(!text.contains("aurora_flux"), "{text}");
}

#[test]
fn the_actions_that_no_row_has_are_named_where_more_is_wanted() {
    let site = site();
    let run = site.ok(&["check", "acme", "-v"]);
    let text = String::from_utf8(run.stdout).unwrap();
    for line in [
        "understood by their words: confluence_page_moodboard_deleted",
        "not understood: aurora_flux",
    ] {
        assert!(text.contains(&format!("\n         {line}\n")), "{line}: {text}");
    }
    assert!(text.contains("hint: events of an action that is not understood are `other`; a row of `[taxonomy] path`"), "{text}");
    assert!(!text.contains("-v names them"), "{text}");
}

#[test]
fn the_actions_that_no_row_has_are_in_the_json() {
    let site = site().with_workspaces();
    for name in ["acme", "acme-jira-ws"] {
        let object = object(&check(&site, name));
        let actions = step(&object, "actions");
        assert_eq!(actions["state"], "ok", "{actions}");
        assert!(actions["in_catalogue"].as_u64().unwrap() > 10, "{actions}");
        let has =
            |key: &str, id: &str| actions[key].as_array().unwrap().iter().any(|known| known == id);
        assert!(has("by_words", "confluence_page_moodboard_deleted"), "{actions}");
        assert!(has("not_understood", "aurora_flux"), "{actions}");
    }
}

#[test]
fn a_list_of_actions_that_cannot_be_read_is_a_warning() {
    let site = site().behaving(|it| it.actions_per_page = Some(0));
    let run = site.ok(&["check", "acme", "--json"]);
    let object = object(&run);
    assert_eq!(object["ok"], true);
    let actions = step(&object, "actions");
    assert_eq!(actions["state"], "warning", "{actions}");
    assert!(actions["detail"].as_str().unwrap().contains("does not end"), "{actions}");
}

#[test]
fn an_object_store_is_checked_by_what_it_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(ObjectServer::start()).unwrap();
    let site = Site::of(0, 0);
    let check = |place: &str, key: &str| {
        let mut command = site.command(&["check", "--object-store", place]);
        command.env("AWS_ENDPOINT_URL", server.url()).env("AWS_ACCESS_KEY_ID", key);
        Run::from(command.env("AWS_SECRET_ACCESS_KEY", "secret").output().unwrap())
    };
    let good = check("s3://audit-lake/atlassian", ACCESS_KEY);
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert!(good.text().contains("`If-None-Match` and `If-Match` of a write are kept"));
    // Nothing but one object is left, and nothing needs more than two permissions.
    assert_eq!(server.keys(), ["atlassian/_atlaudit/probe"]);
    let calls = server.requests().into_iter().map(|request| request.method);
    assert!(calls.into_iter().all(|call| call == "GET" || call == "PUT"));
    check("s3://audit-lake/atlassian", "AKIDOTHER")
        .refused(4, &["refuses PutObject", "s3:PutObject", "InvalidAccessKeyId"]);
    check("s3://other/atlassian", ACCESS_KEY).refused(6, &["bucket", "does not exist"]);
    server.ignore_conditions(true);
    check("s3://audit-lake/atlassian", ACCESS_KEY)
        .refused(7, &["`s3://audit-lake/atlassian/`", "does not keep the condition", "Amazon S3"]);
    check("https://x/y", ACCESS_KEY).fails(2, &["not the address of an object store"]);
}
