//! What the composers of Jira, Confluence and Data Center share: the kinds of records, and how one
//! is drawn.

use fastrand::Rng;

use crate::sandbox::records::SandboxRecord;

/// Composes the records of one log, one after the other. The same seed and the same calls give the
/// same records.
pub trait RecordComposer {
    /// The generator, for what is drawn beside records.
    fn rng(&mut self) -> &mut Rng;

    /// The next record.
    fn compose(&mut self, created_ms: i64) -> SandboxRecord;
}

/// A kind of record.
#[derive(Clone, Copy, Debug)]
pub struct RecordKind {
    /// What happened
    pub summary: &'static str,
    /// Its category
    pub category: &'static str,
    /// How often it happens, relative to the others.
    pub weight: u32,
    /// Type of what it is about.
    pub object: &'static str,
    /// Names that it may have; empty: one of the people.
    pub names: &'static [&'static str],
    /// Name of the changed value; empty: none.
    pub field: &'static str,
    /// What it may have been before and after.
    pub values: &'static [&'static str],
    /// Type of what else it is about; empty: nothing.
    pub associated: &'static str,
}

#[allow(clippy::too_many_arguments, reason = "a row of the table below")]
/// A row of a table.
pub const fn kind(
    summary: &'static str,
    category: &'static str,
    weight: u32,
    object: &'static str,
    names: &'static [&'static str],
    field: &'static str,
    values: &'static [&'static str],
    associated: &'static str,
) -> RecordKind {
    RecordKind { summary, category, weight, object, names, field, values, associated }
}

/// One of `kinds`, each as often as its weight says.
pub fn drawn(kinds: &'static [RecordKind], rng: &mut Rng) -> Option<&'static RecordKind> {
    let total: u32 = kinds.iter().map(|kind| kind.weight).sum();
    let mut draw = rng.u32(..total.max(1));
    kinds.iter().find(|kind| {
        let hit = draw < kind.weight;
        draw = draw.saturating_sub(kind.weight);
        hit
    })
}
