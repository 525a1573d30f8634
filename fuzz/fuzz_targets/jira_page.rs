//! A body in the place of a page of Jira audit records.

#![no_main]

mod page;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Some(lines) = atlaudit::fuzz::jira_page(body) {
        page::check(&lines, body, "records", "jira:acme.example:");
    }
});
