//! Owns the terminal that questions are asked on, whatever standard input and output are connected to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};

use secrecy::SecretString;

use crate::config::ask::Ask;

/// The terminal of the process.
pub struct Terminal {
    reader: BufReader<File>,
    writer: File,
}

impl Terminal {
    /// The terminal, where the process has one.
    ///
    /// # Errors
    /// It has none.
    pub fn open() -> io::Result<Terminal> {
        let writer = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        Ok(Terminal {
            reader: BufReader::new(writer.try_clone()?),
            writer,
        })
    }
}

impl Ask for Terminal {
    fn tell(&mut self, lines: &str) -> io::Result<()> {
        self.writer.write_all(lines.as_bytes())
    }

    fn line(&mut self, question: &str) -> io::Result<Option<String>> {
        self.tell(question)?;
        let mut answer = String::new();
        match self.reader.read_line(&mut answer)? {
            0 => Ok(None),
            _ => Ok(Some(answer)),
        }
    }

    fn secret(&mut self, question: &str) -> io::Result<SecretString> {
        Ok(SecretString::from(rpassword::prompt_password(question)?))
    }
}
