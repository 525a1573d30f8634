//! Asks questions on the terminal, whatever standard input and output are connected to.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
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
    /// buffer of ours keeps what was typed. The byte `interrupt` ends it with an error.
    fn read(&mut self, interrupt: Option<u8>) -> io::Result<Option<String>> {
        let mut line = Vec::with_capacity(4096);
        let mut byte = [0];
        loop {
            match self.0.read(&mut byte) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => break,
                Ok(_) if byte == *b"\n" => break,
                Ok(_) if Some(byte[0]) == interrupt => return Err(ErrorKind::Interrupted.into()),
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
        self.read(None)
    }

    fn ask_secret(&mut self, question: &str) -> io::Result<SecretString> {
        // Before the question: what is pasted early would be shown.
        let silent = EchoGuard::new(&self.0)?;
        self.show(question)?;
        let answer = self.read(Some(silent.interrupt()));
        drop(silent);
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
            // Now that the terminal shows again what is typed.
            self.show("\n")?;
            let _ = kill_process(getpid(), Signal::INT);
        }
        let answer = answer?.ok_or_else(|| io::Error::from(ErrorKind::UnexpectedEof))?;
        Ok(SecretString::from(answer))
    }
}

/// Nothing that is typed is shown, until this is dropped. Ctrl-C ends the line in the meantime: if
/// it ended the program, the terminal would stay silent.
struct EchoGuard {
    terminal: File,
    before: Termios,
}

impl EchoGuard {
    fn new(terminal: &File) -> io::Result<EchoGuard> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VEOL] =
            before.special_codes[SpecialCodeIndex::VINTR];
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Now, &silent)?;
        Ok(EchoGuard { terminal, before })
    }

    /// What Ctrl-C is on this terminal.
    fn interrupt(&self) -> u8 {
        self.before.special_codes[SpecialCodeIndex::VINTR]
    }
}

impl Drop for EchoGuard {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing either.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
