//! Owns the question whether a text is of a type of OCSF that not every text is of.

use std::net::IpAddr;

/// Whether `text` is of the type `email_t`: some letters, digits and marks, one `@`, and a domain with a dot in it.
pub fn is_email(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().position(|&byte| byte == b'@') else {
        return false;
    };
    let (name, domain) = bytes.split_at(at);
    let domain = domain.get(1..).unwrap_or_default();
    // What stands before the first dot, and behind it, must not be empty.
    let dot = domain.iter().position(|&byte| byte == b'.');
    let has_ends = dot.is_some_and(|dot| dot > 0 && dot + 1 < domain.len());
    let is_of = |text: &[u8], set: &[bool; 256]| text.iter().all(|&byte| set[usize::from(byte)]);
    has_ends && !name.is_empty() && is_of(name, &NAME) && is_of(domain, &DOMAIN)
}

/// What may stand before the `@`.
static NAME: [bool; 256] = letters_digits_and(b"!#$%&'*+,-./=?^_`{|}~");

/// What may stand behind it.
static DOMAIN: [bool; 256] = letters_digits_and(b"-.");

/// Which bytes are letters or digits of ASCII, or one of `marks`.
const fn letters_digits_and(mut marks: &[u8]) -> [bool; 256] {
    let mut set = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        set[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    while let [mark, rest @ ..] = marks {
        set[*mark as usize] = true;
        marks = rest;
    }
    set
}

/// An address that a text names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Address<'e> {
    /// The IP address itself: a part of the text.
    pub ip: Option<&'e str>,
    /// The port behind it.
    pub port: Option<u16>,
    /// Whether the text says no more than that.
    pub is_all: bool,
}

/// The IP address in `text`, perhaps with a port (`198.51.100.7:443`, `[2001:db8::1]:443`) or a zone, which is the name
/// of an interface on another machine (`fe80::1%eth0`). None in any other text.
pub fn address(text: &str) -> Address<'_> {
    let trimmed = text.trim_ascii();
    let is_ip = |part: &str| part.parse::<IpAddr>().is_ok();
    if is_ip(trimmed) {
        return Address {
            ip: Some(trimmed),
            port: None,
            is_all: trimmed.len() == text.len(),
        };
    }
    let (host, port) = host_and_port(trimmed);
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = inner.unwrap_or(host);
    let ip = host.split('%').next().unwrap_or_default();
    match is_ip(ip) {
        true => Address {
            ip: Some(ip),
            port,
            is_all: ip.len() == host.len() && trimmed.len() == text.len(),
        },
        false => Address::default(),
    }
}

/// The host in `text` and the port behind it; the whole text where no port is.
pub fn host_and_port(text: &str) -> (&str, Option<u16>) {
    let split = text.rsplit_once(':').and_then(|(host, port)| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number)?;
        // More than one colon is an IPv6 address, whose last group is no port.
        let is_one = host.ends_with(']') || !host.contains(':');
        is_one.then_some((host, port))
    });
    match split {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_people() {
        for good in [
            "a@b.c",
            "ada.lovelace+x@mail.example.com",
            "o'hara,x@a-b.example",
            "{~}@x.-",
            "a@b..",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "", "@", "a@b", "a@.b", "a@b.", "@b.c", "a b@c.d", "a@b@c.d", "é@b.c", "a@b.é",
            "a\"@b.c", "a(@b.c", "a<@b.c", "a>@b.c", "a:@b.c", "a;@b.c", "a[@b.c", "a\\@b.c",
            "a]@b.c", "a@b_c.d", "a@b.c\n",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn every_ascii_character_before_the_at() {
        let allowed = "!#$%&'*+,-./=?^_`{|}~";
        for byte in 0..128_u8 {
            let c = char::from(byte);
            let want = c.is_ascii_alphanumeric() || allowed.contains(c);
            assert_eq!(is_email(&format!("a{c}@b.c")), want, "{c:?}");
        }
    }

    #[test]
    fn addresses_of_machines() {
        let of = |text| {
            let Address { ip, port, is_all } = address(text);
            (ip.unwrap_or_default(), port.unwrap_or_default(), is_all)
        };
        assert_eq!(of("198.51.100.7"), ("198.51.100.7", 0, true));
        assert_eq!(of("2001:db8::4a"), ("2001:db8::4a", 0, true));
        assert_eq!(of("::ffff:198.51.100.7"), ("::ffff:198.51.100.7", 0, true));
        assert_eq!(of("198.51.100.7:8080"), ("198.51.100.7", 8080, true));
        assert_eq!(of("[2001:db8::1]:443"), ("2001:db8::1", 443, true));
        assert_eq!(of("[2001:db8::1]"), ("2001:db8::1", 0, true));
        assert_eq!(of("[fe80::1%eth0]:443"), ("fe80::1", 443, false));
        assert_eq!(of("fe80::1%eth0"), ("fe80::1", 0, false));
        assert_eq!(of(" 198.51.100.7 "), ("198.51.100.7", 0, false));
        for none in [
            "",
            "unknown",
            "host.example",
            "host.example:80",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:x",
            "1.2.3.4:+80",
            "1.2.3.4:65536",
            "1.2.3.4, 5.6.7.8",
            "[::1",
            "::1]",
            "[1.2.3.4]x",
            "[]",
            "%eth0",
            "1.2.3.4/8",
        ] {
            assert_eq!(of(none), ("", 0, false), "{none}");
        }
    }
}
