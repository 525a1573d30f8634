//! Owns what is generated from the definitions of the command line: completions and manual pages.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::args::Args;

/// The completions of `shell`.
pub fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "atlaudit", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The manual page.
pub fn man() -> String {
    let mut text = Vec::new();
    // Into memory, which takes everything.
    let _ = clap_mangen::Man::new(Args::command()).render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
