//! Asks questions on the terminal, whatever standard input and output are connected to, and wraps
//! what is shown on it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd;

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use secrecy::SecretString;
use textwrap::{Options, WordSplitter};

use crate::config::prompt::UserPrompt;
use crate::model::text::FIXED_SPACE;

/// The longest answer that is read. The kernel's own lines end at 4096 bytes.
const LONGEST: usize = 64 * 1024;

/// The columns of a terminal; none where it does not say, or is none.
pub fn columns(terminal: impl AsFd) -> Option<usize> {
    tcgetwinsize(terminal).ok().map(|size| size.ws_col.into())
}

/// `text` as it is shown in so many `columns`: its long lines are wrapped between words. What is
/// between backticks may be copied, and stays in one piece.
pub fn wrapped(text: &str, columns: Option<usize>) -> String {
    match columns {
        None | Some(0) => text.to_owned(),
        Some(columns) => text.split_inclusive('\n').map(|line| wrap_line(line, columns)).collect(),
    }
}

fn wrap_line(line: &str, columns: usize) -> String {
    let (line, end) = line.split_at(line.trim_end().len());
    let parts = line.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => part.to_owned(),
        _ => part.replace(' ', FIXED_SPACE),
    });
    let whole = parts.collect::<Vec<_>>().join("`");
    let indent = &line[..line.len() - line.trim_start().len()];
    let indent = format!("{indent}  ");
    let options = Options::new(columns)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation)
        .subsequent_indent(&indent);
    textwrap::fill(&whole, options).replace(FIXED_SPACE, " ") + end
}

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
        self.0.write_all(wrapped(lines, columns(&self.0)).as_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_and_what_may_be_copied_is_not() {
        let text = "error: it is too long for this\n  hint: run `atlaudit auth login acme` again\n\
                    a path: /very/long/name/of/a/file\nName of it: ";
        let shown = wrapped(text, Some(20));
        assert_eq!(
            shown,
            "error: it is too\n  long for this\n  hint: run\n    `atlaudit auth login acme`\n    \
             again\na path:\n  /very/long/name/of/a/file\nName of it: "
        );
    }

    #[test]
    fn what_goes_to_no_terminal_is_as_it_was() {
        let text = "w ".repeat(500);
        assert_eq!(wrapped(&text, columns(tempfile::tempfile().unwrap())), text);
    }
}
