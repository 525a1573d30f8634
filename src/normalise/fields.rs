//! Reads what the records of several sources have alike: action, category, targets, changes,
//! labels, the addresses of the client.

use std::collections::HashSet;
use std::net::IpAddr;

use memchr::memchr;

use crate::model::address::NetworkAddress;
use crate::model::event::{Event, EventTarget, EventText, FieldChange, REMOTE_ADDRESS};
use crate::model::json::Node;
use crate::model::text::{bounded, decode_entities};
use crate::normalise::countries::country_code;
use crate::normalise::taxonomy::{self, Taxonomy};

/// Fills in what the records of Jira and Confluence Cloud have alike. `filed_as` is the category
/// that the record is filed under.
pub fn fill_cloud<'a>(
    event: &mut Event<'a>,
    taxonomy: &Taxonomy,
    product: &'static str,
    [summary, description, filed_as]: [Option<EventText<'a>>; 3],
) {
    event.product = Some(EventText::Borrowed(product));
    let action = summary.as_deref().and_then(taxonomy::snake_case);
    fill_action(event, taxonomy, action, filed_as.as_deref());
    event.summary = summary.clone();
    event.message = join_message(summary, description);
    add_labels(event, [("category", filed_as)]);
}

/// Fills in the action, what it means and the category.
pub fn fill_action(
    event: &mut Event<'_>,
    taxonomy: &Taxonomy,
    action: Option<String>,
    filed_as: Option<&str>,
) {
    if let Some(action) = action {
        (event.meaning, event.outcome) = taxonomy.meaning(&action);
        event.action = EventText::Owned(action);
    }
    let filed = filed_as.and_then(|word| taxonomy::filed_category(event.source.kind, word));
    event.category = taxonomy::choose_category(event.meaning.category, filed);
}

/// What happened, and the source's words about it after that.
pub fn join_message<'a>(
    summary: Option<EventText<'a>>,
    more: Option<EventText<'a>>,
) -> Option<EventText<'a>> {
    match (summary, more) {
        (Some(summary), Some(more)) => Some([&summary, ": ", &more].concat().into()),
        (summary, more) => summary.or(more),
    }
}

/// Adds the labels that have a value.
pub fn add_labels<'a, const N: usize>(
    event: &mut Event<'a>,
    labels: [(&'static str, Option<EventText<'a>>); N],
) {
    event.labels.extend(labels.into_iter().filter_map(|(key, value)| Some((key, value?))));
}

/// The targets or changes without those of which nothing is known.
pub fn known<T: Default + PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let nothing = T::default();
    items.filter(|item| *item != nothing).collect()
}

/// A target by the values of its type, id and name.
pub fn target<'a>([kind, id, name]: [Option<Node<'a>>; 3]) -> EventTarget<'a> {
    let kind = kind.and_then(Node::text);
    EventTarget {
        kind: kind.and_then(|kind| taxonomy::snake_case(&kind)).map(EventText::Owned),
        id: id.and_then(Node::scalar),
        name: name.and_then(Node::text),
        ..EventTarget::default()
    }
}

/// A change by the values of its field, of what was before and of what is there now; of several the
/// first that is there.
pub fn change<'a, const N: usize, const M: usize>(
    field: [Option<Node<'a>>; N],
    from: [Option<Node<'a>>; M],
    to: [Option<Node<'a>>; M],
) -> FieldChange<'a> {
    FieldChange { field: first_text(field), from: first_scalar(from), to: first_scalar(to) }
}

/// The first text among `nodes`.
#[inline]
pub fn first_text<'a, const N: usize>(nodes: [Option<Node<'a>>; N]) -> Option<EventText<'a>> {
    nodes.into_iter().flatten().find_map(Node::text)
}

/// The first text, number or boolean among `nodes`.
pub fn first_scalar<'a, const N: usize>(nodes: [Option<Node<'a>>; N]) -> Option<EventText<'a>> {
    nodes.into_iter().flatten().find_map(Node::scalar)
}

/// `text` with a `_` between the words that camelCase runs together.
pub fn part_camel_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() && out.ends_with(char::is_lowercase) {
            out.push('_');
        }
        out.push(c);
    }
    out
}

/// The elements of `list`, if it is there.
pub fn items<'a>(list: Option<Node<'a>>) -> impl Iterator<Item = Node<'a>> {
    list.into_iter().flat_map(Node::items)
}

/// Decodes the HTML entities in the names of `event`, which some sources write as for a page.
pub fn decode_names(event: &mut Event<'_>) {
    let actor = &mut event.actor;
    [&mut actor.name, &mut actor.login, &mut actor.on_behalf_of.name]
        .into_iter()
        .for_each(decode_name);
    for it in &mut event.targets {
        [&mut it.name, &mut it.login, &mut it.parent.name].into_iter().for_each(decode_name);
    }
}

fn decode_name(name: &mut Option<EventText<'_>>) {
    if let Some(text) = name
        && memchr(b'&', text.as_bytes()).is_some()
    {
        *text = decode_entities(text).into();
    }
}

/// So many targets are compared each with each.
const MAX_COMPARED: usize = 16;

/// Removes the targets that equal an earlier one.
pub fn remove_repeated(targets: &mut Vec<EventTarget<'_>>) {
    let is_repeated =
        |(at, target): (usize, &EventTarget<'_>)| targets.iter().take(at).any(|it| it == target);
    if targets.len() <= MAX_COMPARED && !targets.iter().enumerate().any(is_repeated) {
        return;
    }
    // A record may name thousands.
    let is_first: Vec<bool> = {
        let mut seen = HashSet::new();
        targets.iter().map(|target| seen.insert(target)).collect()
    };
    let mut is_first = is_first.into_iter();
    targets.retain(|_| is_first.next() == Some(true));
}

/// Proxies that are listed. A longer list is no network's, and is whole in `raw`.
const MAX_FORWARDED: usize = 32;

/// Fills the code of the client's country, and the client's addresses from `text`, what the source
/// has in their place.
///
/// A server behind proxies writes the whole list that they send in `X-Forwarded-For`: the client
/// first, then each proxy
/// (<https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For>). Some write a
/// port, the brackets of a URL, `unknown`, or the pairs of `Forwarded` (RFC 7239:
/// `for="[2001:db8::1]:47011";proto=https`). Whatever is more than addresses (a port, a host name,
/// a word) is kept as the label [`REMOTE_ADDRESS`].
pub fn fill_client<'a>(event: &mut Event<'a>, text: Option<EventText<'a>>) {
    event.client.country_code = event.client.country.as_deref().and_then(country_code);
    let Some(text) = text else {
        return;
    };
    // Nearly always.
    if text.parse::<IpAddr>().is_ok() {
        event.client.ip = Some(text);
        return;
    }
    let mut has_more = false;
    let entries = text.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace());
    for (index, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
        let address = NetworkAddress::parse(strip_forwarded_syntax(entry));
        has_more |= address.is_none_or(|address| address.ip.len() < entry.len());
        let Some(NetworkAddress { ip, port }) = address else {
            continue;
        };
        let client = &mut event.client;
        if index == 0 {
            // Where the first is no address, the client is not known.
            (client.ip, client.port) = (Some(ip.to_owned().into()), port);
        } else if client.forwarded.len() < MAX_FORWARDED {
            client.forwarded.push(ip.to_owned().into());
        } else {
            has_more = true;
            break;
        }
    }
    if has_more {
        event.labels.push((REMOTE_ADDRESS, bounded(text)));
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
