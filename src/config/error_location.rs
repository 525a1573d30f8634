//! Rewrites errors of the TOML parser as one line with the line number and the most similar known
//! key, without any text of the file except key names.

use std::path::Path;

use crate::config::error::ConfigError;
use crate::config::suggestions::suggest;
use crate::model::text::printable;

/// Keys that people try to keep a secret under.
const SECRET_KEYS: [&str; 8] =
    ["api_key", "apikey", "api_token", "token", "key", "secret", "password", "bearer"];

/// What `error` says about `text`, the content of the file at `path`.
pub fn config_error(error: &toml::de::Error, path: &Path, text: &str) -> ConfigError {
    let line = error.span().map(|span| line_of(text, span.start));
    match unknown_key(error.message()) {
        Some((key, known)) => {
            let shown = printable(key);
            let refused = ConfigError::new(format!("unknown key `{shown}`"));
            refused.hint(hint_for(key, &known)).in_file(path, line)
        }
        None => ConfigError::new(strip_quoted_values(error.message()))
            .hint("the file is TOML; config.example.toml shows every key")
            .in_file(path, line),
    }
}

/// The line of a byte, counted from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The key and the known ones, from serde's "unknown field `a`, expected one of `b`, `c`".
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, known) = rest.split_once("`, expected ")?;
    Some((key, known.split('`').skip(1).step_by(2).collect()))
}

fn hint_for(key: &str, known: &[&str]) -> String {
    let word = key.to_ascii_lowercase().replace('-', "_");
    if SECRET_KEYS.contains(&word.as_str()) {
        return "a secret never stands in this file: keep it with `atlaudit auth login NAME`, \
                or name its place with `credential`"
            .to_owned();
    }
    match suggest(key, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the keys here are: {}", known.join(", ")),
    }
}

/// serde quotes the offending text ("invalid type: string "..."): that may be a secret.
fn strip_quoted_values(message: &str) -> String {
    let quoted = message.find('"').zip(message.rfind('"'));
    let cleaned = match quoted {
        Some((first, last)) if first < last => {
            let before = message.get(..first).unwrap_or_default();
            let after = message.get(last + 1..).unwrap_or_default();
            format!("{}{after}", before.trim_end())
        }
        _ => message.to_owned(),
    };
    printable(&cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::ConfigFile;

    fn refuse(text: &str) -> ConfigError {
        ConfigFile::parse(Path::new("/c.toml"), text.to_owned()).err().unwrap()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
        let error = refuse("[sources.acme]\ntype = 'org-events'\npagesize = 5\n");
        assert_eq!(error.to_string(), "/c.toml:3: unknown key `pagesize`");
        assert_eq!(error.hint_text(), Some("did you mean `page_size`?"));
        let error = refuse("[sources.acme]\n\n[sources.acme.output]\nfile = 'x'\n");
        assert_eq!(error.line(), Some(4));
        assert_eq!(
            error.hint_text(),
            Some("the keys here are: path, format, compression, rotate, mode")
        );
        let error = refuse("[source.acme]\ntype = 'x'\n");
        assert_eq!(error.to_string(), "/c.toml:1: unknown key `source`");
        assert_eq!(error.hint_text(), Some("did you mean `sources`?"));
        let error = refuse("[sources.a]\nlookback = '1d'\n");
        assert_eq!(error.hint_text(), Some("did you mean `initial_lookback`?"));
        assert_eq!(refuse("state_dir = '/x'").line(), Some(1));
        assert_eq!(
            refuse("[output]\nmode = '0600'\n[sources.a]\noutput.modes = 'x'").line(),
            Some(4)
        );
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_shown() {
        let secret = "ATATT3xSECRET";
        let texts = [
            format!("[sources.a]\napi_key = '{secret}'\n"),
            format!("[sources.a]\ntoken = \"{secret}\"\n"),
            format!("[sources.a]\npage_size = \"{secret}\"\n"),
            format!("[sources.a]\npage_size = \"a\\\"{secret}\\\"b\"\n"),
            format!("[sources]\na = \"{secret}\"\n"),
            format!("[sources.a]\ncredential = {secret}\n"),
            format!("[sources.a]\ncredential = \"{secret}\n"),
            format!("[sources.a]\ncredential = {{ {secret} = 1 }}\n"),
            format!("[sources.a]\ncredential = [\"{secret}\"]\n"),
            format!("{secret}\n"),
        ];
        for text in texts {
            let error = refuse(&text);
            let said = format!("{error} {error:?}");
            assert!(!said.contains("SECRET"), "{said}");
            assert!(error.line().is_some(), "{said}");
        }
        let error = refuse("[sources.a]\napi_key = 'x'\n");
        assert!(error.hint_text().unwrap().contains("never stands in this file"));
    }

    #[test]
    fn other_refusals_read_well() {
        let error = refuse("[sources.a]\npage_size = \"many\"\n");
        assert_eq!(error.to_string(), "/c.toml:2: invalid type: string, expected i64");
        let error = refuse("[sources.a]\ntype = 'x'\ntype = 'y'\n");
        assert_eq!(error.to_string(), "/c.toml:3: duplicate key");
        assert!(refuse("[sources]\na = 5\n").to_string().contains("expected a table"));
    }
}
