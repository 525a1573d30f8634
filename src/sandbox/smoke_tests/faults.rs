//! Every scripted fault, as a client sees it.

use std::io::Read as _;

use super::*;

#[tokio::test]
async fn faults_that_break_the_connection() {
    let bench = SmokeTest::small().await;
    for fault in [Fault::CloseBeforeResponse, Fault::ResetBeforeResponse] {
        bench.control.inject(Api::OrgEvents, fault.clone());
        assert!(bench.org("").send().await.is_err(), "{fault:?}");
    }
    let last = bench.control.requests().pop().unwrap();
    assert_eq!((last.status, last.authorization_present), (0, true));
    for fault in [
        Fault::CloseMidBody,
        Fault::CloseMidChunks,
        Fault::ResetMidBody,
        Fault::WrongLength(9_000_000),
    ] {
        bench.control.inject(Api::OrgEvents, fault.clone());
        let mut response = bench.org("").send().await.unwrap();
        assert_eq!(response.status(), 200, "{fault:?}");
        assert!(response.chunk().await.unwrap().is_some(), "{fault:?}");
        assert!(response.bytes().await.is_err(), "{fault:?}");
    }
    bench.control.inject(Api::OrgEvents, Fault::StallMidBody);
    let stalled = bench.org("").send().await.unwrap();
    assert!(tokio::time::timeout(SHORT, stalled.bytes()).await.is_err());
    bench.control.inject(Api::OrgEvents, Fault::Hang);
    assert!(tokio::time::timeout(SHORT, bench.org("").send()).await.is_err());
    bench.control.inject(Api::OrgEvents, Fault::EndlessBody);
    let mut endless = bench.org("").send().await.unwrap();
    let mut read = 0;
    while read < 5_000_000 {
        read += endless.chunk().await.unwrap().unwrap().len();
    }
    drop(endless);
    assert_eq!(bench.org("").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn faults_in_a_complete_response() {
    let bench = SmokeTest::small().await;
    let first = bench.org("limit=20").send().await.unwrap().text().await.unwrap();
    // The middle may lie within a letter, which the client then reads as U+FFFD.
    let half = String::from_utf8_lossy(&first.as_bytes()[..first.len() / 2]);
    let script = |fault| bench.control.inject(Api::OrgEvents, fault);
    let slow = Fault::SlowBody { chunk_bytes: 4000, pause: Duration::from_millis(1) };
    for (fault, status, expected) in [
        (Fault::RepeatPage, 200, first.as_str()),
        (slow, 200, &first),
        (Fault::TruncatedJson, 200, &half),
        (Fault::WrongLength(17), 200, &first[..17]),
        (Fault::EmptyBody, 200, ""),
        (Fault::RawBody("{} ".into()), 200, "{} "),
        (Fault::Redirect("http://127.0.0.1:9/".into()), 302, ""),
        (
            Fault::Status {
                status: 503,
                headers: vec![("Retry-After".into(), "2".into())],
                body: "<p>".into(),
            },
            503,
            "<p>",
        ),
    ] {
        script(fault.clone());
        let query = if fault == Fault::RepeatPage { "limit=3" } else { "limit=20" };
        let response = bench.org(query).send().await.unwrap();
        assert_eq!(response.status(), status, "{fault:?}");
        // Cursors carry the moment of their issue, so that only the lengths of two answers agree.
        let text = response.text().await.unwrap();
        let same = if fault == Fault::RepeatPage {
            text == expected
        } else {
            text.len().abs_diff(expected.len()) < 12
        };
        assert!(same, "{fault:?}: {text}");
    }
}

#[tokio::test]
async fn faults_that_replace_the_answer() {
    let bench = SmokeTest::small().await;
    let script = |fault| bench.control.inject(Api::OrgEvents, fault);
    script(Fault::Html);
    let html = bench.org("").send().await.unwrap();
    assert!(html.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    script(Fault::ExpiredCursor);
    assert_eq!(bench.org("").send().await.unwrap().status(), 400);
    script(Fault::BadByte("\"data\"".into()));
    let spoilt = bench.org("").send().await.unwrap().bytes().await.unwrap();
    assert!(spoilt.starts_with(b"{\xffdata\":["), "{spoilt:?}");
    script(Fault::GzipBomb(8 << 20));
    assert_eq!(unpacked(&bench).await.len(), 8 << 20);
    bench.control.set_behaviour(|behaviour| behaviour.gzip = true);
    let page: Value = serde_json::from_slice(&unpacked(&bench).await).unwrap();
    assert_eq!(page["meta"]["total"], 20);
}

/// A page of twenty events, which must be compressed.
async fn unpacked(bench: &SmokeTest) -> Vec<u8> {
    let request = bench.org("limit=20").header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = response.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&body[..]);
    decoder.read_to_end(&mut unpacked).unwrap();
    unpacked
}

#[tokio::test]
async fn faults_that_change_the_page() {
    let bench = SmokeTest::small().await;
    bench.control.inject(Api::OrgEvents, Fault::Pass);
    bench.control.inject(Api::OrgEvents, Fault::SameCursor);
    bench.control.inject(Api::OrgEvents, Fault::EmptyPageWithCursor);
    let used = cursor(&bench.org_page("limit=20").await);
    let query = format!("limit=20&cursor={used}");
    let same = bench.org_page(&query).await;
    assert_eq!((&same["meta"]["total"], cursor(&same)), (&20.into(), used));
    let empty = bench.org_page(&query).await;
    assert_eq!(empty["meta"]["total"], 0);
    let resumed = bench.org_page(&format!("limit=20&cursor={}", cursor(&empty))).await;
    assert_eq!(resumed["data"], same["data"]);
    bench.control.inject(Api::OrgEvents, Fault::Overlap(3));
    let overlapping = bench.org_page(&query).await;
    let first = bench.org_page("limit=20").await;
    assert_eq!(overlapping["data"][0], first["data"][17]);
    assert_eq!(overlapping["data"][3], same["data"][0]);
    bench.control.inject_always(Api::JiraAudit, Fault::NotJson);
    bench.control.inject(Api::JiraAudit, Fault::Hang);
    for _ in 0..2 {
        let text = bench.jira("").send().await.unwrap().text().await.unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_err());
    }
    bench.control.clear_faults(Api::JiraAudit);
    assert_eq!(bench.jira("").send().await.unwrap().status(), 200);
}
