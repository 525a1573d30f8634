//! Requests the list of all actions that the API of a source knows, and compares it with the table
//! of actions.

use std::collections::HashSet;

use crate::collect::connector::ApiClient;
use crate::http::failure::{Failure, FailureKind};
use crate::normalise::taxonomy::{ExplainedAction, MeaningBasis, Taxonomy};
use crate::source::event_actions::{self, EventActionList, ListedAction};

/// Parts of a list that are read at most. No list with parts has been seen.
const MAX_PARTS: usize = 100;

/// The actions that an API lists, in its order, each once and with what it is taken to mean.
#[derive(Debug)]
pub struct ActionCatalogue(pub Vec<(ListedAction, ExplainedAction)>);

impl ActionCatalogue {
    /// Requests the whole list.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub async fn fetch(
        api: &ApiClient,
        list: &EventActionList,
        taxonomy: &Taxonomy,
    ) -> Result<ActionCatalogue, Failure> {
        let (mut actions, mut seen) = (Vec::new(), HashSet::new());
        let mut request = list.request(None);
        for _ in 0..MAX_PARTS {
            let (part, next) = api.request(&request, event_actions::read).await?;
            actions.extend(part.into_iter().filter(|action| seen.insert(action.id.clone())));
            let Some(next) = next else {
                let rows = actions.iter().map(|action: &ListedAction| taxonomy.row_of(&action.id));
                let rows: Vec<ExplainedAction> = rows.collect();
                return Ok(ActionCatalogue(actions.into_iter().zip(rows).collect()));
            };
            request = list.request(Some(&next));
        }
        let message = format!("the list of actions does not end within {MAX_PARTS} parts");
        Err(Failure::of_contents(FailureKind::Unreadable, &request, &message))
    }

    /// The ids of the actions of which `basis` says what they mean.
    pub fn ids(&self, basis: MeaningBasis) -> Vec<&str> {
        let actions = self.0.iter().filter(|(_, row)| row.basis == basis);
        actions.map(|(action, _)| action.id.as_str()).collect()
    }

    /// `577 in the catalogue, 12 in no row (9 understood by their words, 3 not)`
    pub fn summary(&self) -> String {
        let [by_words, not] =
            [MeaningBasis::Rule, MeaningBasis::Nothing].map(|it| self.ids(it).len());
        let (total, unknown) = (self.0.len(), by_words + not);
        match unknown {
            0 => format!("{total} in the catalogue, each in a row of the table"),
            _ => format!(
                "{total} in the catalogue, {unknown} in no row ({by_words} understood by their \
                 words, {not} not)"
            ),
        }
    }
}
