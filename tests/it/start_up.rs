//! A system that refuses files at the start: an exit code of its own, the cause, and what to do.
//! Never a panic.

use crate::support::{Run, Site, org_ids};
use atlaudit::sandbox::Api;

#[test]
fn too_few_open_files_are_told_with_their_cause_and_never_as_a_bug() {
    let site = Site::of(50, 0);
    let mut worked = false;
    // Below 5, the system cannot load the program.
    for limit in (5..40).rev().step_by(2) {
        let script = format!(
            "ulimit -n {limit}; exec \"$PROGRAM\" --state-dir s{limit} pull acme -o o{limit}.jsonl"
        );
        let run = Run::from(site.shell(&script).output().unwrap());
        if run.code == 0 {
            worked = true;
            let written = site.read(&format!("o{limit}.jsonl"));
            assert_eq!(written.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
            continue;
        }
        let errors = run.stderr.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{limit}: {}", run.stderr);
        assert!([7, 8].contains(&run.code), "{limit}: {} {}", run.code, run.stderr);
        for words in ["Too many open files", "`ulimit -n 1024`", "LimitNOFILE"] {
            assert!(run.stderr.contains(words), "{limit}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("a bug"), "{}", run.stderr);
    }
    assert!(worked, "no limit was enough");
}

#[test]
fn commands_that_only_print_have_the_same_cause() {
    let site = Site::of(1, 0);
    for command in ["schema", "demo", "sandbox --port 0", "status"] {
        let script = format!("ulimit -n 9; exec \"$PROGRAM\" {command}");
        let run = Run::from(site.shell(&script).output().unwrap());
        run.refused(7, &["cannot start", "Too many open files"]);
    }
}

#[test]
fn a_help_that_cannot_be_printed_is_a_fault_of_the_output() {
    let site = Site::of(1, 0);
    for command in ["--help", "pull --help", "--version", "schema", "man"] {
        let script = format!("exec \"$PROGRAM\" {command} > /dev/full");
        let run = Run::from(site.shell(&script).output().unwrap());
        run.refused(8, &["standard output", "No space left"]);
    }
}
