//! What the page takes from an event: every part may be missing, or be something else.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use maud::{Markup, html};

use super::text::{
    EntityLabel, TableColumn, TruncatedText, or_dash, table_row, text, time as time_text,
};
use crate::model::json::{Document, Node};
use crate::model::meaning::{Category, Outcome};
use crate::model::text::group_digits;
use crate::model::time::{Timestamp, parse_api_time};

/// A kind of administrative change.
#[derive(Debug)]
pub struct ChangeKind {
    /// The category of such events; none where their action says what they are.
    category: Option<Category>,
    /// What such changes are of.
    pub title: &'static str,
    /// Whether it is listed apart: it opens a way in, or takes data out.
    pub is_sensitive: bool,
}

const fn change_kind(
    category: Option<Category>,
    title: &'static str,
    is_sensitive: bool,
) -> ChangeKind {
    ChangeKind { category, title, is_sensitive }
}

/// Where [`CHANGE_KINDS`] has the acts of someone as someone else.
const IMPERSONATION: usize = 0;

/// The kinds of administrative changes, in the order of the page.
pub const CHANGE_KINDS: [ChangeKind; 9] = [
    change_kind(None, "Impersonation", true),
    change_kind(Some(Category::Token), "Tokens", true),
    change_kind(Some(Category::DataExport), "Data exports", true),
    change_kind(Some(Category::Account), "Accounts", false),
    change_kind(Some(Category::Group), "Groups", false),
    change_kind(Some(Category::Permission), "Permissions", false),
    change_kind(Some(Category::App), "Apps", false),
    change_kind(Some(Category::Policy), "Policies", false),
    change_kind(Some(Category::Configuration), "Configuration", false),
];

/// Words in the action of someone who becomes someone else.
const IMPERSONATION_WORDS: [&str; 2] = ["logged_in_as", "impersonat"];
/// Words in the action of an attempt to log in.
const LOGIN_WORDS: [&str; 8] = [
    "login",
    "log_in",
    "logged_in",
    "logon",
    "sign_in",
    "signed_in",
    "authentication",
    "session_started",
];

/// Targets that are searched for apps.
const MAX_TARGETS: usize = 20;

/// The columns of a table of events.
pub const EVENT_COLUMNS: [TableColumn; 8] = [
    ("Time (UTC)", "t"),
    ("Actor", "d"),
    ("Action", "d"),
    ("Target", "d"),
    ("Address", "d a"),
    ("Country", "d"),
    ("Outcome", "o"),
    ("Message", "d m"),
];

/// The source that events are of.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportSource<'a> {
    /// Which of the sources, from 0.
    pub index: usize,
    /// Its name, where there are several.
    pub label: Option<&'a str>,
    /// Keeps the actors of servers apart that number their users for themselves.
    pub realm: Option<&'a str>,
}

/// A value of an event.
#[derive(Debug, Clone)]
pub struct CountedValue<'a> {
    /// What it is counted by.
    pub key: TruncatedText<'a>,
    /// How it is shown.
    pub label: EntityLabel<'a>,
}

impl<'a> CountedValue<'a> {
    /// A value that is its own label.
    pub fn plain(text: TruncatedText<'a>) -> CountedValue<'a> {
        let label = EntityLabel { name: text.clone(), note: None, has_name: true };
        CountedValue { key: text, label }
    }

    /// The same, kept beyond the event that it is of.
    pub fn into_owned(self) -> CountedValue<'static> {
        CountedValue { key: self.key.into_owned(), label: self.label.into_owned() }
    }
}

/// The object that `line` holds, if it holds one.
pub fn event_object(line: Bytes) -> Option<Document> {
    let text = ByteString::try_from(line).ok()?;
    let doc = Document::parse(text).ok()?;
    doc.root().is_object().then_some(doc)
}

/// The parts of an event, found in one walk over it.
#[derive(Clone, Copy)]
pub struct ReportEvent<'a> {
    time: Option<Node<'a>>,
    action: Option<Node<'a>>,
    category: Option<Node<'a>>,
    outcome: Option<Node<'a>>,
    message: Option<Node<'a>>,
    actor: Option<Node<'a>>,
    targets: Option<Node<'a>>,
    client: Option<Node<'a>>,
    labels: Option<Node<'a>>,
}

impl<'a> ReportEvent<'a> {
    /// The event that an object is.
    pub fn of(object: &'a Document) -> ReportEvent<'a> {
        let [time, action, category, outcome, message, actor, targets, client, labels] =
            object.root().fields([
                "time", "action", "category", "outcome", "message", "actor", "targets", "client",
                "labels",
            ]);
        ReportEvent { time, action, category, outcome, message, actor, targets, client, labels }
    }

    /// When it happened.
    pub fn time(&self) -> Option<Timestamp> {
        parse_api_time(&self.time?.text()?)
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        let is = |known: &Outcome| self.outcome.is_some_and(|outcome| outcome.is(known.as_str()));
        [Outcome::Success, Outcome::Failure].into_iter().find(is).unwrap_or(Outcome::Unknown)
    }

    fn has_category(&self, wanted: Category) -> bool {
        self.category.is_some_and(|category| category.is(wanted.as_str()))
    }

    fn has_word(&self, words: &[&str]) -> bool {
        let action = self.action.and_then(Node::text);
        action.is_some_and(|action| words.iter().any(|word| action.contains(word)))
    }

    /// Which of [`CHANGE_KINDS`] it is of.
    pub fn change_kind(&self) -> Option<usize> {
        let category = self.category?;
        if category.is(Category::Authentication.as_str()) {
            return self.has_word(&IMPERSONATION_WORDS).then_some(IMPERSONATION);
        }
        let is = |kind: &ChangeKind| kind.category.is_some_and(|known| category.is(known.as_str()));
        CHANGE_KINDS.iter().position(is)
    }

    /// Whether it is an attempt to log in of which it is known how it ended.
    pub fn is_login(&self) -> bool {
        self.has_category(Category::Authentication)
            && self.outcome() != Outcome::Unknown
            && self.has_word(&LOGIN_WORDS)
            && !self.has_word(&IMPERSONATION_WORDS)
    }

    /// What was done.
    pub fn action(&self) -> Option<TruncatedText<'a>> {
        self.action?.scalar().map(TruncatedText::name)
    }

    /// The address that it came from.
    pub fn address(&self) -> Option<TruncatedText<'a>> {
        self.client?.scalar_of("ip").map(TruncatedText::name)
    }

    /// The country of that address: its name, counted by its code.
    pub fn country(&self) -> Option<CountedValue<'a>> {
        let [name, code] = scalars(self.client?, ["country", "country_code"]);
        let label = entity_label([&name, &code, &None, &None], [])?;
        let key = TruncatedText::name(code.or(name)?);
        Some(CountedValue { key, label })
    }

    /// The token that it was done with.
    pub fn token(&self) -> Option<CountedValue<'a>> {
        let auth = self.actor?.get("auth")?;
        let [id, label] = scalars(auth, ["token_id", "token_label"]);
        let shown = entity_label([&label, &id, &None, &None], [&id])?;
        Some(CountedValue { key: TruncatedText::name(id.or(label)?), label: shown })
    }

    /// The apps that it was done by, through and to, each once. Sources agree on their names only.
    pub fn apps(&self) -> Vec<CountedValue<'a>> {
        let targets = self.targets.into_iter().flat_map(Node::items).take(MAX_TARGETS);
        let is_app = |node: &Node<'_>| node.get("type").is_some_and(|kind| kind.is("app"));
        let through = self.labels.and_then(|labels| labels.scalar_of("actorApp"));
        // A person who acts through an app is no app, though the actor has that type.
        let actor = self.actor.filter(|_| through.is_none());
        let named = actor.into_iter().chain(targets).filter(is_app).filter_map(|node| {
            let [id, name] = scalars(node, ["id", "name"]);
            entity_label([&name, &id, &None, &None], [])
        });
        let through = entity_label([&through, &None, &None, &None], []);
        let mut apps: Vec<CountedValue<'_>> = Vec::new();
        for label in named.chain(through) {
            if apps.iter().all(|app| app.key != label.name) {
                apps.push(CountedValue { key: label.name.clone(), label });
            }
        }
        apps
    }

    /// Whose login it is, in this realm: where nobody in particular did it, the account that it is
    /// of.
    pub fn login_subject(&self, realm: Option<&str>) -> Option<CountedValue<'a>> {
        let kind = self.actor.and_then(|actor| actor.text_of("type"));
        if !matches!(kind.as_deref(), None | Some("system" | "anonymous")) {
            return self.actor(realm);
        }
        let mut targets = self.targets.into_iter().flat_map(Node::items).take(MAX_TARGETS);
        let account = targets.find(|node| node.get("type").is_some_and(|kind| kind.is("user")));
        account.and_then(|account| person(account, realm)).or_else(|| self.actor(realm))
    }

    /// Who did it, in this realm.
    pub fn actor(&self, realm: Option<&str>) -> Option<CountedValue<'a>> {
        person(self.actor?, realm)
    }

    /// Its row in a table of events; `source` is the label of its source.
    pub fn row(&self, source: Option<&str>) -> Markup {
        let mut targets = self.targets.into_iter().flat_map(Node::items);
        let target = targets.next().and_then(|target| {
            let [kind, id, name, email] = scalars(target, ["type", "id", "name", "email"]);
            entity_label([&name, &email, &id, &kind], [&kind])
        });
        let more_targets = targets.count() as u64;
        let outcome = self.outcome();
        let message = self.message.and_then(Node::scalar).map(TruncatedText::sentence);
        let cells = [
            or_dash(self.time().map(time_text)),
            or_dash(self.actor(None).map(|actor| actor.label)),
            html! {
                (or_dash(self.action().map(|action| action.with_breaks())))
                @if let Some(label) = source { small class="note" { (text(label)) } }
            },
            html! {
                (or_dash(target))
                @if more_targets > 0 {
                    small class="note" { "and " (group_digits(more_targets)) " more" }
                }
            },
            or_dash(self.address()),
            or_dash(self.country().map(|country| country.label)),
            or_dash((outcome != Outcome::Unknown).then(|| outcome.as_str())),
            or_dash(message),
        ];
        let kind = self.change_kind().and_then(|kind| CHANGE_KINDS.get(kind));
        let class = match outcome {
            Outcome::Failure => Some("failed"),
            _ => kind.is_some_and(|kind| kind.is_sensitive).then_some("hot"),
        };
        table_row(class, &EVENT_COLUMNS, &cells)
    }
}

fn person<'a>(node: Node<'a>, realm: Option<&str>) -> Option<CountedValue<'a>> {
    let [id, name, email, kind] = scalars(node, ["id", "name", "email", "type"]);
    let label = entity_label([&name, &email, &id, &kind], [&email, &id])?;
    let own = id.or(email).or(name).or(kind)?;
    let key = match realm {
        None => TruncatedText::name(own),
        Some(realm) => TruncatedText::name([realm, "\n", &own].concat()),
    };
    Some(CountedValue { key, label })
}

fn scalars<'a, const N: usize>(node: Node<'a>, keys: [&str; N]) -> [Option<Cow<'a, str>>; N] {
    node.fields(keys).map(|value| value?.scalar())
}

/// The first of `names` that is known, and the first of `notes` that says more.
fn entity_label<'a, const M: usize>(
    names: [&Option<Cow<'a, str>>; 4],
    notes: [&Option<Cow<'a, str>>; M],
) -> Option<EntityLabel<'a>> {
    let name = names.into_iter().flatten().next()?;
    let note = notes.into_iter().flatten().find(|note| *note != name);
    Some(EntityLabel {
        name: TruncatedText::name(name.clone()),
        note: note.cloned().map(TruncatedText::name),
        has_name: names.first().is_some_and(|first| first.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(line: &str) -> Option<Document> {
        event_object(Bytes::from(line.to_owned()))
    }

    #[test]
    fn any_object_is_an_event() {
        for line in [
            "{}",
            r#"{"time":1,"action":null,"actor":[],"targets":{},"client":"x","outcome":{}}"#,
            r#"{"category":7,"labels":[],"client":{"country":{},"country_code":[]}}"#,
            r#"{"time":"soon","actor":{"id":{},"name":null},"targets":[null,1,{}]}"#,
            r#"{"client":{"ip":[]},"actor":{"auth":{"token_id":{}}},"labels":{"actorApp":[]}}"#,
        ] {
            let object = object(line).unwrap();
            let seen = ReportEvent::of(&object);
            assert_eq!((seen.time(), seen.outcome()), (None, Outcome::Unknown), "{line}");
            assert!(seen.actor(None).is_none() && seen.address().is_none());
            assert!(seen.country().is_none() && seen.token().is_none() && seen.apps().is_empty());
            assert!(seen.login_subject(None).is_none() && !seen.is_login());
            assert_eq!(seen.change_kind(), None);
            let dashes = seen.row(None).into_string().matches('–').count();
            assert_eq!(dashes, EVENT_COLUMNS.len(), "{line}");
        }
        for line in ["", "[]", "null", "{", "{}{}", "\u{feff}{}"] {
            assert!(object(line).is_none(), "{line}");
        }
        assert!(event_object(Bytes::from_static(b"{\"a\":\"\xff\"}")).is_none());
    }

    #[test]
    fn an_actor_is_identified_by_its_id() {
        let actor = |line: &str, realm| {
            let object = object(line).unwrap();
            ReportEvent::of(&object).actor(realm).unwrap().into_owned()
        };
        let mei = actor(r#"{"actor":{"id":7,"name":"Mei"}}"#, None);
        let renamed =
            actor(r#"{"actor":{"id":"7","name":"Mei T.","email":"mei@acme.example"}}"#, None);
        assert_eq!(mei.key, renamed.key);
        assert_eq!(mei.label.note, Some(TruncatedText::name("7")));
        assert_eq!(renamed.label.note, Some(TruncatedText::name("mei@acme.example")));
        let elsewhere = actor(r#"{"actor":{"id":"7"}}"#, Some("dc"));
        assert_ne!(mei.key, elsewhere.key);
        assert_eq!(elsewhere.label.note, None);
    }

    #[test]
    fn a_country_is_counted_by_its_code() {
        let country = |client: &str| {
            let object = object(&format!(r#"{{"client":{client}}}"#)).unwrap();
            ReportEvent::of(&object).country().unwrap().into_owned()
        };
        let both = country(r#"{"country":"Netherlands (the)","country_code":"NL"}"#);
        let other = country(r#"{"country":"Netherlands","country_code":"NL"}"#);
        assert_eq!(both.key, other.key);
        assert_eq!(both.label.name, TruncatedText::name("Netherlands (the)"));
        assert_eq!(country(r#"{"country_code":"NL"}"#).label.name, TruncatedText::name("NL"));
        assert_eq!(country(r#"{"country":"Atlantis"}"#).key, TruncatedText::name("Atlantis"));
    }

    #[test]
    fn tokens_and_apps_are_found_where_sources_name_them() {
        let line = r#"{"actor":{"auth":{"type":"api-token","token_id":"t1","token_label":"ci"}}}"#;
        let with_token = object(line).unwrap();
        let token = ReportEvent::of(&with_token).token().unwrap();
        assert_eq!([token.key, token.label.name], ["t1", "ci"].map(TruncatedText::name));
        let apps = |more: &str| {
            let targets = r#"[{"type":"app","id":"9","name":"Bot"},{"type":"app","name":"Bot"},
                {"type":"user","name":"Mei"}]"#;
            let actor = r#"{"type":"app","id":"a1"}"#;
            let line = format!(r#"{{"actor":{actor},"targets":{targets}{more}}}"#);
            let object = object(&line).unwrap();
            let apps = ReportEvent::of(&object).apps();
            apps.into_iter().map(|app| app.key.into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(apps(""), ["a1", "Bot"].map(TruncatedText::name));
        let through = apps(r#","labels":{"actorApp":"ari:app/1"}"#);
        assert_eq!(through, ["Bot", "ari:app/1"].map(TruncatedText::name));
    }

    #[test]
    fn impersonation_is_a_change_and_no_login() {
        for (action, category, outcome, kind, is_login) in [
            ("user_logged_in_as_user", "authentication", "success", Some("Impersonation"), false),
            ("user_impersonated", "authentication", "success", Some("Impersonation"), false),
            ("user_login", "authentication", "success", None, true),
            ("user_login", "authentication", "failure", None, true),
            ("user_login", "authentication", "unknown", None, false),
            ("login_failed", "authentication", "failure", None, true),
            ("secure_administrator_session_started", "authentication", "success", None, true),
            ("user_logout", "authentication", "success", None, false),
            ("auth_policy_reset_sessions", "authentication", "success", None, false),
            ("ts_api_token_creation", "token", "success", Some("Tokens"), false),
            ("export_audit_log", "data_export", "success", Some("Data exports"), false),
            ("login_page_changed", "configuration", "success", Some("Configuration"), false),
            ("page_viewed", "content", "success", None, false),
        ] {
            let line =
                format!(r#"{{"action":"{action}","category":"{category}","outcome":"{outcome}"}}"#);
            let object = object(&line).unwrap();
            let event = ReportEvent::of(&object);
            let found = event.change_kind().map(|kind| CHANGE_KINDS[kind].title);
            assert_eq!((found, event.is_login()), (kind, is_login), "{line}");
        }
    }

    #[test]
    fn a_login_of_nobody_in_particular_is_that_of_the_account() {
        let subject = |actor: &str| {
            let targets = r#"[{"type":"group","id":"g"},{"type":"user","id":"7","name":"Mei"}]"#;
            let line = format!(r#"{{"actor":{actor},"targets":{targets}}}"#);
            let object = object(&line).unwrap();
            ReportEvent::of(&object).login_subject(None).unwrap().label.name.into_owned()
        };
        for (actor, name) in [
            (r#"{"type":"anonymous","id":"-2"}"#, "Mei"),
            (r#"{"type":"system","name":"System"}"#, "Mei"),
            (r#"{"type":"user","name":"Henk"}"#, "Henk"),
        ] {
            assert_eq!(subject(actor), TruncatedText::name(name), "{actor}");
        }
        let alone = object(r#"{"actor":{"type":"anonymous","id":"-2"}}"#).unwrap();
        let alone = ReportEvent::of(&alone).login_subject(None);
        assert_eq!(alone.unwrap().label.name, TruncatedText::name("-2"));
    }
}
