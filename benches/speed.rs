//! Records and bytes a second on the pure path: `cargo bench --bench speed`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up measures nothing")]

use atlaudit::bench::Load;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

const RECORDS: usize = 10_000;

/// Every source in every format.
const CASES: [&str; 16] = [
    "org-events normalized",
    "org-events raw",
    "org-events ecs",
    "org-events ocsf",
    "jira-audit normalized",
    "jira-audit raw",
    "jira-audit ecs",
    "jira-audit ocsf",
    "confluence-audit normalized",
    "confluence-audit raw",
    "confluence-audit ecs",
    "confluence-audit ocsf",
    "datacenter-audit normalized",
    "datacenter-audit raw",
    "datacenter-audit ecs",
    "datacenter-audit ocsf",
];

fn main() {
    divan::main();
}

fn load(case: &str) -> Load {
    let (source, format) = case.split_once(' ').expect("a source and a format");
    Load::new(source, format, RECORDS).expect("records")
}

fn measure(bencher: Bencher<'_, '_>, case: &str, way: fn(&Load) -> Option<usize>) {
    let load = load(case);
    bencher
        .counter(ItemsCount::new(load.count()))
        .counter(BytesCount::new(load.bytes()))
        .bench(|| way(&load).expect("lines"));
}

/// From a page's bytes to lines, with all that a pull does between them.
#[divan::bench(args = CASES)]
fn pages_to_lines(bencher: Bencher<'_, '_>, case: &str) {
    measure(bencher, case, Load::pages_to_lines);
}

/// From raw lines kept earlier to lines.
#[divan::bench(args = CASES)]
fn lines_to_lines(bencher: Bencher<'_, '_>, case: &str) {
    measure(bencher, case, Load::lines_to_lines);
}
