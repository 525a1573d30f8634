use super::*;
use crate::sink::pack::LineEncoder;
use std::io::Cursor;

const OURS: &str = "{\"schema\":\"atlaudit/1\",\"id\":\"x\",\"source\":{\"name\":\"acme\"}}\n";
const OURS_ECS: &str = "{\"@timestamp\":\"2026-11-20T09:30:00.000Z\",\"ecs\":{\"version\":\"9.4.0\"},\"source\":{\"ip\":\"192.0.2.1\"},\"atlassian\":{\"schema\":\"atlaudit/1\",\"source\":{\"name\":\"acme\"}}}\n";
const OURS_OCSF: &str =
    "{\"class_uid\":3001,\"metadata\":{\"log_name\":\"org-events\",\"source\":\"acme\"}}\n";
const ALERT: &str =
    "{\"schema\":\"atlaudit-alert/1\",\"id\":\"x\",\"source\":{\"name\":\"acme\"}}\n";
const ALERT_ECS: &str = "{\"@timestamp\":\"2026-11-20T09:30:00.000Z\",\"ecs\":{\"version\":\"9.4.0\"},\"atlassian\":{\"schema\":\"atlaudit-alert/1\",\"source\":{\"name\":\"acme\"}}}\n";
const ALERT_OCSF: &str =
    "{\"class_uid\":2004,\"metadata\":{\"log_name\":\"atlaudit-alerts\",\"source\":\"acme\"}}\n";
const THEIRS: &str = "{\"schema\":\"atlaudit/1\",\"source\":{\"name\":\"other\"}}\n";
const JSON: &str = "{\"theirs\":1,\"schema\":7,\"source\":\"x\"}\n";
const TEXT: &str = "Nov 20 09:30:00 host sshd[1]: session opened\n";

fn contents(compression: Compression, tail: &[u8]) -> TailContents {
    let source = "acme".parse().unwrap();
    TailContents::of(compression, Cursor::new(tail), &source).unwrap()
}

fn actions(tail: &[u8]) -> [TailAction; 3] {
    let contents = contents(Compression::None, tail);
    [RunEnding::Finished, RunEnding::Killed, RunEnding::KilledAndTruncated]
        .map(|run| contents.action(run))
}

#[test]
fn only_what_is_this_sources_beyond_doubt_is_discarded() {
    use TailAction::{Discard, Leave, MoveAside};
    let ours = [MoveAside, Discard, MoveAside];
    let mixed = [MoveAside, MoveAside, MoveAside];
    for (tail, expected) in [
        (OURS.to_owned(), ours),
        (OURS_ECS.to_owned(), ours),
        (OURS_OCSF.to_owned(), ours),
        (ALERT.to_owned(), ours),
        (ALERT_ECS.to_owned(), ours),
        (ALERT_OCSF.to_owned(), ours),
        (format!("{OURS}{OURS_ECS}{OURS_OCSF}"), ours),
        (THEIRS.to_owned(), [Leave, MoveAside, Leave]),
        (JSON.to_owned(), [Leave, MoveAside, MoveAside]),
        (TEXT.to_owned(), mixed),
        (format!("{OURS}{THEIRS}"), mixed),
        (format!("{OURS}{JSON}"), mixed),
        (format!("{JSON}{OURS}"), mixed),
        (format!("{OURS}{TEXT}"), mixed),
        (format!("{THEIRS}{JSON}"), [Leave, MoveAside, MoveAside]),
        (format!("{THEIRS}{OURS}"), mixed),
        (String::new(), [Leave, Discard, MoveAside]),
        ("\n".to_owned(), mixed),
        ("\0\0\0\n".to_owned(), mixed),
    ] {
        assert_eq!(actions(tail.as_bytes()), expected, "{tail}");
    }
    assert_eq!(actions(b"{\"theirs\":\"\xff\"}\n"), [Leave, MoveAside, MoveAside]);
}

#[test]
fn an_incomplete_line_is_ours_where_it_begins_like_one_of_ours() {
    for line in [OURS, OURS_ECS, OURS_OCSF, ALERT, ALERT_ECS, ALERT_OCSF] {
        for end in 1..line.len() - 1 {
            let fragment = &line.as_bytes()[..end];
            assert_eq!(actions(fragment)[1], TailAction::Discard, "{line:.20} {end}");
            let behind = [OURS.as_bytes(), fragment].concat();
            assert_eq!(actions(&behind)[1], TailAction::Discard);
            assert_eq!(actions(&behind)[0], TailAction::MoveAside);
        }
    }
    for fragment in [
        "{\"theirs\":",
        "{\"schema\":\"other/1\"",
        "{\"@timestamp\":\"2026-11-20T09:30:00.000Z\",\"log\"",
        "Nov 20",
        "\0\0x",
        // Our half line and another program's whole one.
        "{\"schema\":\"atlaudit/1\",\"id\":\"{\"theirs\":1}\n",
    ] {
        let action = actions(fragment.as_bytes())[1];
        assert_eq!(action, TailAction::MoveAside, "{fragment}");
    }
    for nothing in [&b"\0\0\0"[..], b"\x1f", b"\x28\xb5\x2f"] {
        assert_eq!(actions(nothing)[1], TailAction::Discard);
    }
}

fn packed_action(compression: Compression, packed: &[u8]) -> TailAction {
    contents(compression, packed).action(RunEnding::Killed)
}

/// Many different lines of ours as one gzip member or zstd frame.
fn own_member(compression: Compression) -> Vec<u8> {
    let mut packer = LineEncoder::new(compression, &File::open("/dev/null").unwrap());
    let lines: String = (0..200)
        .map(|n: u32| OURS.replace('x', &n.wrapping_mul(2_654_435_761).to_string()))
        .collect();
    let mut member = packer.encode(lines.as_bytes()).unwrap().to_vec();
    member.extend_from_slice(packer.finish_frame().unwrap());
    member
}

#[test]
fn packed_lines_of_ours_are_discarded_whole_or_not() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let member = own_member(compression);
        let two = [&member[..], &member[..]].concat();
        assert_eq!(packed_action(compression, &two), TailAction::Discard);
        for end in 1..member.len() {
            let action = packed_action(compression, &member[..end]);
            let expected = match ends_in_text(&mut Cursor::new(&member[..end])).unwrap() {
                false => TailAction::Discard,
                true => TailAction::MoveAside,
            };
            assert_eq!(action, expected, "{compression:?} {end}");
        }
    }
}

#[test]
fn what_others_append_to_packed_lines_is_moved_aside() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let member = own_member(compression);
        for theirs in ["h", "hi\n", "half of th", THEIRS, JSON, TEXT] {
            let both = [&member[..], theirs.as_bytes()].concat();
            let action = packed_action(compression, &both);
            assert_eq!(action, TailAction::MoveAside, "{compression:?} {theirs:?}");
            let action = packed_action(compression, theirs.as_bytes());
            assert_eq!(action, TailAction::MoveAside, "{compression:?} {theirs:?}");
        }
        for end in 1..member.len() {
            for theirs in ["half of th", "\u{65e5}\u{8a8c}1\u{65e5}\n", THEIRS, JSON, TEXT] {
                let both = [&member[..end], theirs.as_bytes()].concat();
                let action = packed_action(compression, &both);
                assert_eq!(action, TailAction::MoveAside, "{compression:?} {end} {theirs:?}");
            }
        }
    }
}
