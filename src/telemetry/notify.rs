//! Notifies systemd that the service is ready, what it does, and that it makes progress
//! (sd_notify(3)). The protocol is a datagram of `KEY=value` lines; without a socket in the
//! environment nothing is sent.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::config::env::ProcessEnv;
use crate::model::text::printable;

/// How long sending a message may take: a slow service manager must not hold up the program.
const LIMIT: Duration = Duration::from_secs(1);

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the program gets on, if at all; past that it ends the
    /// program.
    pub watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names.
    pub fn of(env: &ProcessEnv) -> ServiceManager {
        let Some(address) = env.var_text("NOTIFY_SOCKET") else {
            return ServiceManager::default();
        };
        match connect(address) {
            Ok(socket) => {
                ServiceManager { socket: Some(socket), watchdog: watchdog(env, std::process::id()) }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot send to the service manager (NOTIFY_SOCKET)");
                ServiceManager::default()
            }
        }
    }

    /// The service has begun its work; `status` is for people.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", printable(status)));
    }

    /// What it does now, for people.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", printable(status)));
    }

    /// It reads its configuration again; [`ServiceManager::ready`] ends that.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={us}"));
    }

    /// It gets on.
    pub fn ping_watchdog(&self) {
        self.send("WATCHDOG=1");
    }

    /// It is about to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=ends after the current commit");
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::info!(%error, "the service manager does not listen");
        }
    }
}

/// A path, or with `@` a name in Linux' abstract namespace.
fn connect(address: &str) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(LIMIT))?;
    match address.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.connect_addr(&address)?;
        }
        _ => socket.connect(Path::new(address))?,
    }
    Ok(socket)
}

/// `WATCHDOG_USEC`, unless `WATCHDOG_PID` says that another process is meant.
fn watchdog(env: &ProcessEnv, own: u32) -> Option<Duration> {
    let is_other = env.var_text("WATCHDOG_PID").is_some_and(|pid| pid.parse() != Ok(own));
    let us: u64 = env.var_text("WATCHDOG_USEC")?.parse().ok()?;
    (us > 0 && !is_other).then(|| Duration::from_micros(us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_ours_unless_another_process_is_named() {
        let watchdog =
            |vars: &[(&str, &str)]| watchdog(&ProcessEnv::with(vars.iter().copied(), "/"), 7);
        assert_eq!(watchdog(&[("WATCHDOG_USEC", "2000000")]), Some(Duration::from_secs(2)));
        let ours = [("WATCHDOG_USEC", "5"), ("WATCHDOG_PID", "7")];
        assert_eq!(watchdog(&ours), Some(Duration::from_micros(5)));
        for none in [
            &[("WATCHDOG_USEC", "0")][..],
            &[("WATCHDOG_USEC", "x")],
            &[("WATCHDOG_USEC", "5"), ("WATCHDOG_PID", "8")],
            &[("WATCHDOG_USEC", "5"), ("WATCHDOG_PID", "x")],
            &[],
        ] {
            assert_eq!(watchdog(none), None, "{none:?}");
        }
    }

    #[test]
    fn messages_are_datagrams_of_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let env = ProcessEnv::with([("NOTIFY_SOCKET", path.as_os_str())], "/");
        let service = ServiceManager::of(&env);
        let heard = || {
            let mut bytes = [0; 500];
            let length = manager.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        service.ready("a\nREADY=0");
        assert_eq!(heard(), "READY=1\nSTATUS=a READY=0");
        service.reloading();
        let message = heard();
        let us = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(us.parse::<u64>().unwrap() > 0);
        service.ping_watchdog();
        assert_eq!(heard(), "WATCHDOG=1");
        // One that went away is no trouble.
        drop(manager);
        service.stopping();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_abstract_name_is_reached() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("atlaudit-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let socket = format!("@{name}");
        let service = ServiceManager::of(&ProcessEnv::with([("NOTIFY_SOCKET", socket)], "/"));
        service.ping_watchdog();
        let mut bytes = [0; 50];
        let length = manager.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"WATCHDOG=1");
    }
}
