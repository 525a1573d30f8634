//! Holds the import rule of `src/lib.rs` against the source: arrows point down, never up or sideways.

use crate::imports::{imports, module_of, source, without_comments};

/// A room: its name, and the modules that it is made of.
type Room = (&'static str, &'static [&'static str]);

/// The lines of the house, the highest first. A room imports from the lines below its own.
const LINES: &[&[Room]] = &[
    &[
        ("app", &["app"]),
        ("fuzz", &["fuzz"]),
        ("bench", &["bench"]),
    ],
    &[("cli", &["cli"]), ("commands", &["commands"])],
    &[("error", &["error"])],
    &[
        ("convert", &["convert"]),
        ("pipeline", &["pipeline"]),
        ("sandbox", &["sandbox"]),
    ],
    &[
        ("source", &["source"]),
        ("normalise", &["normalise"]),
        ("render", &["render"]),
        ("sink", &["sink"]),
        ("state", &["state"]),
        ("evidence", &["evidence"]),
    ],
    &[
        ("credentials", &["credentials"]),
        ("http", &["http"]),
        (
            "telemetry",
            &[
                "telemetry::console",
                "telemetry::log",
                "telemetry::notify",
                "telemetry::progress",
                "telemetry::prometheus",
                "telemetry::terminal",
            ],
        ),
    ],
    &[("config", &["config"])],
    &[
        ("telemetry::meter", &["telemetry::meter"]),
        ("files", &["files"]),
    ],
    &[
        ("model", &["model"]),
        ("exit", &["exit"]),
        ("crash", &["crash"]),
    ],
];

/// Rooms that only some may know, though they lie below others too.
const KNOWN_TO: &[(&str, &[&str])] = &[("telemetry", &["error", "commands", "app"])];

/// Rooms that know no other.
const ALONE: &[&str] = &["sandbox", "model", "exit"];

/// A module and what it imports, both as paths from the crate's root.
struct Import {
    file: String,
    from: String,
    to: String,
}

/// The room of a module, and its line.
fn room(module: &str) -> Option<(&'static str, usize)> {
    let lies_in = |part: &&str| module == *part || module.starts_with(&format!("{part}::"));
    LINES.iter().enumerate().find_map(|(line, rooms)| {
        let found = rooms.iter().find(|(_, parts)| parts.iter().any(&lies_in));
        found.map(|(name, _)| (*name, line))
    })
}

/// What is wrong with an import, if anything is.
fn judge(import: &Import) -> Option<String> {
    let Import { file, from, to } = import;
    let Some((from_room, from_line)) = room(from) else {
        return Some(format!("{file}: `{from}` stands in no line of the table"));
    };
    let Some((to_room, to_line)) = room(to) else {
        return Some(format!("{file}: `{to}` stands in no line of the table"));
    };
    if from_room == to_room {
        return None;
    }
    let is_known = KNOWN_TO
        .iter()
        .all(|(name, by)| *name != to_room || by.contains(&from_room));
    let wrong = match from_line < to_line {
        _ if ALONE.contains(&from_room) => "knows no other room",
        true if !is_known => "may not know it",
        true => return None,
        false if from_line == to_line => "lies on the same line",
        false => "lies below it",
    };
    Some(format!("{file}: {from_room} imports {to}, and {wrong}"))
}

#[test]
fn imports_follow_the_layers() {
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
            wrong.extend(judge(&Import { file, from, to }));
        }
    }
    wrong.sort();
    assert!(count > 300, "only {count} imports were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_forbidden_import_is_detected() {
    let verdict = |from: &str, code: &str| {
        let judged = imports(from, code).into_iter().filter_map(|to| {
            let file = format!("{from}.rs");
            judge(&Import {
                file,
                from: from.to_owned(),
                to,
            })
        });
        judged.collect::<Vec<_>>()
    };
    let forbidden = [
        ("model::time", "use crate::exit::Exit;"),
        ("sandbox::org", "use crate::model::time::Window;"),
        (
            "source::jira",
            "fn f() { crate::state::store::Store::new() }",
        ),
        (
            "sink::file",
            "use crate::{model::{time, text}, pipeline::{run::{self}, plan}};",
        ),
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
        (
            "pipeline::run",
            "use crate::{state::store::Store, model::time::{Window, before}};",
        ),
        ("pipeline::run", "use crate::telemetry::meter::Meter;"),
        (
            "http::client",
            "use super::error::{X, Y};\nuse super::message::Request;",
        ),
        ("commands::pull", "use crate::telemetry::console::Console;"),
        (
            "sandbox::org::log",
            "use crate::sandbox::FilterClock;\nuse super::super::Api;",
        ),
    ];
    for (from, code) in allowed {
        assert_eq!(verdict(from, code), [""; 0], "{from}: {code}");
    }
}
