//! The admin APIs of an organization: directories and users, domains, policies, credentials.

mod credentials;
mod directory;
mod directory_data;
mod endpoint;
mod paging;
mod read_context;
mod reads;
mod tasks;
mod user_management;
mod users;
mod write_events;
mod writes;

pub use directory::OrgDirectory;
pub use directory_data::compose_directory;
pub use endpoint::{AdminEndpoint, EndpointAccess};
pub use user_management::scope_required;

use super::{
    ORG_ID,
    reply::{self, ApiReply},
    request::ParsedRequest,
    server_state::ServerState,
};
use read_context::ReadContext;

/// The reply of an endpoint of the admin APIs.
pub fn answer(
    state: &mut ServerState,
    request: &ParsedRequest,
    endpoint: AdminEndpoint,
) -> ApiReply {
    let is_of_org = !request.path.starts_with("/users/");
    if is_of_org && !request.path.split('/').any(|segment| segment == ORG_ID) {
        return reply::UNKNOWN_ORG.into();
    }
    state.seed_directory();
    if endpoint.is_write() {
        return writes::answer(state, request, endpoint);
    }
    if endpoint == AdminEndpoint::PolicyTask {
        return tasks::poll(state, request);
    }
    let is_stale = state.count_stale_read();
    let context = ReadContext {
        behaviour: &state.behaviour,
        directory: match &state.stale_directory {
            Some((stale, _)) if is_stale => stale,
            _ => &state.directory,
        },
        request,
        base_url: &state.base_url,
    };
    reads::answer(&context, endpoint)
}
