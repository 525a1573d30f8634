//! The `atlaudit` program: everything is in the library; here only the exit code is made.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(atlaudit::run(std::env::args_os()).code())
}
