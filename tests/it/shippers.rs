//! rsyslogd itself, with `contrib/rsyslog/atlaudit.conf`, beside pulls that write, rotate and are
//! killed: every event arrives once.
//!
//! `ATLAUDIT_SHIPPER_ROUNDS` says how many pulls there are (8 where it is not set).

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Outputs, Run, Running, Site, small, whole};
use atlaudit::sandbox::Api;

const SOURCES: [&str; 4] = ["acme", "acme-jira", "acme-confluence", "acme-dc"];

/// Where an administrator puts this configuration, and what it says about the machine.
const CONFIGURATION: &str = include_str!("../../contrib/rsyslog/atlaudit.conf");

/// How long nothing may come before all has come.
const QUIET: Duration = Duration::from_secs(3);

/// Takes lines from any number of connections.
struct Listener {
    port: u16,
    lines: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Listener {
    fn start() -> Listener {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let lines = Arc::default();
        let listener = Listener { port, lines: Arc::clone(&lines) };
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in socket.incoming() {
                let (stream, lines) = (stream.unwrap(), Arc::clone(&lines));
                thread::spawn(move || take(stream, &lines));
            }
        });
        listener
    }

    fn count(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// What came, once `wanted` lines came or nothing comes any more, and then nothing for a while.
    fn all(&self, wanted: usize) -> Vec<Vec<u8>> {
        let (mut seen, mut since) = (self.count(), Instant::now());
        let patience = |seen| match seen < wanted {
            true => 5 * QUIET,
            false => QUIET,
        };
        while since.elapsed() < patience(seen) {
            thread::sleep(Duration::from_millis(20));
            let now = self.count();
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        self.lines.lock().unwrap().clone()
    }
}

fn take(stream: TcpStream, lines: &Mutex<Vec<Vec<u8>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).unwrap() == 0 {
            return;
        }
        lines.lock().unwrap().push(line);
    }
}

/// The configuration of `contrib`, for this site and this port.
fn configuration(site: &Site, port: u16) -> String {
    let path = |name| format!("\"{}", site.path(name).display());
    let mut text = CONFIGURATION.to_owned();
    for (there, here) in [
        ("\"/var/log/atlaudit", path("out")),
        ("\"/var/spool/rsyslog", path("spool")),
        ("\"siem.example\"", "\"127.0.0.1\"".to_owned()),
        ("Port=\"6514\"", format!("Port=\"{port}\"")),
    ] {
        // Those in comments too, which does no harm.
        assert!(text.contains(there), "{there}");
        text = text.replace(there, &here);
    }
    text
}

fn rsyslogd(site: &Site, args: &[&str]) -> Command {
    let mut command = Command::new("rsyslogd");
    command.arg("-f").arg(site.path("rsyslog.conf")).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn start(site: &Site) -> Running {
    let mut command = rsyslogd(site, &["-n"]);
    command.arg("-i").arg(site.path("rsyslogd.pid"));
    Running::as_it_is(command)
}

fn stop(mut rsyslogd: Running) {
    rsyslogd.signal("TERM");
    assert_eq!(rsyslogd.end().code, 0);
}

/// A site of small files and slow answers, so that pulls finish several files and die in the middle
/// of one.
fn site() -> Site {
    let mut options = small(400, 300);
    options.data.confluence_records = 200;
    options.data.datacenter_events = 200;
    let mut site = Site::new(options).with_all_sources();
    site.set_output("path", "out/{source}.jsonl");
    site.set_output("rotate", "1KiB");
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "20000");
    for source in SOURCES {
        site.set(source, "page_size", 10);
    }
    site.control.set_behaviour(|behaviour| {
        behaviour.org_latency = Duration::from_millis(15);
        behaviour.jira_latency = Duration::from_millis(10);
        behaviour.confluence_latency = Duration::from_millis(10);
        behaviour.datacenter_latency = Duration::from_millis(10);
    });
    for folder in ["out", "spool"] {
        fs::create_dir(site.path(folder)).unwrap();
    }
    site
}

fn add(site: &Site, events: usize) {
    site.control.add(Api::OrgEvents, events);
    site.control.add(Api::JiraAudit, events);
    site.control.add(Api::ConfluenceAudit, events);
    site.control.add(Api::DatacenterAudit, events);
    // Records of the very millisecond in which a run begins are the next one's.
    thread::sleep(Duration::from_millis(5));
}

/// A pull that is killed after a while, if it has not ended by then. Whether it was.
fn killed(site: &Site, life: u64) -> bool {
    let mut running = site.start(&["-q", "pull"]);
    thread::sleep(Duration::from_millis(life));
    running.child().kill().unwrap();
    running.end().code == 128 + 9
}

/// Everything that was written, and that it is in finished files: what is current is empty.
fn finished(site: &Site) -> Run {
    let mut all = Vec::new();
    for source in SOURCES {
        let outputs = Outputs::new(site.path("out"), source);
        let written = outputs.read();
        whole(source, site, source, &written);
        let current = fs::metadata(site.path(&format!("out/{source}.jsonl"))).unwrap();
        assert_eq!(current.len(), 0, "{source} has an unfinished file");
        all.extend(written.stdout);
    }
    Run { code: 0, stdout: all, stderr: String::new() }
}

#[test]
#[ignore = "needs the program rsyslogd; the gate runs it"]
fn rsyslog_ships_each_event_once_while_pulls_rotate_and_die() {
    let rounds = std::env::var("ATLAUDIT_SHIPPER_ROUNDS");
    let rounds: u64 = rounds.map_or(8, |rounds| rounds.parse().unwrap());
    let site = site();
    let listener = Listener::start();
    fs::write(site.path("rsyslog.conf"), configuration(&site, listener.port)).unwrap();
    let checked = rsyslogd(&site, &["-N1"]).stderr(Stdio::null()).status();
    assert!(checked.unwrap().success(), "rsyslogd takes it for wrong");

    let mut shipper = start(&site);
    let mut kills = 0;
    for round in 0..rounds {
        kills += u64::from(killed(&site, fastrand::u64(30..400)));
        add(&site, 40);
        if round % 3 == 2 {
            // It goes on where it was; meanwhile files are finished that it never saw as new.
            stop(shipper);
            kills += u64::from(killed(&site, 300));
            shipper = start(&site);
        }
    }
    assert!(kills > 0, "every pull came to its end");
    site.ok(&["pull"]);
    add(&site, 8);
    site.ok(&["pull"]);
    // What the last one wrote is finished by the next.
    site.ok(&["pull"]);

    let written = finished(&site);
    let mut wanted = written.lines();
    let came = listener.all(wanted.len());
    stop(shipper);
    let came: Vec<_> =
        came.iter().map(|line| std::str::from_utf8(line).unwrap().trim_end_matches('\n')).collect();
    let distinct: BTreeSet<_> = came.iter().collect();
    let counts = (came.len(), distinct.len(), wanted.len());
    let mut came = came.clone();
    came.sort_unstable();
    wanted.sort_unstable();
    assert!(came == wanted, "came, distinct, wanted: {counts:?}");
}
