//! Pages that repeat, overlap, lead nowhere or are refused, and logs that move while they are paged
//! through.

use atlaudit::sandbox::{Api, Fault};

use super::{BOTH, Bench, End, WHOLE, each, fails};
use crate::support::status;

const ORG: [Api; 1] = [Api::OrgEvents];
const JIRA: [Api; 1] = [Api::JiraAudit];

#[test]
fn a_repeated_cursor_is_an_error_and_no_loop() {
    each(&ORG, &[("at the second page", ())], |bench, ()| {
        bench.script(Fault::SameCursor, 1);
        bench.pull(&fails(3, &["circle", "Atlassian support"]));
        assert_eq!(bench.site.control.request_count(bench.api), 2);
        assert_eq!(bench.written(), bench.served()[..20]);
        bench.recovers();
    });
}

#[test]
fn a_repeated_page_is_not_written_twice() {
    let cases = [("once", 1), ("again and again", 1_000)];
    each(&ORG, &cases, |bench, times| {
        bench.script(Fault::RepeatPage, *times);
        bench.pull(&fails(3, &["circle"]));
        bench.recovers();
        // On a later day it is a kept cursor that repeats: reading by time is tried once.
        bench.site.control.add(Api::OrgEvents, 35);
        bench.script(Fault::RepeatPage, *times);
        match times {
            1 => bench.pull(&WHOLE),
            _ => bench.pull(&fails(3, &["circle"])),
        };
        bench.recovers();
    });
    each(&JIRA, &cases[..1], |bench, _| {
        bench.script(Fault::RepeatPage, 1);
        bench.pull(&WHOLE);
        bench.recovers();
    });
    each(&JIRA, &cases[1..], |bench, _| {
        bench.script_forever(Fault::RepeatPage);
        bench.pull(&fails(3, &["circle"]));
        assert!(bench.site.control.request_count(bench.api) < 50, "a loop");
        bench.recovers();
    });
}

#[test]
fn an_endlessly_repeated_page_is_a_loop_even_with_new_cursors() {
    each(&ORG, &[("ten events", ())], |bench, ()| {
        let data = bench.site.control.texts(Api::OrgEvents)[..10].join(",");
        let pages = |numbers: std::ops::Range<usize>| {
            for n in numbers {
                let body = format!(r#"{{"data":[{data}],"meta":{{"next":"c{n}"}}}}"#);
                bench.site.control.inject(bench.api, Fault::RawBody(body));
            }
        };
        pages(0..50);
        bench.pull(&fails(3, &["circle"]));
        assert_eq!(bench.site.control.request_count(bench.api), 1 + 4);
        assert_eq!(bench.written(), bench.served()[..10]);
        bench.recovers();
        // A few times, and the server goes on.
        bench.site.control.add(Api::OrgEvents, 35);
        pages(50..53);
        bench.site.control.inject(bench.api, Fault::ExpiredCursor);
        bench.pull(&WHOLE);
        bench.recovers();
    });
}

#[test]
fn events_that_come_on_two_pages_are_written_once() {
    each(&ORG, &[("three of ten", ())], |bench, ()| {
        bench.script(Fault::Overlap(3), 3);
        bench.pull(&WHOLE);
        assert_eq!(bench.report()["repeats"], 9);
        bench.recovers();
    });
    each(&JIRA, &[("one page", ())], |bench, ()| {
        bench.script(Fault::Overlap(3), 1);
        bench.pull(&WHOLE);
        bench.recovers();
    });
}

#[test]
fn empty_pages_with_a_cursor_are_no_end() {
    const OPEN: End =
        End { code: 0, complete: false, says: &["warning: ", "only empty pages", "not known"] };
    each(&ORG, &[("three in a row", 3)], |bench, times| {
        bench.script(Fault::EmptyPageWithCursor, *times);
        bench.pull(&WHOLE);
        bench.recovers();
    });
    // The next pull goes on: four pages are passed by each.
    each(&ORG, &[("nine in a row", 9)], |bench, times| {
        bench.script(Fault::EmptyPageWithCursor, *times);
        bench.pull(&OPEN);
        bench.pull(&OPEN);
        bench.pull(&WHOLE);
        bench.recovers();
    });
    each(&ORG, &[("without end", ())], |bench, ()| {
        bench.script_forever(Fault::EmptyPageWithCursor);
        bench.pull(&OPEN);
        bench.pull(&OPEN);
        bench.recovers();
    });
}

#[test]
fn a_bounded_read_reaches_the_end_or_fails() {
    let window = ["--since", "40d", "--output", "acme"];
    each(&ORG, &[("ninety empty pages", 90)], |bench, times| {
        bench.script(Fault::EmptyPageWithCursor, *times);
        let run = bench.site.run(&[&["pull", "acme"], &window[..]].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        bench.is_whole();
    });
    each(&ORG, &[("without end", ())], |bench, ()| {
        bench.script_forever(Fault::EmptyPageWithCursor);
        bench.pull_with(&window, &fails(3, &["empty pages", "no end"]));
        assert_eq!(bench.written(), bench.served()[..10]);
        bench.site.control.clear_faults(bench.api);
        let run = bench.site.ok(&["pull", "acme", "--since", "40d"]);
        assert_eq!(run.ids(), bench.served());
    });
}

#[test]
fn a_key_that_is_revoked_midway_keeps_what_was_read() {
    let body = r#"{"code":401,"message":"Unauthorized","errorMessages":["Unauthorized"]}"#;
    let revoked = status(401, None, body);
    each(&BOTH, &[("at the third page", revoked)], |bench, revoked| {
        bench.site.control.inject(bench.api, Fault::Pass);
        bench.script_forever(revoked.clone());
        let run = bench.pull(&fails(4, &["401", "refuses the credential", "revoked"]));
        assert!(run.stdout.is_empty());
        let two_pages = match bench.api {
            Api::OrgEvents => &bench.served()[..20],
            _ => &[],
        };
        assert_eq!(bench.written(), two_pages);
        // It stays revoked for a while.
        bench.pull(&fails(4, &["401"]));
        bench.recovers();
    });
}

#[test]
fn a_refused_cursor_is_replaced_by_a_read_by_time() {
    each(&ORG, &[("an expired cursor", ())], |bench, ()| {
        bench.script(Fault::ExpiredCursor, 1);
        let run = bench.pull(&WHOLE);
        assert!(run.stderr.contains("the cursor cannot be used"), "{}", run.stderr);
        bench.is_whole();
        bench.site.control.add(Api::OrgEvents, 12);
        bench.site.control.expire_cursors();
        let run = bench.pull(&WHOLE);
        assert!(run.stderr.contains("the cursor cannot be used"), "{}", run.stderr);
        bench.recovers();
    });
}

#[test]
fn a_cursor_refused_forever_ends_the_run_and_not_the_history() {
    each(&ORG, &[("every cursor", ())], |bench, ()| {
        bench.script_forever(status(400, None, r#"{"code":400,"message":"no"}"#));
        bench.pull(&fails(3, &["400", "rejects the request"]));
        assert!(bench.site.control.request_count(bench.api) < 10, "a loop");
        bench.recovers();
    });
}

#[test]
fn records_that_arrive_while_paging_shift_nothing_away() {
    let cases = [
        ("one, twice", (1, 2)),
        ("three, four times", (3, 4)),
        ("half a page, three times", (5, 3)),
        ("more than a page", (12, 2)),
    ];
    each(&JIRA, &cases, |bench, (each, pages)| {
        bench.site.control.set_behaviour(|behaviour| {
            behaviour.insert_on_jira_page = *each;
            behaviour.insert_on_jira_pages = Some(*pages);
        });
        let before = bench.served();
        bench.pull(&WHOLE);
        // What arrives in a range of time that was read already is found by the next pull.
        let written = bench.written();
        assert!(before.iter().all(|id| written.contains(id)));
        bench.recovers();
    });
}

#[test]
fn a_constantly_changing_log_is_written_but_not_complete() {
    let stays = fails(3, &["kept arriving", "again"]);
    each(&JIRA, &[("a record a page", ())], |bench, ()| {
        let insert = |records| {
            bench.site.control.set_behaviour(|behaviour| behaviour.insert_on_jira_page = records);
        };
        insert(1);
        for _ in 0..3 {
            let before = bench.written().len();
            bench.pull(&stays);
            assert!(bench.written().len() > before, "it goes on all the same");
        }
        insert(0);
        bench.recovers();
    });
    each(&JIRA, &[("pages that always overlap in the same way", ())], |bench, ()| {
        // The log says the same each time: nothing arrives.
        bench.script_forever(Fault::Overlap(3));
        bench.pull(&WHOLE);
        bench.recovers();
    });
}

#[test]
fn an_unsteady_span_of_many_days_is_read_again_without_a_repeat() {
    // More than a memory of the last ten minutes holds, and than a slice does once it has grown.
    let mut bench = Bench::new(Api::JiraAudit, 4_900);
    bench.set("page_size", 1000);
    bench.script(Fault::Overlap(3), 20);
    bench.pull(&fails(3, &["kept arriving"]));
    bench.site.control.clear_faults(bench.api);
    bench.site.control.add(Api::JiraAudit, 300);
    bench.pull(&WHOLE);
    bench.is_whole();
}
