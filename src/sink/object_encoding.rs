//! Makes objects of lines that waited for it.

use std::io::{self, BufRead as _, BufReader};

use bytes::Bytes;

use crate::columnar::FilePartitions;
#[cfg(feature = "parquet")]
use crate::columnar::TableSet;
use crate::config::path_template::is_one_file;
use crate::config::settings::{Compression, Encoding, OutputPath, OutputSettings};
use crate::model::json::Document;
use crate::model::time::Timestamp;
use crate::objects::{ObjectForm, PendingObject, WaitingLines};
use crate::sink::location::expand;
use crate::sink::pack::LineEncoder;
use crate::time_sorter::TimeSorter;

/// What objects are made of by `settings`; `None` where these name no objects.
pub fn form_of(settings: &OutputSettings) -> Option<ObjectForm> {
    let OutputPath::Object(template) = &settings.path else {
        return None;
    };
    let mut stem = template.as_str();
    while let Some(shorter) = ENDINGS.into_iter().find_map(|ending| stem.strip_suffix(ending)) {
        stem = shorter;
    }
    Some(ObjectForm {
        template: stem.to_owned(),
        format: settings.format,
        encoding: settings.encoding,
        compression: settings.compression,
    })
}

/// What the names of objects end with: it follows the number.
const ENDINGS: [&str; 5] = [".jsonl", ".json", ".gz", ".zst", Encoding::PARQUET_SUFFIX];

/// The objects of these lines. `number` and `mark` stand in their names; `now` is what `%Y` means.
///
/// # Errors
/// A line is no event, or an event does not fit its table; a temporary file cannot be written.
pub fn objects_of(
    lines: &WaitingLines,
    number: u64,
    mark: &str,
    now: Timestamp,
) -> io::Result<Vec<PendingObject>> {
    let form = &lines.form;
    let ending = match form.encoding {
        Encoding::Parquet => Encoding::PARQUET_SUFFIX.to_owned(),
        Encoding::JsonLines => format!(".jsonl{}", form.compression.suffix()),
    };
    let template = format!("{}-{number:012}-{mark}{ending}", expand(&form.template, now));
    match form.encoding {
        Encoding::Parquet => tables_of(lines, template),
        Encoding::JsonLines if is_one_file(&template) => {
            Ok(vec![PendingObject { url: template, content: packed(lines)? }])
        }
        Encoding::JsonLines => partitions_of(lines, template),
    }
}

/// All lines, packed as their form says.
fn packed(lines: &WaitingLines) -> io::Result<Bytes> {
    if lines.form.compression == Compression::Zstd {
        return Ok(lines.frames.concat().into());
    }
    let mut buffer = ObjectBuffer::new(String::new(), lines.form.compression);
    for_each_line(lines, |line| buffer.push(line))?;
    Ok(buffer.finish()?.content)
}

/// An object for each day and class, sorted by time.
fn partitions_of(lines: &WaitingLines, template: String) -> io::Result<Vec<PendingObject>> {
    let mut partitions = FilePartitions::of(lines.form.format, template)?;
    let mut sorter = TimeSorter::new(false, None);
    for_each_line(lines, |line| {
        let text = line.to_vec().try_into().map_err(io::Error::other)?;
        let event = Document::parse(text).map_err(io::Error::other)?;
        let place = partitions.place_of(event.root())?;
        sorter.push_to_group(place.partition, place.time, line)
    })?;
    let mut sorted = sorter.finish()?;
    let mut objects = Vec::new();
    let mut current: Option<(u32, ObjectBuffer)> = None;
    while let Some((partition, line)) = sorted.next_of_groups()? {
        let mut buffer = match current.take() {
            Some((open, buffer)) if open == partition => buffer,
            other => {
                if let Some((_, whole)) = other {
                    objects.push(whole.finish()?);
                }
                let url = partitions.file(partition)?.path.clone();
                ObjectBuffer::new(url, lines.form.compression)
            }
        };
        buffer.push(&line)?;
        current = Some((partition, buffer));
    }
    if let Some((_, whole)) = current {
        objects.push(whole.finish()?);
    }
    Ok(objects)
}

#[cfg(feature = "parquet")]
fn tables_of(lines: &WaitingLines, template: String) -> io::Result<Vec<PendingObject>> {
    let mut tables = TableSet::new(lines.form.format, template)?;
    for_each_line(lines, |line| tables.push(line))?;
    let mut objects = Vec::new();
    let create = |url: &str| Ok(ObjectBuffer::new(url.to_owned(), Compression::None));
    tables.write_files(create, |buffer| {
        objects.push(buffer.finish()?);
        Ok(())
    })?;
    Ok(objects)
}

#[cfg(not(feature = "parquet"))]
fn tables_of(_: &WaitingLines, _: String) -> io::Result<Vec<PendingObject>> {
    let what = "events wait to become Parquet, and this atlaudit was built without it";
    Err(io::Error::other(what))
}

fn for_each_line(
    lines: &WaitingLines,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let frames = lines.frames.concat();
    let mut reader = BufReader::new(zstd::Decoder::new(frames.as_slice())?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        take(line.strip_suffix(b"\n").unwrap_or(&line))?;
        line.clear();
    }
    Ok(())
}

/// An object that is being made.
struct ObjectBuffer {
    url: String,
    packer: LineEncoder,
    content: Vec<u8>,
}

impl ObjectBuffer {
    fn new(url: String, compression: Compression) -> ObjectBuffer {
        ObjectBuffer { url, packer: LineEncoder::in_memory(compression), content: Vec::new() }
    }

    fn push(&mut self, line: &[u8]) -> io::Result<()> {
        for part in [line, b"\n"] {
            self.content.extend_from_slice(self.packer.encode(part)?);
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<PendingObject> {
        self.content.extend_from_slice(self.packer.finish_frame()?);
        Ok(PendingObject { url: self.url, content: self.content.into() })
    }
}

#[cfg(feature = "parquet")]
impl io::Write for ObjectBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
