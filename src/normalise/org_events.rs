//! Reads the fields of an organization event (Admin API, Events: `attributes`, `message`).

use crate::model::event::{
    ActorAuth, Event, EventActor, EventClient, EventTarget, EventText, RelatedPerson, TargetParent,
};
use crate::model::json::Node;
use crate::model::record::Record;
use crate::model::time::parse_api_time;
use crate::normalise::fields::{first_text, items, known};
use crate::normalise::people;
use crate::normalise::stated_outcome;
use crate::normalise::taxonomy::Taxonomy;

/// Products that an action can start with.
const PRODUCTS: [&str; 7] =
    ["jira", "confluence", "bitbucket", "loom", "guard_detect", "trello", "compass"];

/// Fills `event` with what `record` says, and returns the node with the client's address.
pub fn fill<'a>(
    event: &mut Event<'a>,
    record: &'a Record,
    taxonomy: &Taxonomy,
) -> Option<EventText<'a>> {
    let [message, attributes] = record.doc.root().fields(["message", "attributes"]);
    event.message = message.and_then(|message| message.text_of("content"));
    let attributes = attributes?;
    let [action, processed, who, context, container, location] =
        attributes.fields(["action", "processedAt", "actor", "context", "container", "location"]);
    if let Some(action) = action.and_then(Node::text) {
        (event.meaning, event.outcome) = taxonomy.meaning(&action);
        event.category = event.meaning.category;
        event.action = action;
    }
    stated_outcome::weigh_context(event, attributes, context);
    event.processed_time = processed.and_then(Node::text).and_then(|text| parse_api_time(&text));
    if let Some(node) = who {
        let app;
        (event.actor, app) = actor(node);
        if let Some(app) = app {
            event.labels.push(("actorApp", app));
        }
    }
    event.targets =
        known(items(context).map(target).chain(items(container).flat_map(targets_of_place)));
    event.product = product(&event.action, &event.actor, &event.targets);
    let [ip, country, region, city, geo] = location?
        .fields(["ip", "countryName", "regionName", "city", "geo"])
        .map(|field| field.and_then(Node::text));
    event.client = EventClient { country, region, city, geo, ..EventClient::default() };
    ip
}

/// The actor, and the app that acted for it.
fn actor(node: Node<'_>) -> (EventActor<'_>, Option<EventText<'_>>) {
    let [id, name, email, auth_node, app, behalf] =
        node.fields(["id", "name", "email", "auth", "app", "onBehalfOf"]);
    let auth = auth_node.map(auth).unwrap_or_default();
    let email = email.and_then(Node::text);
    let id = id.and_then(Node::scalar);
    let app = app.and_then(|app| app.scalar_of("id"));
    let name = name.and_then(Node::text);
    let says = [&id, &name, &email, &auth.kind].map(Option::as_deref);
    let kind = people::actor_kind(says, app.is_some());
    let actor = EventActor {
        kind,
        id,
        name,
        login: None,
        email: address(email),
        auth,
        on_behalf_of: behalf.map(person).unwrap_or_default(),
    };
    (actor, app)
}

fn auth(node: Node<'_>) -> ActorAuth<'_> {
    let [kind, token_id, token_label, token_name] =
        node.fields(["authType", "tokenId", "tokenLabel", "tokenName"]);
    ActorAuth {
        kind: kind.and_then(Node::text),
        token_id: token_id.and_then(Node::scalar),
        token_label: first_text([token_label, token_name]),
    }
}

fn person(node: Node<'_>) -> RelatedPerson<'_> {
    let [id, name, email] = node.fields(["id", "name", "email"]);
    RelatedPerson {
        id: id.and_then(Node::scalar),
        name: name.and_then(Node::text),
        email: address(email.and_then(Node::text)),
    }
}

/// Atlassian puts words such as `Atlassian app` where an address belongs.
fn address(text: Option<EventText<'_>>) -> Option<EventText<'_>> {
    text.filter(|text| people::is_address(text))
}

/// The keys of a thing's address, of an issue at a site, and then of the thing's name, the best
/// first.
const KEYS: [&str; 9] = [
    "email",
    "issueId",
    "issueKeyOrId",
    "name",
    "groupName",
    "siteName",
    "siteHostName",
    "displayName",
    "title",
];

/// An item of `context`.
fn target(node: Node<'_>) -> EventTarget<'_> {
    let (target, _) = target_and_issue(node);
    target
}

/// What an item of `container` names. A site may name an issue as well (seen: `context` empty, and
/// `issueId`, `issueKeyOrId` and the issue's URL with the site): then the issue comes first, since
/// it is what was acted on, and the URL is its.
fn targets_of_place(node: Node<'_>) -> impl Iterator<Item = EventTarget<'_>> {
    let (mut place, issue) = target_and_issue(node);
    let issue = issue_target(issue).map(|issue| EventTarget { url: place.url.take(), ..issue });
    issue.into_iter().chain([place])
}

/// An item of `context` or `container`, and the `issueId` and `issueKeyOrId` among its attributes
/// or beside them. What names a thing differs by its type.
fn target_and_issue(node: Node<'_>) -> (EventTarget<'_>, [Option<Node<'_>>; 2]) {
    let [kind, id, attributes, links, outer_id, outer_key] =
        node.fields(["type", "id", "attributes", "links", "issueId", "issueKeyOrId"]);
    let [email, issue_id, issue_key, names @ ..] =
        attributes.map(|of| of.fields(KEYS)).unwrap_or_default();
    let target = EventTarget {
        kind: kind.and_then(Node::text).map(singular),
        id: id.and_then(Node::scalar),
        name: first_text(names),
        login: None,
        email: address(email.and_then(Node::text)),
        url: links.and_then(|links| links.text_of("alt")).filter(|url| is_web_url(url)),
        parent: TargetParent::default(),
    };
    (target, [issue_id.or(outer_id), issue_key.or(outer_key)])
}

/// The issue with this `issueId` and `issueKeyOrId`.
fn issue_target<'a>([id, key]: [Option<Node<'a>>; 2]) -> Option<EventTarget<'a>> {
    let (id, key) = (id.and_then(Node::scalar), key.and_then(Node::scalar));
    let is_id = |text: &EventText<'_>| text.bytes().all(|byte| byte.is_ascii_digit());
    let (key, other_id) = match key {
        Some(text) if is_id(&text) => (None, Some(text)),
        key => (key, None),
    };
    let id = id.or(other_id);
    let kind = Some(EventText::Borrowed("issue"));
    let is_known = id.is_some() || key.is_some();
    is_known.then(|| EventTarget { kind, id, name: key, ..EventTarget::default() })
}

/// Whether `text` can be shown as a link: no server may put a script there.
fn is_web_url(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
}

/// `users` as `user`: one word for a thing, whichever source names it.
fn singular(kind: EventText<'_>) -> EventText<'_> {
    match &*kind {
        "orgs" => EventText::Borrowed("organization"),
        "policies" => EventText::Borrowed("policy"),
        "directories" => EventText::Borrowed("directory"),
        // Someone without an account yet.
        "invited-user" | "invited-users" => EventText::Borrowed("user"),
        "users" | "groups" | "products" | "sites" | "apps" | "domains" | "roles" | "spaces"
        | "pages" | "projects" | "tokens" => match kind {
            EventText::Borrowed(kind) => {
                EventText::Borrowed(kind.strip_suffix('s').unwrap_or(kind))
            }
            EventText::Owned(mut kind) => {
                kind.pop();
                EventText::Owned(kind)
            }
        },
        _ => kind,
    }
}

/// The product: from the action's first word, else from the product, system or organization that
/// the event is about.
fn product<'a>(
    action: &str,
    actor: &EventActor<'a>,
    targets: &[EventTarget<'a>],
) -> Option<EventText<'a>> {
    let starting = |text: &str| {
        let first = text.as_bytes().first()?.to_ascii_lowercase();
        let begins = |product: &&str| product.as_bytes().first() == Some(&first);
        PRODUCTS.into_iter().filter(begins).find(|product| {
            let (start, rest) = text.split_at_checked(product.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(product) && !rest.starts_with(char::is_alphanumeric)
        })
    };
    let of_kind = |kind: &'static str| {
        targets.iter().filter(move |target| target.kind.as_deref() == Some(kind))
    };
    let named = || of_kind("product").filter_map(|target| target.name.as_deref());
    starting(action)
        .or_else(|| named().find_map(starting))
        .or_else(|| actor.id.as_deref().and_then(starting))
        .or_else(|| of_kind("organization").next().map(|_| "organization"))
        .map(EventText::Borrowed)
}

#[cfg(test)]
mod tests {
    use crate::model::name::SourceKind;
    use crate::normalise::testing::normalised;
    use serde_json::{Value, json};

    fn event(text: &str) -> Value {
        normalised(SourceKind::OrgEvents, text)
    }

    #[test]
    fn a_full_event() {
        let event = event(
            r#"{"id":"e1","type":"events","attributes":{
              "time":"2026-11-20T09:30:00Z","processedAt":"2026-11-20T09:30:01.412Z","action":"user_added_to_group",
              "actor":{"id":"712020:a1","name":"Ada","email":"ada@example.com",
                "auth":{"authType":"api-token","tokenId":"t1","tokenLabel":"ci"},
                "onBehalfOf":{"id":"712020:b2","name":"Bo","email":"bo@example.com"}},
              "context":[{"id":"g1","type":"groups","attributes":{"name":"admins","groupName":"admins"}},
                         {"id":"712020:9c","type":"users","attributes":{"name":"Bo","email":"bo@example.com"}}],
              "container":[{"id":"s1","type":"sites","attributes":{"siteName":"acme","siteHostName":"https://acme.example"}}],
              "location":{"ip":"198.51.100.7","geo":"EU","countryName":"Exampleland","regionName":"","city":"Town"}},
              "message":{"content":"Added Bo to admins","format":"simple"}}"#,
        );
        assert_eq!(
            event,
            json!({
                "schema": "atlaudit/1", "id": "org:e1",
                "source": {"name": "acme", "type": "org-events", "org_id": "org-1", "site": "acme.example"},
                "time": "2026-11-20T09:30:00.000Z", "processed_time": "2026-11-20T09:30:01.412Z",
                "observed_time": "2026-11-21T00:00:00.000Z",
                "action": "user_added_to_group", "category": "group", "outcome": "success",
                "message": "Added Bo to admins",
                "actor": {"type": "user", "id": "712020:a1", "name": "Ada", "email": "ada@example.com",
                    "auth": {"type": "api-token", "token_id": "t1", "token_label": "ci"},
                    "on_behalf_of": {"id": "712020:b2", "name": "Bo", "email": "bo@example.com"}},
                "targets": [
                    {"type": "group", "id": "g1", "name": "admins"},
                    {"type": "user", "id": "712020:9c", "name": "Bo", "email": "bo@example.com"},
                    {"type": "site", "id": "s1", "name": "acme"}],
                "client": {"ip": "198.51.100.7", "country": "Exampleland", "city": "Town", "geo": "EU"}
            })
        );
    }

    #[test]
    fn a_tokens_name_is_its_label_where_it_has_no_other() {
        let label = |auth: &str| {
            let text = format!(
                r#"{{"attributes":{{"action":"user_login","actor":{{"id":"1","auth":{auth}}}}}}}"#
            );
            event(&text)["actor"]["auth"]["token_label"].clone()
        };
        assert_eq!(label(r#"{"tokenName":"ci"}"#), "ci");
        assert_eq!(label(r#"{"tokenName":"ci","tokenLabel":"deploy"}"#), "deploy");
    }

    #[test]
    fn a_system_actor_has_no_address_and_names_the_product() {
        let event = event(
            r#"{"id":"e2","attributes":{"action":"content_restriction_removed",
              "actor":{"id":"confluence","name":"Confluence","email":"Atlassian app","picture":null,"links":{}},
              "context":[],"location":{"ip":"","geo":"EU"}}}"#,
        );
        assert_eq!(
            event["actor"],
            json!({"type": "system", "id": "confluence", "name": "Confluence"})
        );
        assert_eq!(event["product"], "confluence");
        assert_eq!(event["client"], json!({"geo": "EU"}));
        assert_eq!(event.get("targets"), None);
    }

    #[test]
    fn an_issue_that_a_site_names_is_the_target_before_the_site() {
        let targets = |attributes: &str, beside: &str| {
            let text = format!(
                r#"{{"attributes":{{"action":"jira_issue_viewed","context":[],"container":[
                {{"id":"s1","type":"sites","attributes":{{"siteName":"acme"{attributes}}}{beside},
                  "links":{{"alt":"https://acme.example/browse/OPS-7"}}}}]}}}}"#
            );
            event(&text)["targets"].clone()
        };
        let site = json!({"type": "site", "id": "s1", "name": "acme"});
        let url = "https://acme.example/browse/OPS-7";
        let issue = json!({"type": "issue", "id": "10007", "name": "OPS-7", "url": url});
        let pair = r#","issueId":"10007","issueKeyOrId":"OPS-7""#;
        assert_eq!(targets(pair, ""), json!([issue, site]));
        assert_eq!(targets("", pair), json!([issue, site]));
        assert_eq!(targets(r#","issueId":10007,"issueKeyOrId":"OPS-7""#, ""), json!([issue, site]));
        let by_id = json!([{"type": "issue", "id": "10007", "url": url}, site]);
        assert_eq!(targets(r#","issueId":null,"issueKeyOrId":"10007""#, ""), by_id);
        assert_eq!(targets(r#","issueId":"10007","issueKeyOrId":"10007""#, ""), by_id);
        let mut with_url = site.clone();
        with_url["url"] = url.into();
        for none in ["", r#","issueId":null"#, r#","issueId":{},"issueKeyOrId":" ""#] {
            assert_eq!(targets(none, ""), json!([with_url]), "{none}");
        }
    }

    #[test]
    fn an_invited_person_is_a_user() {
        let event = event(
            r#"{"attributes":{"action":"user_invited","context":[{"id":"i1","type":"invited-user",
              "attributes":{"email":"bo@example.com"}}]}}"#,
        );
        assert_eq!(
            event["targets"],
            json!([{"type": "user", "id": "i1", "email": "bo@example.com"}])
        );
    }

    #[test]
    fn equal_targets_are_written_once_in_the_order_of_the_record() {
        let event = |kinds: &str| {
            let items: Vec<_> = kinds
                .chars()
                .map(|id| {
                    format!(r#"{{"type":"orgs","id":"{id}","attributes":{{"name":"A &amp; B"}}}}"#)
                })
                .collect();
            let (context, container) = items.split_at(1);
            let event = event(&format!(
                r#"{{"attributes":{{"action":"x","context":[{}],"container":[{}]}}}}"#,
                context.join(","),
                container.join(",")
            ));
            let targets = event["targets"].as_array().unwrap().clone();
            targets.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<String>()
        };
        assert_eq!(event("abc"), "abc");
        assert_eq!(event("aab"), "ab");
        assert_eq!(event("abacbc"), "abc");
        // More than are compared one by one.
        assert_eq!(event("abcdefghijklmnopqrstuvwxyzabcz"), "abcdefghijklmnopqrstuvwxyz");
    }

    #[test]
    fn the_country_has_a_code_where_its_name_is_known() {
        let client = |country: &str| {
            let event = event(&format!(
                r#"{{"attributes":{{"action":"x","location":{{"countryName":"{country}"}}}}}}"#
            ));
            event["client"].clone()
        };
        for (name, code) in [("Czech Republic", "CZ"), ("Korea, Republic of", "KR"), ("NL", "NL")] {
            assert_eq!(client(name), json!({"country": name, "country_code": code}));
        }
        assert_eq!(client("Exampleland"), json!({"country": "Exampleland"}));
    }

    #[test]
    fn entities_are_decoded_in_names_only() {
        let text = r#"{"attributes":{"action":"x",
          "actor":{"id":"712020:a1","name":"O&#39;Hara &amp; Sons","onBehalfOf":{"name":"&quot;Bo&quot;"}},
          "context":[{"type":"groups","id":"a&amp;b","attributes":{"name":"R&amp;D &lt;x&gt;"}}]},
          "message":{"content":"Added R&amp;D"}}"#;
        let event = event(text);
        assert_eq!(event["actor"]["name"], "O'Hara & Sons");
        assert_eq!(event["actor"]["on_behalf_of"]["name"], "\"Bo\"");
        assert_eq!(
            event["targets"],
            json!([{"type": "group", "id": "a&amp;b", "name": "R&D <x>"}])
        );
        assert_eq!(event["message"], "Added R&amp;D");
    }

    #[test]
    fn only_a_web_address_is_a_targets_url() {
        let url = |links: &str| {
            let item = format!(r#"{{"type":"users","id":"u1","links":{links}}}"#);
            let event = event(&format!(r#"{{"attributes":{{"action":"x","context":[{item}]}}}}"#));
            event["targets"][0].get("url").cloned().unwrap_or_default()
        };
        assert_eq!(url(r#"{"alt":"https://a.example/u"}"#), "https://a.example/u");
        for none in [
            r#"{"alt":"javascript:alert(1)"}"#,
            r#"{"alt":7}"#,
            "[]",
            "null",
            r#"{"self":"https://b"}"#,
        ] {
            assert_eq!(url(none), Value::Null, "{none}");
        }
    }

    #[test]
    fn the_product_is_a_whole_word() {
        let product = |action: &str, more: &str| {
            let text = format!(r#"{{"attributes":{{"action":"{action}"{more}}}}}"#);
            event(&text).get("product").cloned().unwrap_or_default()
        };
        assert_eq!(product("bitbucket_branch_deleted", ""), "bitbucket");
        assert_eq!(product("jirafish_fed", ""), Value::Null);
        let of = |kind: &str, name: &str| {
            format!(r#","container":[{{"type":"{kind}","attributes":{{"name":"{name}"}}}}]"#)
        };
        assert_eq!(product("access_granted", &of("products", "Jira Software")), "jira");
        assert_eq!(product("domain_verified", &of("orgs", "Acme")), "organization");
        assert_eq!(product("domain_verified", &of("sites", "acme")), Value::Null);
    }

    #[test]
    fn nothing_is_invented_for_what_is_missing_or_of_another_type() {
        for text in [
            r#"{"id":"e3","attributes":{"action":"user_login","actor":null,"context":null,"location":null}}"#,
            r#"{"id":"e3","attributes":{"action":"user_login","actor":{},"context":{},"location":[]},"message":"x"}"#,
            r#"{"id":"e3","attributes":{"action":"user_login","actor":7,"context":[null,7,{}],"location":{"ip":" "}}}"#,
            r#"{"id":"e3","attributes":{"action":"user_login","actor":{"id":"","name":"","email":""}},"message":{"content":""}}"#,
        ] {
            let event = event(text);
            let keys: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
            let expected = [
                "action",
                "category",
                "id",
                "observed_time",
                "outcome",
                "schema",
                "source",
                "time",
            ];
            assert_eq!(keys, expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_action_is_unparsed_but_keeps_the_rest() {
        for text in
            ["null", "7", "[]", "{}", r#"{"attributes":[]}"#, r#"{"attributes":{"action":null}}"#]
        {
            assert_eq!(event(text)["action"], "unparsed", "{text}");
        }
        let event = event(
            r#"{"id":"e4","attributes":{"action":7,"actor":{"id":"5b10ac8d82e05b22cc7d4ef5"}}}"#,
        );
        assert_eq!(event["action"], "unparsed");
        assert_eq!(event["actor"]["type"], "user");
    }
}
