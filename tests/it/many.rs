//! Hundreds of sources in one run: little memory, and none holds another back.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Running, Site, file_is_whole, small};

/// The most memory that a run of two hundred sources may take, in KiB: a debug build is larger than what
/// people run, and allocates alike.
const PEAK: u64 = 120 * 1024;

/// A site with 100 sources of each kind beside its own two; each writes to a file of its own.
fn crowd(options: atlaudit::sandbox::Options) -> Site {
    let mut site = Site::new(options);
    for n in 0..100 {
        site.add(&format!("org{n}"), "acme");
        site.add(&format!("jira{n}"), "acme-jira");
    }
    site.set_output("path", "{source}");
    site
}

/// The most memory that `running` has taken, watched until its end, in KiB.
fn peak(running: &mut Running) -> u64 {
    let status = format!("/proc/{}/status", running.child().id());
    let mut peak = 0;
    while !running.has_ended() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(number.unwrap_or_default());
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

#[test]
fn two_hundred_sources_take_little_memory() {
    let site = crowd(small(1_500, 300));
    let mut run = site.start(&["-q", "pull"]);
    let peak = peak(&mut run);
    let ended = run.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(peak < PEAK, "{peak} KiB");
    for name in ["acme", "acme-jira", "org7", "jira99"] {
        let written = site.read(name).ids().len();
        let served = match name.contains("jira") {
            true => site.control.jira_ids().len(),
            false => site.control.org_ids().len(),
        };
        assert_eq!(written, served, "{name}");
    }
}

#[test]
fn what_fails_or_hangs_holds_no_other_back() {
    let mut site = crowd(small(600, 300));
    site.set_env("WRONG", "wrong");
    for name in ["org1", "org2", "jira1"] {
        site.set(name, "credential", "env:WRONG");
    }
    // Answers nobody: the connection stands in its queue for ever.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", deaf.local_addr().unwrap());
    site.set("org3", "base_url", address);
    site.set("org3", "timeout", "1s");
    site.set("org3", "retry_for", "1s");
    std::fs::create_dir_all(site.state()).unwrap();
    std::fs::write(site.state().join("jira4.json"), "{").unwrap();
    // Nobody reads it for as long as the others take.
    let pipe = site.path("slow");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    site.add("slow", "acme");
    let mut reader = Command::new("sh")
        .args(["-c", "exec 3<slow; sleep 4; cat <&3"])
        .current_dir(pipe.parent().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let run = site.run(&["pull"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{}", run.stderr);
    let mut read = String::new();
    let mut piped = reader.stdout.take().unwrap();
    piped.read_to_string(&mut read).unwrap();
    reader.wait().unwrap();
    // Of 401, a deaf server and a broken state, the last is the worst.
    assert_eq!(run.code, 7, "{}", run.stderr);
    for failed in ["org1", "org2", "jira1", "org3", "jira4"] {
        let told = run.stderr.lines();
        let told = told.filter(|line| line.starts_with(&format!("{failed}: ")));
        assert_eq!(
            told.filter(|line| line.contains("INCOMPLETE")).count(),
            1,
            "{failed}: {}",
            run.stderr
        );
        assert!(site.read(failed).ids().is_empty(), "{failed}");
    }
    for n in (5..100).step_by(10) {
        for (name, like) in [
            (format!("org{n}"), "acme"),
            (format!("jira{n}"), "acme-jira"),
        ] {
            assert_eq!(site.read(&name).ids(), site.read(like).ids(), "{name}");
        }
    }
    file_is_whole(&site, "acme");
    file_is_whole(&site, "acme-jira");
    assert_eq!(read.lines().count(), site.control.org_ids().len());
}
