//! `config` and `sources`: what is shown, checked and edited of the configuration.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Stdio;

use atlaudit::sandbox::{API_KEY, ORG_ID};

use crate::login::PTY;
use crate::support::{Run, Site};

fn site() -> Site {
    Site::of(10, 10).with_output("path", "{source}.jsonl")
}

/// Edits the configuration with an editor that runs `script` on the copy, `$1`.
fn edit(site: &Site, script: &str) -> Run {
    fs::write(site.path("editor"), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(site.path("editor"), Permissions::from_mode(0o700)).unwrap();
    let mut command = site.command(&["config", "edit"]);
    command.env("VISUAL", site.path("editor")).stdin(Stdio::null());
    Run::from(command.output().unwrap())
}

#[test]
fn the_file_that_is_used_is_printed_and_where_others_were_looked_for() {
    let mut site = site();
    let user = site.path("home/.config/atlaudit/config.toml").display().to_string();
    let run = site.ok(&["config", "path"]);
    assert_eq!((run.lines(), run.stderr.as_str()), (vec![user.as_str()], ""));
    site.set_env("ATLAUDIT_CONFIG", "other.toml");
    let run = site.ok(&["--config", "typed.toml", "config", "path", "--all"]);
    let lines: Vec<_> = run.lines();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines[1].starts_with("used, does not exist  --config"), "{lines:?}");
    assert!(lines[2].starts_with("does not exist        ATLAUDIT_CONFIG"), "{lines:?}");
    assert_eq!(words(lines[3]), ["not", "used", "this", "user", &user]);
    assert!(lines[4].contains("the system") && lines[4].ends_with("etc/atlaudit/config.toml"));
}

#[test]
fn what_counts_is_shown_without_a_secret() {
    let mut site = site();
    site.set("acme-jira", "credential", "command:vault read hunter2");
    site.set_env("ATLAUDIT_API_KEY", API_KEY);
    let run = site.ok(&["config", "show"]);
    let text = run.text();
    for words in [
        "# ",
        "with ATLAUDIT_API_KEY of the environment",
        "state_dir = \"",
        "credential = \"env:ATLAUDIT_API_KEY\"",
        "credential = \"command:vault ...\"",
        "path = \"acme.jsonl\"",
        "late_margin = \"1d\"",
    ] {
        assert!(text.contains(words), "`{words}` in: {text}");
    }
    let tree = &site.ok(&["config", "show", "--json"]).trees()[0];
    assert_eq!(tree["sources"]["acme"]["org_id"], ORG_ID);
    assert_eq!(tree["sources"]["acme-jira"]["credential"], "command:vault ...");
    assert!(!text.contains(API_KEY) && !tree.to_string().contains("hunter2"));
    // What is shown can be read again, and means the same.
    fs::write(site.path("shown.toml"), &text).unwrap();
    let again = site.ok(&["--config", "shown.toml", "config", "show"]).text();
    let below = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(below(&again), below(&text));
}

#[test]
fn a_check_needs_no_network_and_names_the_line() {
    let mut site = site();
    let run = site.ok(&["config", "check"]);
    let file = site.path("home/.config/atlaudit/config.toml").display().to_string();
    assert_eq!(run.lines(), [format!("{file}: OK, 2 sources")]);
    site.set_detect("[detect]\nenabled = true\nlateness = 'soon'");
    site.run(&["config", "check"]).refused(6, &["config.toml:", "`detect.lateness`"]);
    site.set_detect("[detect]\nexcept = [{ rule = 'impersonation' }]");
    site.run(&["config", "check"]).refused(6, &["`detect.except.reason` is missing"]);
    site.set_detect("[detect]");
    site.set_posture("[posture]\nskip = ['nothing']");
    site.run(&["config", "check"]).refused(6, &["`posture.skip`"]);
    site.set_posture("[posture]");
    site.set_output("path", "state/{source}.jsonl");
    site.set_env("ATLAUDIT_STATE_DIR", "state");
    site.run(&["config", "check"]).refused(6, &["lies in the state folder"]);
    site.remove_sources();
    site.run(&["config", "check"]).refused(6, &["nothing is configured yet"]);
    assert!(site.control.requests().is_empty());
}

#[test]
fn a_path_in_the_home_folder_needs_no_shell() {
    let mut site = site();
    let home = site.path("home");
    site.set_output("path", "~/events/{source}.jsonl");
    site.set("acme", "ca_file", "~/none.pem");
    site.set_top("state_dir", "~/checkpoints");
    let shown = site.ok(&["config", "show", "--json"]).trees().remove(0);
    let of_home = |path: &str| home.join(path).display().to_string();
    assert_eq!(shown["state_dir"], of_home("checkpoints"));
    let acme = &shown["sources"]["acme"];
    assert_eq!(acme["output"]["path"], of_home("events/acme.jsonl"));
    assert_eq!(acme["ca_file"], of_home("none.pem"));
    // In quotes on the command line, too.
    site.ok(&["pull", "acme-jira", "-o", "~/typed/{source}.jsonl"]);
    assert!(home.join("typed/acme-jira.jsonl").exists());
    site.run(&["pull", "-o", "~bo/x"]).refused(2, &["only `~/` is replaced", "./~NAME"]);
    let mut command = site.command(&["config", "check"]);
    let run = Run::from(
        command.env_remove("HOME").env("XDG_CONFIG_HOME", home.join(".config")).output().unwrap(),
    );
    run.refused(6, &["`~/` cannot be replaced, since HOME is not set"]);
}

#[test]
fn what_is_wrong_with_a_value_is_said_in_words_of_the_file() {
    let site = site();
    site.command(&[]);
    let refused = |text: &str, words: &[&str]| {
        fs::write(site.path("c.toml"), text).unwrap();
        site.run(&["--config", "c.toml", "config", "check"]).refused(6, words);
    };
    refused("[sources.a]\npage_size = '5'\n", &["c.toml:2: `page_size` must be a whole number"]);
    refused("[sources.a]\ntype = 'x'\ntype = 'y'\n", &["c.toml:3: `type` is there a second"]);
    let words = ["c.toml:2: `output.rotate`: unknown rotation `1s`", "`1m`", "`hourly`", "`1KiB`"];
    refused("[output]\nrotate = '1s'\n", &words);
}

#[test]
fn an_edited_file_replaces_the_old_one_once_it_is_right() {
    let site = site();
    let file = site.path("home/.config/atlaudit/config.toml");
    site.command(&[]);
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let run = edit(&site, "printf '[sources.new]\\ntype = \"org-events\"\\n' >> \"$1\"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("config.toml: OK, 3 sources"), "{}", run.stderr);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("[sources.new]\ntype = \"org-events\"\n"), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);

    // Each run of `site` writes its configuration anew.
    let before = || fs::read_to_string(&file).unwrap();
    for (script, code, words) in [
        ("echo 'x = 5' > \"$1\"", 6, "config.toml:1: unknown key `x`"),
        ("echo 'state_dir = \"rel\"' > \"$1\"", 6, "not an absolute path"),
        ("exit 3", 6, "the editor failed, and the file stays as it was"),
        (&format!("echo '# more' >> '{}'; echo >> \"$1\"", file.display()), 6, "somebody else"),
        ("true", 0, "is as it was"),
        (": > \"$1\"", 6, "the new text is wrong: it is empty"),
        ("rm \"$1\"", 6, "save it under the name that the editor was given"),
        ("no-such-editor", 6, "to an editor that is installed"),
    ] {
        let run = edit(&site, script);
        assert_eq!(run.code, code, "{script}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{script}: {}", run.stderr);
        assert!(!before().contains("x = 5") && before().contains("[sources.acme]"), "{script}");
    }
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "a copy was left");

    let run = edit(&site, "sed -i '/sources.acme-jira/,$d' \"$1\"");
    assert_eq!(run.code, 0, "{}", run.stderr);
    for words in ["OK, 1 source", "without acme-jira now, whose events, checkpoint and key stay"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

/// The file that an error says the edited text is in, taken out of the way of the next run.
fn kept_text(run: &Run) -> Vec<u8> {
    let (_, path) = run.stderr.split_once("your text is in ").expect(&run.stderr);
    let path = path.split(' ').next().unwrap().trim_end_matches(':');
    let text = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    text
}

#[test]
fn what_was_typed_is_kept_wherever_it_cannot_be_used() {
    let site = site();
    let file = site.path("home/.config/atlaudit/config.toml");
    let link = site.path("link.toml");
    for (script, words, kept) in [
        ("echo 'x = 5' > \"$1\"", "config.toml:1: unknown key `x`", "x = 5\n".as_bytes()),
        ("echo typed > \"$1\"; exit 3", "the editor failed", b"typed\n"),
        ("echo typed > \"$1\"; kill -9 $$", "the editor failed", b"typed\n"),
        ("printf '# \\377' > \"$1\"", "valid UTF-8", b"# \xff"),
        (
            &format!("echo '# more' >> '{}'; echo '# mine' > \"$1\"", file.display()),
            "somebody else",
            b"# mine\n",
        ),
    ] {
        let run = edit(&site, script);
        run.refused(6, &[words, "your text is in ", "`atlaudit config edit`"]);
        assert_eq!(kept_text(&run), kept, "{script}");
    }
    // Nothing was typed, so that nothing is kept.
    for script in ["exit 3", "rm \"$1\""] {
        let run = edit(&site, script);
        assert_eq!(run.code, 6, "{}", run.stderr);
        assert!(!run.stderr.contains("your text"), "{}", run.stderr);
    }
    assert_eq!(fs::read_dir(site.path("tmp")).unwrap().count(), 0);

    // A link to nothing stays one: it says that the file is missing, not that it is to be replaced.
    symlink("missing.toml", &link).unwrap();
    let run = site.run(&["--config", "link.toml", "config", "edit"]);
    run.refused(6, &["link.toml` is a symbolic link that leads to no file"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn on_a_full_disk_a_file_with_two_names_is_as_it_was() {
    let site = site();
    let old = format!("# {}\n", "o".repeat(4000));
    fs::write(site.path("old.toml"), &old).unwrap();
    let new = format!("# {}\n", "n".repeat(8000));
    fs::write(site.path("new.toml"), &new).unwrap();
    // One page for the old text, two for the new one: the disk is full at every step.
    let mut ends = Vec::new();
    for pages in 1..=6 {
        let script = format!(
            "exec unshare -rm sh -c 'mkdir -p disk && mount -t tmpfs -o size={}k none disk || exit 77
             cp old.toml disk/config.toml && ln disk/config.toml disk/other.toml || exit 77
             export VISUAL=\"cp new.toml\"
             $PROGRAM --config disk/config.toml config edit; code=$?
             cat disk/other.toml; ls -A disk > names; exit $code'",
            4 * pages
        );
        let output = site.shell(&script).stdin(Stdio::null()).output();
        let run = Run::from(output.unwrap());
        if run.code == 77 || run.stderr.contains("unshare") {
            return; // This machine mounts nothing for this user.
        }
        let names = fs::read_to_string(site.path("names")).unwrap();
        assert_eq!(names, "config.toml\nother.toml\n", "{pages}: {}", run.stderr);
        ends.push(run.code);
        if run.code == 0 {
            assert!(run.text() == new, "{pages}");
        } else {
            run.fails(6, &["and is as it was", "No space left"]);
            assert!(run.text() == old, "{pages}: {}", run.stderr);
            assert!(kept_text(&run) == new.as_bytes());
        }
    }
    assert_eq!((ends[0], ends[5]), (6, 0), "{ends:?}");
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn at_a_terminal_what_is_wrong_can_be_edited_again() {
    let site = site();
    site.command(&[]);
    fs::write(site.path("drive.py"), PTY).unwrap();
    // Wrong at first, right at the second time.
    let editor = "if grep -q wrong \"$1\"; then echo 'state_dir = \"/s\"' > \"$1\"; \
                  else echo wrong > \"$1\"; fi";
    fs::write(site.path("editor"), format!("#!/bin/sh\n{editor}\n")).unwrap();
    fs::set_permissions(site.path("editor"), Permissions::from_mode(0o700)).unwrap();
    let drive = |answer: &str| {
        let script = format!("EDITOR=./editor python3 drive.py {answer} -- $PROGRAM config edit");
        let run = Run::from(site.shell(&script).stdin(Stdio::null()).output().unwrap());
        (run.code, run.text() + &run.stderr)
    };
    let (code, seen) = drive("n");
    assert_eq!(code, 6, "{seen}");
    assert!(seen.contains(".toml again? [Y/n]") && seen.contains("your text is in "), "{seen}");
    let (code, seen) = drive("y");
    assert_eq!(code, 0, "{seen}");
    let file = site.path("home/.config/atlaudit/config.toml");
    assert_eq!(fs::read_to_string(file).unwrap(), "state_dir = \"/s\"\n");
}

#[test]
fn the_sources_are_listed_with_the_place_of_each_key() {
    let site = site().with_all_sources();
    let run = site.ok(&["sources", "list"]);
    let lines = run.lines();
    assert!(lines[0].starts_with("NAME "), "{lines:?}");
    let words: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(words, ["acme", "org-events", ORG_ID, "env:ACME_KEY", "acme.jsonl"]);
    assert_eq!(lines.len(), 5);
    assert!(!run.text().contains(API_KEY));
    let sources = site.ok(&["sources", "list", "--json"]).trees();
    assert_eq!(sources.len(), 4);
    let found = sources.iter().find(|source| source["name"] == "acme-dc").unwrap();
    assert_eq!(found["credential"], "env:DC_KEY");
    assert!(found["target"].as_str().unwrap().ends_with("/dc"), "{found}");
    assert!(site.control.requests().is_empty());
}
