//! Reads the text format of Prometheus as strictly as its documentation describes it: what a
//! collector would refuse, panics.

use std::collections::{BTreeMap, HashMap, HashSet};

/// The samples of a text.
#[derive(Debug, Default)]
pub struct Samples {
    values: BTreeMap<String, f64>,
    kinds: HashMap<String, String>,
}

impl Samples {
    /// Reads `text`.
    pub fn read(text: &str) -> Samples {
        assert!(text.ends_with('\n'), "the last line has no end");
        let (mut samples, mut done) = (Samples::default(), HashSet::new());
        let mut family = String::new();
        let mut helped = HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').expect("HELP without a text");
                assert!(helped.insert(name.to_owned()), "HELP twice: {name}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("TYPE without a type");
                assert!(["counter", "gauge"].contains(&kind), "{line}");
                assert!(done.insert(name.to_owned()), "the family {name} comes twice");
                assert!(helped.contains(name), "{name} has no HELP");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
                name.clone_into(&mut family);
                samples.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                let (key, value) = sample(line);
                let name = key.split('{').next().unwrap();
                assert_eq!(name, family, "outside its family: {line}");
                let known = samples.values.insert(key, value);
                assert!(known.is_none(), "twice: {line}");
            }
        }
        samples
    }

    /// The value of `name` with these labels, written as `source="acme"` and sorted.
    pub fn get(&self, name: &str, labels: &str) -> Option<f64> {
        let key = match labels {
            "" => name.to_owned(),
            _ => format!("{name}{{{labels}}}"),
        };
        self.values.get(&key).copied()
    }

    /// The same of one source, by its name and type.
    pub fn of(&self, name: &str, source: &str, kind: &str) -> Option<f64> {
        self.get(name, &format!(r#"source="{source}",type="{kind}""#))
    }

    /// No counter of `earlier` has fallen.
    pub fn assert_continues(&self, earlier: &Samples) {
        for (key, before) in &earlier.values {
            let name = key.split('{').next().unwrap();
            if earlier.kinds[name] == "counter" {
                let now = self.values.get(key);
                assert!(now.is_some_and(|now| now >= before), "{key}: {before}, then {now:?}");
            }
        }
    }
}

/// A sample's name with its labels, sorted, and its value.
fn sample(line: &str) -> (String, f64) {
    let is_name = |text: &str| {
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let end = line.find(['{', ' ']).expect("a sample without a value");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, quoted) = rest.split_once("=\"").expect("a label without a value");
            assert!(is_name(label), "{line}");
            let end = closing_quote(quoted);
            labels.push(format!("{label}=\"{}\"", &quoted[..end]));
            rest = &quoted[end + 1..];
            match rest.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => break rest = more,
                _ => panic!("{line}"),
            }
        }
    }
    labels.sort();
    let key = match labels.is_empty() {
        true => name.to_owned(),
        false => format!("{name}{{{}}}", labels.join(",")),
    };
    let value = rest.strip_prefix(' ').expect("no blank before the value");
    (key, value.parse().unwrap_or_else(|_| panic!("{line}")))
}

/// Where the quoted value ends; every backslash stands before `\`, `"` or `n`.
fn closing_quote(quoted: &str) -> usize {
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return at,
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                assert!(matches!(escaped, Some('\\' | '"' | 'n')), "{quoted}");
            }
            _ => {}
        }
    }
    panic!("a label's value without an end: {quoted}");
}
