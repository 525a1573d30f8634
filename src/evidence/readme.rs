//! README.txt: what an export is and how to check it, for a person who has no atlaudit. It is made
//! from the manifest alone, so that `verify` can recreate it.

use super::manifest::{Manifest, SourceEntry};
use crate::model::text::{counted, printable};
use crate::model::time::{Timestamp, format_millis};

/// The text, for this manifest, whose file has this SHA-256.
pub fn text(manifest: &Manifest, sha256: &str) -> String {
    let export = describe_export(manifest);
    let sources = manifest.sources.iter();
    let sources: String = sources.map(|one| describe_source(one, manifest.asked.since)).collect();
    let alerts = manifest.detection.map_or("", |_| ALERTS);
    let unfinished = match manifest.complete {
        true => "",
        false => UNFINISHED,
    };
    format!(
        "EXPORT OF ATLASSIAN AUDIT LOGS\n==============================\n\n{export}\
         THE SOURCES\n-----------\n\n{sources}{FILES}{alerts}{CHECK}{unfinished}{CHECKS}\n    \
         {sha256}  manifest.json\n\n{CHAINS}"
    )
}

fn describe_export(manifest: &Manifest) -> String {
    let made = &manifest.made_by;
    let optional = |before: &str, what: &Option<String>| {
        what.as_ref().map_or_else(String::new, |what| [before, &printable(what)].concat())
    };
    let complete = match manifest.complete {
        true if manifest.is_limited() => {
            "This export is COMPLETE within what its sources keep: what the servers had to show of \
             the time that\nwas asked for was read to its end. That time begins before what they \
             keep: see NOT AVAILABLE below."
        }
        true => {
            "This export is COMPLETE: what the servers had to show of the time that was asked for \
             was read to\nits end. What they never logged, or had already removed, is in no export."
        }
        false => {
            "This export is INCOMPLETE: something that was asked for was not read to its end.\n\
             What is missing is named below, and under \"gaps\" in manifest.json."
        }
    };
    format!(
        "{complete}\n\n\
         Asked for   events from {} up to, not including, {}\n\
         Made        from {} to {}\n\
         By          {} {} ({}){}{}\n\n\
         All times are UTC.\n\n",
        format_millis(manifest.asked.since),
        format_millis(manifest.asked.until),
        format_millis(manifest.started),
        format_millis(manifest.finished),
        printable(&made.program),
        printable(&made.version),
        printable(&made.build),
        optional(", user ", &made.user),
        optional(", machine ", &made.host),
    )
}

fn describe_source(source: &SourceEntry, since: Timestamp) -> String {
    let facts = &source.facts;
    let complete = match facts.complete {
        true => "complete",
        false => "INCOMPLETE",
    };
    let mut text = format!(
        "{} ({}), {complete}\n    {} in {}, from {}\n",
        facts.name,
        facts.kind,
        counted(source.counts.written, "event"),
        counted(source.counts.responses, "response"),
        printable(&facts.base_url),
    );
    if let (Some(first), Some(last)) = (source.first, source.last) {
        text.push_str(&format!(
            "    first {}, last {}\n",
            format_millis(first),
            format_millis(last)
        ));
    }
    if let Some(retention) = source.retention_text(since) {
        let parts = retention.replace("; ", ";\n        ");
        text.push_str(&format!("    NOT AVAILABLE: {parts}\n"));
    }
    for gap in &facts.gaps {
        let (from, to) = (format_millis(gap.from), format_millis(gap.to));
        text.push_str(&format!("    NOT READ: {from} to {to}: {}\n", printable(&gap.why)));
    }
    if let Some(error) = &facts.error {
        text.push_str(&format!("    failed: {}\n", printable(error)));
    }
    text.push('\n');
    text
}

const FILES: &str = include_str!("readme/files.txt");
const ALERTS: &str = include_str!("readme/alerts.txt");
const CHECK: &str = include_str!("readme/check.txt");
const CHECKS: &str = include_str!("readme/checks.txt");
const CHAINS: &str = include_str!("readme/chains.txt");

const UNFINISHED: &str = include_str!("readme/unfinished.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::test_export::TestExport;
    use std::process::{Command, Output};

    fn run(export: &TestExport, program: &str, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.current_dir(export.dir()).args(args);
        command.output().unwrap()
    }

    fn stdout_of(output: &Output) -> String {
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout.clone()).unwrap()
    }

    /// The program in the text.
    fn recipe(text: &str) -> String {
        let begin = text.find("    import hashlib").unwrap();
        let lines = text[begin..].lines().map(|line| &line[4..]);
        lines.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn no_line_is_too_long_to_read() {
        let mut export = TestExport::unsealed(60);
        export.add_alerts("");
        export.seal();
        let text = String::from_utf8(export.read("README.txt")).unwrap();
        assert!(text.contains("\n\nalerts.jsonl is what"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 110, "{line}");
        }
        assert!(text.is_ascii());
    }

    #[test]
    fn a_time_range_that_begins_before_what_is_kept_is_named_as_not_available() {
        let mut export = TestExport::unsealed(60);
        export.begin_before_retention();
        export.seal();
        let text = String::from_utf8(export.read("README.txt")).unwrap();
        assert!(text.starts_with("EXPORT"));
        assert!(text.contains("COMPLETE within what its sources keep"), "{text}");
        assert!(
            text.contains(
                "    NOT AVAILABLE: asked from 1999-01-01T00:00:00.000Z;\n        \
                 this source keeps at most 180 days, so nothing before 2026-05-24T09:29:59.000Z \
                 can be in it\n"
            ),
            "{text}"
        );
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn only_an_incomplete_export_mentions_its_state() {
        let mut export = TestExport::unsealed(60);
        export.seal();
        let text = |export: &TestExport| String::from_utf8(export.read("README.txt")).unwrap();
        assert!(!text(&export).contains(".atlaudit"));
        export.facts.sources[0].complete = false;
        export.seal();
        let text = text(&export);
        assert!(text.contains("`find` may also name files in .atlaudit"), "{text}");
        assert!(text.contains("\n\n2. Who made it"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 110));
    }

    /// Needs sha256sum, zstd, jq and python3.
    #[test]
    #[ignore = "needs the programs zstd, jq and python3; the gate runs it"]
    fn the_described_commands_work() {
        let export = TestExport::sealed(2_100);
        stdout_of(&run(&export, "sha256sum", &["--check", "--strict", "SHA256SUMS"]));
        let text = String::from_utf8(export.read("README.txt")).unwrap();
        let manifest: Manifest = serde_json::from_slice(&export.read("manifest.json")).unwrap();
        for source in &manifest.sources {
            for (kind, entry) in [("events", &source.events), ("pages", &source.pages)] {
                let output = run(&export, "python3", &["-c", &recipe(&text), kind, &entry.file]);
                assert_eq!(stdout_of(&output).trim(), entry.chain, "{}", entry.file);
            }
        }
        let filter = "zstd -dc events/acme.jsonl.zst | jq -r 'select(.outcome == \"failure\") | \
                      [.time, .action] | @tsv'";
        assert!(text.contains(&filter.replace("acme", "NAME")));
        stdout_of(&run(&export, "sh", &["-c", filter]));
        let there = stdout_of(&run(&export, "sh", &["-c", "find . -type f | cut -c3- | sort"]));
        let named = stdout_of(&run(&export, "sh", &["-c", "cut -c67- SHA256SUMS | sort"]));
        assert_eq!(there.replace("SHA256SUMS\n", ""), named);
        std::fs::write(export.path("README.txt"), "x").unwrap();
        assert!(!run(&export, "sha256sum", &["-c", "SHA256SUMS"]).status.success());
    }

    /// Needs minisign, and a gigabyte of memory for the password.
    #[test]
    #[ignore = "needs the program minisign; the gate runs it"]
    fn the_program_minisign_takes_our_signatures_and_we_its_keys() {
        use crate::evidence::sign::{PublicKey, SigningKey};
        use std::io::Write as _;
        let keys = tempfile::tempdir().unwrap();
        let key = |name: &str| keys.path().join(name).to_str().unwrap().to_owned();
        let minisign = |args: &[&str], typed: &str| {
            let mut child = Command::new("minisign")
                .args(args)
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
            stdout_of(&child.wait_with_output().unwrap());
        };
        for (name, password) in [("plain", None), ("locked", Some("hunter2"))] {
            let (public, secret) = (key(&format!("{name}.pub")), key(&format!("{name}.key")));
            match password {
                None => minisign(&["-G", "-W", "-p", &public, "-s", &secret], ""),
                Some(_) => minisign(&["-G", "-p", &public, "-s", &secret], "hunter2\nhunter2\n"),
            }
            let text = std::fs::read_to_string(&secret).unwrap().into();
            let signing = SigningKey::open(&text, password.map(Into::into).as_ref()).unwrap();
            let export = TestExport::unsealed(60);
            crate::evidence::seal::seal(export.dir(), &export.facts, Some(&signing)).unwrap();
            stdout_of(&run(&export, "minisign", &["-V", "-p", &public, "-m", "SHA256SUMS"]));
            stdout_of(&run(
                &export,
                "minisign",
                &["-V", "-P", &signing.public(), "-m", "SHA256SUMS"],
            ));
            // And the other way: what the program signs.
            let sums = export.path("SHA256SUMS").to_str().unwrap().to_owned();
            let typed = password.map(|word| format!("{word}\n")).unwrap_or_default();
            minisign(&["-S", "-s", &secret, "-m", &sums], &typed);
            let public = PublicKey::read(&std::fs::read_to_string(&public).unwrap()).unwrap();
            let verdict = crate::evidence::verify::verify(export.dir(), Some(&public)).unwrap();
            assert!(verdict.findings.is_empty(), "{verdict:#?}");
            std::fs::write(export.path("SHA256SUMS"), "x").unwrap();
            let args = ["-V", "-P", &signing.public(), "-m", "SHA256SUMS"];
            assert!(!run(&export, "minisign", &args).status.success());
        }
    }
}
