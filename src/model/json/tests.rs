//! Owns the tests of this room.

use super::*;
use proptest::prelude::*;

fn doc(text: &str) -> Document {
    Document::new(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn compacting_keeps_every_byte_that_matters() {
    let text = "{ \"a\" : [ 1.10 ,\n12345678901234567890123 ] ,\t\"a\": \" x\\\" \\u0041 \" }\r\n";
    assert_eq!(
        doc(text).text(),
        br#"{"a":[1.10,12345678901234567890123],"a":" x\" \u0041 "}"#
    );
}

#[test]
fn a_compact_text_is_not_copied() {
    let text = Bytes::from_static(br#"{"a":"b c"}"#);
    assert_eq!(compact(text.clone()).as_ptr(), text.as_ptr());
}

#[test]
fn values_are_found_and_surprises_are_none() {
    let doc =
        doc(r#"{"a":{"b":"x","n":7,"t":true,"e":"","z":null},"l":[1,"two",{}],"a\u0062":"k"}"#);
    let root = doc.root();
    assert_eq!(root.path(&["a", "b"]).unwrap().text().unwrap(), "x");
    assert_eq!(root.get("a").unwrap().scalar_of("n").unwrap(), "7");
    assert_eq!(root.get("a").unwrap().scalar_of("t").unwrap(), "true");
    assert_eq!(root.get("a").unwrap().text_of("n"), None);
    assert_eq!(root.get("a").unwrap().text_of("e"), None);
    assert!(root.get("a").unwrap().get("z").is_none());
    assert_eq!(root.text_of("ab").unwrap(), "k");
    assert_eq!(root.get("l").unwrap().items().count(), 3);
    assert_eq!(root.items().count(), 0);
    assert!(root.get("l").unwrap().get("two").is_none());
}

#[test]
fn the_last_of_repeated_keys_counts() {
    assert_eq!(
        doc(r#"{"a":"1","a":"2"}"#).root().text_of("a").unwrap(),
        "2"
    );
}

#[test]
fn escapes_pairs_and_lone_surrogates() {
    let text = |json: &str| doc(json).root().text().unwrap().into_owned();
    assert_eq!(text(r#""\ud83d\ude00 \u00e9\n\/""#), "😀 é\n/");
    assert_eq!(text(r#""a\ud800b""#), "a\u{fffd}b");
    assert_eq!(text(r#""\ud800\u0041""#), "\u{fffd}A");
    assert_eq!(text(r#""x\u0000y""#), "x\0y");
}

#[test]
fn content_is_the_same_in_any_order_of_keys_and_nothing_else() {
    let hash = |text: &str| doc(text).content_hash();
    let one = hash(r#"{"a":{"x":1,"y":[1,2]},"b":"t"}"#);
    assert_eq!(one, hash(r#"{ "b":"t", "a":{"y":[1, 2],"x":1} }"#));
    for other in [
        r#"{"a":{"x":1,"y":[2,1]},"b":"t"}"#,
        r#"{"a":{"x":1,"y":[1,2]},"b":"u"}"#,
        r#"{"b":{"x":1,"y":[1,2]},"a":"t"}"#,
        r#"{"a":{"x":1,"y":[1,2]},"b":"t","c":null}"#,
        r#"[{"a":{"x":1,"y":[1,2]},"b":"t"}]"#,
    ] {
        assert_ne!(one, hash(other), "{other}");
    }
    assert_ne!(hash("[[],[1]]"), hash("[[1],[]]"));
    assert_ne!(hash("{}"), hash("[]"));
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(doc(&deep).root().items().count(), 1);
    assert_ne!(doc(&deep).content_hash(), 0);
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
        "[ \t\r\n\\\\\"{}:,]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec((".{0,6}", inner), 0..5)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// What a [`Node`] says, as a tree, to hold against serde_json's.
fn tree(node: Node<'_>) -> serde_json::Value {
    match node.kind().unwrap() {
        Kind::Null => serde_json::Value::Null,
        Kind::Literal => serde_json::from_slice(node.bytes()).unwrap(),
        Kind::String => {
            let quoted = node.bytes();
            unescape(&quoted[1..quoted.len() - 1]).into_owned().into()
        }
        Kind::Array => node.items().map(tree).collect::<Vec<_>>().into(),
        Kind::Object => serde_json::Value::Object(
            node.entries()
                .map(|(key, value)| (tree(key).as_str().unwrap().to_owned(), tree(value)))
                .collect(),
        ),
    }
}

proptest! {
    #[test]
    fn pretty_printed_and_compact_are_the_same_tokens(value in json_value()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let compact = serde_json::to_string(&value).unwrap();
        let doc = doc(&pretty);
        prop_assert_eq!(std::str::from_utf8(doc.text()).unwrap(), compact);
        prop_assert_eq!(tree(doc.root()), value);
    }
}
