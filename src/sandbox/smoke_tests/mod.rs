//! The sandbox as a whole, over real connections: walks, refusals and every fault that happens on
//! the wire.

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;

use super::*;

mod admin;
mod admin_writes;
mod confluence;
mod datacenter;
mod faults;
mod paging;
mod refusals;
mod workspace;

const SHORT: Duration = Duration::from_millis(300);

struct SmokeTest {
    sandbox: Sandbox,
    control: SandboxControl,
    client: Client,
}

impl SmokeTest {
    async fn start(data: DataOptions, behaviour: Behaviour) -> Self {
        let sandbox = Sandbox::start(SandboxOptions { port: 0, data, behaviour }).await.unwrap();
        let control = sandbox.control();
        let redirect = reqwest::redirect::Policy::none();
        // An error says that another test has installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().redirect(redirect).build().unwrap();
        Self { sandbox, control, client }
    }

    async fn small() -> Self {
        let data = DataOptions { org_events: 450, jira_records: 120, ..DataOptions::default() };
        Self::start(data, Behaviour::default()).await
    }

    fn org(&self, query: &str) -> reqwest::RequestBuilder {
        let base = self.sandbox.base_url();
        let url = format!("{base}/admin/v1/orgs/{ORG_ID}/events-stream?{query}");
        self.client.get(url).bearer_auth(API_KEY)
    }

    fn jira(&self, query: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/rest/api/3/auditing/record?{query}", self.sandbox.base_url());
        self.client.get(url).basic_auth(JIRA_EMAIL, Some(JIRA_TOKEN))
    }

    fn confluence(&self, query: &str) -> reqwest::RequestBuilder {
        let base = self.sandbox.base_url();
        let request = self.client.get(format!("{base}/wiki/rest/api/audit?{query}"));
        request.basic_auth(JIRA_EMAIL, Some(JIRA_TOKEN))
    }

    async fn confluence_page(&self, query: &str) -> Value {
        json(self.confluence(query).send().await.unwrap()).await
    }

    fn datacenter(&self, query: &str) -> reqwest::RequestBuilder {
        let base = self.sandbox.base_url();
        let url = format!("{base}/dc/rest/auditing/1.0/events?{query}");
        self.client.get(url).bearer_auth(DATACENTER_TOKEN)
    }

    async fn datacenter_page(&self, query: &str) -> Value {
        json(self.datacenter(query).send().await.unwrap()).await
    }

    async fn org_page(&self, query: &str) -> Value {
        json(self.org(query).send().await.unwrap()).await
    }

    /// All ids by following `links.next`, until it is gone or a page is empty.
    async fn walk_org(&self, query: &str) -> Vec<String> {
        let mut page = self.org_page(query).await;
        let mut ids = Vec::new();
        loop {
            let data = page["data"].as_array().unwrap();
            ids.extend(data.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
            let next = page["links"]["next"].as_str().map(str::to_owned);
            let Some(next) = next.filter(|_| !data.is_empty()) else {
                return ids;
            };
            let response = self.client.get(next).bearer_auth(API_KEY).send().await.unwrap();
            page = json(response).await;
        }
    }
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

fn cursor(page: &Value) -> String {
    let next = page["meta"]["next"].as_str().unwrap();
    url::form_urlencoded::byte_serialize(next.as_bytes()).collect()
}
