//! Completions and manual pages: what the program offers, what the real shells make of it, and what
//! `mandoc` says of the pages. Tests that need a shell or `mandoc` are ignored where they may be
//! missing.

use std::path::Path;
use std::process::Command;

use crate::support::{Run, Site};

/// A site with the sources `acme` and `acme-jira`, whose server nobody asks, and some files.
fn site() -> Site {
    let site = Site::of(1, 1);
    std::fs::create_dir(site.path("case-1")).unwrap();
    for name in ["saved.jsonl", "no key.toml"] {
        std::fs::write(site.path(name), "").unwrap();
    }
    site
}

/// The words that `__complete` offers for the last of `words`.
fn offered(site: &Site, words: &[&str]) -> Vec<String> {
    let run = site.run(&[&["__complete", "--"], words].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{words:?}");
    let lines = run.lines().into_iter().skip(1);
    lines.map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn names_are_those_of_the_configuration_that_a_pull_would_read() {
    let mut site = site();
    assert_eq!(offered(&site, &["pull", ""]), ["acme", "acme-jira"]);
    assert_eq!(offered(&site, &["pull", "acme-"]), ["acme-jira"]);
    std::fs::write(site.path("other.toml"), "[sources.lab]\ntype = 'org-events'\n").unwrap();
    assert_eq!(offered(&site, &["--config", "other.toml", "status", ""]), ["lab"]);
    assert_eq!(offered(&site, &["status", "--config=other.toml", ""]), ["lab"]);
    site.set_env("ATLAUDIT_CONFIG", "other.toml");
    assert_eq!(offered(&site, &["check", ""]), ["lab"]);
}

#[test]
fn without_a_configuration_that_can_be_read_nothing_is_offered_and_nothing_said() {
    let mut site = site();
    std::fs::write(site.path("broken.toml"), "[sources.acme\n").unwrap();
    std::fs::write(site.path("odd.toml"), "[sources.'a b']\n[sources.lab]\ntype = 7\n").unwrap();
    for config in ["broken.toml", "missing.toml", "case-1", "odd.toml"] {
        let run = site.run(&["__complete", "--", "--config", config, "pull", ""]);
        let all = (run.code, run.text(), run.stderr.as_str());
        assert_eq!(all, (0, String::new(), ""), "{config}");
    }
    site.set_env("HOME", "/nonexistent");
    assert_eq!(offered(&site, &["pull", ""]), <[&str; 0]>::default());
    let run = site.run(&["__complete", "--"]);
    assert_eq!((run.code, run.text()), (0, String::new()));
}

/// Types each of its arguments into an interactive shell, lets it insert everything that it offers,
/// and prints the lines that come of it.
const TYPIST: &str = r#"
import fcntl, os, pty, re, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 4000, 0, 0))
    os.execvp("/bin/sh", ["sh", "-c", sys.argv[1]])
seen = ""
def wait(pattern):
    global seen
    while not (found := re.search(pattern, seen)):
        seen += os.read(terminal, 65536).decode()
    seen = seen[found.end():]
    return found[0]
wait("READY> ")
for line in sys.argv[2:]:
    os.write(terminal, (line + "\x14\x02").encode())
    print(wait("LINE<.*?>")[5:-1])
    wait("READY> ")
"#;

/// Control-T inserts everything that is offered, control-B prints the line.
const BASH: &str = r#"
PS1='READY> '
source <(atlaudit completions bash)
bind '"\C-t": insert-completions'
print_line() { echo "LINE<$READLINE_LINE>"; READLINE_LINE=''; }
bind -x '"\C-b": print_line'
"#;

/// The same for zsh.
const ZSH: &str = r#"
PS1='READY> '
autoload -Uz compinit && compinit -u
source <(atlaudit completions zsh)
insert_all() { _main_complete; compstate[insert]=all }
zle -C insert-all complete-word insert_all
bindkey '^T' insert-all
print_line() { zle -I; print -r -- "LINE<$BUFFER>"; BUFFER='' }
zle -N print-line print_line
bindkey '^B' print-line
"#;

/// What becomes of each line in a shell that `start` begins.
fn typed(site: &Site, start: &str, lines: &[&str]) -> Vec<String> {
    let mut python = Command::new("python3");
    surround(site, &mut python).args(["-c", TYPIST, start]).args(lines);
    let run = Run::from(python.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.lines().into_iter().map(str::to_owned).collect()
}

/// The environment of the program, which stands first in PATH.
fn surround<'a>(site: &Site, command: &'a mut Command) -> &'a mut Command {
    let real = site.command(&[]);
    let program = Path::new(env!("CARGO_BIN_EXE_atlaudit")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    command.env_clear().envs(real.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env("PATH", path).env("TERM", "xterm").current_dir(site.path(""))
}

/// Lines, and what is inserted behind them.
const OFFERS: [(&str, &str); 16] = [
    ("atlaudit pull ", "acme acme-jira"),
    ("atlaudit pull acme ", "acme-jira"),
    ("atlaudit status acme-", "acme-jira"),
    ("atlaudit search --source ", "acme acme-jira"),
    ("atlaudit pull --config missing.toml ", ""),
    ("atlaudit pull --format ", "normalized raw ecs ocsf ocsf-1.3"),
    ("atlaudit pull --format=ec", "--format=ecs"),
    ("atlaudit pull --compression ", "none gzip zstd"),
    ("atlaudit auth login acme --type data", "datacenter-audit"),
    ("atlaudit --color al", "always"),
    ("atlaudit auth lo", "login logout"),
    ("atlaudit verify ", "case-1 home tmp"),
    ("atlaudit verify sav", ""),
    ("atlaudit report sav", "saved.jsonl"),
    ("atlaudit pull --output=sav", "--output=saved.jsonl"),
    ("atlaudit auth login acme --store file:sav", "file:saved.jsonl"),
];

/// The words of a line, sorted, because some shells insert them in an order of their own. A folder
/// may have a slash.
fn sorted_words(line: &str) -> Vec<String> {
    let words = line.split_whitespace().map(|word| word.trim_end_matches('/').to_owned());
    let mut words: Vec<_> = words.collect();
    words.sort();
    words
}

/// Each line of [`OFFERS`] becomes, in a shell that `start` begins, what is offered for it.
fn assert_completed(site: &Site, start: &str) {
    let got = typed(site, start, &OFFERS.map(|(line, _)| line));
    assert_eq!(got.len(), OFFERS.len());
    for ((line, words), got) in OFFERS.into_iter().zip(got) {
        let wanted = match words {
            "" => line.to_owned(),
            words => format!("{} {words}", line.rsplit_once(' ').unwrap().0),
        };
        assert_eq!(sorted_words(&got), sorted_words(&wanted), "{line}");
    }
}

#[test]
#[ignore = "needs bash and python3"]
fn bash_completes_values_names_and_paths() {
    let site = site();
    std::fs::write(site.path("bashrc"), BASH).unwrap();
    assert_completed(&site, "exec bash --noprofile --rcfile bashrc -i");
}

#[test]
#[ignore = "needs zsh and python3"]
fn zsh_completes_values_names_and_paths() {
    let site = site();
    std::fs::write(site.path("home/.zshrc"), ZSH).unwrap();
    assert_completed(&site, "exec zsh -i");
}

#[test]
#[ignore = "needs fish"]
fn fish_completes_values_names_and_paths() {
    let site = site();
    let script = "atlaudit completions fish | source; complete -C $argv[1]";
    for (line, words) in OFFERS {
        let mut fish = Command::new("fish");
        surround(&site, &mut fish).args(["--no-config", "-c", script, line]);
        let run = Run::from(fish.output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}");
        let offers = run.lines().into_iter().map(|line| line.split('\t').next().unwrap());
        let offers = offers.collect::<Vec<_>>().join(" ");
        assert_eq!(sorted_words(&offers), sorted_words(words), "{line}");
    }
}

#[test]
#[ignore = "needs mandoc"]
fn mandoc_finds_nothing_wrong_with_the_manual_pages() {
    let site = site();
    site.ok(&["man", "--dir", "pages"]);
    let pages = std::fs::read_dir(site.path("pages")).unwrap();
    let pages: Vec<_> = pages.map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 25, "{pages:?}");
    let mut mandoc = Command::new("mandoc");
    let run =
        Run::from(mandoc.args(["-T", "lint", "-W", "warning"]).args(&pages).output().unwrap());
    assert_eq!((run.code, run.text(), run.stderr), (0, String::new(), String::new()));
}

#[test]
fn pages_are_dated_by_the_source_and_not_by_the_day() {
    let mut site = site();
    let today = site.ok(&["man"]).text();
    assert_eq!(site.ok(&["man"]).text(), today);
    site.set_env("SOURCE_DATE_EPOCH", "1700000000");
    assert!(site.ok(&["man"]).text().starts_with(".TH \"ATLAUDIT\" \"1\" \"2023-11-14\""));
}
