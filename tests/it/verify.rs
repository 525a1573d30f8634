//! `verify`: what is no export, what is none yet, and a key that is none. What is found in an
//! export is tested beside its code.

use std::fs;

use crate::support::{Run, Site};

/// A key that opens nothing.
const PUBLIC: &str = "RWQVIWpc8Ygur8FKbo98i+TPFC1KxridtX0LBF7MEtsw95DqSSbb+LIZ";

fn verify(site: &Site, args: &[&str]) -> Run {
    site.run(&[&["verify"], args].concat())
}

#[test]
fn a_path_that_is_no_export_is_a_usage_error() {
    let site = Site::of(0, 0);
    fs::create_dir(site.path("folder")).unwrap();
    fs::write(site.path("folder/letter.txt"), "x").unwrap();
    fs::write(site.path("file"), "x").unwrap();
    for (dir, what) in [
        ("none", "there is no folder `none`"),
        ("file", "there is no folder `file`"),
        ("folder", "`folder` is not an export"),
    ] {
        let run = verify(&site, &[dir]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.starts_with(&format!("error: {what}")), "{}", run.stderr);
        assert!(run.stderr.contains("hint: name the folder"), "{}", run.stderr);
    }
}

#[test]
fn a_public_key_is_one_or_a_file_that_holds_one() {
    let site = Site::of(0, 0);
    fs::create_dir_all(site.path("export/.atlaudit")).unwrap();
    fs::write(site.path("good.pub"), format!("untrusted comment: x\n{PUBLIC}\n")).unwrap();
    fs::write(site.path("bad.pub"), "x").unwrap();
    for key in ["good.pub", PUBLIC] {
        assert_eq!(verify(&site, &["export", "--public-key", key]).code, 9);
    }
    for key in ["bad.pub", "none.pub", &PUBLIC[1..], "export"] {
        let run = verify(&site, &["export", "--public-key", key]);
        assert_eq!(run.code, 2, "{key}");
        assert!(run.stderr.contains("`minisign -G` made"), "{}", run.stderr);
    }
}

#[test]
fn an_unfinished_export_reports_one_next_step() {
    let site = Site::of(0, 0);
    fs::create_dir_all(site.path("export/.atlaudit")).unwrap();
    let run = verify(&site, &["export", "--json"]);
    assert_eq!(run.code, 9);
    let hints: Vec<_> = run.stderr.lines().filter(|line| line.contains("hint: ")).collect();
    assert_eq!(hints.len(), 1, "{}", run.stderr);
    assert!(hints[0].contains("run the same `export` command again"));
    assert!(run.stderr.contains("error: the export is not finished"));
    for other in ["another copy", "leave it as it is", "to resume"] {
        assert!(!run.stderr.contains(other), "{other}: {}", run.stderr);
    }
    let shown: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&shown["ok"], &shown["verified"]), (&false.into(), &false.into()));
}

#[test]
fn each_difference_is_a_line_and_all_of_them_an_object() {
    let site = Site::of(0, 0);
    fs::create_dir_all(site.path("export/events")).unwrap();
    fs::create_dir(site.path("export/pages")).unwrap();
    fs::write(site.path("export/manifest.json"), "{\"schema\":\"atlaudit/manifest/9\"}").unwrap();
    fs::write(site.path("export/SHA256SUMS"), "x\n").unwrap();
    let run = verify(&site, &["export", "--json"]);
    assert_eq!(run.code, 9);
    for line in [
        "error: manifest.json: has the format `atlaudit/manifest/9`; this atlaudit knows `atlaudit/manifest/1`\n",
        "error: SHA256SUMS: line 1: is no line of `sha256sum`, or has no end\n",
        "error: README.txt: is missing\n",
        "error: verification FAILED: ",
    ] {
        assert!(run.stderr.contains(line), "{line}: {}", run.stderr);
    }
    let shown: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(shown["verified"], false);
    assert_eq!(shown["ok"], false);
    assert_eq!(shown["complete"], serde_json::Value::Null);
    assert_eq!(shown["signature"]["state"], "none");
    let differences = shown["differences"].as_array().unwrap();
    assert_eq!(differences[1]["file"], "SHA256SUMS");
    assert_eq!(differences[1]["line"], 1);
    let lines = run.stderr.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(lines.count(), differences.len() + 1);
}
