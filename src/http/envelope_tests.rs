//! Tests of the envelopes: every shape seen, and bodies that mean harm.

use bytes::Bytes;

use super::*;

fn response(headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    Response {
        status: 403,
        headers: headers.collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn message_of(body: &str) -> ServerMessage {
    read_message(&response(&[], body))
}

#[test]
fn every_shape_seen() {
    let cases = [
        (
            r#"{"errors":[{"id":"a1","status":"400","code":"ADMIN-400-1","title":"Invalid page cursor","detail":"The cursor is not valid."}]}"#,
            Some("ADMIN-400-1"),
            "Invalid page cursor: The cursor is not valid.",
        ),
        (
            r#"{"errors":[{"id":"a5","status":"500","code":"ADMIN-500-1","title":"Internal error"}]}"#,
            Some("ADMIN-500-1"),
            "Internal error",
        ),
        (
            r#"{"timestamp":"2026-11-20T09:30:00.122+00:00","path":"/x","status":403,"error":"Forbidden","message":"User has no permission to access resource.","requestId":"b4"}"#,
            None,
            "Forbidden: User has no permission to access resource.",
        ),
        (r#"{"code":401,"message":"Unauthorized"}"#, None, "Unauthorized"),
        (
            r#"{"errorMessages":["Only admins.","Ask one."],"errors":{}}"#,
            None,
            "Only admins.; Ask one.",
        ),
        (r#"{"errorMessages":[],"errors":{"from":"not a date"}}"#, None, "from: not a date"),
        (
            r#"{"statusCode":403,"data":{"authorized":false,"errors":[]},"message":"Not permitted"}"#,
            None,
            "Not permitted",
        ),
        (r#""just text""#, None, "just text"),
        ("upstream connect error", None, "upstream connect error"),
        ("", None, "an empty body"),
        (" \r\n", None, "an empty body"),
        ("{}", None, "a body without a message"),
        ("<p>", None, "an HTML page"),
        ("\n<HTML><head><Title lang=en>Log in\n</TITLE>", None, "an HTML page titled `Log in`"),
    ];
    for (body, code, message) in cases {
        let said = message_of(body);
        assert_eq!((said.code.as_deref(), said.message.as_str()), (code, message), "{body}");
    }
}

#[test]
fn refusals_are_told_apart_by_their_words() {
    let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
    assert_eq!(message_of(scope).refusal, RefusalKind::Scope);
    let category = response(&[("x-failure-category", "FAILURE_CLIENT_SCOPE_CHECK")], "");
    assert_eq!(read_message(&category).refusal, RefusalKind::Scope);
    for free in [
        r#"{"errorMessages":["Audit logs aren't available for this site as all of its Jira Cloud products are on Free plans."],"errors":{}}"#,
        r#"{"statusCode":403,"message":"Cannot make this request because you are on Free edition. Please upgrade to standard or premium."}"#,
    ] {
        assert_eq!(message_of(free).refusal, RefusalKind::FreePlan, "{free}");
    }
    let plain = r#"{"code":401,"message":"Unauthorized"}"#;
    assert_eq!(message_of(plain).refusal, RefusalKind::Plain);
}

#[test]
fn wrong_types_never_break_it() {
    for body in [
        r#"{"errors":[1,null,[],{"code":7,"title":[],"detail":{}}],"message":5}"#,
        r#"{"errors":7,"errorMessages":{"a":1},"code":{},"error":{"message":[]}}"#,
        r#"{"errorMessages":[null,3],"errors":{"a":[1]}}"#,
        "[]",
        "null",
        "12",
    ] {
        let said = message_of(body);
        assert_eq!(
            (said.code, said.message.as_str()),
            (None, "a body without a message"),
            "{body}"
        );
    }
    let mixed = message_of(r#"{"errors":["plain words",{"message":"and an object"}]}"#);
    assert_eq!(mixed.message, "plain words; and an object");
}

#[test]
fn hostile_bodies_end_as_one_short_printable_line() {
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(1 << 20));
    let escape = r#"{"errors":[{"code":"\u001b[31mX","title":"\u001b]0;owned\u0007","detail":"a\r\nb\u202ec"}]}"#;
    let deep = "[".repeat(100_000);
    let huge = "x".repeat(MAX_PARSED_BYTES + 1);
    let title = format!("<title>\u{1b}[2J{}</title>", "y".repeat(5000));
    let wide = "é\u{85}".repeat(5000);
    for body in [&long, escape, &deep, &huge, &title, &wide] {
        let said = message_of(body);
        let line = format!("{:?} {}", said.code, said.message);
        assert!(line.chars().count() < 450, "{}", line.len());
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    let said = message_of(escape);
    assert_eq!(said.code.as_deref(), Some("[31mX"));
    assert_eq!(said.message, "]0;owned : a b c");
}

#[test]
fn bytes_that_are_not_text_are_let_pass() {
    let mut odd = response(&[], "");
    odd.body = Bytes::from_static(b"\xff\xfe\x00 broken");
    assert!(read_message(&odd).message.ends_with("broken"));
}

#[test]
fn html_is_known_by_its_type_or_its_first_character() {
    let typed = [("content-type", "Text/HTML; charset=utf-8")];
    assert!(is_html(&response(&typed, "hello")));
    assert!(is_html(&response(&[], " \n<!doctype html>")));
    assert!(is_html(&response(&[], "\u{feff}<html>")));
    let json = [("content-type", "application/json")];
    assert!(!is_html(&response(&json, r#"{"a":"<"}"#)));
    assert!(!is_html(&response(&[], "")));
}

/// The message, and the code.
fn read_error(envelope: &str) -> Option<(String, Option<String>)> {
    let object: Map<String, Value> = serde_json::from_str(envelope).unwrap();
    let texts: Vec<_> = object.iter().map(|(name, value)| (name, value.to_string())).collect();
    let members = texts.iter().filter_map(|(name, text)| {
        let name = MEMBERS.into_iter().find(|known| known == name)?;
        Some((name, text.as_str()))
    });
    let error = find_error(members)?;
    Some((error.message, error.code))
}

#[test]
fn every_shape_is_quoted() {
    for (envelope, message, code) in [
        (r#"{"errors":[{"code":"ADMIN-500-1","title":"Broken"}]}"#, "Broken", Some("ADMIN-500-1")),
        (r#"{"errors":["Broken"]}"#, "Broken", None),
        (r#"{"errors":"Broken"}"#, "Broken", None),
        (r#"{"errors":{"from":"too early"}}"#, "from: too early", None),
        (r#"{"errors":[{}]}"#, r#"{"errors":[{}]}"#, None),
        (r#"{"errors":true}"#, r#"{"errors":true}"#, None),
        (r#"{"errors":3,"status":200}"#, r#"{"errors":3,"status":200}"#, None),
        (r#"{"errorMessages":["a","b"],"errors":{}}"#, "a; b", None),
        (r#"{"error":{"code":"E7","message":"Broken"}}"#, "Broken", Some("E7")),
        (r#"{"status":500,"error":"Internal","message":"Broken"}"#, "Internal: Broken", None),
        (r#"{"statusCode":503}"#, r#"{"statusCode":503}"#, None),
        (r#"{"status":"FAILED"}"#, r#"{"status":"FAILED"}"#, None),
        (r#"{"status":"500","message":"ok"}"#, r#"{"status":"500"}"#, None),
        (
            r#"{"status-code":400,"statusCode":200}"#,
            r#"{"status-code":400,"statusCode":200}"#,
            None,
        ),
        (r#"{"message":"Broken"}"#, "Broken", None),
        (r#"{"code":429,"message":"Slow down"}"#, "Slow down", None),
        (r#"{"code":"ADMIN-403-3"}"#, r#"{"code":"ADMIN-403-3"}"#, Some("ADMIN-403-3")),
        (r#"{"detail":"Broken","title":"No"}"#, "No: Broken", None),
    ] {
        let want = Some((message.to_owned(), code.map(str::to_owned)));
        assert_eq!(read_error(envelope), want, "{envelope}");
    }
}

#[test]
fn what_says_nothing_is_no_error() {
    for envelope in [
        "{}",
        r#"{"errors":[],"errorMessages":[]}"#,
        r#"{"errors":{},"error":null}"#,
        r#"{"errors":[null,""],"message":" "}"#,
        r#"{"errors":{"from":null},"error":false,"code":0}"#,
        r#"{"error":"","message":"Success","code":"OK"}"#,
        r#"{"status":200,"code":"X-1","message":"Found 3 records"}"#,
        r#"{"statusCode":"204","message":"Nothing"}"#,
        r#"{"title":"Audit log"}"#,
        r#"{"status":"complete"}"#,
    ] {
        assert_eq!(read_error(envelope), None, "{envelope}");
    }
}

#[test]
fn a_second_member_of_one_name_hides_no_error() {
    let twice = [("errors", r#"["Broken"]"#), ("errors", "[]")];
    assert_eq!(find_error(twice.into_iter()).unwrap().message, "Broken");
}

#[test]
fn a_huge_or_deep_member_is_quoted_and_not_parsed() {
    let huge = format!(r#"["{}"]"#, "x".repeat(MAX_MEMBER_BYTES));
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    for text in [huge, deep] {
        let error = find_error([("errors", text.as_str())].into_iter()).unwrap();
        assert!(error.message.chars().count() <= 301);
    }
}

fn refusal(status: u16, name: &str, value: &str) -> Response {
    Response { status, ..response(&[(name, value)], "") }
}

#[test]
fn the_headers_of_a_refusal_name_the_captcha() {
    for (status, name, value, want) in [
        (403, DENIED_REASON_HEADER, "CAPTCHA_CHALLENGE; login-url=https://a/login.jsp", true),
        (401, DENIED_REASON_HEADER, "captcha_challenge", true),
        (401, "x-seraph-loginreason", "AUTHENTICATION_DENIED", true),
        (401, "x-seraph-loginreason", "AUTHENTICATED_FAILED", false),
        (401, DENIED_REASON_HEADER, "PASSWORD_EXPIRED", false),
        (200, DENIED_REASON_HEADER, "CAPTCHA_CHALLENGE", false),
        (403, "x-other", "CAPTCHA_CHALLENGE", false),
    ] {
        assert_eq!(demands_captcha(&refusal(status, name, value)), want, "{name}: {value}");
    }
}

#[test]
fn a_login_page_is_shown_only_of_the_same_host_and_without_its_query() {
    let asked: Url = "https://dc.example:8443/jira/rest/x?y=z".parse().unwrap();
    let page = |value: &str| login_page(&refusal(403, DENIED_REASON_HEADER, value), &asked);
    for (value, want) in [
        (
            "CAPTCHA_CHALLENGE; login-url=https://DC.example/jira/login.jsp?token=t#x",
            Some("https://dc.example/jira/login.jsp"),
        ),
        (
            "CAPTCHA_CHALLENGE; Login-URL=\"https://u:p@dc.example/in\"; x",
            Some("https://dc.example/in"),
        ),
        ("CAPTCHA_CHALLENGE; login-url=http://dc.example/in", None),
        ("CAPTCHA_CHALLENGE; login-url=https://evil.example/in", None),
        ("CAPTCHA_CHALLENGE; login-url=https://dc.example@evil.example/", None),
        ("CAPTCHA_CHALLENGE; login-url=javascript:alert(1)", None),
        ("CAPTCHA_CHALLENGE; login-url=/login.jsp", None),
        ("CAPTCHA_CHALLENGE; login-url=", None),
        ("CAPTCHA_CHALLENGE", None),
    ] {
        assert_eq!(page(value).as_deref(), want, "{value}");
    }
}
