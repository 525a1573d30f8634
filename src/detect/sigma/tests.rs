use serde_json::{Value, json};

use super::*;
use crate::model::json::Document;
use crate::model::time::parse_api_time;
use crate::normalise::{self, RecordOrigin};
use crate::render;
use crate::source;

fn document(event: &Value) -> Document {
    Document::new(event.to_string().into())
}

fn event(kind: &str, rest: Value) -> Document {
    let mut event = json!({"source": {"name": "acme", "type": kind}});
    event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    document(&event)
}

/// The titles of the rules in `rules` that the event matches.
fn titles(rules: &RuleSet, event: &Document) -> Vec<String> {
    let matches = rules.matches(event.root());
    matches.iter().map(|found| rules.rules()[found.rule].title.clone()).collect()
}

fn rule(log_source: &str, detection: &str) -> String {
    format!("title: Rule\nlogsource: {{{log_source}}}\ndetection: {{{detection}}}\n")
}

fn of_atlassian(detection: &str) -> RuleSet {
    RuleSet::of_text(&rule("product: atlassian", detection)).unwrap()
}

fn has_candidate(rules: &RuleSet, action: &str) -> bool {
    !rules.candidates(SourceKind::OrgEvents, action).is_empty()
}

fn assert_matches(detection: &str, fits: &Value, other: &Value) {
    let rules = of_atlassian(detection);
    for (rest, wanted) in [(fits, 1), (other, 0)] {
        let event = event("org-events", rest.clone());
        assert_eq!(titles(&rules, &event).len(), wanted, "{detection}: {rest}");
        let action = rest["action"].as_str().unwrap_or_default();
        assert!(wanted == 0 || has_candidate(&rules, action), "{detection}");
    }
}

/// What is wrong with the only problem of `text`, with its line.
fn problem(text: &str) -> String {
    match RuleSet::of_text(text).map(|_| ()) {
        Ok(()) => panic!("nothing is wrong with {text}"),
        Err(error) => error.problems.iter().map(|found| format!("{found}\n")).collect(),
    }
}

/// A detection, an event that fits and one that does not.
const FIELD_CASES: [[&str; 3]; 17] = [
    [
        "s: {action: Added_Org_Admin}, condition: s",
        r#"{"action": "added_org_admin"}"#,
        r#"{"action": "added_org_admins"}"#,
    ],
    ["s: {action|cased: Added}, condition: s", r#"{"action": "Added"}"#, r#"{"action": "added"}"#],
    ["s: {action|startswith: [a, b]}, condition: s", r#"{"action": "b1"}"#, r#"{"action": "c1"}"#],
    ["s: {action: 'a*_?'}, condition: s", r#"{"action": "abc_d"}"#, r#"{"action": "abc_"}"#],
    ["s: {action|re: '^a[0-9]+$'}, condition: s", r#"{"action": "a12"}"#, r#"{"action": "A12"}"#],
    ["s: {action|re|i: '^a[0-9]+$'}, condition: s", r#"{"action": "A12"}"#, r#"{"action": "b12"}"#],
    ["s: {action|neq: x}, condition: s", r#"{"action": "y"}"#, r#"{"action": "x"}"#],
    [
        "s: {client.ip|cidr: 192.0.2.0/24}, condition: s",
        r#"{"client": {"ip": "192.0.2.9"}}"#,
        r#"{"client": {"ip": "198.51.100.9"}}"#,
    ],
    [
        "s: {client.ip|exists: false}, condition: s",
        r#"{"client": {}}"#,
        r#"{"client": {"ip": "192.0.2.9"}}"#,
    ],
    [
        "s: {targets.name|contains|all: [a, b]}, condition: s",
        r#"{"targets": [{"name": "ab"}]}"#,
        r#"{"targets": [{"name": "ac"}]}"#,
    ],
    [
        "s: {targets.name|endswith: x}, condition: s",
        r#"{"targets": [{"name": "a"}, {"name": "bx"}]}"#,
        r#"{"targets": [{"id": "bx"}]}"#,
    ],
    ["s: {labels.n|gte: 5}, condition: s", r#"{"labels": {"n": 7}}"#, r#"{"labels": {"n": 3}}"#],
    [
        "s: {actor.email|fieldref: labels.who}, condition: s",
        r#"{"actor": {"email": "x"}, "labels": {"who": "x"}}"#,
        r#"{"actor": {"email": "x"}, "labels": {"who": "y"}}"#,
    ],
    [
        "s: [needle], condition: s",
        r#"{"raw": {"a": [{"b": "a needle here"}]}}"#,
        r#"{"raw": {"needle": 1}}"#,
    ],
    [
        "s: {action: [a, b]}, f: {actor.name: root}, condition: s and not f",
        r#"{"action": "a", "actor": {"name": "ada"}}"#,
        r#"{"action": "a", "actor": {"name": "root"}}"#,
    ],
    [
        "s_1: {action: a}, s_2: {outcome: b}, condition: all of s_*",
        r#"{"action": "a", "outcome": "b"}"#,
        r#"{"action": "a"}"#,
    ],
    [
        "s: [{action: a}, {outcome: b}], condition: s",
        r#"{"outcome": "b"}"#,
        r#"{"outcome": "a", "action": "b"}"#,
    ],
];

#[test]
fn fields_and_modifiers_are_those_of_sigma() {
    for [detection, fits, other] in FIELD_CASES {
        let [fits, other] = [fits, other].map(|text| serde_json::from_str(text).unwrap());
        assert_matches(detection, &fits, &other);
    }
}

#[test]
fn elements_of_a_list_are_matched_one_by_one_where_a_rule_says_so() {
    let text = format!(
        "sigma-version: 3\n{}",
        rule(
            "product: atlassian",
            "s: {'targets[any]': {type: group, name|contains: admin}}, condition: s"
        )
    );
    let rules = RuleSet::of_text(&text).unwrap();
    let one = event("org-events", json!({"targets": [{"type": "group", "name": "site-admins"}]}));
    let two =
        json!({"targets": [{"type": "group", "name": "x"}, {"type": "user", "name": "admin"}]});
    assert_eq!(titles(&rules, &one), ["Rule"]);
    assert!(titles(&rules, &event("org-events", two)).is_empty());
}

#[test]
fn a_service_chooses_the_kind_of_source() {
    let kinds = SourceKind::ALL.map(SourceKind::as_str);
    let of_service = |service: &str| {
        let log_source = format!("product: atlassian, service: {service}");
        let rules = RuleSet::of_text(&rule(&log_source, "s: {action: a}, condition: s")).unwrap();
        let rest = json!({"action": "a", "product": "bitbucket"});
        kinds
            .into_iter()
            .filter(|kind| !titles(&rules, &event(kind, rest.clone())).is_empty())
            .collect::<Vec<_>>()
    };
    assert_eq!(of_service("organization"), ["org-events"]);
    assert_eq!(of_service("jira"), ["jira-audit"]);
    assert_eq!(of_service("confluence"), ["confluence-audit"]);
    assert_eq!(of_service("workspace"), ["workspace-events"]);
    assert_eq!(of_service("datacenter"), ["datacenter-audit"]);
    assert_eq!(of_service("bitbucket"), ["org-events", "datacenter-audit"]);
    let any = of_atlassian("s: {action: a}, condition: s");
    assert!(
        kinds.iter().all(|kind| !titles(&any, &event(kind, json!({"action": "a"}))).is_empty())
    );
    let odd = document(&json!({"action": "a", "source": {"type": "odd"}}));
    assert!(titles(&any, &odd).is_empty());
}

#[test]
fn the_action_rules_out_what_cannot_match() {
    let rules = of_atlassian(
        "s: {action|startswith: a, outcome: x}, f: {action: ab}, condition: s and not f",
    );
    assert!(has_candidate(&rules, "ac"));
    assert!(has_candidate(&rules, "ac"), "what is remembered is the same");
    assert!(!has_candidate(&rules, "ab"));
    assert!(!has_candidate(&rules, "b"));
    for open in [
        "s: {outcome: x}, condition: s",
        "s: [word], condition: s",
        "s: {action: a}, condition: not s",
    ] {
        assert!(has_candidate(&of_atlassian(open), "b"), "{open}");
    }
}

#[test]
fn an_event_that_is_pulled_is_ruled_out_only_if_no_rule_matches() {
    let now = parse_api_time("2026-11-20T12:00:00Z").unwrap();
    let rules = RuleSet::load(&[]).unwrap();
    let origin = RecordOrigin::named("acme", SourceKind::OrgEvents);
    let (mut matching, mut ruled_out) = (0, 0);
    let actions = ["user_added_to_group", "user_login", "page_viewed", "org_admin_granted"];
    let kinds = ["group", "user", "site"];
    let names = [json!("site-admins"), json!("Readers"), json!("ADMINS"), json!(7), Value::Null];
    let all = actions.iter().flat_map(|action| {
        let targets = kinds.iter().flat_map(|kind| names.iter().map(move |name| (kind, name)));
        targets.map(move |(kind, name)| {
            let other = json!({"type": "user", "id": "u", "attributes": {"name": "admin"}});
            let target = json!({"type": kind, "id": "t", "attributes": {"name": name}});
            let attributes = json!({"action": action, "context": [other, target]});
            json!({"id": "e", "type": "events", "attributes": attributes})
        })
    });
    for text in all.map(|event| event.to_string()) {
        let record = source::record_of(origin.kind, Document::new(text.into()));
        let event = normalise::normalise(&origin, &record, now);
        let mut line = Vec::new();
        render::append_without_raw(&event, &mut line);
        let is_match = !rules.matches(Document::new(line.into()).root()).is_empty();
        assert!(rules.may_match(&event) || !is_match, "{}", event.action);
        matching += usize::from(is_match);
        ruled_out += usize::from(!rules.may_match(&event) && has_candidate(&rules, &event.action));
    }
    assert!(matching >= 2, "{matching}");
    assert!(ruled_out > matching, "the action alone says as much: {ruled_out}");
}

#[test]
fn only_rules_that_may_look_at_the_record_need_it() {
    for (detection, reads_raw) in [
        ("s: {action: a, targets.name|contains: b}, condition: s", false),
        ("s: {action: a, 'targets[any]': {type: group, name|contains: b}}, condition: s", false),
        ("s: {'raw.items[any]': {type: group}}, condition: s", true),
        ("s: {raw.id: a}, condition: s", true),
        ("s: {raw: a}, condition: s", true),
        ("s: [word], condition: s", true),
        ("s: {action|fieldref: raw.id}, condition: s", true),
        ("s: {action: a}, t: {raw.id: b}, condition: s and not t", true),
    ] {
        let text = "sigma-version: 3\n".to_owned() + &rule("product: atlassian", detection);
        assert_eq!(RuleSet::of_text(&text).unwrap().reads_raw(), reads_raw, "{detection}");
    }
    let counter = "---\ntitle: c\ncorrelation: {type: event_count, rules: [r], group-by: [raw.id], \
                   timespan: 5m, condition: {gte: 2}}\n";
    let single = rule("product: atlassian", "s: {action: a}, condition: s") + "name: r\n";
    assert!(!RuleSet::of_text(&single).unwrap().reads_raw());
    assert!(!RuleSet::load(&[]).unwrap().reads_raw(), "no rule of ours looks at it");
    assert!(RuleSet::of_text(&(single + counter)).unwrap().reads_raw());
}

#[test]
fn a_match_shows_fields_and_the_values_that_fit() {
    let rules = of_atlassian("s: {action: a, targets.name|contains: adm}, condition: s");
    let targets = json!([{"name": "admins"}, {"name": "users"}]);
    let event = event("org-events", json!({"action": "a", "targets": targets}));
    let matches = rules.matches(event.root());
    let shown: Vec<_> =
        matches[0].matched.iter().map(|(field, value)| format!("{field}={value}")).collect();
    assert_eq!(shown, ["action=a", "targets.name=admins"]);
}

/// The record of a Bitbucket, as the API has it.
fn bitbucket(category: [&str; 2], action: [&str; 2], name: &str) -> Document {
    let [category, category_key] = category;
    let [action, action_key] = action;
    let kind = json!({"category": category, "categoryI18nKey": category_key,
        "action": action, "actionI18nKey": action_key});
    let raw = json!({"type": kind, "author": {"name": "ada"}});
    event("datacenter-audit", json!({"product": "bitbucket", "action": name, "raw": raw}))
}

#[test]
fn rules_for_the_log_of_bitbucket_fit_its_records_in_any_language() {
    // Category and action of the public rules for Bitbucket.
    let public = [
        ("Data pipeline", "Full data export triggered"),
        ("Data pipeline", "Unauthorized full data export triggered"),
        ("Security", "Unauthorized access to a resource"),
        ("Permissions", "Global permission granted"),
        ("Global administration", "SSH settings changed"),
        ("Global administration", "Global secret scanning rule deleted"),
        ("Auditing", "Audit log configuration updated"),
        ("Projects", "Project secret scanning allowlist rule added"),
        ("Repositories", "Secret scanning exempt repository added"),
        ("Projects", "Project secret scanning rule deleted"),
        ("Authentication", "User login failed"),
        ("Authentication", "User login failed(SSH)"),
        ("Users and groups", "User permissions export started"),
        ("Users and groups", "User details export failed"),
    ];
    for (category, action) in public {
        let detection = format!(
            "s: {{auditType.category: '{category}', auditType.action: ['{action}', other]}}, \
             condition: s"
        );
        let rules =
            RuleSet::of_text(&rule("product: bitbucket, service: audit", &detection)).unwrap();
        let key: String = category.chars().filter(|c| *c != ' ').collect();
        let key = format!("bitbucket.service.audit.category.{}", key.to_lowercase());
        let english = bitbucket([category, &key], [action, ""], "x");
        assert_eq!(titles(&rules, &english), ["Rule"], "{action}");
        let name = normalise::taxonomy::snake_case(action).unwrap();
        let german = bitbucket(["Kategorie", &key], ["Aktion", ""], &name);
        assert_eq!(titles(&rules, &german), ["Rule"], "{action}");
        let near = bitbucket([category, &key], [&format!("{action} not"), ""], "x");
        assert!(titles(&rules, &near).is_empty(), "{action}");
        let kind = json!({"category": category, "action": action});
        let line = json!({"product": "bitbucket", "action": "x", "raw": {"auditType": kind}});
        assert_eq!(titles(&rules, &event("datacenter-audit", line)), ["Rule"], "{action}");
    }
}

/// How most of the wrong rules begin.
const START: &str = "title: a\nlogsource:\n  product: atlassian\ndetection:\n";

/// A rule, and what is wrong with it.
const WRONG_RULES: [(&str, &str); 23] = [
    ("title: a\n  b: [\n", "test.yml:2: no valid YAML"),
    ("- a\n", "test.yml:1: this is no rule"),
    (
        "title: a\nlogsource:\n  product: windows\ndetection: {s: {a: b}, condition: s}",
        "test.yml:3: `windows` is no product here",
    ),
    (
        "title: a\nlogsource:\n  product: atlassian\n  service: trello\ndetection: {}",
        "test.yml:4: `trello` is no service",
    ),
    (
        "START  s:\n    action|odd: x\n  condition: s",
        "test.yml:6: the modifier `odd` is not supported",
    ),
    (
        "START  s:\n    action|expand: x\n  condition: s",
        "test.yml:6: the modifier `expand` is not supported",
    ),
    (
        "START  s:\n    actor.nmae: x\n  condition: s",
        "test.yml:6: no field of `actor` is called `nmae`; did you mean",
    ),
    (
        "START  s:\n    ip: 192.0.2.1\n  condition: s",
        "test.yml:6: `ip` is no field; write `client.ip`",
    ),
    ("START  s:\n    action: {a: b}\n  condition: s", "test.yml:6: a field is compared with"),
    ("START  s:\n    action: x\n  condition: t", "test.yml:7: the condition names `t`"),
    ("START  s:\n    action: x\n  condition: 1 of t_*", "test.yml:7: the condition names `t_*`"),
    ("START  s:\n    action: x\n  condition: s and", "test.yml:7: "),
    (
        "START  s:\n    action: x\n  timeframe: 5m\n  condition: s",
        "test.yml:7: `timeframe` in a detection",
    ),
    ("START  s:\n    action|re: 'a('\n  condition: s", "test.yml:6: no regular expression"),
    ("START  s:\n    client.ip|cidr: x\n  condition: s", "invalid"),
    ("level: odd\nSTART  s:\n    action: x\n  condition: s", "test.yml:1: invalid level"),
    ("title: a\nfilter: {}", "test.yml:2: filters are not supported"),
    ("action: global\ntitle: a", "test.yml:1: `action` is not supported"),
    (
        "title: a\ncorrelation:\n  type: value_sum\n  rules: [b]\n  timespan: 1m",
        "test.yml:3: the type `value_sum` is not supported",
    ),
    (
        "title: a\ncorrelation:\n  type: event_count\n  rules: [b]\n  \
         timespan: 1m\n  condition: {gte: 2}",
        "test.yml:4: it refers to `b`, which is no rule",
    ),
    (
        "title: a\ncorrelation:\n  type: event_count\n  rules: [b]\n  \
         timespan: 1m\n  condition: {gte: 2, percentile: 3}",
        "test.yml:6: `percentile` of a condition is not supported",
    ),
    (
        "title: a\nid: x\ncorrelation:\n  type: temporal\n  rules: [x]\n  timespan: 1m",
        "test.yml:5: it refers to itself",
    ),
    (
        "title: a\ncorrelation:\n  type: temporal\n  rules: [x]\n  \
         timespan: 1m\n  window: tumbling",
        "test.yml:6: `window` of a correlation is not supported",
    ),
];

#[test]
fn what_is_wrong_names_file_and_line() {
    for (text, wanted) in WRONG_RULES {
        let text = text.replace("START", START);
        let found = problem(&text);
        assert!(found.contains(wanted), "{text}\n{found}");
        assert_eq!(found.lines().count(), 1, "{text}\n{found}");
    }
}

#[test]
fn all_that_is_wrong_is_reported() {
    let text = "title: a\nlogsource:\n  product: x\n---\ntitle: b\n---\nlogsource:\n  \
        product: atlassian\n";
    assert_eq!(problem(text).lines().count(), 4, "{}", problem(text));
}

#[test]
fn ids_are_given_once() {
    let one = rule("product: atlassian", "s: {action: a}, condition: s");
    let found = problem(&format!("{one}---\n{one}"));
    assert_eq!(found, "test.yml:5: `Rule` is a rule of test.yml:1 already\n");
}

#[test]
fn correlations_are_bounded_as_they_share_memory() {
    let one = rule("product: atlassian", "s: {action: a}, condition: s");
    let counting = |n: usize| {
        format!(
            "---\ntitle: c{n}\ncorrelation:\n  type: event_count\n  rules: [Rule]\n  \
             group-by: [actor.id]\n  timespan: 1m\n  condition: {{gte: 2}}\n"
        )
    };
    let text = format!("name: Rule\n{one}{}", (0..100).map(counting).collect::<String>());
    assert!(RuleSet::of_text(&text).is_ok());
    let found = problem(&(text + &counting(100)));
    assert!(found.contains(": there are more than 100 correlations"), "{found}");
}

#[test]
fn groups_and_values_of_one_event_are_bounded_together() {
    let one = rule("product: atlassian", "s: {action: a}, condition: s");
    let rules = RuleSet::of_text(&format!(
        "name: Rule\n{one}---\ntitle: c\ncorrelation:\n  type: value_count\n  rules: [Rule]\n  \
         group-by: [targets.id]\n  timespan: 1m\n  condition: {{gte: 2, field: targets.name}}\n"
    ))
    .unwrap();
    let targets: Vec<_> =
        (0..500).map(|n| json!({"id": n, "name": format!("n{}", n % 50)})).collect();
    let event = event("org-events", json!({"action": "a", "targets": targets}));
    let found = &rules.matches(event.root())[0].groups[0];
    assert_eq!((found.groups.len(), found.values.len(), found.left_out), (400, 50, 100));
}

#[test]
fn what_alerts_call_our_detections_names_no_other_rule() {
    let one = rule("product: atlassian", "s: {action: a}, condition: s");
    for line in ["id: impossible_travel", "name: Failed_Logins", "id: 'Impossible travel'"] {
        let word = line.split(": ").nth(1).unwrap().trim_matches('\'');
        let found = problem(&format!("{one}{line}\n"));
        let wanted = format!("test.yml:4: `{word}` is a detection of atlaudit's own already\n");
        assert_eq!(found, wanted);
    }
    let found = problem(&one.replace("title: Rule", "title: IMPOSSIBLE TRAVEL"));
    assert!(found.starts_with("test.yml:1: `IMPOSSIBLE TRAVEL` is a detection"), "{found}");
    let built_in = RuleSet::load(&[]).unwrap().rules()[0].id.clone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.yml");
    std::fs::write(&file, format!("{one}id: {}\n", built_in.to_uppercase())).unwrap();
    let error = RuleSet::load(std::slice::from_ref(&file)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:4: ", file.display())), "{error}");
    assert!(error.contains("already"), "{error}");
}

/// The files of the rules that are part of the program.
fn own_files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detect/rules");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yml"));
    files
}

#[test]
fn each_rule_of_ours_finds_its_example_and_not_the_one_beside_it() {
    let rules = RuleSet::only_from(&own_files()).unwrap();
    let report = rule_examples::test_rules(&rules);
    assert_eq!(report.failures, []);
    assert_eq!(report.untested, [""; 0]);
    assert!(report.tested >= 40);
}

#[test]
fn each_rule_of_ours_is_part_of_the_program_and_says_everything() {
    let rules = RuleSet::load(&[]).unwrap();
    let names: Vec<_> = own_files()
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(built_in::RULES.map(|(name, _)| name).to_vec(), names);
    for info in rules.rules() {
        let has_id = info.attack.iter().any(|word| word.starts_with('T'));
        let is_uuid = info.id.len() == 36 && info.id.matches('-').count() == 4;
        assert!(has_id && is_uuid && !info.description.is_empty(), "{info:?}");
        assert!(!info.false_positives.is_empty() && info.title.len() <= 80, "{info:?}");
        let has = |id: &str| info.attack.iter().any(|word| word.starts_with(id));
        assert_eq!(has("T1562"), has("T1685"), "{info:?}");
    }
}

#[test]
fn each_action_in_a_rule_of_ours_is_one_that_the_taxonomy_knows() {
    let taxonomy = normalise::taxonomy::Taxonomy::default();
    for (name, text) in built_in::RULES {
        let rule: yaml_serde::Value = yaml_serde::from_str(text).unwrap();
        let Some(selected) = rule.get("detection").and_then(|part| part.get("selection")) else {
            continue;
        };
        let actions = selected.get("action").into_iter();
        for action in
            actions.flat_map(|value| value.as_sequence().cloned().unwrap_or(vec![value.clone()]))
        {
            let action = action.as_str().unwrap();
            assert!(taxonomy.has_row(action), "{name}: {action}");
        }
    }
}
