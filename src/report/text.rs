//! The texts of the page. What comes from outside is escaped, nothing in it hides, and it is cut
//! where it is long; numbers, times and lists are put into words.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::Timelike as _;
use maud::{Escaper, Markup, PreEscaped, Render, html};
use sha2::{Digest as _, Sha256};

pub use crate::model::text::plural as counted_noun;
use crate::model::text::{counted, group_digits, hex};
use crate::model::time::Timestamp;
use crate::model::time::in_words;

/// The longest text that [`text`] shows whole, in characters: a changed manifest must not fill the
/// page with one value.
const MAX_TEXT: usize = 500;
/// The longest name that is shown whole, in characters.
const MAX_NAME: usize = 80;
/// The longest sentence that is shown whole, in characters.
const MAX_SENTENCE: usize = 200;
/// Combining marks on one letter; more are a tower that covers the lines above.
const MAX_MARKS_ON_A_LETTER: u32 = 3;

/// Any text from outside.
pub fn text(text: &str) -> Markup {
    let mut out = String::new();
    match text.char_indices().nth(MAX_TEXT) {
        None => push_visible(text, &mut out),
        Some((end, _)) => {
            push_visible(text.get(..end).unwrap_or_default(), &mut out);
            let length = group_digits(text.chars().count() as u64);
            // Writing to a string cannot fail, here and below.
            let _ = write!(out, "… ({length} characters)");
        }
    }
    PreEscaped(out)
}

/// `value`, or a dash: an empty cell looks like a fault of the page.
pub fn or_dash(value: Option<impl Render>) -> Markup {
    value.map_or_else(|| html! { span class="no" { "–" } }, |value| value.render())
}

/// `2026-11-20 09:30:00.123`; UTC, as the head of the column says.
pub fn time(time: Timestamp) -> Markup {
    let millis = time.nanosecond() / 1_000_000 % 1_000;
    html! {
        (time.format("%Y-%m-%d %H:%M:%S").to_string())
        @if millis > 0 { small { (format!(".{millis:03}")) } }
    }
}

/// `3,600 events`.
pub fn events(count: u64) -> String {
    counted(count, "event")
}

/// `20 November 2026, 09:30 UTC`, with seconds where it has some.
pub fn date_time(time: Timestamp) -> String {
    time.format(&format!("%-d %B %Y, %H:%M{} UTC", seconds_format(time))).to_string()
}

/// `2026-11-20 09:30`, of milliseconds; with seconds where it has some.
pub fn minute(millis: i64) -> String {
    let time = Timestamp::from_timestamp_millis(millis).unwrap_or_default();
    time.format(&format!("%Y-%m-%d %H:%M{}", seconds_format(time))).to_string()
}

fn seconds_format(time: Timestamp) -> &'static str {
    match (time.second(), time.nanosecond()) {
        (0, 0) => "",
        (_, 0) => ":%S",
        _ => ":%S%.3f",
    }
}

/// How long it is from one time to another, in words: `30 days`.
pub fn duration_between(from: Timestamp, to: Timestamp) -> String {
    duration((to - from).num_milliseconds().try_into().unwrap_or(0))
}

/// `millis` in words; nothing is `no time`.
pub fn duration(millis: u64) -> String {
    match millis {
        0 => "no time".to_owned(),
        1..1_000 => "less than a second".to_owned(),
        _ => in_words(Duration::from_millis(millis)),
    }
}

/// `a, b and c`; of more than five the first three.
pub fn list(names: &[&str]) -> String {
    match names {
        [] => "no source".to_owned(),
        [one] => (*one).to_owned(),
        [first, second, third, rest @ ..] if rest.len() > 2 => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// `word` with a capital letter.
pub fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// `12.3 MB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1_000 {
        return counted_noun(bytes, "byte", "bytes");
    }
    let mut value = bytes as f64 / 1_000.0;
    for unit in ["kB", "MB", "GB"] {
        if value < 999.95 {
            return format!("{value:.1} {unit}");
        }
        value /= 1_000.0;
    }
    format!("{value:.1} TB")
}

/// A column of a table: its heading, and the class of its cells.
pub type TableColumn = (&'static str, &'static str);

/// A table; the columns of the class `n` are of numbers.
pub fn table<const N: usize>(
    class: &str,
    columns: [TableColumn; N],
    rows: impl Iterator<Item = [Markup; N]>,
) -> Markup {
    table_of_rows(class, &columns, rows.map(|cells| table_row(None, &columns, &cells)))
}

/// A table of whole rows.
pub fn table_of_rows(
    class: &str,
    columns: &[TableColumn],
    rows: impl Iterator<Item = impl Render>,
) -> Markup {
    html! {
        table class=(class) {
            thead {
                tr {
                    @for (heading, class) in columns {
                        th class=[(*class == "n").then_some(class)] { (heading) }
                    }
                }
            }
            tbody { @for row in rows { (row) } }
        }
    }
}

/// A row with one cell for each column.
pub fn table_row(class: Option<&str>, columns: &[TableColumn], cells: &[Markup]) -> Markup {
    html! {
        tr class=[class] {
            @for ((_, class), cell) in columns.iter().zip(cells) {
                td class=[(!class.is_empty()).then_some(class)] { (cell) }
            }
        }
    }
}

/// Appends `text` so that it is text in any element and in any quoted attribute: what means
/// something to HTML is escaped, and what cannot be seen, or turns the direction of the text around
/// it, is shown by its number.
fn push_visible(text: &str, out: &mut String) {
    let (mut before, mut marks) = (None, 0);
    // A hidden character that is still to be written, and how often it came in a row.
    let mut run: Option<(char, u32)> = None;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let is_hidden = marks > MAX_MARKS_ON_A_LETTER || is_invisible(c, before);
        before = Some(c);
        if let Some((same, count)) = &mut run
            && is_hidden
            && *same == c
        {
            *count += 1;
            continue;
        }
        push_hidden(run.take(), out);
        match c {
            _ if is_hidden => run = Some((c, 1)),
            '\'' => out.push_str("&#39;"),
            _ => {
                let _ = Escaper::new(out).write_char(c);
            }
        }
    }
    push_hidden(run, out);
}

/// Shows a run of one hidden character by its number.
fn push_hidden(run: Option<(char, u32)>, out: &mut String) {
    let Some((c, count)) = run else { return };
    let _ = match c {
        '\n' => write!(out, "<span class=hid>↵"),
        '\t' => write!(out, "<span class=hid>⇥"),
        _ => write!(out, "<span class=hid>U+{:04X}", u32::from(c)),
    };
    if count > 1 {
        let _ = write!(out, " ×{count}");
    }
    out.push_str("</span>");
    // Where a line ended one may end.
    if matches!(c, '\n' | '\t') {
        out.push(' ');
    }
}

/// Whether `c` would not be seen, or would make what is seen lie.
fn is_invisible(c: char, before: Option<char>) -> bool {
    match c {
        // Emoji are joined by it; letters are made to look alike with it.
        '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' => !before.is_some_and(is_picture),
        // Soft hyphen, fillers that look like nothing, and the separators that no font draws.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0d}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => c.is_control(),
    }
}

/// Whether it is an emoji or a part of one.
fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{fe0f}'
        | '\u{1f000}'..='\u{1faff}')
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// A text of bounded length, or the beginning of a longer one. It borrows from the event that it is
/// of: most values of an event are counted already, and need no copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TruncatedText<'a> {
    text: Cow<'a, str>,
    /// What is said of a text that is not whole.
    note: Option<String>,
}

impl<'a> TruncatedText<'a> {
    /// Of a name or id: different ones stay different, by the start of their hash.
    pub fn name(text: impl Into<Cow<'a, str>>) -> TruncatedText<'a> {
        TruncatedText::cut(text.into(), MAX_NAME, |text| {
            format!(", SHA-256 {}…", hex(&Sha256::digest(text.as_bytes())[..6]))
        })
    }

    /// The same, kept beyond the event that it is of.
    pub fn into_owned(self) -> TruncatedText<'static> {
        TruncatedText { text: Cow::Owned(self.text.into_owned()), note: self.note }
    }

    /// The text, and what is said of one that is not whole.
    pub fn plain(&self) -> String {
        [&*self.text, self.note.as_deref().unwrap_or_default()].concat()
    }

    /// Of a sentence.
    pub fn sentence(text: impl Into<Cow<'a, str>>) -> TruncatedText<'a> {
        TruncatedText::cut(text.into(), MAX_SENTENCE, |_| String::new())
    }

    /// `identify` says more of a text that is not whole.
    fn cut(
        text: Cow<'a, str>,
        limit: usize,
        identify: impl FnOnce(&str) -> String,
    ) -> TruncatedText<'a> {
        // No text has more characters than bytes.
        let is_short = text.len() <= limit;
        let cut = if is_short { None } else { text.char_indices().nth(limit) };
        let Some((end, _)) = cut else {
            return TruncatedText { text, note: None };
        };
        let length = group_digits(text.chars().count() as u64);
        let note = Some(format!("… {length} characters{}", identify(&text)));
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
            Cow::Owned(text) => Cow::Owned(text.get(..end).unwrap_or(&text).to_owned()),
        };
        TruncatedText { text, note }
    }

    /// With places where a line may end, between the words of an action.
    pub fn with_breaks(&self) -> Markup {
        let mut out = String::new();
        for word in self.text.split_inclusive('_') {
            push_visible(word, &mut out);
            if word.ends_with('_') {
                out.push_str("<wbr>");
            }
        }
        self.push_note(&mut out);
        PreEscaped(out)
    }

    fn push_note(&self, out: &mut String) {
        if let Some(note) = &self.note {
            html! { small class="cut" { (note) } }.render_to(out);
        }
    }
}

impl Render for TruncatedText<'_> {
    fn render_to(&self, out: &mut String) {
        push_visible(&self.text, out);
        self.push_note(out);
    }
}

/// Somebody or something: its name, and what else identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityLabel<'a> {
    /// What it is called.
    pub name: TruncatedText<'a>,
    /// An id, an address, a type.
    pub note: Option<TruncatedText<'a>>,
    /// Whether the source has a name for it; some know an id only.
    pub has_name: bool,
}

impl EntityLabel<'_> {
    /// The same, kept beyond the event that it is of.
    pub fn into_owned(self) -> EntityLabel<'static> {
        EntityLabel {
            name: self.name.into_owned(),
            note: self.note.map(TruncatedText::into_owned),
            has_name: self.has_name,
        }
    }
}

/// Apart from each other: a name that is written from the right must not take the note with it.
impl Render for EntityLabel<'_> {
    fn render(&self) -> Markup {
        html! {
            bdi { (self.name) }
            @if let Some(note) = &self.note { small class="note" { bdi { (note) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use proptest::prelude::*;

    fn visible(text: &str) -> String {
        let mut out = String::new();
        push_visible(text, &mut out);
        out
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            visible("<script>alert('1')</script> & \"x\""),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;"
        );
        let name = String::from("<b>{}\"");
        assert_eq!(
            html! { td title=(text(&name)) { (or_dash(None::<u64>)) } }.into_string(),
            "<td title=\"&lt;b&gt;{}&quot;\"><span class=\"no\">–</span></td>"
        );
    }

    #[test]
    fn invisible_characters_are_shown_as_code_points() {
        let hid = |number: &str| format!("<span class=hid>{number}</span>");
        assert_eq!(visible("a\u{202e}b\0c"), format!("a{}b{}c", hid("U+202E"), hid("U+0000")));
        assert_eq!(visible("ad\u{200d}min"), format!("ad{}min", hid("U+200D")));
        assert_eq!(visible("a\nb"), format!("a{} b", hid("↵")));
        for plain in [
            "Łucja Świątek",
            "名前",
            "👨\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}",
            "שלום",
            "e\u{301}",
            "a  b",
        ] {
            assert_eq!(visible(plain), plain);
        }
        let tower = format!("a{}", "\u{301}".repeat(50));
        assert_eq!(visible(&tower), format!("a\u{301}\u{301}\u{301}{}", hid("U+0301 ×47")));
        assert_eq!(
            visible("\n\n\0\0a\0"),
            format!("{} {}a{}", hid("↵ ×2"), hid("U+0000 ×2"), hid("U+0000"))
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let cut = text(&"é".repeat(501)).into_string();
        assert_eq!(cut, format!("{}… (501 characters)", "é".repeat(500)));
        assert_eq!(text(&"é".repeat(500)).into_string(), "é".repeat(500));
    }

    #[test]
    fn times_have_their_milliseconds() {
        let at = |text| time(parse_api_time(text).unwrap()).into_string();
        assert_eq!(at("2026-11-20T09:30:00Z"), "2026-11-20 09:30:00");
        assert_eq!(at("2026-11-20T09:30:00.007Z"), "2026-11-20 09:30:00<small>.007</small>");
    }

    #[test]
    fn a_short_text_is_whole() {
        let rendered = |text: TruncatedText<'_>| text.render().into_string();
        assert_eq!(rendered(TruncatedText::name("Mei Tanaka")), "Mei Tanaka");
        let sentence = "ü".repeat(MAX_SENTENCE);
        assert_eq!(rendered(TruncatedText::sentence(sentence.as_str())), sentence);
    }

    #[test]
    fn long_texts_with_equal_beginnings_stay_distinct() {
        let long = |end: &str| TruncatedText::name(format!("{}{end}", "x".repeat(10_000)));
        assert_ne!(long("a"), long("b"));
        let shown = long("a").render().into_string();
        assert!(shown.len() < 200, "{shown}");
        assert!(shown.contains("10,001 characters, SHA-256 "), "{shown}");
    }

    #[test]
    fn figures_are_words() {
        assert_eq!(events(1), "1 event");
        assert_eq!(events(3_600), "3,600 events");
        assert_eq!(
            [size(1), size(999), size(1_000), size(999_999), size(u64::MAX)],
            ["1 byte", "999 bytes", "1.0 kB", "1.0 MB", "18446744.1 TB"]
        );
        assert_eq!(
            [duration(0), duration(5), duration(20_000), duration(u64::MAX)]
                .map(|text| text.len() > 3),
            [true; 4]
        );
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f"]), "a, b, c and 3 more");
    }

    #[test]
    fn times_are_as_exact_as_they_are() {
        let at = |text| parse_api_time(text).unwrap();
        assert_eq!(date_time(at("2026-11-02T09:30:00Z")), "2 November 2026, 09:30 UTC");
        assert_eq!(date_time(at("2026-11-02T09:30:01.5Z")), "2 November 2026, 09:30:01.500 UTC");
        assert_eq!(minute(at("2026-11-02T09:30:01Z").timestamp_millis()), "2026-11-02 09:30:01");
    }

    proptest! {
        #[test]
        fn no_markup_of_a_text_survives(
            text in "(\\PC|[<>&\"'\\x00-\\x1f\u{202e}\u{200d}\u{fe0f}]){0,60}",
        ) {
            let mut left = visible(&text);
            for own in ["</span>", "<span class=hid>"] {
                left = left.replace(own, "");
            }
            prop_assert!(!left.contains(['<', '>', '"', '\'']), "{left}");
            let is_reference = |rest: &str| {
                ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|name| rest.starts_with(name))
            };
            let mut references = left.match_indices('&');
            prop_assert!(references.all(|(at, _)| is_reference(&left[at + 1..])), "{left}");
            let turns = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!left.chars().any(turns));
        }
    }
}
