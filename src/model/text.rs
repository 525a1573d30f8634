//! Makes text from outside safe to print, so that nothing that a server sent may steer a terminal,
//! splits short texts, finds the word that was meant, and writes numbers, counts and bytes for
//! people.

use std::borrow::Cow;
use std::path::Path;

use html_escape::NAMED_ENTITIES;

/// A space at which no line is broken while a text is wrapped; then it becomes an ordinary one.
pub const FIXED_SPACE: &str = "\u{a0}";

/// A path as a shell takes it.
pub fn quoted_path(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The longest piece of a server's text that a message quotes, in characters.
const QUOTED_CHARS: usize = 300;

/// `text` made fit for a terminal or a log line: control characters (escape sequences, newlines,
/// bidirectional overrides) become spaces, runs of spaces one, and a long text is cut.
pub fn printable(text: &str) -> String {
    let mut out = String::new();
    let mut count = 0;
    for c in text.chars() {
        let c = harmless(c);
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if count == QUOTED_CHARS {
            out.push('…');
            break;
        }
        out.push(c);
        count += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

/// `text`, cut where it is longer than a message would quote; for what a server sent in the wrong
/// place.
pub fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= QUOTED_CHARS {
        return text;
    }
    match text.char_indices().nth(QUOTED_CHARS) {
        None => text,
        Some((end, _)) => Cow::Owned(text.get(..end).unwrap_or_default().to_owned() + "…"),
    }
}

/// The longest entity that is read, without its `&`: `CounterClockwiseContourIntegral;`.
const MAX_ENTITY: usize = 32;

/// `text` with the entities of HTML, by name and by number, decoded once: `&amp;lt;` is `&lt;`.
/// Those of control characters stay.
pub fn decode_entities(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = append_entity(after, &mut out).unwrap_or_else(|| {
            out.push('&');
            after
        });
    }
    out + rest
}

/// Appends what the entity stands for that `text` begins with, after its `&`. Returns what follows.
fn append_entity<'t>(text: &'t str, out: &mut String) -> Option<&'t str> {
    let end = text.bytes().take(MAX_ENTITY).position(|byte| byte == b';')?;
    let (name, rest) = (text.get(..end)?, text.get(end + 1..)?);
    let mut own = [0; 4];
    let decoded: &str = match name.strip_prefix('#') {
        Some(digits) => {
            let (digits, base) =
                digits.strip_prefix(['x', 'X']).map_or((digits, 10), |digits| (digits, 16));
            // `from_str_radix` would take a sign.
            let code = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
            char::from_u32(u32::from_str_radix(code, base).ok()?)?.encode_utf8(&mut own)
        }
        None => {
            let found = NAMED_ENTITIES.binary_search_by_key(&name.as_bytes(), |(name, _)| *name);
            NAMED_ENTITIES.get(found.ok()?)?.1
        }
    };
    (!decoded.contains(char::is_control)).then(|| out.push_str(decoded))?;
    Some(rest)
}

/// `text` in which each character that a terminal obeys is a space, in its whole length.
pub fn printable_line(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// A space for a character that a terminal obeys, or that is not where it seems to be on one.
fn harmless(c: char) -> char {
    let is_unsafe = c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if is_unsafe { ' ' } else { c }
}

/// `text` in which each character that a terminal obeys is shown instead: `␛` for an escape, and a
/// code for what has no sign (`\u{202e}`).
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c) {
            _ if harmless(c) == c => out.push(c),
            code @ 0..=0x1f => out.extend(char::from_u32(0x2400 + code)),
            0x7f => out.push('␡'),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

/// `1234567` as `1,234,567`.
pub fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `2,401 events`, `1 event`.
pub fn counted(number: u64, what: &str) -> String {
    plural(number, what, &[what, "s"].concat())
}

/// `2 bodies`, `1 body`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    let word = if number == 1 { one } else { many };
    format!("{} {word}", group_digits(number))
}

/// The one of `known` that is most similar to `typed`, if a letter or so is wrong, or it is a part.
pub fn suggest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let far = 2 + typed.chars().count() / 4;
    let steps = |word: &str| {
        let word = word.to_ascii_lowercase().replace('-', "_");
        match typed.len() > 3 && word.contains(&typed) {
            true => 0,
            false => strsim::damerau_levenshtein(&typed, &word),
        }
    };
    let near = known.into_iter().map(|word| (steps(word), word));
    near.filter(|(steps, _)| *steps < far).min_by_key(|(steps, _)| *steps).map(|(_, word)| word)
}

/// `bytes` in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The text before the first `mark` and after it. For texts so short that a search in blocks
/// costs more than it saves.
#[inline]
pub fn split_at_byte(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == mark)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What is counted in different units, depending on how much there is.
const COUNTED_UNITS: [&str; 15] = [
    "ms", "s", "second", "minute", "hour", "day", "byte", "B", "KiB", "MiB", "GiB", "kB", "KB",
    "MB", "GB",
];

/// The words of a message that stay the same when it is about the same thing: without counts, with
/// their units, times and what a server makes up for each response. Of a name, between backticks,
/// all words stay that are not a part of a date.
pub fn without_numbers(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let words = parts.flat_map(|(part, text)| match part % 2 {
        0 => uncounted_words(text),
        _ => undated_words(text),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The words of `text` that have no digit. One that is counted is the same in the plural.
fn uncounted_words(text: &str) -> Vec<&str> {
    let is_digit = |c: char| c.is_ascii_digit();
    let (mut words, mut is_counted) = (Vec::new(), false);
    // An id is one word: not each of its parts has a digit.
    let all = text.split(|c: char| !c.is_alphanumeric() && c != '-');
    for word in all.filter(|word| !word.is_empty()) {
        let was_counted = std::mem::replace(&mut is_counted, word.contains(is_digit));
        let one = if was_counted { word.strip_suffix('s').unwrap_or(word) } else { word };
        let is_unit = was_counted && [word, one].iter().any(|word| COUNTED_UNITS.contains(word));
        if !is_counted && !is_unit {
            words.push(one);
        }
    }
    words
}

/// The words of a path or name that are not a part of a date.
fn undated_words(text: &str) -> Vec<&str> {
    let is_of_date = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 'Z');
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.chars().all(is_of_date)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_counted_and_made_up_for_each_response_is_no_word(
            numbers in prop::array::uniform2((any::<u32>(), any::<u8>(), any::<u128>())),
            units in prop::array::uniform2(prop::sample::select(&COUNTED_UNITS)),
        ) {
            let message = |at: usize| {
                let (large, small, id) = numbers[at];
                // An id without a digit cannot be told from a word.
                let id = format!("{:032x}", id >> 4);
                let (begin, end) = id.split_at(8);
                format!(
                    "refused after {} (attempt {small}) at 20{small:02}-12-01T0{small}:30Z, {}: \
                     trace {begin}-{end}",
                    counted(u64::from(small), units[at]),
                    counted(u64::from(large), "page"),
                )
            };
            prop_assert_eq!(without_numbers(&message(0)), without_numbers(&message(1)));
        }

        #[test]
        fn each_word_and_each_name_matters(
            word in "[a-z]{1,12}", other in "[a-z]{1,12}", name in "[a-z0-9]{1,12}",
        ) {
            prop_assume!(word != other);
            let message = |word: &str| format!("cannot {word} it after 3 attempts");
            prop_assert_ne!(without_numbers(&message(&word)), without_numbers(&message(&other)));
            let path = |last: &str| format!("cannot write `/data/{name}/{last}`");
            prop_assert_ne!(without_numbers(&path(&word)), without_numbers(&path(&other)));
        }
    }

    #[test]
    fn a_message_about_the_same_thing_keeps_its_words() {
        for (one, other) in [
            ("no answer after 3 attempts", "no answer after 12 attempts"),
            ("waited 1,234 s (until 09:20Z)", "waited 7.5 s (until 10:05Z)"),
            ("refused: trace 8f03ab12", "refused: trace 77bc01de"),
            ("refused: deadbeef-7a01-4c00", "refused: 1f00-cafe-4c00"),
            ("held for 1 day 1 hour", "held for 3 hours 2 minutes"),
            ("waited for 7 s", "waited for 250 ms"),
            ("larger than 1 KiB", "larger than 2.5 MiB"),
            ("1 attempt, 1 page", "3 attempts, 12 pages"),
            (
                "cannot write `/out/2026-12-01T09/acme.jsonl`",
                "cannot write `/out/2026-12-02T10/acme.jsonl`",
            ),
            ("", "17"),
        ] {
            assert_eq!(without_numbers(one), without_numbers(other));
        }
        for (one, other) in [
            ("cannot write `/data1/acme.jsonl`", "cannot write `/data2/acme.jsonl`"),
            ("cannot read `/etc/keys/acme`", "cannot read `/etc/keys/acme2`"),
            ("no organization `4d2c1f7a-9b60`", "no organization `3e2c1f7a-9b60`"),
            ("the key is expired", "the key lacks a scope"),
            ("HTTP 401 Unauthorized", "HTTP 403 Forbidden"),
            ("401: key revoked", "401: token revoked"),
        ] {
            assert_ne!(without_numbers(one), without_numbers(other));
        }
    }

    #[test]
    fn entities_are_decoded_once() {
        for (text, want) in [
            ("R&amp;D &lt;x&gt; &quot;y&quot; &apos;z&apos;", "R&D <x> \"y\" 'z'"),
            ("O&#39;Hara O&#x27;Hara O&#X2019;Hara", "O'Hara O'Hara O’Hara"),
            ("&amp;lt;", "&lt;"),
            ("&#x10ffff;&é;&amp;", "\u{10ffff}&é;&"),
            ("Ren&eacute;e, Zo&euml;&nbsp;F &copy;", "Renée, Zoë\u{a0}F ©"),
            ("&Eacute;&eacute;&CounterClockwiseContourIntegral;", "Éé∳"),
        ] {
            assert_eq!(decode_entities(text), want);
        }
        for none in [
            "&", "a & b;", "&amp", "&nosuch;", "&EACUTE;", "&;", "&#;", "&#x;", "&#+65;",
            "&#xd800;", "&#65a;",
        ] {
            assert_eq!(decode_entities(none), none);
        }
    }

    #[test]
    fn no_entity_brings_a_control_character() {
        for text in ["&#10;", "&#x1b;", "&#0;", "&#127;", "&#x9b;", "&Tab;", "&NewLine;"] {
            assert_eq!(decode_entities(text), text);
        }
    }

    #[test]
    fn escape_sequences_and_newlines_lose_their_power() {
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202e}c"), "a [31mred b c");
        assert_eq!(printable("  plain  "), "plain");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = printable(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), 301);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(group_digits(number), text);
        }
    }

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(0, "event"), "0 events");
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(counted(2401, "event"), "2,401 events");
        assert_eq!(plural(1, "body", "bodies"), "1 body");
        assert_eq!(plural(1200, "body", "bodies"), "1,200 bodies");
    }

    #[test]
    fn hex_has_two_lower_case_digits_a_byte() {
        assert_eq!(hex(&[0, 0x0a, 0xff]), "000aff");
    }

    #[test]
    fn close_words_and_substrings_are_suggested() {
        let known = ["page_size", "output", "acme-jira", "ecs"];
        for (typed, meant) in [
            ("pagesize", Some("page_size")),
            ("page-size", Some("page_size")),
            ("outptu", Some("output")),
            ("Acme_Jria", Some("acme-jira")),
            ("jira", Some("acme-jira")),
            ("esc", Some("ecs")),
            ("normalised", None),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(suggest(typed, known), meant, "{typed}");
        }
    }
}
