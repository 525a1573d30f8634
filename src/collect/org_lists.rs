//! Reads the admin lists of one organization, page after page.

use std::collections::HashSet;

use bytes::Bytes;
use url::Url;

use crate::collect::connector::ApiClient;
use crate::http::client::{HttpClient, Transport};
use crate::http::failure::{Failure, FailureKind};
use crate::http::message::{Request, Response};
use crate::model::json::Document;
use crate::source::admin_lists::{self, AdminList, ListVariant};

/// More entries are no list of an organization: the server goes on for ever.
const MAX_ENTRIES: usize = 2_000_000;

/// The lists of one organization.
#[derive(Clone)]
pub struct OrgLists<T = HttpClient> {
    /// Sends the requests.
    pub api: ApiClient<T>,
    /// What comes before `/admin`.
    pub base_url: Url,
    /// The organization.
    pub org_id: String,
}

impl<T: Transport> OrgLists<T> {
    /// All entries of a list, as they were received.
    ///
    /// # Errors
    /// It cannot be read to its end: nothing of it is returned.
    pub async fn read(&self, list: AdminList) -> Result<Vec<Document>, Failure> {
        let mut variants = list.variants().into_iter();
        let mut refused = None;
        loop {
            let Some(variant) = variants.next() else {
                // The first one is what the documentation names.
                return refused.unwrap_or(Ok(Vec::new()));
            };
            match self.read_pages(|cursor| self.page_request(&variant, cursor)).await {
                Err(failure)
                    if matches!(failure.kind, FailureKind::BadRequest | FailureKind::NotFound) =>
                {
                    refused = refused.or(Some(Err(failure)));
                }
                ended => return ended,
            }
        }
    }

    fn page_request(&self, variant: &ListVariant, cursor: Option<&str>) -> Request {
        variant.request(&self.base_url, &self.org_id, cursor)
    }

    /// The entries of all pages; `request_of` is the request for the page after a cursor.
    async fn read_pages(
        &self,
        request_of: impl Fn(Option<&str>) -> Request,
    ) -> Result<Vec<Document>, Failure> {
        let (mut entries, mut cursors) = (Vec::new(), HashSet::new());
        let mut cursor: Option<String> = None;
        loop {
            let request = request_of(cursor.as_deref());
            let page =
                self.api.request(&request, |it| admin_lists::read_page(&detached(it))).await?;
            entries.extend(page.entries);
            let unreadable =
                |why: &str| Err(Failure::of_contents(FailureKind::Unreadable, &request, why));
            match page.next {
                None => {
                    let missing = page.total.is_some_and(|total| total > entries.len() as u64);
                    return match missing {
                        true => unreadable("the pages hold fewer entries than they say"),
                        false => Ok(entries),
                    };
                }
                Some(_) if entries.len() > MAX_ENTRIES => {
                    return unreadable("the list does not end");
                }
                Some(next) if !cursors.insert(next.clone()) => {
                    return unreadable("a page names one before it as the next");
                }
                Some(next) => cursor = Some(next),
            }
        }
    }

    /// The entries that name the authentication policy of each account.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn policy_members(&self, account_ids: &[String]) -> Result<Vec<Document>, Failure> {
        let mut members = Vec::new();
        for ids in account_ids.chunks(admin_lists::MAX_POLICY_MEMBERS) {
            let request = admin_lists::policy_members_request(&self.base_url, &self.org_id, ids);
            members.extend(
                self.api.request(&request, |it| admin_lists::read_array(&detached(it))).await?,
            );
        }
        Ok(members)
    }

    /// What the policy `id` applies to.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn policy_resources(&self, id: &str) -> Result<Vec<Document>, Failure> {
        let (base_url, org_id) = (&self.base_url, &self.org_id);
        self.read_pages(|cursor| {
            admin_lists::policy_resources_request(base_url, org_id, id, cursor)
        })
        .await
    }
}

/// The same response, without its permit of the memory budget: entries are kept until the whole
/// organization is judged, and the next responses would wait for their permits.
fn detached(response: &Response) -> Response {
    Response { body: Bytes::copy_from_slice(&response.body), ..response.clone() }
}
