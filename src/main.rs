//! The `atlaudit` program: everything is in the library; here only the exit code is made.

use std::io::Write as _;
use std::process::ExitCode;

#[expect(
    clippy::disallowed_methods,
    reason = "the console is what failed to come up"
)]
fn main() -> ExitCode {
    let exit = atlaudit::run(std::env::args_os()).unwrap_or_else(|error| {
        // Nowhere is left to say that this cannot be said.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        atlaudit::Exit::Unexpected
    });
    ExitCode::from(exit.code())
}
