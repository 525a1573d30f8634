//! Compares a value of an event with what a user typed.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use memchr::memmem::Finder;
use wildmatch::WildMatch;

/// What a value must look like. Upper and lower case are the same.
#[derive(Debug, Clone)]
pub enum ValuePattern {
    /// The whole value, in which `*` stands for any characters and `?` for one.
    Whole(WildMatch),
    /// A part of the value, in lower case.
    Part(String),
    /// An address in this range.
    Address(Box<AddressRange>),
}

impl ValuePattern {
    /// The whole value must be `text`, in which `*` and `?` stand for others.
    pub fn whole(text: &str) -> ValuePattern {
        ValuePattern::Whole(WildMatch::new_case_insensitive(text))
    }

    /// `text` must be somewhere in the value; with a `*` or `?` it is the whole value.
    pub fn part(text: &str) -> ValuePattern {
        match text.contains(['*', '?']) {
            true => ValuePattern::whole(text),
            false => ValuePattern::Part(lower_case(text)),
        }
    }

    /// Finds a text that every value has that fits, if there is one.
    pub fn literal(&self) -> Option<&Finder<'static>> {
        match self {
            ValuePattern::Address(range) => range.literal.as_ref(),
            ValuePattern::Whole(_) | ValuePattern::Part(_) => None,
        }
    }

    /// Whether `value` fits.
    pub fn fits(&self, value: &str) -> bool {
        match self {
            ValuePattern::Whole(pattern) => pattern.matches(value),
            ValuePattern::Part(part) => contains_ignoring_case(value, part),
            ValuePattern::Address(range) => range.contains(value),
        }
    }
}

/// Each character in lower case, whatever stands beside it: a final sigma is one as any other.
fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether `part`, in lower case, is in `value` in any case.
fn contains_ignoring_case(value: &str, part: &str) -> bool {
    if !value.is_ascii() {
        return lower_case(value).contains(part);
    }
    let (value, part) = (value.as_bytes(), part.as_bytes());
    let Some((first, rest)) = part.split_first() else {
        return true;
    };
    let last_start = value.len().checked_sub(part.len());
    let starts = last_start.map_or(&[][..], |last| value.get(..=last).unwrap_or_default());
    memchr::memchr2_iter(*first, first.to_ascii_uppercase(), starts).any(|at| {
        let end = value.get(at + 1..at + part.len());
        end.is_some_and(|end| end.eq_ignore_ascii_case(rest))
    })
}

/// An address, or all addresses of a network.
#[derive(Debug, Clone)]
pub struct AddressRange {
    network: IpNet,
    /// Finds an IPv4 address. An IPv6 one may be written in several ways.
    literal: Option<Finder<'static>>,
}

impl AddressRange {
    /// Whether the address that `text` writes is in it. An IPv4 address is the same when it is
    /// written as an IPv6 one (`::ffff:203.0.113.80`), in letters of one case.
    pub fn contains(&self, text: &str) -> bool {
        let is_mapped = MAPPED.iter().any(|mapped| text.contains(mapped));
        text.parse::<IpAddr>().is_ok_and(|address| match is_mapped {
            true => self.network.contains(&address.to_canonical()),
            false => self.network.contains(&address),
        })
    }
}

/// What an IPv4 address has that is written as an IPv6 one.
pub const MAPPED: [&str; 2] = ["ffff:", "FFFF:"];

/// The IPv4 network that an IPv6 one of such addresses is.
fn without_mapping(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let prefix = mapped.prefix_len().checked_sub(96);
    let own = prefix.zip(mapped.addr().to_ipv4_mapped());
    let own = own.and_then(|(prefix, address)| Ipv4Net::new(address, prefix).ok());
    own.map_or(network, IpNet::V4)
}

/// The network that `text` names, or that the address is which it names. An IPv4 one may be written
/// as an IPv6 one.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse::<IpNet>().ok().map(without_mapping),
    }
}

impl std::str::FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = parse_network(text).ok_or(
            "expected an address (`203.0.113.80`, `2001:db8::1`) or a network in CIDR form \
             (`203.0.113.0/24`)",
        )?;
        let literal = match network {
            IpNet::V4(one) if one.prefix_len() == 32 => {
                Some(Finder::new(&one.addr().to_string()).into_owned())
            }
            IpNet::V4(_) | IpNet::V6(_) => None,
        };
        Ok(AddressRange { network, literal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_whole_value_may_have_stars() {
        for (pattern, value, fits) in [
            ("user_login", "user_login", true),
            ("USER_LOGIN", "user_login", true),
            ("user_login", "user_login_failed", false),
            ("user_login*", "user_login_failed", true),
            ("*login*", "user_login_failed", true),
            ("user_?ogin", "user_login", true),
            ("", "x", false),
            ("*", "", true),
            ("münchen", "MÜNCHEN", true),
        ] {
            assert_eq!(ValuePattern::whole(pattern).fits(value), fits, "{pattern} {value}");
        }
    }

    #[test]
    fn a_part_is_found_in_any_case() {
        for (part, value, fits) in [
            ("mei", "Mei Tanaka", true),
            ("TANAKA", "Mei Tanaka", true),
            ("tanakas", "Mei Tanaka", false),
            ("ü", "MÜNCHEN", true),
            ("ΟΔΥΣ", "ΟΔΥΣΣΕΥΣ", true),
            ("", "x", true),
            ("mei*", "Mei Tanaka", true),
            ("tan*", "Mei Tanaka", false),
        ] {
            assert_eq!(ValuePattern::part(part).fits(value), fits, "{part} {value}");
        }
    }

    #[test]
    fn a_network_contains_its_addresses_however_they_are_written() {
        for (range, value, fits) in [
            ("203.0.113.80", "203.0.113.80", true),
            ("203.0.113.80", "203.0.113.8", false),
            ("203.0.113.80", "::ffff:203.0.113.80", true),
            ("::ffff:203.0.113.80", "203.0.113.80", true),
            ("203.0.113.0/24", "203.0.113.255", true),
            ("::ffff:203.0.113.0/120", "203.0.113.255", true),
            ("203.0.113.77/24", "203.0.113.1", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:DB8:0::1", true),
            ("2001:db8::1", "2001:db8:0:0:0:0:0:1", true),
            ("10.0.0.0/8", "host.example", false),
        ] {
            let range: AddressRange = range.parse().unwrap();
            assert_eq!(range.contains(value), fits, "{range:?} {value}");
        }
        for bad in ["", "203.0.113", "203.0.113.0/33", "host", "1.2.3.4/x", "1.2.3.4-5"] {
            assert!(bad.parse::<AddressRange>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_found_as_by_comparing_lower_case(
            value in "[aAbBäÄ ]{0,8}", part in "[aAbBäÄ]{0,3}",
        ) {
            let expected = lower_case(&value).contains(&lower_case(&part));
            prop_assert_eq!(ValuePattern::part(&part).fits(&value), expected);
        }
    }
}
