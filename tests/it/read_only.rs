//! Nothing that an organization or a site has is ever changed: requests are GETs, the POSTs that
//! begin and end our own searches, and two POSTs of the admin APIs that only read.

use crate::imports::{source, without_comments};
use crate::support::Site;

/// The ends of the paths that a POST may go to.
const READ_POSTS: [&str; 4] =
    ["/event-queries", "/cancel", "/users/search", "/users/auth-policies/bulk-fetch"];

#[test]
fn every_command_only_reads() {
    let site = Site::of(20, 20).with_all_sources().with_workspaces();
    for args in [
        &["pull", "--since", "60d"][..],
        &["pull"],
        &["check"],
        &["actions", "user_login"],
        &["actions", "acme"],
        &["auth", "status"],
        &["status"],
        &["export", "acme", "--since", "60d", "-o", "case"],
        &["verify", "case", "--against-source", "acme"],
        &["search", "--source", "acme", "--since", "60d"],
        &["posture", "--inventory", "lists", "--since", "30d"],
    ] {
        site.run(args);
    }
    let requests = site.control.requests();
    let is_read = |method: &str, path: &str| match method {
        "GET" => true,
        "POST" => READ_POSTS.iter().any(|end| path.ends_with(end)),
        _ => false,
    };
    let others: Vec<_> = requests.iter().filter(|one| !is_read(&one.method, &one.path)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(requests.len() > 30);
    for end in ["/event-queries", "/users/search", "/users/auth-policies/bulk-fetch"] {
        let is_sent = |end| requests.iter().any(|one| one.path.ends_with(end));
        assert!(is_sent(end), "{end}");
    }
}

#[test]
fn one_file_sends_requests_to_atlassian() {
    let calls = [".post(", ".put(", ".patch(", ".delete(", ".request(", "Method::"];
    let mut senders = Vec::new();
    for (path, text) in source() {
        let code = without_comments(&text);
        let is_ours = code.contains("reqwest") && !path.starts_with("sandbox");
        if is_ours && calls.iter().any(|call| code.contains(call)) {
            senders.push(path.display().to_string());
        }
    }
    // The client takes its requests from the closed list of `http/message.rs`.
    assert_eq!(senders, ["http/client.rs"]);
}
