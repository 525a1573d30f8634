//! Owns the meaning of a Confluence audit record's fields (Confluence Cloud REST API v1, audit).

use crate::model::event::Event;
use crate::model::record::Record;

/// Fills `event` with what `record` says.
pub fn fill<'a>(_event: &mut Event<'a>, _record: &'a Record) {}
