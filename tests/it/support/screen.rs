//! Runs programs on a pseudo-terminal, and replays what they wrote to it: the lines that a person
//! would read there.

use std::process::{Command, Stdio};

use super::Run;

/// Runs a command on a terminal of its own and copies what it writes there to standard output.
const TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    sys.stdout.buffer.write(part)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// What a terminal shows at the end, with all that has scrolled away.
#[derive(Debug)]
pub struct Screen {
    /// The exit code of what ran there.
    pub code: i32,
    /// Every line, from the first.
    pub lines: Vec<String>,
    /// What was written, with all that was erased later.
    pub written: String,
}

impl Screen {
    /// The lines as one text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// How many lines begin with `start`.
    pub fn count(&self, start: &str) -> usize {
        let lines = self.lines.iter();
        lines.filter(|line| line.starts_with(start)).count()
    }
}

/// Runs `command`, which must name its program by a path, on a terminal that all its streams share.
pub fn run_on_terminal(command: &Command) -> Screen {
    let mut python = Command::new("python3");
    python.env_clear().args(["-c", TERMINAL]);
    python.arg(command.get_program()).args(command.get_args());
    let env = command.get_envs();
    python.envs(env.filter_map(|(key, value)| Some((key, value?))));
    python.env("TERM", "xterm-256color");
    if let Some(folder) = command.get_current_dir() {
        python.current_dir(folder);
    }
    python.stdin(Stdio::null()).stderr(Stdio::inherit());
    let run = Run::from(python.output().unwrap());
    let written = String::from_utf8_lossy(&run.stdout).into_owned();
    Screen { code: run.code, lines: replay(&written), written }
}

/// The lines that are left of `written`. It knows what the program's progress display uses: the
/// cursor goes up, down and to the first column, and lines are erased.
fn replay(written: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0, 0);
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\u{1b}' => {
                let sequence = rest.strip_prefix('[').unwrap_or_default();
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (count, kind) = (&sequence[..end], &sequence[end..=end]);
                rest = &sequence[end + 1..];
                let number = count.parse().unwrap_or(1);
                match kind {
                    "A" => row = row.saturating_sub(number),
                    "B" => row = (row + number).min(lines.len() - 1),
                    "K" if count == "2" => lines[row].clear(),
                    "K" => lines[row].truncate(column),
                    _ => {}
                }
            }
            c => {
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
    }
    let lines = lines.into_iter().map(String::from_iter);
    lines.collect()
}

#[test]
fn what_is_erased_is_not_on_the_screen() {
    let lines =
        replay("one\r\nspin\r\u{1b}[2Ktwo\r\nthree\r\n\u{1b}[1A\u{1b}[2K\u{1b}[31mred\u{1b}[0m");
    assert_eq!(lines, ["one", "two", "red", ""]);
}
