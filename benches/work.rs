//! A fixed amount of work on the pure path, for `benches/instructions`: `work WAY SOURCE FORMAT TIMES`.

use std::process::ExitCode;

use atlaudit::bench::Load;

const RECORDS: usize = 2_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match work(&args) {
        Some(_) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

/// The length of what was rendered; nothing where it is not known what to do.
fn work(args: &[String]) -> Option<usize> {
    let [way, source, format, times] = args else {
        return None;
    };
    let way = match way.as_str() {
        "pages" => Load::pages_to_lines,
        "judged" => Load::pages_to_alerts,
        "lines" => Load::lines_to_lines,
        _ => return None,
    };
    let load = Load::new(source, format, RECORDS)?;
    let times: usize = times.parse().ok()?;
    (0..times).map(|_| way(&load)).sum()
}
