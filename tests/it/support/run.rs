//! What a run of the program left: its code, its lines, its messages.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A run that has ended, or a file that one wrote.
#[derive(Debug)]
pub struct Run {
    /// The exit code; 128 and the signal where one ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

/// The parts of an event that every line has, `raw` as it stands.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    /// The event's id.
    pub id: String,
    /// Its action.
    pub action: String,
    /// The source's object.
    #[serde(borrow)]
    pub raw: &'a RawValue,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let status = output.status;
        Run {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    /// The lines of standard output, all of them whole.
    pub fn lines(&self) -> Vec<&str> {
        let text = std::str::from_utf8(&self.stdout).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "a torn line");
        text.lines().collect()
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// What every line has.
    pub fn events(&self) -> Vec<Line<'_>> {
        let lines = self.lines().into_iter();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every line as a JSON tree.
    pub fn trees(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).unwrap();
        self.lines().into_iter().map(read).collect()
    }

    /// The ids, in order.
    pub fn ids(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.id).collect()
    }

    /// The ids of one source's events, by their prefix.
    pub fn ids_of(&self, prefix: &str) -> Vec<String> {
        let ids = self.ids().into_iter();
        ids.filter(|id| id.starts_with(prefix)).collect()
    }

    /// Ends with this code, and says these words.
    pub fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word} in {}", self.stderr);
        }
    }

    /// It was refused with `code`: one error with a hint that says `words`, and not a byte of
    /// output.
    pub fn refused(&self, code: i32, words: &[&str]) {
        let said = &self.stderr;
        assert_eq!(self.code, code, "{said}");
        // After the time, if the command prints it.
        let is_error = |line: &str| line.starts_with("error: ") || line.contains("Z error: ");
        let errors = said.lines().filter(|line| is_error(line));
        assert_eq!(errors.count(), 1, "{said}");
        assert_eq!(said.matches("\n  hint: ").count(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "`{word}` in: {said}");
        }
        assert!(self.stdout.is_empty(), "output of a refused run");
    }
}

/// The keys of the JSON object `text`, in its order, repeated ones too.
pub fn keys(text: &str) -> Vec<String> {
    struct Keys(Vec<String>);
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Keys;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
            let mut keys = Vec::new();
            while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                keys.push(key);
            }
            Ok(Keys(keys))
        }
    }
    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Keys, D::Error> {
            from.deserialize_map(InOrder)
        }
    }
    serde_json::from_str::<Keys>(text).unwrap().0
}
