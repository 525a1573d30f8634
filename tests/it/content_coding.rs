//! The names of content codings (RFC 9110, section 8.4.1): any case, aliases, and codings that were
//! not requested.

use atlaudit::sandbox::{Api, Fault};

use crate::support::{Site, org_ids};

fn site() -> Site {
    Site::of(35, 0).with("acme", "page_size", 10).with("acme", "retry_for", "0s")
}

#[test]
fn gzip_has_many_names() {
    for name in ["gzip", "GZIP", "GZip", "x-gzip", "X-GZIP", "identity, gzip", " gzip ,"] {
        let site = site();
        site.control.set_behaviour(|behaviour| {
            behaviour.gzip = true;
            behaviour.content_encoding = Some(name);
        });
        let run = site.ok(&["pull", "acme"]);
        assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)), "{name}");
    }
}

#[test]
fn identity_changes_nothing() {
    for name in ["identity", "Identity", ""] {
        let site = site();
        site.control.set_behaviour(|behaviour| behaviour.content_encoding = Some(name));
        let run = site.ok(&["pull", "acme"]);
        assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)), "{name}");
    }
}

#[test]
fn any_other_coding_is_named_in_the_error() {
    for name in ["br", "zstd", "deflate", "gzip, gzip", "aes128gcm"] {
        let site = site();
        site.control.set_behaviour(|behaviour| {
            behaviour.gzip = true;
            behaviour.content_encoding = Some(name);
        });
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        let named = format!("content coding `{name}`");
        assert!(run.stderr.contains(&named), "{}", run.stderr);
        assert!(run.stderr.contains("proxy"), "{}", run.stderr);
    }
}

#[test]
fn a_refusal_in_an_unknown_coding_is_still_a_refusal() {
    let site = site();
    let refusal = Fault::Status {
        status: 401,
        headers: vec![("content-encoding".to_owned(), "br".to_owned())],
        body: "\u{1}\u{2}".to_owned(),
    };
    site.control.inject_always(Api::OrgEvents, refusal);
    let run = site.run(&["pull", "acme"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("content coding `br`"), "{}", run.stderr);
}
