//! A body in the place of a page of a Data Center's audit events.

#![no_main]

mod page;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Some(lines) = atlaudit::fuzz::datacenter_page(body) {
        page::check(&lines, body, "entities", "dc:acme.example:");
    }
});
