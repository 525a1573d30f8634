//! Owns the meaning of a Data Center's audit event's fields (auditing REST API 1.0).

use crate::model::event::Event;
use crate::model::record::Record;
use crate::normalise::Origin;

/// Fills `event` with what `record` says.
pub fn fill<'a>(_event: &mut Event<'a>, _record: &'a Record, _origin: &Origin) {}
