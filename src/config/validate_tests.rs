//! Tests of single values.

use super::*;

#[test]
fn keys_are_recognised_and_names_are_not() {
    for key in ["ATATT3xFfGF0abc", "ATCTT3xFfGN0=AB", "ATSTT3xabc"] {
        assert!(looks_like_key(key), "{key}");
    }
    for name in ["ATLAUDIT_API_KEY", "acme", "AT", "ATéé3x", ""] {
        assert!(!looks_like_key(name), "{name}");
    }
}

#[test]
fn spans_of_time() {
    assert_eq!(duration("0s"), Ok(Duration::ZERO));
    assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
    assert!(duration("soon").is_err() && duration("7").is_err() && duration("-1h").is_err());
    assert!(nonzero_duration("0s").is_err());
    assert!(lookback("180d").is_ok());
    assert!(lookback("181d").unwrap_err().hint.unwrap().contains("180d"));
}

#[test]
fn numbers_within_a_range() {
    assert_eq!(number(500, 1..=500), Ok(500));
    for bad in [0, 501, -1, i64::MAX] {
        let refusal = number(bad, 1..=500).unwrap_err();
        assert_eq!(refusal.what, format!("must be 1 to 500, not {bad}"));
    }
    assert_eq!(number(0, 1..=u32::MAX).unwrap_err().what, "must be at least 1, not 0");
}

#[test]
fn organization_ids_are_safe_in_a_path() {
    assert_eq!(org_id(" 6f1b-a9 "), Ok("6f1b-a9".to_owned()));
    for bad in [
        "",
        " ",
        "a/b",
        "..",
        "a%2f",
        "é",
        "a b",
        "ATCTT3xabc",
        "YOUR-ORG-ID",
        "YOUR_ORG_ID",
        "<id>",
    ] {
        assert!(org_id(bad).is_err(), "{bad}");
        assert!(org_uuid(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_person_gives_an_organization_id_whole() {
    let whole = "6F1b2c3d-0000-4000-8000-00000000000e";
    assert_eq!(org_uuid(&format!(" {whole} ")), Ok(whole.to_owned()));
    for bad in [
        "o1",
        "ID",
        "6f1b2c3d-0000-4000-8000-00000000000",
        "6f1b2c3d000040008000000000000000",
        "6f1b2c3d-0000-4000-8000-00000000000g",
        "6f1b2c3d-0000-4000-8000-000000000000-",
        "0000-6f1b2c3d-4000-8000-000000000000",
    ] {
        let refusal = org_uuid(bad).unwrap_err();
        assert!(refusal.hint.unwrap().contains("/o/"), "{bad}");
    }
}

#[test]
fn email_addresses() {
    assert!(email("auditor@acme.example").is_ok());
    for bad in ["", "a", "@b", "a@", "a:b@c", "a b@c", "a@b\n c"] {
        assert!(email(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_organization_is_found_in_a_pasted_address() {
    const ID: &str = "6f1b2c3d-0000-4000-8000-000000000000";
    for tail in ["", "/", "/users?x=/o/1", "#top"] {
        let pasted = format!(" https://admin.atlassian.com/o/{ID}{tail} ");
        assert_eq!(org_uuid(&pasted).as_deref(), Ok(ID), "{tail}");
    }
    for bad in ["https://admin.atlassian.com/o/", "https://admin.atlassian.com", "/o//o/"] {
        assert!(org_uuid(bad).is_err(), "{bad}");
    }
}

#[test]
fn sites_become_bare_hosts() {
    for same in [
        "acme.atlassian.net",
        "https://ACME.atlassian.net/",
        " acme.atlassian.net ",
        "https://acme.atlassian.net/jira/software/projects/A?x=1#y",
        "http://acme.atlassian.net",
        "acme.atlassian.net/wiki",
        "https://acme.atlassian.net:443/",
    ] {
        assert_eq!(site(same).as_deref(), Ok("acme.atlassian.net"), "{same}");
    }
    for bad in [
        "",
        "acme",
        "a..b",
        "a.net:8443",
        "u@a.net",
        "https://u:p@a.net/",
        "https:///x",
        "https://admin.atlassian.com/o/6f1b2c3d-0000-4000-8000-000000000000/users",
    ] {
        assert!(site(bad).is_err(), "{bad}");
    }
}

#[test]
fn base_urls_are_encrypted_or_local() {
    let ok = |text: &str| base_url(text).map(|url| url.to_string());
    assert_eq!(ok("https://api.atlassian.com").as_deref(), Ok("https://api.atlassian.com/"));
    assert_eq!(ok("https://gw.example/ex/jira/1//").as_deref(), Ok("https://gw.example/ex/jira/1"));
    for local in
        ["http://127.0.0.1:8417", "http://127.9.9.9/", "http://[::1]:1", "http://localhost:80"]
    {
        assert!(ok(local).is_ok(), "{local}");
    }
    let bad = [
        "http://api.atlassian.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "https://user@api.atlassian.com",
        "https://a.example?x=1",
        "https://a.example#x",
        "ftp://a.example",
        "api.atlassian.com",
        "",
    ];
    for bad in bad {
        assert!(ok(bad).is_err(), "{bad}");
    }
    let refusal = base_url("https://u:hunter2@a.example").unwrap_err();
    assert!(!refusal.to_string().contains("hunter2"));
}

#[test]
fn proxies_may_hold_a_password_that_is_not_shown() {
    let proxy_url = proxy("http://u:hunter2@proxy.example:3128").unwrap();
    assert!(!format!("{proxy_url:?}").contains("hunter2"));
    let refusal = proxy("socks5://u:hunter2@proxy.example").unwrap_err();
    assert!(!refusal.to_string().contains("hunter2"));
}

#[test]
fn paths_are_taken_as_they_are() {
    assert_eq!(path("a/b"), Ok(PathBuf::from("a/b")));
    let home = std::env::var("HOME").unwrap();
    assert_eq!(path("~/a~/~"), Ok(PathBuf::from(format!("{home}/a~/~"))));
    assert!(path("").is_err() && path("~").is_err() && path("~bo/x").is_err());
}

#[test]
fn modes_let_the_owner_write() {
    assert_eq!(mode("0600"), Ok(0o600));
    assert_eq!(mode("640"), Ok(0o640));
    for bad in ["", "0", "0400", "0200", "1777", "0888", "+600", "rw", "06000"] {
        assert!(mode(bad).is_err(), "{bad}");
    }
}

#[test]
fn days() {
    assert_eq!(date("2027-06-30"), Ok(NaiveDate::from_ymd_opt(2027, 6, 30).unwrap()));
    assert!(date("2027-02-30").is_err() && date("June").is_err());
}

#[test]
fn words_of_this_version() {
    for known in OutputFormat::value_variants() {
        assert_eq!(format(known.to_possible_value().unwrap().get_name()), Ok(*known));
    }
    assert_eq!(compression("gzip"), Ok(Compression::Gzip));
    assert_eq!(rotate("never"), Ok(Rotation::Never));
    assert_eq!((rotate("1h"), rotate("1d")), (Ok(Rotation::HOURLY), Ok(Rotation::DAILY)));
    for text in ["0m", "5M", "100M", "1y", "1h 5m", "m", "99999999999999999999d"] {
        assert!(rotate(text).is_err(), "{text}");
    }
    for kind in SourceKind::ALL {
        assert_eq!(source_kind(kind.as_str()), Ok(kind));
    }
}

#[test]
fn sizes_have_a_unit_and_a_measure() {
    for (text, bytes) in
        [("100MiB", 100 << 20), ("1 GiB", 1 << 30), ("5MB", 5_000_000), ("1024B", 1024)]
    {
        assert_eq!(rotate(text), Ok(Rotation::Size(bytes)), "{text}");
    }
    for text in ["100", "1B", "0KiB", "5 mib", "1.5MiB", "99999999999GiB", "1MiB1"] {
        assert!(rotate(text).is_err(), "{text}");
    }
}

#[test]
fn other_words_are_unknown() {
    assert!(format("xml").unwrap_err().what.contains("unknown format `xml`"));
    assert!(compression("lz4").is_err() && rotate("weekly").is_err() && source_kind("x").is_err());
}
