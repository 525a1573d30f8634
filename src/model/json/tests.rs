//! Tests reading, indexing and writing JSON.

use super::node::NodeKind;
use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;

fn doc(text: &str) -> Document {
    Document::new(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn compacting_keeps_every_byte_that_matters() {
    let text = "{ \"a\" : [ 1.10 ,\n12345678901234567890123 ] ,\t\"a\": \" x\\\" \\u0041 \" }\r\n";
    assert_eq!(doc(text).text(), br#"{"a":[1.10,12345678901234567890123],"a":" x\" \u0041 "}"#);
}

#[test]
fn a_compact_text_is_not_copied() {
    let text = Bytes::from_static(br#"{"a":"b c"}"#);
    assert_eq!(Document::new(text.clone()).text().as_ptr(), text.as_ptr());
}

#[test]
fn a_part_is_a_document_of_its_own() {
    let whole = doc(r#" [ {"a": [1, {}]} , "x\n", [], 7] "#);
    let parts: Vec<Document> = whole.root().items().map(|item| whole.part(item)).collect();
    let texts = parts.iter().map(|part| std::str::from_utf8(part.text()));
    let texts: Vec<&str> = texts.map(Result::unwrap).collect();
    assert_eq!(texts, [r#"{"a":[1,{}]}"#, r#""x\n""#, "[]", "7"]);
    for (part, text) in parts.iter().zip(texts) {
        assert_eq!(part.content_hash(), doc(text).content_hash());
    }
    assert_eq!(parts[0].root().get("a").unwrap().items().count(), 2);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let said = |text: &'static str| Document::parse(text.into()).unwrap_err().to_string();
    assert_eq!(said("[1,]"), "expected a value at byte 3");
    assert_eq!(said("{\"a\" 1}"), "expected a colon at byte 5");
    assert_eq!(said("{} x"), "expected the end at byte 3");
    assert_eq!(said("[\"\u{1}\"]"), "expected the string's end at byte 2");
}

#[test]
fn values_are_found_and_surprises_are_none() {
    let doc =
        doc(r#"{"a":{"b":"x","n":7,"t":true,"e":"","z":null},"l":[1,"two",{}],"a\u0062":"k"}"#);
    let root = doc.root();
    assert_eq!(root.get("a").unwrap().get("b").unwrap().text().unwrap(), "x");
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
    assert_eq!(doc(r#"{"a":"1","a":"2"}"#).root().text_of("a").unwrap(), "2");
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
    match node.kind() {
        NodeKind::Null => serde_json::Value::Null,
        NodeKind::Literal => serde_json::from_str(node.raw()).unwrap(),
        NodeKind::String => serde_json::from_str(node.raw()).unwrap(),
        NodeKind::Array => node.items().map(tree).collect::<Vec<_>>().into(),
        NodeKind::Object => serde_json::Value::Object(
            node.entries()
                .map(|(key, value)| (tree(key).as_str().unwrap().to_owned(), tree(value)))
                .collect(),
        ),
    }
}

/// Whether we and serde_json say the same of `text`, which may be no JSON.
fn assert_same_validity(text: &str) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_str::<&RawValue>(text);
    let ours = Document::parse(text.to_owned().into());
    prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text);
    if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
        let again = serde_json::from_slice::<&RawValue>(ours.text()).unwrap();
        // The same tokens: compact text is what is left of it without gaps.
        prop_assert_eq!(again.get().len(), ours.text().len());
        let of_slice = doc(theirs.get());
        prop_assert_eq!(of_slice.text(), ours.text());
    }
    Ok(())
}

const ODD_TEXTS: &[&str] = &[
    "",
    " ",
    "nul",
    "nulll",
    "true",
    "tru",
    "false ",
    "0",
    "-0",
    "-",
    "01",
    "1.",
    "1.5",
    ".5",
    "1e",
    "1e5",
    "1E+5",
    "1e-",
    "1.5e+07",
    "1e400",
    "+1",
    "0x1",
    "NaN",
    "Infinity",
    "\"",
    "\"\"",
    "\"a",
    r#""\""#,
    r#""\u12""#,
    r#""\u12g4""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\x""#,
    r#""\'""#,
    r#""\b\f\n\r\t\/\\\"""#,
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "\"\u{7f}\"",
    "\"\t\"",
    "\"\n\"",
    "\"é\u{2028}\"",
    "[]",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{}",
    "{",
    "}",
    "{1:2}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1 \"b\":2}",
    "{,}",
    "{\"a\":1]",
    "{\"a\":1}}",
    "[] []",
    "1 2",
    "\u{feff}1",
    "\u{a0}1",
    "\u{c}1",
    "\u{b}[]",
    " [ ] ",
    "{ }",
    "{\"a\" : 1 , \"a\" : [ ] }",
    "// x",
    "[1]//x",
    "'a'",
    "\"0123456789abcde\"",
    "\"0123456789abcdef",
    "\"0123456789abcde\\",
];

#[test]
fn validity_agrees_with_serde_json() {
    for text in ODD_TEXTS {
        assert_same_validity(text).unwrap();
    }
    let deep = "[".repeat(5_000);
    assert_same_validity(&deep).unwrap();
    assert_same_validity(&format!("{deep}{}", "]".repeat(5_000))).unwrap();
}

proptest! {
    #[test]
    fn any_text_has_the_same_verdict(text in r#"([\[\]{}:, "\\\t\n0-9eE+.u-]|null|true|false|"a":|\\u00e9|"é"|.){0,24}"#) {
        assert_same_validity(&text)?;
    }

    #[test]
    fn a_torn_value_has_the_same_verdict(value in json_value(), at: prop::sample::Index, odd in r#"[\[\]{}:, "\\\x01-0é]{0,2}"#) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let places: Vec<usize> = pretty.char_indices().map(|(place, _)| place).collect();
        let at = places[at.index(places.len())];
        let next = pretty[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        assert_same_validity(&format!("{}{odd}{}", &pretty[..at], &pretty[at..]))?;
        assert_same_validity(&format!("{}{odd}{}", &pretty[..at], &pretty[next..]))?;
        assert_same_validity(&pretty[..at])?;
    }

    #[test]
    fn pretty_printed_and_compact_are_the_same_tokens(value in json_value()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let compact = serde_json::to_string(&value).unwrap();
        let doc = doc(&pretty);
        prop_assert_eq!(std::str::from_utf8(doc.text()).unwrap(), compact);
        prop_assert_eq!(tree(doc.root()), value);
    }
}
