//! Two programs of one user at once: together they are as polite as one.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use atlaudit::sandbox::{Api, EndOfStream, RateLimit, RateWindow};

use crate::support::{Running, Site, eventually, org_ids, small, status};

const MINUTE: Duration = Duration::from_secs(60);

/// Ten events a page, and no request after the last page.
fn site(events: usize) -> Site {
    let mut options = small(events, 0);
    options.behaviour.end_of_stream = EndOfStream::Null;
    let mut site = Site::new(options);
    site.set("acme", "page_size", 10);
    site
}

/// A pull with a state and a HOME of its own, into the file `name`.
fn start(site: &mut Site, name: &str) -> Running {
    site.set_env("XDG_STATE_HOME", site.path(name).join("state").to_str().unwrap());
    site.start(&["pull", "acme", "--output", &format!("{name}.jsonl")])
}

/// The only file of the shared folder.
fn the_file(site: &Site) -> PathBuf {
    let mut files = fs::read_dir(site.path("tmp/quota")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

fn warnings(text: &str) -> usize {
    text.matches("the requests of other atlaudit processes").count()
}

#[test]
fn two_programs_share_one_quota() {
    let mut site = site(200);
    site.set("acme", "requests_per_minute", 6);
    site.control.set_behaviour(|behaviour| {
        behaviour.org_rate_limit =
            Some(RateLimit { window: RateWindow::Rolling, ..RateLimit::new(6, MINUTE) });
    });
    let mut running = ["one", "two"].map(|name| start(&mut site, name));
    let asked = || site.control.request_count(Api::OrgEvents);
    eventually("six requests", || asked() == 6);
    for one in &mut running {
        assert_eq!(warnings(&one.wait_for_message("waiting ")), 0);
    }
    eventually("six pages", || site.line_count("one.jsonl") + site.line_count("two.jsonl") == 60);
    assert_eq!(site.control.max_in_window(Api::OrgEvents, MINUTE), 6);
    assert!(site.control.requests().iter().all(|request| request.status == 200));
    for one in &mut running {
        assert!(!one.has_ended());
        one.signal("TERM");
    }
    for one in running {
        assert_eq!(warnings(&one.end().stderr), 0);
    }
    let written = ["one.jsonl", "two.jsonl"].map(|name| site.read(name).ids().len());
    assert_eq!(written[0] + written[1], 60, "{written:?}");
}

#[test]
fn a_program_that_comes_later_knows_what_went_before() {
    let mut site = site(60);
    site.set("acme", "requests_per_minute", 6);
    site.ok(&["pull", "acme"]);
    let mut second = start(&mut site, "two");
    second.wait_for_message("waiting ");
    assert_eq!(site.control.request_count(Api::OrgEvents), 6);
    // Who shares nothing with them knows nothing of them.
    site.set_env("ATLAUDIT_QUOTA_DIR", "elsewhere");
    assert_eq!(start(&mut site, "three").end().code, 0);
    assert_eq!(site.control.request_count(Api::OrgEvents), 12);
}

#[test]
fn a_pause_that_the_server_asks_of_one_holds_the_other() {
    let mut site = site(60);
    let fault = status(429, Some(("retry-after", "2")), "{}");
    site.control.inject(Api::OrgEvents, fault);
    let one = start(&mut site, "one");
    eventually("the refusal", || site.control.request_count(Api::OrgEvents) == 1);
    std::thread::sleep(Duration::from_millis(100));
    let two = start(&mut site, "two");
    for one in [one, two] {
        assert_eq!(one.end().code, 0);
    }
    let asked = site.control.requests();
    assert_eq!(asked.len(), 13);
    let pause = asked[1].at - asked[0].at;
    assert!(pause >= Duration::from_millis(1_900), "{pause:?}");
    for name in ["one.jsonl", "two.jsonl"] {
        assert_eq!(site.read(name).ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    }
}

#[test]
fn killed_programs_do_not_block_others() {
    let mut site = site(3_000);
    site.set("acme", "page_size", 10);
    let whole = start(&mut site, "whole");
    // Each start writes the configuration again.
    eventually("its first request", || site.control.request_count(Api::OrgEvents) > 0);
    for delay in 0..12 {
        let mut victim = start(&mut site, &format!("victim{delay}"));
        std::thread::sleep(Duration::from_millis(20 + 5 * delay));
        victim.signal("KILL");
        victim.end();
    }
    let run = whole.end();
    assert_eq!((run.code, warnings(&run.stderr)), (0, 0), "{}", run.stderr);
    assert_eq!(site.read("whole.jsonl").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    // Every request has been counted, whole.
    let length = fs::metadata(the_file(&site)).unwrap().len();
    let asked = site.control.request_count(Api::OrgEvents) as u64;
    assert!(length.is_multiple_of(8) && length >= 8 + 8 * asked, "{length}");
}

#[test]
fn a_program_that_is_held_up_in_the_file_holds_the_other_no_longer_than_that() {
    let site = site(60);
    site.ok(&["pull", "acme"]);
    site.control.forget_requests();
    let file = File::open(the_file(&site)).unwrap();
    file.try_lock().unwrap();
    let mut running = site.start(&["-vv", "pull", "acme", "--since", "31d"]);
    running.wait_for_message("waiting ");
    assert!(site.control.requests().is_empty());
    file.unlock().unwrap();
    let run = running.end();
    assert_eq!((run.code, warnings(&run.stderr)), (0, 0), "{}", run.stderr);
    assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_folder_that_others_may_use_is_left_alone_with_one_warning() {
    let site = site(60);
    let folder = site.path("tmp/quota");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let run = site.ok(&["pull", "acme"]);
    assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    assert_eq!(warnings(&run.stderr), 1, "{}", run.stderr);
    assert!(run.stderr.contains("ATLAUDIT_QUOTA_DIR"), "{}", run.stderr);
    assert!(fs::read_dir(&folder).unwrap().next().is_none());
}

#[test]
fn a_corrupt_quota_file_is_recreated() {
    let site = site(60);
    site.ok(&["pull", "acme"]);
    let file = the_file(&site);
    for rubbish in [b"x".repeat(1_001), Vec::new(), vec![0; 77], vec![255; 4_096]] {
        fs::write(&file, rubbish).unwrap();
        let run = site.ok(&["pull", "acme", "--since", "31d"]);
        assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
        assert_eq!(run.stderr.matches("warning").count(), 0, "{}", run.stderr);
        assert_eq!(fs::metadata(&file).unwrap().len() % 8, 0);
    }
}
