//! Certificates that are not to be trusted, each with its own hint: ignored where there is no
//! openssl.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::Site;

/// An authority, and certificates of its for this host, for another one, and one whose time is
/// over.
const MAKE: &str = r#"
set -eu
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=authority -days 2 2>&-
for made in good:localhost:2 other:other.example:2 expired:localhost:-1; do
  IFS=: read -r name host days <<< "$made"
  openssl req $key -keyout "$name.key" -out "$name.csr" -subj "/CN=$name" 2>&-
  openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -out "$name.pem" -days "$days" \
    -extfile <(echo "subjectAltName=DNS:$host") 2>&-
done
"#;

/// A server that is ended with the test.
struct Server(Child, u16);

impl Server {
    fn start(folder: &Path, name: &str) -> Server {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www"]);
        command.args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")]);
        command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let ready = lines.find(|line| line.starts_with("ACCEPT ")).unwrap();
        let port = ready.rsplit(':').next().unwrap().parse().unwrap();
        // It writes on, and a pipe that is closed would end it.
        std::thread::spawn(move || lines.count());
        Server(child, port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "needs openssl; .ci/run has it"]
fn each_fault_of_a_certificate_has_its_own_hint() {
    let mut site = Site::of(5, 5);
    let folder = site.path("tls");
    std::fs::create_dir(&folder).unwrap();
    let made = Command::new("bash").args(["-c", MAKE]).current_dir(&folder).status();
    assert!(made.unwrap().success());
    let authority = folder.join("ca.pem").display().to_string();
    for (name, trusts, step, words) in [
        ("good", false, "tls", "`ca_file`"),
        ("other", true, "tls", "another host's"),
        ("expired", true, "tls", "has expired"),
        // It shakes hands, and then answers with a page for people.
        ("good", true, "answered", "single sign-on"),
    ] {
        let server = Server::start(&folder, name);
        site.set("acme", "base_url", format!("https://localhost:{}", server.1));
        match trusts {
            true => site.set("acme", "ca_file", authority.as_str()),
            false => site.unset("acme", "ca_file"),
        }
        let run = site.run(&["check", "acme", "--json"]);
        let object = run.trees().remove(0);
        assert_eq!((run.code, &object["error"]["step"]), (3, &step.into()), "{name}: {object}");
        let hint = object["error"]["hint"].as_str().unwrap();
        assert!(hint.contains(words), "{name}: {hint}");
    }
}
