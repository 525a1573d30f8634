//! A body in the place of a page of Confluence audit records.

#![no_main]

mod page;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Some(lines) = atlaudit::fuzz::confluence_page(body) {
        page::check(&lines, body, "results", "confluence:acme.example:");
    }
});
