//! Splits what a source writes as the address of a client into the client's own address and those of the proxies that
//! forwarded its request.
//!
//! A server behind proxies writes the whole list that they send in `X-Forwarded-For`: the client first, then each
//! proxy (<https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For>). Some write a port, the
//! brackets of a URL, `unknown`, or the pairs of `Forwarded` (RFC 7239: `for="[2001:db8::1]:47011";proto=https`).

use std::net::IpAddr;

use crate::model::address::NetworkAddress;
use crate::model::event::{Event, EventText, REMOTE_ADDRESS};
use crate::model::text::bounded;

/// Proxies that are listed. A longer list is no network's, and is whole in `raw`.
const MAX_FORWARDED: usize = 32;

/// Fills the addresses of the client from `text`, what the source has in their place.
///
/// Whatever is more than addresses (a port, a host name, a word) is kept as the label [`REMOTE_ADDRESS`].
pub fn fill<'a>(event: &mut Event<'a>, text: Option<EventText<'a>>) {
    let Some(text) = text else {
        return;
    };
    // Nearly always.
    if text.parse::<IpAddr>().is_ok() {
        event.client.ip = Some(text);
        return;
    }
    let is_complete = match &text {
        EventText::Borrowed(text) => apply(event, &AddressList::parse(text), EventText::Borrowed),
        EventText::Owned(text) => {
            apply(event, &AddressList::parse(text), |ip| EventText::Owned(ip.to_owned()))
        }
    };
    if !is_complete {
        event.labels.push((REMOTE_ADDRESS, bounded(text)));
    }
}

/// Fills in the addresses of `list`; whether they are all that it says.
fn apply<'a, 't>(
    event: &mut Event<'a>,
    list: &AddressList<'t>,
    owned: impl Fn(&'t str) -> EventText<'a>,
) -> bool {
    if let Some(client) = list.client {
        event.client.ip = Some(owned(client.ip));
        event.client.port = client.port;
    }
    event.client.forwarded = list.forwarded.iter().copied().map(owned).collect();
    !list.has_more
}

/// The addresses in a text.
#[derive(Debug, Default)]
struct AddressList<'t> {
    /// The first; none where the first is no address: the client is then not known.
    client: Option<NetworkAddress<'t>>,
    /// The others.
    forwarded: Vec<&'t str>,
    /// Whether the text says more than these.
    has_more: bool,
}

impl<'t> AddressList<'t> {
    fn parse(text: &'t str) -> AddressList<'t> {
        let mut list = AddressList::default();
        let entries = text.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace());
        let entries = entries.filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let address = NetworkAddress::parse(strip_forwarded_syntax(entry));
            list.has_more |= address.is_none_or(|address| address.ip.len() < entry.len());
            match address {
                _ if index == 0 => list.client = address,
                Some(address) if list.forwarded.len() < MAX_FORWARDED => {
                    list.forwarded.push(address.ip);
                }
                Some(_) => {
                    list.has_more = true;
                    break;
                }
                None => {}
            }
        }
        list
    }
}

/// `entry` without `for=` and quotes.
fn strip_forwarded_syntax(entry: &str) -> &str {
    let value = match entry.split_at_checked(4) {
        Some((key, value)) if key.eq_ignore_ascii_case("for=") => value,
        _ => entry,
    };
    value.trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::model::name::SourceKind;
    use crate::normalise::testing::normalised;

    /// The client of a Data Center event with this source, and the label beside it.
    fn client(source: &str) -> (Value, Value) {
        let record = json!({"source": source}).to_string();
        let event = normalised(SourceKind::DatacenterAudit, &record);
        let label = &event["labels"]["remote_address"];
        (event["client"].clone(), label.clone())
    }

    #[test]
    fn the_first_address_is_the_client_and_the_others_forwarded_its_request() {
        let chain = json!({"ip": "198.51.100.9", "forwarded": ["203.0.113.80", "2001:db8::1"]});
        for list in [
            "198.51.100.9, 203.0.113.80, 2001:db8::1",
            "198.51.100.9,203.0.113.80,2001:db8::1",
            "198.51.100.9;203.0.113.80; 2001:db8::1",
            " 198.51.100.9 203.0.113.80\t2001:db8::1\n",
            ",198.51.100.9,,203.0.113.80,2001:db8::1,",
        ] {
            assert_eq!(client(list), (chain.clone(), Value::Null), "{list}");
        }
        let alone = json!({"ip": "198.51.100.9"});
        for one in ["198.51.100.9", " 198.51.100.9 ", "198.51.100.9,"] {
            assert_eq!(client(one), (alone.clone(), Value::Null), "{one}");
        }
    }

    #[test]
    fn what_is_more_than_addresses_is_kept_as_text() {
        let ip = |ip: &str| json!({"ip": ip});
        let two = |ip: &str, proxy: &str| json!({"ip": ip, "forwarded": [proxy]});
        for (text, want) in [
            ("198.51.100.9:5678", ip("198.51.100.9")),
            ("[2001:db8::1]:443", ip("2001:db8::1")),
            ("[::1]", ip("::1")),
            ("fe80::1%eth0", ip("fe80::1")),
            ("\"198.51.100.9\"", ip("198.51.100.9")),
            ("for=198.51.100.9;proto=https", ip("198.51.100.9")),
            ("For=\"[2001:db8::1]:47011\"", ip("2001:db8::1")),
            ("1.2.3.4:80, 5.6.7.8:81", two("1.2.3.4", "5.6.7.8")),
            ("1.2.3.4, unknown, 5.6.7.8", two("1.2.3.4", "5.6.7.8")),
            ("unknown, 5.6.7.8", json!({"forwarded": ["5.6.7.8"]})),
            ("unknown", Value::Null),
            ("host.example", Value::Null),
            ("1.2.3.4/8", Value::Null),
            ("é", Value::Null),
            ("for=", Value::Null),
        ] {
            assert_eq!(client(text), (want, Value::from(text)), "{text}");
        }
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let (client, label) = client(&"1.2.3.4, ".repeat(100_000));
        assert_eq!(client["forwarded"].as_array().unwrap().len(), 32);
        assert!(label.as_str().unwrap().chars().count() <= 301);
    }

    #[test]
    fn every_source_is_read_alike() {
        let want = json!({"ip": "1.2.3.4", "forwarded": ["5.6.7.8"]});
        for (kind, record) in [
            (
                SourceKind::OrgEvents,
                r#"{"attributes":{"location":{"ip":"1.2.3.4\u002c 5.6.7.8"}}}"#,
            ),
            (SourceKind::JiraAudit, r#"{"remoteAddress":"1.2.3.4, 5.6.7.8"}"#),
            (SourceKind::ConfluenceAudit, r#"{"remoteAddress":"1.2.3.4, 5.6.7.8"}"#),
            (SourceKind::DatacenterAudit, r#"{"source":"1.2.3.4, 5.6.7.8"}"#),
        ] {
            assert_eq!(normalised(kind, record)["client"], want, "{kind:?}");
        }
    }
}
