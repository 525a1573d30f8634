//! The irregular shapes of Data Center audit events.

use super::datacenter_event::{DatacenterParts, attribute, object};
use crate::sandbox::json_text::array;

const SYSTEM: &str = r#"{"name":"System","type":"system","id":"-1","uri":"","avatarUri":""}"#;
const ANONYMOUS: &str = r#"{"name":"Anonymous","type":"user","id":"-2"}"#;

/// All shapes, taken in turn.
const SHAPES: &[fn(&mut DatacenterParts)] = &[
    |parts| {
        parts.author = Some(SYSTEM.to_owned());
        parts.source = None;
        parts.method = Some("\"System\"".to_owned());
    },
    |parts| parts.author = Some(ANONYMOUS.to_owned()),
    |parts| parts.author = Some("null".to_owned()),
    |parts| parts.author = None,
    |parts| parts.author = Some(r#"{"name":null,"type":"","id":10000}"#.to_owned()),
    |parts| parts.source = Some("\"\"".to_owned()),
    |parts| parts.source = Some("null".to_owned()),
    |parts| parts.source = Some("\"2001:db8::4a\"".to_owned()),
    // What a proxy adds.
    |parts| parts.source = Some("\"198.51.100.9, 203.0.113.80\"".to_owned()),
    |parts| parts.node = None,
    |parts| parts.method = Some("\"Unknown\"".to_owned()),
    |parts| parts.method = None,
    |parts| parts.system = Some("null".to_owned()),
    |parts| parts.affected_objects = Some("null".to_owned()),
    |parts| parts.affected_objects = None,
    |parts| parts.affected_objects = Some(array([object("", "", "", "")])),
    |parts| {
        parts.affected_objects = Some(array([
            r#"{"name":"🔭 日本語 مجموعة","type":"GROUP"}"#,
            "null",
        ]))
    },
    |parts| parts.changed_values = Some("null".to_owned()),
    |parts| {
        parts.changed_values = Some(
            r#"[{"key":"Name","i18nKey":null,"from":null,"to":""},{"key":"Lead","to":"ada"}]"#
                .to_owned(),
        )
    },
    |parts| parts.extra_attributes = Some("null".to_owned()),
    |parts| parts.extra_attributes = None,
    |parts| {
        parts.extra_attributes = Some(array([
            attribute("Reason", "line one\nline two\u{7}"),
            attribute("", ""),
        ]))
    },
    |parts| {
        parts
            .more
            .push(("sequence", "12345678901234567890123".to_owned()))
    },
    |parts| {
        parts.kind =
            r#"{"category":"Group management","action":"Group \u0063reated \/ renamed"}"#.to_owned()
    },
];

/// Gives an event shape `number`, counted around.
pub fn distort(parts: &mut DatacenterParts, number: usize) {
    SHAPES[number % SHAPES.len()](parts);
}
