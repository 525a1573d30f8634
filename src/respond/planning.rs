//! Makes a plan of what is read, and finds the steps of one that still counts.

use super::account_state::{PlanOptions, ResponseSubject};
use super::guards::{GuardRefusal, guard};
use super::org_access::{LookupError, OrgAccess};
use super::response_plan::{PlannedRequest, ResponsePlan};
use crate::config::respond::{RespondSettings, ResponseAction};
use crate::http::client::Transport;
use crate::model::time::Timestamp;
use crate::source::org_account::WriteStep;

/// Why there is no plan, or why one does not count any more.
#[derive(Debug)]
pub enum PlanRefusal {
    /// The account or key cannot be read, or is not one.
    Lookup(LookupError),
    /// A guard refuses it.
    Guard(GuardRefusal),
    /// What the plan says is not so any more.
    Changed(String),
}

impl From<LookupError> for PlanRefusal {
    fn from(error: LookupError) -> PlanRefusal {
        PlanRefusal::Lookup(error)
    }
}

impl From<GuardRefusal> for PlanRefusal {
    fn from(refusal: GuardRefusal) -> PlanRefusal {
        PlanRefusal::Guard(refusal)
    }
}

/// What a plan is made for.
pub struct PlanInput<'a> {
    /// The source whose second credential is used.
    pub source: &'a str,
    /// What the configuration says.
    pub settings: &'a RespondSettings,
    /// What is to be done.
    pub action: ResponseAction,
    /// To whom, as it was typed.
    pub named: &'a str,
    /// What a person added.
    pub options: &'a PlanOptions,
}

/// Reads the account or key, and makes the plan and its steps: none, where it is so already.
///
/// # Errors
/// Something cannot be read, or a guard refuses.
pub async fn make_plan<T: Transport>(
    access: &OrgAccess<T>,
    input: &PlanInput<'_>,
    now: Timestamp,
) -> Result<(ResponsePlan, Vec<WriteStep>), PlanRefusal> {
    let PlanInput { source, settings, action, named, options } = *input;
    let subject = access.subject(action, named).await?;
    if matches!(&subject, ResponseSubject::Key(state) if state.key.is_none()) {
        return Err(LookupError::NotOne(0).into());
    }
    guard(action, &subject, options, settings)?;
    let steps = subject.steps(action, options);
    let requests = steps.iter().map(|step| PlannedRequest::of(&access.request(step)));
    let server = access.server();
    let of = (source, access.org_id(), server.as_str());
    let plan = ResponsePlan::new(of, action, (named, &subject), options, requests.collect(), now);
    Ok((plan, steps))
}

/// The steps of `plan`, if the same plan comes out of what is read now. The account is found by its
/// id: an address may be another one's by now.
///
/// # Errors
/// It does not, something cannot be read, or a guard refuses.
pub async fn steps_of_plan<T: Transport>(
    access: &OrgAccess<T>,
    settings: &RespondSettings,
    plan: &ResponsePlan,
    now: Timestamp,
) -> Result<Vec<WriteStep>, PlanRefusal> {
    let input = PlanInput {
        source: &plan.source,
        settings,
        action: plan.action,
        named: &plan.subject_id,
        options: &plan.options,
    };
    let (later, steps) = make_plan(access, &input, now).await?;
    match plan.difference(&later) {
        None => Ok(steps),
        Some(difference) => Err(PlanRefusal::Changed(difference)),
    }
}
