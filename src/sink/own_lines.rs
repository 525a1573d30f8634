//! Recognizes the lines of events that this program writes, and the beginnings of such lines.

use std::borrow::Cow;

use serde::Deserialize;

use crate::model::name::SourceKind;
use crate::sink::pack::{GZIP_MAGIC, ZSTD_MAGIC, starts_alike};

/// How the formats that name their source begin a line (`render`). A raw line begins in any way.
const NORMALIZED_START: &[u8] = br#"{"schema":"atlaudit/"#;
const OCSF_START: &[u8] = br#"{"class_uid":"#;
const ECS_START: &[u8] = br#"{"@timestamp":""#;
/// What follows the time of an ECS line, which has a fixed width.
const ECS_AFTER_TIME: &[u8] = br#"","ecs":{"version":""#;
const ECS_TIME_WIDTH: usize = "2026-11-20T09:30:00.000Z".len();

/// Returns the name of the source that the whole line is an event of, where its format names one.
pub fn source_of(line: &[u8]) -> Option<String> {
    let normalized = || {
        let event: NormalizedProbe<'_> = serde_json::from_slice(line).ok()?;
        event.source_name()
    };
    let ecs = || {
        let event: EcsProbe<'_> = serde_json::from_slice(line).ok()?;
        event.atlassian.source_name()
    };
    let ocsf = || {
        let event: OcsfProbe<'_> = serde_json::from_slice(line).ok()?;
        let kind = event.metadata.log_name.parse::<SourceKind>();
        kind.ok().map(|_| event.metadata.source.into_owned())
    };
    normalized().or_else(ecs).or_else(ocsf)
}

/// Whether an incomplete line begins as a line of this program does, or holds no text at all: after a power failure a
/// file may end in NUL bytes, or in the first bytes of a compressed file.
pub fn is_own_fragment(line: &[u8]) -> bool {
    let is_ecs = match line.get(ECS_START.len() + ECS_TIME_WIDTH..) {
        Some(after_time) => line.starts_with(ECS_START) && starts_alike(ECS_AFTER_TIME, after_time),
        None => starts_alike(ECS_START, line),
    };
    is_ecs
        || starts_alike(NORMALIZED_START, line)
        || starts_alike(OCSF_START, line)
        || GZIP_MAGIC.starts_with(line)
        || ZSTD_MAGIC.starts_with(line)
        || line.iter().all(|&byte| byte == 0)
}

/// The part of a normalized event that says whose it is. An ECS event has the same in `atlassian`.
#[derive(Deserialize)]
struct NormalizedProbe<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    #[serde(borrow)]
    source: SourceProbe<'a>,
}

impl NormalizedProbe<'_> {
    fn source_name(self) -> Option<String> {
        let is_ours = self.schema.starts_with("atlaudit/");
        is_ours.then(|| self.source.name.into_owned())
    }
}

#[derive(Deserialize)]
struct SourceProbe<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct EcsProbe<'a> {
    #[serde(borrow)]
    atlassian: NormalizedProbe<'a>,
}

#[derive(Deserialize)]
struct OcsfProbe<'a> {
    #[serde(borrow)]
    metadata: MetadataProbe<'a>,
}

#[derive(Deserialize)]
struct MetadataProbe<'a> {
    #[serde(borrow)]
    log_name: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
}
