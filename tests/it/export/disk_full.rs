//! Disks that take no more: of the events, of the checkpoints, of what seals an export. `ulimit -f`
//! makes one of any size for any file.

use std::fs;

use super::{Case, site, words};
use crate::support::{Run, Site, org_ids};
use atlaudit::sandbox::Api;

/// An export that may write so many blocks to a file: of 512 bytes in one shell, of 1024 in
/// another.
fn limited(site: &Site, blocks: usize) -> Run {
    let script = format!(r#"ulimit -f {blocks}; exec "$PROGRAM" export acme --since 40d -o case"#);
    Run::from(site.shell(&script).output().unwrap())
}

#[test]
fn wherever_it_stops_the_same_command_goes_on() {
    let mut site = site(300);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "20000");
    let mut stopped = Vec::new();
    for blocks in [0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256] {
        let run = limited(&site, blocks);
        if run.code == 0 {
            break;
        }
        let said = &run.stderr;
        assert!(matches!(run.code, 7 | 8), "{blocks}: {}: {said}", run.code);
        assert!(said.contains("disk is") && said.contains("not full"), "{blocks}: {said}");
        assert!(!said.contains("--state-dir"), "{blocks}: {said}");
        // It does not pass for an export, and nothing of a file that did not fit lies about.
        let verified = site.run(&["verify", "case"]);
        let is_sealed = site.path("case/SHA256SUMS").exists();
        assert_eq!(verified.code == 0, is_sealed, "{blocks}: {}", verified.stderr);
        assert!(!is_sealed || verified.stderr.contains("INCOMPLETE"), "{blocks}");
        stopped.push((run.code, said.clone()));
    }
    let shown = |words: &str| stopped.iter().any(|(_, said)| said.contains(words));
    for part in
        [".atlaudit/request.json", "output file", ".atlaudit/sources/acme.json", "report.html"]
    {
        assert!(shown(part), "never stopped at {part}: {stopped:#?}");
    }
    if !site.path("case/SHA256SUMS").exists() {
        site.ok(&words(&["acme"], "case", &[]));
    }
    let case = Case::read(site.path("case"));
    assert!(case.is_complete());
    case.is_sound("in the end");
    assert_eq!(case.events("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    let left = fs::read_dir(site.path("case")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{names:?}");
}
