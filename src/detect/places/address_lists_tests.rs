//! Tests of [`super`].

use proptest::prelude::*;

use super::*;

fn list(name: &str, tag: AddressTag, ranges: &[&str]) -> AddressListSettings {
    let ranges = ranges.iter().map(|&text| text.to_owned()).collect();
    AddressListSettings { name: name.to_owned(), tag, path: None, ranges }
}

fn list_file(folder: &Path, text: impl AsRef<[u8]>) -> AddressListSettings {
    let path = folder.join("list.txt");
    std::fs::write(&path, text).unwrap();
    AddressListSettings { path: Some(path), ..list("tor", AddressTag::Anonymous, &[]) }
}

fn found(lists: &AddressLists, address: &str) -> Vec<String> {
    let found = lists.find(address.parse().unwrap());
    found.map(|it| format!("{} {:?} {}", it.list, it.tag, it.range)).collect()
}

#[test]
fn an_address_is_found_in_all_lists_the_longest_prefix_first() {
    let lists = AddressLists::load(&[
        list("office", AddressTag::Trusted, &["192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"]),
        list("vpn", AddressTag::Anonymous, &["192.0.2.7", "192.0.2.99/24", "2001:db8::1"]),
        list("bad", AddressTag::Suspicious, &["::ffff:198.51.100.0/120", "198.51.100.0/24"]),
    ])
    .unwrap();
    let near = ["vpn Anonymous 192.0.2.7/32", "office Trusted 192.0.2.0/24"];
    let wide = ["vpn Anonymous 192.0.2.0/24", "office Trusted 0.0.0.0/0"];
    assert_eq!(found(&lists, "192.0.2.7"), [near, wide].concat());
    assert_eq!(found(&lists, "::ffff:192.0.2.7"), found(&lists, "192.0.2.7"));
    let mapped = ["bad Suspicious 198.51.100.0/24", "office Trusted 0.0.0.0/0"];
    assert_eq!(found(&lists, "198.51.100.255"), mapped);
    assert_eq!(found(&lists, "2001:db8::2"), ["office Trusted 2001:db8::/32"]);
    assert_eq!(found(&lists, "2001:db9::2"), [""; 0]);
    let entries: Vec<_> = lists.lists().iter().map(|list| (&*list.name, list.entries)).collect();
    assert_eq!(entries, [("office", 3), ("vpn", 3), ("bad", 1)]);
    assert_eq!(AddressLists::default().find("192.0.2.7".parse().unwrap()).count(), 0);
}

#[test]
fn a_file_may_have_comments_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}# exits of today\n\n192.0.2.1 # one\r\n  2001:db8::/48\n\
                198.51.100.0/24 ; drop\n\"203.0.113.80\",\"x, y\",7\n::ffff:192.0.2.9";
    let lists = AddressLists::load(&[list_file(folder.path(), text)]).unwrap();
    for address in ["192.0.2.1", "2001:db8::9", "198.51.100.3", "203.0.113.80", "192.0.2.9"] {
        assert_eq!(found(&lists, address).len(), 1, "{address}");
    }
    assert_eq!(lists.lists()[0].entries, 5);
    assert!(lists.lists()[0].modified.is_some());

    let with_header = list_file(folder.path(), "# CSV\nip,port\n192.0.2.1,443\n");
    assert_eq!(AddressLists::load(&[with_header]).unwrap().lists()[0].entries, 1);
}

#[test]
fn a_wrong_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let long = "1".repeat(10_000);
    for (text, line, shown) in [
        ("192.0.2.1\n\nnonsense\n", 3, "nonsense"),
        ("192.0.2.0/33", 1, "192.0.2.0/33"),
        ("192.0.2.1,x\nip,port\n", 2, "ip"),
        ("192.0.2.1-192.0.2.9", 1, "192.0.2.1-192.0.2.9"),
        (long.as_str(), 1, &long[..60]),
    ] {
        let error = AddressLists::load(&[list_file(folder.path(), text)]).unwrap_err();
        let expected = format!(
            "{}:{line} of the address list `tor`: `{shown}` is no address and no network",
            folder.path().join("list.txt").display()
        );
        assert_eq!(error.to_string(), expected);
    }
    let inline = list("office", AddressTag::Trusted, &["192.0.2.1", "here"]);
    let error = AddressLists::load(&[inline]).unwrap_err().to_string();
    assert!(error.starts_with("range 2 of the address list `office`: `here`"), "{error}");
    let binary = list_file(folder.path(), [0xff, 0x1b, b'\n']);
    let error = AddressLists::load(&[binary]).unwrap_err().to_string();
    assert!(error.contains(":1 of") && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn what_is_too_much_or_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing =
        AddressListSettings { path: Some("/no/such".into()), ..list_file(folder.path(), "") };
    let is_folder = AddressListSettings { path: Some(folder.path().into()), ..missing.clone() };
    let large = list_file(folder.path(), "");
    File::options()
        .write(true)
        .open(large.path.as_ref().unwrap())
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    for list in [missing, is_folder, large] {
        let error = AddressLists::load(&[list]).unwrap_err();
        assert!(matches!(error, AddressListError::Unreadable { .. }), "{error}");
    }
    let many = list_file(folder.path(), "::1\n".repeat(MAX_ENTRIES + 1));
    let error = AddressLists::load(&[many]).unwrap_err();
    assert!(error.to_string().contains("2,000,000 entries"), "{error}");
    let lists = vec![list("x", AddressTag::Trusted, &[]); 257];
    assert!(AddressLists::load(&lists).unwrap_err().to_string().contains("256 lists"));
}

#[test]
fn an_entry_takes_twenty_bytes_at_most() {
    assert!(size_of::<(IpNet, u8)>() <= 20);
}

fn network() -> impl Strategy<Value = IpNet> {
    // Few different addresses, so that networks are nested.
    let v4 = (0_u32..64, 24_u8..=32).prop_map(|(low, length)| {
        IpNet::new(IpAddr::V4((0xc000_0200 + low).into()), length).unwrap()
    });
    let v6 = (0_u128..64, 118_u8..=128).prop_map(|(low, length)| {
        IpNet::new(IpAddr::V6(((0x2001_0db8 << 96) + low).into()), length).unwrap()
    });
    prop_oneof![v4, v6]
}

proptest! {
    #[test]
    fn it_finds_what_a_look_at_each_entry_finds(
        networks in proptest::collection::vec((network(), 0_usize..3), 0..40),
        asked in network(),
    ) {
        let mut settings = ["a", "b", "c"].map(|name| list(name, AddressTag::Trusted, &[]));
        for (network, number) in &networks {
            settings[*number].ranges.push(network.to_string());
        }
        let lists = AddressLists::load(&settings).unwrap();
        let found: Vec<_> = lists.find(asked.addr()).map(|it| (it.range, it.list)).collect();
        prop_assert!(found.is_sorted_by_key(|it| std::cmp::Reverse(it.0.prefix_len())));
        let mut expected: Vec<_> = networks
            .iter()
            .filter(|(network, _)| network.contains(&asked.addr()))
            .map(|(network, number)| (network.trunc(), ["a", "b", "c"][*number]))
            .collect();
        expected.sort_unstable();
        expected.dedup();
        let mut sorted = found;
        sorted.sort_unstable();
        prop_assert_eq!(sorted, expected);
    }
}
