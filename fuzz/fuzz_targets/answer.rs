//! An answer that brings no page: its status in the first two bytes, then headers, an empty line and a
//! body, as in HTTP.

#![no_main]

use atlaudit::fuzz::{MAX_WAIT, answer};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((status, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let status = 100 + u16::from_be_bytes(*status) % 500;
    let (headers, body) = parts(rest);
    if let Some(refused) = answer(status, headers, body) {
        assert!(refused.delay.is_none_or(|delay| delay <= MAX_WAIT));
        assert!(refused.delay.is_none_or(|delay| !delay.is_zero()));
        assert!(
            !refused.text.chars().any(char::is_control),
            "{:?}",
            refused.text
        );
        assert!(
            refused.text.chars().count() < 1000,
            "{}",
            refused.text.len()
        );
    }
});

/// The headers that are text, and the body.
fn parts(data: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers = Vec::new();
    let mut rest = data;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line).into_owned();
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    (headers, rest)
}
