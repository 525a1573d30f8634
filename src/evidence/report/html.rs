//! Owns the writing of HTML: only words of this program are markup, whatever else is put is text.

use std::io::{self, Write};

use chrono::Timelike as _;

use super::visible::write_text;
use crate::model::number::group_digits;
use crate::model::time::Timestamp;

/// What can be put into the page.
pub trait HtmlDisplay {
    /// Writes it as text, or as markup that holds it as text.
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// A page on its way out.
pub struct HtmlPage<'w> {
    out: &'w mut dyn Write,
}

impl HtmlPage<'_> {
    /// A page that goes to `out`.
    pub fn new(out: &mut dyn Write) -> HtmlPage<'_> {
        HtmlPage { out }
    }

    /// Writes `template`, with a value in place of each `{}`. Only what was there when the program was built can be a template.
    pub fn put(&mut self, template: &'static str, values: &[&dyn HtmlDisplay]) -> io::Result<()> {
        let mut values = values.iter();
        let mut parts = template.split("{}");
        self.raw(parts.next().unwrap_or_default())?;
        for part in parts {
            let value = values.next();
            debug_assert!(value.is_some(), "a value is missing: {template}");
            if let Some(value) = value {
                value.write_html(self.out)?;
            }
            self.raw(part)?;
        }
        debug_assert!(values.next().is_none(), "a value too many: {template}");
        Ok(())
    }

    /// Writes markup, or a stylesheet, as it is.
    pub fn raw(&mut self, markup: &'static str) -> io::Result<()> {
        self.out.write_all(markup.as_bytes())
    }
}

/// A longer text is cut, in characters: whoever changed a manifest must not fill the page with one value.
const MAX_TEXT: usize = 500;

impl HtmlDisplay for str {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some((end, _)) = self.char_indices().nth(MAX_TEXT) else {
            return write_text(self, out);
        };
        write_text(self.get(..end).unwrap_or_default(), out)?;
        let chars = group_digits(self.chars().count() as u64);
        write!(out, "… ({chars} characters)")
    }
}

impl HtmlDisplay for String {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        self.as_str().write_html(out)
    }
}

impl<T: HtmlDisplay + ?Sized> HtmlDisplay for &T {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        (**self).write_html(out)
    }
}

/// Nothing is a dash: a place that is empty looks like a fault of the page.
impl<T: HtmlDisplay> HtmlDisplay for Option<T> {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Some(value) => value.write_html(out),
            None => out.write_all("<span class=no>–</span>".as_bytes()),
        }
    }
}

/// `1,234,567`.
impl HtmlDisplay for u64 {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(group_digits(*self).as_bytes())
    }
}

/// `2026-11-20 09:30:00.123`; UTC, as the head of the column says.
impl HtmlDisplay for Timestamp {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{}", self.format("%Y-%m-%d %H:%M:%S"))?;
        match self.nanosecond() / 1_000_000 % 1_000 {
            0 => Ok(()),
            millis => write!(out, "<small>.{millis:03}</small>"),
        }
    }
}

/// A length in a drawing.
pub struct DrawingUnits(pub f64);

impl HtmlDisplay for DrawingUnits {
    fn write_html(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{:.2}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    fn put(template: &'static str, values: &[&dyn HtmlDisplay]) -> String {
        let mut out = Vec::new();
        HtmlPage::new(&mut out).put(template, values).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_value_is_text_wherever_it_is_put() {
        let name = String::from("<b>{}\"");
        assert_eq!(
            put("<td title=\"{}\">", &[&name]),
            "<td title=\"&lt;b&gt;{}&quot;\">"
        );
        assert_eq!(
            put("{}{}", &[&12_345_u64, &None::<u64>]),
            "12,345<span class=no>–</span>"
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let cut = put("{}", &[&"é".repeat(501)]);
        assert_eq!(cut, format!("{}… (501 characters)", "é".repeat(500)));
        assert_eq!(put("{}", &[&"é".repeat(500)]), "é".repeat(500));
    }

    #[test]
    fn times_have_their_milliseconds() {
        let at = |text| parse_api_time(text).unwrap();
        assert_eq!(
            put("{}", &[&at("2026-11-20T09:30:00Z")]),
            "2026-11-20 09:30:00"
        );
        assert_eq!(
            put("{}", &[&at("2026-11-20T09:30:00.007Z")]),
            "2026-11-20 09:30:00<small>.007</small>"
        );
    }
}
