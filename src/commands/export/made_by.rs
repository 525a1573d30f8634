//! Owns what is told of the program, the machine and the account that made an export.

use std::fs;
use std::path::Path;

use crate::config::env::ProcessEnv;
use crate::evidence::facts::MadeBy;
use crate::model::text::printable;

/// Where the system says its time zone.
const LOCAL_TIME: &str = "/etc/localtime";

/// Who makes it, with what, where.
pub fn made_by(env: &ProcessEnv) -> MadeBy {
    let typed = std::env::args_os().skip(1);
    MadeBy {
        program: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: build(),
        command: typed
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        host: host(),
        user: user(env),
        time_zone: env
            .var_text("TZ")
            .map(zone_from_env)
            .or_else(|| zone_from_path(&fs::read_link(LOCAL_TIME).ok()?)),
    }
}

/// `x86_64-linux-gnu, release`.
fn build() -> String {
    let libc = match () {
        () if cfg!(target_env = "gnu") => "-gnu",
        () if cfg!(target_env = "musl") => "-musl",
        () => "",
    };
    let kind = match cfg!(debug_assertions) {
        true => "debug",
        false => "release",
    };
    let (machine, system) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{machine}-{system}{libc}, {kind}")
}

fn host() -> Option<String> {
    let name = rustix::system::uname();
    let name = printable(&name.nodename().to_string_lossy());
    (!name.is_empty()).then_some(name)
}

/// By its name as far as the environment tells, and by its number.
fn user(env: &ProcessEnv) -> Option<String> {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| env.var_text(name));
    Some(match name {
        Some(name) => format!("{} (uid {})", printable(name), env.user),
        None => format!("uid {}", env.user),
    })
}

/// `TZ` may begin with a colon, and may be a path.
fn zone_from_env(text: &str) -> String {
    let text = text.strip_prefix(':').unwrap_or(text);
    zone_from_path(Path::new(text)).unwrap_or_else(|| printable(text))
}

/// `Europe/Berlin` of `/usr/share/zoneinfo/Europe/Berlin`.
fn zone_from_path(path: &Path) -> Option<String> {
    let (_, zone) = path.to_str()?.split_once("zoneinfo/")?;
    Some(printable(zone)).filter(|zone| !zone.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_in_every_form() {
        let of_link = |path: &str| zone_from_path(Path::new(path));
        let link = of_link("/usr/share/zoneinfo/Europe/Berlin");
        assert_eq!(link.as_deref(), Some("Europe/Berlin"));
        let mac = of_link("/var/db/timezone/zoneinfo/America/New_York");
        assert_eq!(mac.as_deref(), Some("America/New_York"));
        assert_eq!(of_link("/etc/other"), None);
        assert_eq!(of_link("/usr/share/zoneinfo/"), None);
        assert_eq!(zone_from_env(":/usr/share/zoneinfo/UTC"), "UTC");
        assert_eq!(zone_from_env("CET-1CEST"), "CET-1CEST");
    }

    #[test]
    fn a_user_has_a_name_and_a_number() {
        let mut env = ProcessEnv::with([("USER", "ada")], "/");
        env.user = 1000;
        assert_eq!(user(&env).as_deref(), Some("ada (uid 1000)"));
        let nameless = ProcessEnv::with([("USER", "")], "/");
        assert_eq!(user(&nameless).as_deref(), Some("uid 0"));
    }
}
