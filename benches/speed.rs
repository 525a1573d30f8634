//! Records and bytes a second on the pure path: `cargo bench --bench speed`.

use atlaudit::bench::{FORMATS, Load, SOURCES};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

const RECORDS: usize = 10_000;

fn main() {
    divan::main();
}

/// Every source in every format.
fn cases() -> impl Iterator<Item = String> {
    let all = SOURCES
        .iter()
        .flat_map(|source| FORMATS.map(|format| format!("{source} {format}")));
    all.collect::<Vec<_>>().into_iter()
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
#[divan::bench(args = cases())]
fn pages_to_lines(bencher: Bencher<'_, '_>, case: &String) {
    measure(bencher, case, Load::pages_to_lines);
}

/// From raw lines kept earlier to lines.
#[divan::bench(args = cases())]
fn lines_to_lines(bencher: Bencher<'_, '_>, case: &String) {
    measure(bencher, case, Load::lines_to_lines);
}
