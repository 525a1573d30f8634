//! The address of a client behind proxies: one address in `client.ip`, the proxies beside it, in
//! every format.

use std::net::IpAddr;

use atlaudit::sandbox::PROXY;
use serde_json::Value;

use crate::support::{Site, assert_lines_valid, small};

const SOURCES: [&str; 4] = ["acme", "acme-jira", "acme-confluence", "acme-dc"];

fn site() -> Site {
    let mut options = small(60, 40);
    options.data.confluence_records = 40;
    options.data.datacenter_events = 40;
    options.behaviour.forwarded_addresses = true;
    Site::new(options).with_all_sources()
}

/// The texts of a list at `path`.
fn texts<'t>(tree: &'t Value, path: &str) -> Vec<&'t str> {
    let list = tree.pointer(path).and_then(Value::as_array);
    let texts = list.into_iter().flatten();
    texts.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_first_address_is_the_client_in_every_format() {
    let site = site();
    for source in SOURCES {
        let pull = |format| {
            let args = ["pull", source, "--since", "40d", "--format", format];
            site.ok(&args)
        };
        let normalized = pull("normalized");
        assert_lines_valid(&normalized);
        let normalized = normalized.trees();
        let (ecs, ocsf) = (pull("ecs").trees(), pull("ocsf").trees());
        let mut seen = 0;
        for ((event, document), other) in normalized.iter().zip(&ecs).zip(&ocsf) {
            let Some(ip) = event.pointer("/client/ip").and_then(Value::as_str) else {
                continue;
            };
            seen += 1;
            assert!(ip.parse::<IpAddr>().is_ok(), "{event}");
            let proxies = texts(event, "/client/forwarded");
            assert_eq!(proxies.last(), Some(&PROXY), "{event}");
            assert_eq!(event.pointer("/labels/remote_address"), None, "{event}");
            assert_eq!(document["source"]["ip"], ip);
            assert_eq!(texts(document, "/atlassian/client/forwarded"), proxies);
            let related = texts(document, "/related/ip");
            assert!(related.contains(&ip) && related.contains(&PROXY));
            // An app's installation has no endpoint.
            let (at_ip, at_proxies) = match other["class_uid"].as_u64() {
                Some(6002) => ("/unmapped/client/ip", "/unmapped/client/forwarded"),
                _ => ("/src_endpoint/ip", "/src_endpoint/intermediate_ips"),
            };
            assert_eq!(other.pointer(at_ip).and_then(Value::as_str), Some(ip));
            assert_eq!(texts(other, at_proxies), proxies);
        }
        assert!(seen > 10, "{source}: {seen}");
    }
}

#[test]
fn what_is_no_address_is_a_label() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.forwarded_addresses = false);
    let record = |address: &str| {
        format!(
            r#"{{"summary":"User created","created":"2026-11-20T09:30:00.000+0000","remoteAddress":"{address}"}}"#
        )
    };
    let addresses = ["unknown", "host.example", "198.51.100.9:5678"];
    let lines = addresses.map(record).join("\n");
    std::fs::write(site.path("odd.raw"), lines).unwrap();
    let convert = |format| {
        let args = ["convert", "--site", "acme.example", "--format", format];
        site.ok(&[&args[..], &["odd.raw"]].concat())
    };
    let normalized = convert("normalized");
    assert_lines_valid(&normalized);
    let (normalized, ecs) = (normalized.trees(), convert("ecs").trees());
    let ocsf = convert("ocsf").trees();
    for (at, address) in addresses.into_iter().enumerate() {
        assert_eq!(normalized[at]["labels"]["remote_address"], address);
        assert_eq!(ecs[at]["source"]["address"], address);
        assert_eq!(ocsf[at]["unmapped"]["labels"]["remote_address"], address);
    }
    assert_eq!(normalized[0].get("client"), None);
    assert_eq!(normalized[2]["client"]["ip"], "198.51.100.9");
    assert_eq!(ecs[2]["source"]["port"], 5678);
    assert_eq!(ocsf[2]["src_endpoint"]["port"], 5678);
}
