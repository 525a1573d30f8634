//! A body in the place of a page of organization events.

#![no_main]

mod page;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Some(lines) = atlaudit::fuzz::org_page(body) {
        page::check(&lines, body, "data", "org:");
    }
});
