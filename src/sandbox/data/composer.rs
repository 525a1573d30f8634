//! Composes the records of one API, one after the other. The same seed and the same calls give the
//! same records.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::{
    org_event, people, product_records,
    record_table::{RecordTable, distort},
};
use crate::sandbox::{Api, DATACENTER_USER, record_log::SandboxRecord};

/// One event of an organization or a workspace in so many gets an odd shape.
const ODD_EVENT_EVERY: usize = 9;
/// One record of the other APIs in so many.
const ODD_RECORD_EVERY: usize = 6;
/// One Data Center event in so many is a look at the log itself.
const SEARCH_EVERY: usize = 20;
/// A prime: stepping through its residues gives Jira ids that never repeat (below a million) and
/// jump up and down.
const ID_RANGE: usize = 1_000_003;
const ID_STEP: usize = 48_271;

/// The composer.
#[derive(Debug)]
pub struct RecordComposer {
    /// The generator, for what is drawn beside records.
    pub rng: Rng,
    api: Api,
    is_clean: bool,
    composed: usize,
    table: RecordTable,
}

impl RecordComposer {
    /// A composer; a clean one leaves out odd shapes and lateness.
    pub fn new(api: Api, seed: u64, is_clean: bool) -> Self {
        let salt = match api {
            Api::OrgEvents => 0x6f72_672d_6576_7473,
            Api::JiraAudit => 0x6a69_7261_2d61_7564,
            Api::ConfluenceAudit => 0x636f_6e66_6c75_656e,
            Api::DatacenterAudit => 0x6461_7461_2d63_656e,
            Api::JiraWorkspace => 0x6a69_7261_2d77_6f72,
            Api::ConfluenceWorkspace => 0x636f_6e66_2d77_6f72,
        };
        let (rng, table) = (Rng::with_seed(seed ^ salt), RecordTable::of(api));
        Self { rng, api, is_clean, composed: 0, table }
    }

    /// The actions of the records, the incident's among them, each once, and what it is about.
    pub fn actions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let kinds = self.table.kinds().iter();
        let actions: BTreeMap<_, _> = kinds.map(|kind| (kind.name, kind.object)).collect();
        actions.into_iter()
    }

    /// The next record. A late event of an organization or a workspace happened hours before it was
    /// processed.
    pub fn compose(&mut self, created_ms: i64, is_late: bool) -> SandboxRecord {
        self.composed += 1;
        let rng = &mut self.rng;
        if self.api == Api::DatacenterAudit && self.composed.is_multiple_of(SEARCH_EVERY) {
            let user = match rng.bool() {
                true => DATACENTER_USER,
                false => people::random_admin(rng).user_name(),
            };
            let found = rng.u32(..200).to_string();
            return search_performed(created_ms, user, "203.0.113.60", &found);
        }
        let kind = self.table.draw(rng);
        let odd_every = match self.api {
            Api::OrgEvents | Api::JiraWorkspace | Api::ConfluenceWorkspace => ODD_EVENT_EVERY,
            Api::JiraAudit | Api::ConfluenceAudit | Api::DatacenterAudit => ODD_RECORD_EVERY,
        };
        let shape = match !self.is_clean && self.composed.is_multiple_of(odd_every) {
            true => self.table.odd_shape(self.composed / odd_every),
            false => &[],
        };
        let (id, record) = match self.api {
            Api::OrgEvents | Api::JiraWorkspace | Api::ConfluenceWorkspace => {
                let is_late = is_late && !self.is_clean;
                return org_event::compose(self.api, kind, rng, created_ms, is_late, shape);
            }
            Api::JiraAudit => {
                let id = 101 + self.composed * ID_STEP % ID_RANGE;
                (id.to_string(), product_records::jira(kind, rng, id, created_ms))
            }
            Api::ConfluenceAudit => {
                (String::new(), product_records::confluence(kind, rng, created_ms))
            }
            Api::DatacenterAudit => {
                (String::new(), product_records::datacenter(kind, rng, created_ms))
            }
        };
        let text = distort(record, shape).0;
        SandboxRecord { id, created_ms, time_ms: created_ms, text }
    }
}

/// The event that a reading of Data Center's log by `user` is.
pub fn search_performed(created_ms: i64, user: &str, source: &str, found: &str) -> SandboxRecord {
    let search = product_records::datacenter_search(created_ms, user, source, found);
    let text = distort(search, &[]).0;
    SandboxRecord { id: String::new(), created_ms, time_ms: created_ms, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jira_ids_neither_rise_nor_repeat() {
        let mut composer = RecordComposer::new(Api::JiraAudit, 1, true);
        let ids: Vec<usize> =
            (0..500).map(|at| composer.compose(at, false).id.parse().unwrap()).collect();
        assert!(!ids.is_sorted());
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
