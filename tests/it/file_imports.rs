//! Finds files below `src` that import each other in a circle, for [`crate::layers`].
//!
//! A file imports the file that defines what it names, so a `mod.rs` that only re-exports its
//! children is on no way. A parent that uses a child, whose code in turn uses something that the
//! parent defines, is a circle. Test code does not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{imports, leaves, module_of, parent, source, without_comments, words};

/// The production code of some files, by module.
pub struct Sources {
    files: BTreeMap<String, SourceFile>,
}

struct SourceFile {
    path: String,
    code: String,
    /// What the file makes visible under its own path, and the full path of each.
    re_exports: BTreeMap<String, String>,
}

impl Sources {
    /// All files below `src`.
    pub fn of_the_crate() -> Self {
        let files = source();
        let named = files.iter().map(|(path, text)| (path.to_str().unwrap(), text.as_str()));
        Self::new(named)
    }

    /// Files with their paths below `src` and their texts.
    pub fn new<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut found = BTreeMap::new();
        for (path, text) in files {
            let module = module_of(path.as_ref());
            let is_test =
                module.split("::").any(|name| name.ends_with("tests") || name == "testing");
            if is_test || ["main", "lib"].contains(&&*module) {
                continue;
            }
            let code = without_comments(text);
            let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
            let (re_exports, code) = without_re_exports(&module, &code[..end]);
            let path = path.to_owned();
            found.insert(module, SourceFile { path, code, re_exports });
        }
        Self { files: found }
    }

    /// The module whose file defines what `path` names, through re-exports.
    fn defining(&self, path: &str) -> Option<&str> {
        let mut path = path.to_owned();
        for _ in 0..8 {
            let module = self.longest_module(&path)?;
            let rest = path.strip_prefix(module)?.trim_start_matches("::");
            let (name, after) = rest.split_once("::").unwrap_or((rest, ""));
            let Some(target) = self.files[module].re_exports.get(name) else {
                return self.files.get_key_value(module).map(|(key, _)| key.as_str());
            };
            path = format!("{target}::{after}").trim_end_matches("::").to_owned();
        }
        None
    }

    fn longest_module<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut module = path;
        while !self.files.contains_key(module) {
            module = Some(parent(module)).filter(|parent| !parent.is_empty())?;
        }
        Some(module)
    }

    /// The modules whose files `module` imports.
    fn imported(&self, module: &str) -> BTreeSet<&str> {
        let code = &self.files[module].code;
        let mut paths = Vec::new();
        let children = code.match_indices("mod ").filter_map(|(at, word)| {
            let rest = &code[at + word.len()..];
            rest.split_once(';').map(|(name, _)| format!("{module}::{name}"))
        });
        let (modules, names): (Vec<_>, Vec<_>) = imports(module, code)
            .into_iter()
            .chain(children.filter(|child| self.files.contains_key(child)))
            .partition(|path| self.files.contains_key(path));
        paths.extend(names);
        // A module that is imported as such counts by what is named through it.
        for imported in modules {
            let name = imported.rsplit("::").next().unwrap_or(&imported).to_owned() + "::";
            for (at, word) in words(code, &name) {
                paths.extend(leaves(&imported, &code[at + word.len()..]));
            }
        }
        let found = paths.iter().filter_map(|path| self.defining(path));
        found.filter(|found| *found != module).collect()
    }
}

/// The re-exports of a file, and its code without them.
fn without_re_exports(module: &str, code: &str) -> (BTreeMap<String, String>, String) {
    let mut found = BTreeMap::new();
    let mut kept = String::new();
    for statement in code.split_inclusive(';') {
        let start = statement.trim_start();
        let at = start.find("use ").filter(|_| start.starts_with("pub"));
        let visibility = at.map(|at| start[..at].trim());
        let is_use = visibility
            .is_some_and(|word| word == "pub" || word.ends_with(')') && !word.contains('{'));
        let (Some(at), true) = (at, is_use) else {
            kept.push_str(statement);
            continue;
        };
        let tree = start[at + "use ".len()..].trim();
        let paths = match tree.split_once("::") {
            Some(("crate", rest)) => leaves("", rest),
            Some(("super", rest)) => leaves(parent(module), rest),
            Some(("self", rest)) => leaves(module, rest),
            _ => leaves(module, tree),
        };
        let named = |path: String| Some((path.rsplit_once("::")?.1.to_owned(), path));
        found.extend(paths.into_iter().filter_map(named));
    }
    (found, kept)
}

/// The circles, each as the sorted paths of its files.
pub fn circles(sources: &Sources) -> Vec<Vec<String>> {
    let edges: BTreeMap<&str, BTreeSet<&str>> =
        sources.files.keys().map(|module| (module.as_str(), sources.imported(module))).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|module| (*module, reachable(&edges, module))).collect();
    let mut found = BTreeSet::new();
    for (module, far) in &reached {
        let circle = far.iter().filter(|other| reached[*other].contains(module));
        let circle: BTreeSet<String> =
            circle.map(|other| sources.files[*other].path.clone()).collect();
        found.insert(circle);
    }
    let not_empty = found.into_iter().filter(|circle| !circle.is_empty());
    not_empty.map(|circle| circle.into_iter().collect()).collect()
}

/// All modules that `start` imports, directly or not.
fn reachable<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = edges[start].iter().copied().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(&edges[module]);
        }
    }
    found
}
