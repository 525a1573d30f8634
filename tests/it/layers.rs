//! Checks the import rule of `src/lib.rs`: imports point down the table of layers, and never in a
//! circle.

use std::collections::BTreeMap;

use crate::file_imports::{Sources, circles};
use crate::imports::{imports, module_of, source, without_comments};

/// Modules that only some rooms may import, though others lie above them too: the pipeline never
/// prints.
const KNOWN_TO: &[(&str, &[&str])] =
    &[("telemetry::console", &["error", "collect", "commands", "app"])];

/// Rooms that import no other.
const ALONE: &[&str] = &["sandbox", "model", "exit"];

/// Files that still import each other in a circle. The list may only become shorter.
const STILL_IN_CIRCLES: &[&str] = &[
    "pipeline/export_run.rs",
    "pipeline/run.rs",
    "sink/file.rs",
    "sink/identity.rs",
    "sink/mod.rs",
    "sink/output_file.rs",
    "sink/path.rs",
    "sink/recovery.rs",
    "sink/stdout.rs",
];

/// A module and what it imports, both as paths from the crate's root.
struct Import {
    file: String,
    from: String,
    to: String,
}

/// The room of a module: the first segment of its path.
fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

/// The table in the header of `src/lib.rs`: each room with the number of its line, counted from the
/// top.
fn layers() -> BTreeMap<String, usize> {
    let lib = include_str!("../../src/lib.rs");
    let (_, table) = lib.split_once("//! ```text\n//! app").unwrap();
    let (table, _) = table.split_once("//! ```").unwrap();
    let mut found = BTreeMap::new();
    for (line, rooms) in format!("app{table}").lines().enumerate() {
        for room in rooms.trim_start_matches("//!").split_whitespace() {
            let is_word = room.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(is_word, "{room}: a room is a whole folder or file of `src`");
            let earlier = found.insert(room.to_owned(), line);
            assert!(earlier.is_none(), "{room} stands twice in the table");
        }
    }
    found
}

/// What is wrong with an import, if anything is.
fn judge(layers: &BTreeMap<String, usize>, import: &Import) -> Option<String> {
    let Import { file, from, to } = import;
    let (from_room, to_room) = (room(from), room(to));
    let Some(from_line) = layers.get(from_room) else {
        return Some(format!("{file}: `{from_room}` is in no line of the table"));
    };
    let Some(to_line) = layers.get(to_room) else {
        return Some(format!("{file}: `{to_room}` is in no line of the table"));
    };
    if from_room == to_room {
        return None;
    }
    let is_known = KNOWN_TO.iter().all(|(module, rooms)| {
        let is_inside = to == module || to.starts_with(&format!("{module}::"));
        !is_inside || rooms.contains(&from_room)
    });
    let wrong = match from_line < to_line {
        _ if ALONE.contains(&from_room) => "may import no other room",
        true if !is_known => "may not import it",
        true => return None,
        false if from_line == to_line => "is on the same line",
        false => "is below it",
    };
    Some(format!("{file}: {from_room} imports {to}, and {wrong}"))
}

#[test]
fn imports_follow_the_layers() {
    let layers = layers();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, text) in source() {
        let from = module_of(&file);
        if from == "main" || from == "lib" {
            continue;
        }
        for to in imports(&from, &without_comments(&text)) {
            count += 1;
            let file = file.display().to_string();
            let from = from.clone();
            wrong.extend(judge(&layers, &Import { file, from, to }));
        }
    }
    wrong.sort();
    assert!(count > 300, "only {count} imports were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let found = circles(&Sources::of_the_crate());
    let is_new = |circle: &&Vec<String>| {
        circle.iter().any(|file| !STILL_IN_CIRCLES.contains(&file.as_str()))
    };
    let new: Vec<String> = found.iter().filter(is_new).map(|files| files.join("\n  ")).collect();
    assert!(new.is_empty(), "circles of imports:\n- {}", new.join("\n- "));
}

#[test]
fn a_circle_is_detected_and_a_re_export_is_none() {
    let found = |files: &[(&str, &str)]| circles(&Sources::new(files.iter().copied()));
    let two = [
        ("a/mod.rs", "mod x;\nmod y;"),
        ("a/x.rs", "use super::y::{Y, Z};"),
        ("a/y.rs", "use crate::a::x;\nfn f() -> u8 { x::g() }"),
    ];
    assert_eq!(found(&two), [["a/x.rs", "a/y.rs"]]);
    let re_export = [
        ("a/mod.rs", "mod x;\nmod y;\npub use x::X;\npub use self::y::Y;"),
        ("a/x.rs", "use super::Y;"),
        ("a/y.rs", "#[cfg(test)]\nmod tests {\n    use super::super::X;\n}"),
    ];
    assert_eq!(found(&re_export), [[""; 0]; 0]);
    let parent = [
        ("a/mod.rs", "mod x;\npub struct Limit;\nfn f() { x::run() }"),
        ("a/x.rs", "use super::Limit;"),
    ];
    assert_eq!(found(&parent), [["a/mod.rs", "a/x.rs"]]);
    let between_rooms = [
        ("a.rs", "use crate::b::B;"),
        ("b/mod.rs", "mod c;\npub use c::B;"),
        ("b/c.rs", "fn f() { crate::a::g() }"),
    ];
    assert_eq!(found(&between_rooms), [["a.rs", "b/c.rs"]]);
}

#[test]
fn a_forbidden_import_is_detected() {
    let layers = layers();
    let verdict = |from: &str, code: &str| {
        let judged = imports(from, code).into_iter().filter_map(|to| {
            let file = format!("{from}.rs");
            let from = from.to_owned();
            judge(&layers, &Import { file, from, to })
        });
        judged.collect::<Vec<_>>()
    };
    let forbidden = [
        ("model::time", "use crate::exit::Exit;"),
        ("sandbox::org", "use crate::model::time::Window;"),
        ("source::jira", "fn f() { crate::state::store::Store::new() }"),
        ("sink::file", "use crate::{model::{time, text}, pipeline::{run::{self}, plan}};"),
        ("http::limiter", "use crate::source::Transport;"),
        ("http::retry", "use crate::{model::X,\n    state::Y};"),
        ("config::check", "use crate::telemetry::console::Console;"),
        ("pipeline::run", "use crate::telemetry::console::Console;"),
        ("cli::args", "use crate::commands::pull;"),
        ("render", "use crate::attic::Thing;"),
    ];
    for (from, code) in forbidden {
        assert!(!verdict(from, code).is_empty(), "{from}: {code}");
    }
    let allowed = [
        ("app", "use crate::cli::{self, args::{Args, Command}};"),
        ("pipeline::run", "use crate::{state::store::Store, model::time::{Window, before}};"),
        ("pipeline::run", "use crate::telemetry::meter::Meter;"),
        ("http::client", "use super::error::{X, Y};\nuse super::message::Request;"),
        ("commands::pull", "use crate::telemetry::console::Console;"),
        ("sandbox::org::log", "use crate::sandbox::FilterClock;\nuse super::super::Api;"),
    ];
    for (from, code) in allowed {
        assert_eq!(verdict(from, code), [""; 0], "{from}: {code}");
    }
}
