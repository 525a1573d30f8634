//! Runs the program with a pseudo-terminal as its standard output.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::Run;

/// Runs `command`, which believes that a person reads its standard output. Standard error is a
/// pipe.
pub fn stdout_on_terminal(mut command: Command) -> Run {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let name = PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::from(terminal));
    command.stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // Holds the terminal open, which would then never end.
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut shown, mut piece) = (Vec::new(), [0; 65_536]);
        let mut master = File::from(master);
        // A terminal that nobody has open any more is an error (EIO), and not an end.
        while let Ok(length @ 1..) = master.read(&mut piece) {
            shown.extend_from_slice(&piece[..length]);
        }
        shown
    });
    let mut run = Run::from(child.wait_with_output().unwrap());
    let shown = String::from_utf8(reader.join().unwrap()).unwrap();
    run.stdout = shown.replace("\r\n", "\n").into_bytes();
    run
}
