//! The configuration for SIEMs in `contrib` names fields that events have: Splunk's of normalized
//! events, and the columns of Microsoft Sentinel's own tables of raw records.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::Site;

const PROPS: &str = include_str!("../../contrib/splunk/props.conf");
const EVENT_TYPES: &str = include_str!("../../contrib/splunk/eventtypes.conf");
const TAXONOMY: &str = include_str!("../../src/normalise/taxonomy.tsv");
const TAGS: &str = include_str!("../../contrib/splunk/tags.conf");
const SENTINEL: &str = include_str!("../../contrib/sentinel/vector-raw.yaml");

/// The stanzas of a file of Splunk's, with their settings. A `\` at the end joins two lines.
fn stanzas(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut name = String::new();
    let text = text.replace("\\\n", " ");
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(stanza) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name = stanza.to_owned();
            continue;
        }
        let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
        found.entry(name.clone()).or_default().insert(key.to_owned(), value.to_owned());
    }
    found
}

/// What an expression of `eval` is made of.
#[derive(Debug, Default)]
struct Eval {
    fields: BTreeSet<String>,
    texts: BTreeSet<String>,
}

impl Eval {
    fn parse(text: &str) -> Eval {
        let mut found = Eval::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            if matches!(first, '"' | '\'') {
                let (quoted, after) = rest[1..].split_once(first).unwrap();
                let list = if first == '"' { &mut found.texts } else { &mut found.fields };
                list.insert(quoted.to_owned());
                rest = after;
            } else if is_word(first) {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                let is_field = !after.starts_with('(') && !matches!(word, "AND" | "OR" | "_raw");
                found.fields.extend(is_field.then(|| word.to_owned()));
                rest = after;
            } else {
                rest = &rest[first.len_utf8()..];
            }
        }
        // What `json_extract` takes out of the line.
        let paths = found.texts.iter().filter(|text| text.contains("{"));
        found.fields.extend(paths.cloned().collect::<Vec<_>>());
        found
    }
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../src/render/event.schema.json")).unwrap()
}

/// Whether a normalized event can have this field: `client.ip`, `targets{0}.name`.
fn is_field(schema: &Value, path: &str) -> bool {
    let mut at = schema;
    for step in path.split('.') {
        let (key, is_list) = match step.split_once('{') {
            Some((key, _)) => (key, true),
            None => (step, false),
        };
        let fields = at["properties"].as_object();
        at = match fields.and_then(|fields| fields.get(key)) {
            Some(field) if is_list => &field["items"],
            Some(field) => field,
            // Labels have any name.
            None => return at["additionalProperties"]["type"] == "string",
        };
    }
    !at.is_null()
}

#[test]
fn splunk_uses_fields_that_events_have() {
    let (schema, props) = (schema(), &stanzas(PROPS)["atlaudit"]);
    let mut used = BTreeSet::new();
    for (key, value) in props {
        if key.starts_with("EVAL-") {
            used.extend(Eval::parse(value).fields);
        } else if key.starts_with("FIELDALIAS-") {
            used.insert(value.split_once(" AS ").unwrap().0.to_owned());
        }
    }
    assert!(used.len() > 20, "{used:?}");
    for field in used {
        assert!(is_field(&schema, &field), "{field} is in no event");
    }
    assert!(!is_field(&schema, "client.address") && !is_field(&schema, "targets{0}.mail"));
}

#[test]
fn splunk_fills_what_the_models_of_the_common_information_model_need() {
    let props = &stanzas(PROPS)["atlaudit"];
    let is_alias = |field: &&str| {
        let alias = props.get(&format!("FIELDALIAS-{field}"));
        alias.is_some_and(|value| value.ends_with(&format!(" AS {field}")))
    };
    let needed = [
        "action",
        "app",
        "change_type",
        "dest",
        "object",
        "object_category",
        "object_id",
        "result",
        "src",
        "src_user",
        "status",
        "user",
        "vendor_product",
    ];
    let is_filled = |field: &&str| props.contains_key(&format!("EVAL-{field}")) || is_alias(field);
    let missing: Vec<_> = needed.iter().filter(|field| !is_filled(field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // The values that the models prescribe.
    let texts = Eval::parse(&props["EVAL-action"]).texts;
    for value in ["success", "failure", "created", "deleted", "modified", "read", "acl_modified"] {
        assert!(texts.contains(value), "{value}");
    }
}

#[test]
fn splunk_tags_event_types_of_categories_that_events_have() {
    let (schema, types, tags) = (schema(), stanzas(EVENT_TYPES), stanzas(TAGS));
    let known = schema["properties"]["category"].to_string();
    let actions = Eval::parse(&stanzas(PROPS)["atlaudit"]["EVAL-action"]).texts;
    for (name, settings) in &types {
        let search = settings["search"].replace([',', '(', ')'], " ");
        let mut words = search.split_whitespace();
        assert_eq!(words.next(), Some("sourcetype=atlaudit"), "{name}");
        for word in words.filter(|word| !matches!(*word, "category" | "IN" | "NOT")) {
            match word.split_once('=').unwrap_or(("category", word)) {
                ("category", value) => assert!(known.contains(&format!("\"{value}\"")), "{value}"),
                (field, value) => assert!(field == "action" && actions.contains(value), "{word}"),
            }
        }
    }
    let tagged: BTreeSet<_> =
        tags.keys().map(|key| key.strip_prefix("eventtype=").unwrap()).collect();
    assert_eq!(tagged, types.keys().map(String::as_str).collect());
    let of = |name: &str| tags[&format!("eventtype={name}")].keys().cloned().collect::<Vec<_>>();
    assert_eq!(of("atlaudit_authentication"), ["authentication"]);
    assert_eq!(of("atlaudit_change"), ["change"]);
    assert_eq!(of("atlaudit_account_change"), ["account", "change"]);
}

/// What a term of a condition in `EVAL-action` asks.
enum EvalTerm {
    Matches(Validator),
    Category(String),
    HasOutcome,
    Always,
}

impl EvalTerm {
    fn parse(text: &str) -> EvalTerm {
        let quoted = || text.split('"').nth(1).unwrap().to_owned();
        match text.split_once([' ', '(']).unwrap() {
            // JSON Schema has regular expressions of the same kind.
            ("match", _) => {
                EvalTerm::Matches(jsonschema::validator_for(&json!({"pattern": quoted()})).unwrap())
            }
            ("category", _) => EvalTerm::Category(quoted()),
            ("in", rest) if rest.starts_with("outcome,") => EvalTerm::HasOutcome,
            ("true", _) => EvalTerm::Always,
            _ => panic!("{text}"),
        }
    }

    fn holds(&self, action: &str, category: &str, outcome: &str) -> bool {
        match self {
            EvalTerm::Matches(pattern) => pattern.is_valid(&json!(action)),
            EvalTerm::Category(wanted) => wanted == category,
            EvalTerm::HasOutcome => matches!(outcome, "success" | "failure"),
            EvalTerm::Always => true,
        }
    }
}

/// `EVAL-action`: a branch a line, each with terms of which all of one group must hold.
struct ActionEval(Vec<(Vec<Vec<EvalTerm>>, String)>);

impl ActionEval {
    fn read() -> ActionEval {
        let (_, text) = PROPS.split_once("EVAL-action = case(\\\n").unwrap();
        let (text, _) = text.split_once("\n#").unwrap();
        let branches = text.lines().map(|line| {
            let line = line.trim().trim_end_matches(['\\', ',', ')']);
            let (condition, value) = line.rsplit_once(", ").unwrap();
            let all = |group: &str| group.split(" AND ").map(EvalTerm::parse).collect();
            let groups = condition.split(" OR ").map(all).collect();
            (groups, value.trim_matches('"').to_owned())
        });
        ActionEval(branches.collect())
    }

    fn value(&self, action: &str, category: &str, outcome: &str) -> &str {
        let holds = |term: &EvalTerm| term.holds(action, category, outcome);
        let found =
            self.0.iter().find(|(groups, _)| groups.iter().any(|all| all.iter().all(holds)));
        &found.unwrap().1
    }
}

#[test]
fn splunk_says_created_and_deleted_of_what_begins_and_ceases_to_exist() {
    let eval = ActionEval::read();
    let mut counts = BTreeMap::<&str, usize>::new();
    for row in TAXONOMY.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let cells: Vec<_> = row.split('\t').collect();
        let [action, category, outcome, .., activity, _] = cells[..] else { panic!("{row}") };
        // Both have values of their own.
        if matches!(category, "authentication" | "permission") {
            continue;
        }
        let value = eval.value(action, category, outcome);
        let expected = match activity {
            "Create" | "Install" | "Import" => "created",
            "Delete" | "Remove" => "deleted",
            "Read" | "Search" | "Export" => "read",
            // An access that is no more than a count of calls.
            _ if value == "read" && action.contains("accessed") => "read",
            _ => "modified",
        };
        assert_eq!(value, expected, "{action}, {activity}");
        *counts.entry(value).or_default() += 1;
    }
    assert!(counts.len() == 4 && counts.values().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn splunk_reads_an_action_that_is_in_no_row_by_its_verb() {
    let eval = ActionEval::read();
    for (action, category, value) in [
        ("harbour_chart_created", "configuration", "created"),
        ("jira_created_harbour_chart", "configuration", "created"),
        ("deleted_harbour_chart", "configuration", "deleted"),
        ("harbour_chart_uninstalled", "app", "deleted"),
        ("deleted_harbour_chart_archived", "configuration", "modified"),
        ("harbour_chart_deletion_cancelled", "configuration", "modified"),
        ("harbour_member_removed", "group", "modified"),
        ("harbour_chart_removed_from_pier", "configuration", "modified"),
        ("harbour_charts_viewed", "configuration", "read"),
    ] {
        assert_eq!(eval.value(action, category, "success"), value, "{action}");
    }
}

/// The keys of the records that a transform of the Sentinel configuration sends.
fn columns(transform: &str) -> BTreeSet<String> {
    let (_, block) = SENTINEL.split_once(&format!("\n  {transform}:\n")).unwrap();
    let (block, _) = block.split_once("recursive: false").unwrap();
    let rows = block.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\": ."));
    let columns = rows.map(|(column, key)| {
        assert_eq!(column, key.trim_end_matches(','), "a column has the name of its key");
        column.to_owned()
    });
    columns.collect()
}

#[test]
fn sentinel_gets_the_keys_of_raw_records_and_tells_their_types_apart() {
    let site = Site::of(50, 300).with_all_sources();
    let keys = |name: &str| {
        let run = site.ok(&["pull", name, "--since", "60d", "--format", "raw"]);
        let trees = run.trees();
        assert!(trees.len() >= 40, "{name}: {}", trees.len());
        let keys = trees.iter().flat_map(|tree| tree.as_object().unwrap().keys().cloned());
        keys.collect::<BTreeSet<String>>()
    };
    let names = ["acme", "acme-jira", "acme-confluence", "acme-dc"];
    let [organization, jira, confluence, datacenter] = names.map(keys);
    // The rules have no columns for the first two; the last is the sandbox's own.
    let left_out = BTreeSet::from(["description", "type", "sequence"].map(str::to_owned));
    for (transform, keys) in [
        ("organization_rows", &organization),
        ("jira_rows", &jira),
        ("confluence_rows", &confluence),
    ] {
        let sent = columns(transform);
        assert!(sent.is_subset(keys), "{:?} are no keys", &sent - keys);
        let missing = keys - &sent;
        assert!(missing.is_subset(&left_out), "{transform} leaves out {missing:?}");
    }
    // The keys by which a record is routed.
    for (key, kind) in [("attributes", 0), ("created", 1), ("creationDate", 2)] {
        for (at, keys) in [&organization, &jira, &confluence, &datacenter].into_iter().enumerate() {
            assert_eq!(keys.contains(key), at == kind, "{key} in {at}");
        }
    }
}
