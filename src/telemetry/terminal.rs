//! Asks questions on the terminal, whatever standard input and output are connected to.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use crate::config::prompt::UserPrompt;

/// The longest answer that is read. The kernel's own lines end at 4096 bytes.
const LONGEST: usize = 64 * 1024;

/// The terminal of the process.
pub struct Terminal(File);

impl Terminal {
    /// The terminal, where the process has one.
    ///
    /// # Errors
    /// It has none.
    pub fn open() -> io::Result<Terminal> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        Ok(Terminal(tty))
    }

    /// A line without its end; nothing where the person has gone. Read byte by byte, so that no
    /// buffer of ours keeps what was typed.
    fn read(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::with_capacity(4096);
        let mut byte = [0];
        loop {
            match self.0.read(&mut byte) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => break,
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if line.len() > LONGEST {
                return Err(ErrorKind::FileTooLarge.into());
            }
        }
        // The error would hold the bytes.
        String::from_utf8(line).map(Some).map_err(|_| ErrorKind::InvalidData.into())
    }
}

impl UserPrompt for Terminal {
    fn show(&mut self, lines: &str) -> io::Result<()> {
        self.0.write_all(lines.as_bytes())
    }

    fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        self.show(question)?;
        self.read()
    }

    fn ask_secret(&mut self, question: &str) -> io::Result<SecretString> {
        // Before the question: what is pasted early would be shown.
        let _silent = EchoGuard::new(&self.0)?;
        self.show(question)?;
        let answer = self.read()?;
        let answer = answer.ok_or_else(|| io::Error::from(ErrorKind::UnexpectedEof))?;
        Ok(SecretString::from(answer))
    }
}

/// Nothing that is typed is shown, until this is dropped.
struct EchoGuard {
    terminal: File,
    before: Termios,
}

impl EchoGuard {
    fn new(terminal: &File) -> io::Result<EchoGuard> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(EchoGuard { terminal, before })
    }
}

impl Drop for EchoGuard {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing either.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
