//! Runs `search`: shows the events that fit.

use std::io;
use std::sync::Arc;

use crate::commands::query::{self, QueryWork};
use crate::config::env::ProcessEnv;
use crate::config::request::{EventInput, SearchFormat, SearchRequest};
use crate::config::settings::Compression;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::json::Document;
use crate::model::text::{counted, group_digits};
use crate::render::EventTable;
use crate::saved::{self, UnusableLine};
use crate::search::{self, CsvRows, FormatLines, NextStep, QueryCounts};
use crate::sink::LineSink as _;
use crate::sink::stdout::{self, StdoutSink};
use crate::telemetry::console::StderrConsole;
use crate::time_sorter::TimeSorter;

/// Bytes that are printed at once, at the latest.
const BATCH_BYTES: usize = 64 * 1024;

/// Searches, and returns whether everything could be read.
///
/// # Errors
/// The output cannot be written, or a signal came.
pub async fn run(
    request: SearchRequest,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    if request.is_sql_schema {
        return print_view(&request.query.inputs);
    }
    let SearchRequest { query, .. } = request.clone();
    let (counts, exit) = query::run(query, env, console, move |work| {
        let counts = search(&request, work)?;
        Ok((counts.clone(), counts))
    })
    .await?;
    if counts.chosen == 0 && counts.events > 0 {
        let read = group_digits(counts.events);
        console.notice(format!("no event fits, of {read} that were read"));
    } else if counts.events == 0 && exit == Exit::Done {
        console.notice("there was no event to read");
    }
    Ok(exit)
}

/// Prints the view of `inputs` for DuckDB.
fn print_view(inputs: &[EventInput]) -> Result<Exit, AppError> {
    let mut files = Vec::new();
    for input in inputs {
        let EventInput::File(path) = input else {
            return Err(AppError::new(
                Exit::Usage,
                "a view needs files, not objects or standard input",
            )
            .hint("name files or folders of saved events"));
        };
        let mut found = saved::find_files(path);
        if let Some((path, error)) = found.unreadable.pop() {
            let what = format!("cannot read `{}`", path.display());
            return Err(AppError::new(Exit::Incomplete, what)
                .because(&error)
                .hint("check the name, and that this user may read it"));
        }
        for file in found.files {
            let name = file.to_str().filter(|name| !name.contains('\\'));
            let name = name.map(str::to_owned).ok_or_else(|| {
                let what = format!("SQL cannot name the file `{}`", file.display());
                let why = "DuckDB reads no name with a backslash, or with other bytes than UTF-8";
                AppError::new(Exit::Usage, format!("{what}: {why}")).hint("rename the file")
            })?;
            files.push(name);
        }
    }
    stdout::print(&search::duckdb_view(&files))?;
    Ok(Exit::Done)
}

fn search(request: &SearchRequest, work: QueryWork<'_>) -> Result<QueryCounts, AppError> {
    let QueryWork { query, taxonomy, report, is_stopped, .. } = work;
    let format = match (&request.format, request.is_count) {
        (_, true) => EventFormat::Count,
        (SearchFormat::Table(style), _) => EventFormat::Table(EventTable::new(*style)),
        (SearchFormat::Lines(format), _) => {
            EventFormat::Lines(Box::new(FormatLines::new(query, taxonomy.clone(), *format)))
        }
        (SearchFormat::Csv { columns, is_visible }, _) => {
            EventFormat::Csv(CsvRows::new(columns.clone(), *is_visible))
        }
    };
    let mut printer = EventPrinter {
        format,
        text: Vec::new(),
        sink: StdoutSink::new(Compression::None),
        left: request.limit.unwrap_or(u64::MAX),
        unshown: Vec::new(),
    };
    let mut sorter = TimeSorter::new(request.is_reversed, request.limit);
    let prints_at_once = request.is_unsorted || request.is_count;
    // Both write to it, one after the other.
    let printer_cell = std::cell::RefCell::new(&mut printer);
    let wait = || match is_stopped() {
        true => Err(query::interrupted()),
        false => printer_cell.borrow_mut().flush(),
    };
    let counts = search::choose_events(query, taxonomy, report, wait, |event| {
        if prints_at_once {
            return printer_cell.borrow_mut().print(&event.doc);
        }
        sorter.push(event.time, event.doc.text()).map_err(|error| sort_error(&error))?;
        Ok(NextStep::Continue)
    })?;
    let mut sorted = sorter.finish().map_err(|error| sort_error(&error))?;
    while let Some(line) = sorted.next().map_err(|error| sort_error(&error))? {
        // It was one before it was sorted.
        let text = String::from_utf8_lossy(&line).into_owned();
        if let Ok(doc) = Document::parse(text.into()) {
            printer.print(&doc)?;
        }
        if is_stopped() {
            return Err(query::interrupted());
        }
    }
    printer.finish(&counts)?;
    match printer.unshown.first() {
        None => Ok(counts),
        Some(why) => {
            let count = counted(printer.unshown.len() as u64, "event");
            Err(AppError::new(Exit::Incomplete, format!("{count} cannot be shown in this format"))
                .because(why)
                .hint("the others were; show these as they are saved with `--format normalized`"))
        }
    }
}

/// How events are printed.
enum EventFormat {
    Table(EventTable),
    Lines(Box<FormatLines>),
    Csv(CsvRows),
    /// Only their number, at the end.
    Count,
}

struct EventPrinter {
    format: EventFormat,
    /// What is not printed yet.
    text: Vec<u8>,
    sink: StdoutSink,
    /// How many more events may be printed.
    left: u64,
    /// Why events cannot be shown in the format.
    unshown: Vec<UnusableLine>,
}

impl EventPrinter {
    fn print(&mut self, event: &Document) -> Result<NextStep, AppError> {
        if self.left == 0 {
            return Ok(NextStep::Stop);
        }
        self.left -= 1;
        match &mut self.format {
            EventFormat::Table(table) => {
                let mut rows = String::new();
                table.push(event, &mut rows);
                self.text.extend_from_slice(rows.as_bytes());
            }
            EventFormat::Lines(lines) => {
                self.unshown.extend(lines.append(event, &mut self.text).err());
            }
            EventFormat::Csv(rows) => {
                rows.append_head(&mut self.text);
                rows.append(event, &mut self.text);
            }
            EventFormat::Count => {}
        }
        if self.text.len() >= BATCH_BYTES {
            self.write()?;
        }
        Ok(if self.left == 0 { NextStep::Stop } else { NextStep::Continue })
    }

    /// Prints what there is, since the next event may be long in coming.
    fn flush(&mut self) -> Result<(), AppError> {
        if let EventFormat::Table(table) = &mut self.format {
            let mut rows = String::new();
            table.flush(&mut rows);
            self.text.extend_from_slice(rows.as_bytes());
        }
        self.write()
    }

    fn finish(&mut self, counts: &QueryCounts) -> Result<(), AppError> {
        match &mut self.format {
            EventFormat::Count => self.text.extend(format!("{}\n", counts.chosen).into_bytes()),
            EventFormat::Csv(rows) => rows.append_head(&mut self.text),
            EventFormat::Table(_) | EventFormat::Lines(_) => {}
        }
        self.flush()
    }

    fn write(&mut self) -> Result<(), AppError> {
        if !self.text.is_empty() {
            self.sink.append(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }
}

fn sort_error(error: &io::Error) -> AppError {
    AppError::new(Exit::Output, "cannot write the temporary file that events are sorted in")
        .because(error)
        .hint("TMPDIR names the folder that it is created in; `--unsorted` needs none")
}
