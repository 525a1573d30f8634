//! Reads the source for [`crate::layers`]: which module a file is, and what it imports.

use std::fs;
use std::path::{Path, PathBuf};

/// The module that a file below `src` is. `x_tests.rs` is the module `tests` of `x`.
pub fn module_of(file: &Path) -> String {
    let path = file.with_extension("").display().to_string();
    let path = path.strip_suffix("/mod").unwrap_or(&path).replace('/', "::");
    match path.strip_suffix("_tests") {
        Some(tested) => format!("{tested}::tests"),
        None => path,
    }
}

/// The paths that start with `crate::` or `super::` in `code`, from the crate's root.
pub fn imports(module: &str, code: &str) -> Vec<String> {
    // What is in a test module within the file has one more `super`, always to the file itself.
    let own = code.find("#[cfg(test)]\nmod ").unwrap_or(code.len());
    let mut found = Vec::new();
    for (at, word) in words(code, "crate::") {
        found.extend(leaves("", &code[at + word.len()..]));
    }
    for (at, word) in words(&code[..own], "super::") {
        let mut rest = &code[at + word.len()..];
        let mut base = parent(module);
        while let Some(further) = rest.strip_prefix("super::") {
            (rest, base) = (further, parent(base));
        }
        found.extend(leaves(base, rest));
    }
    found
}

/// Where `word` begins a path.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    code.match_indices(word).filter(|(at, _)| {
        let before = code[..*at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    })
}

pub fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// The paths of a tree such as `a::{b, c::{d, e}}` or `a::b`, each behind `base`.
pub fn leaves(base: &str, tree: &str) -> Vec<String> {
    let tree = tree.trim_start();
    if let Some(list) = tree.strip_prefix('{') {
        return parts(list).into_iter().flat_map(|part| leaves(base, part)).collect();
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (name, rest) = tree.split_at(end.unwrap_or(tree.len()));
    let path = match (base, name) {
        (_, "" | "self") => return vec![base.to_owned()],
        ("", _) => name.to_owned(),
        _ => format!("{base}::{name}"),
    };
    match rest.strip_prefix("::") {
        Some(further) => leaves(&path, further),
        None => vec![path],
    }
}

/// The parts of a list behind its `{`, up to the `}` that ends it.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                found.extend(Some(list[start..at].trim()).filter(|part| !part.is_empty()));
                start = at + 1;
            }
            _ => {}
        }
        if c == '}' && depth == 0 && start == at + 1 {
            break;
        }
    }
    found
}

/// The code without the lines that are comments.
pub fn without_comments(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(source_files(&path)),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

/// Every file below `src`, and its text.
pub fn source() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&folder).unwrap().to_owned(), text)
    };
    source_files(&folder).into_iter().map(read).collect()
}
