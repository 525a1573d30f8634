//! What OCSF demands of the classes and objects that are written here: their attributes, the
//! types of these, what is required, and the constraints.

use serde_json::{Map, Value};

/// A class or an object a line: its name, its attributes, and behind `any` those of which one must
/// be there. An attribute is `name=type`, with `!` where it is required and `[]` where it is a
/// list. A type is one of `text int time ip email any`, numbers with `|` between them, or another
/// line's name. Of 1.8.0.
const RULES: &str = "
event class_uid=int! class_name=text! category_uid=int! category_name=text! activity_id=int! activity_name=text! \
    type_uid=int! type_name=text! severity_id=1! severity=text! status_id=0|1|2! status=text! time=time! message=text \
    metadata=metadata! actor=actor observables[]=observable unmapped=any raw_data=text!
3001 user=user! src_endpoint=endpoint policies[]=policy
3002 user=user! service=named src_endpoint=endpoint dst_endpoint=endpoint any service dst_endpoint
3004 entity=entity! src_endpoint=endpoint
3005 user=user! src_endpoint=endpoint privileges[]=text! resources[]=resource
3006 group=resource! src_endpoint=endpoint subgroup=resource user=user privileges[]=text resource=resource
6001 web_resources[]=web_resource! src_endpoint=endpoint dst_endpoint=endpoint
6002 app=product! any app
6003 actor=actor! api=api! src_endpoint=endpoint! resources[]=resource dst_endpoint=endpoint
metadata version=text! uid=text! original_event_uid=text event_code=text! product=product! tenant_uid=text \
    log_name=text! source=text! original_time=text logged_time=time processed_time=time!
product uid=text name=text vendor_name=text any name uid
actor user=user app_name=text app_uid=text any user app_name app_uid
user uid=text name=text email_addr=email type_id=0|1|2|3|4|99 type=text programmatic_credentials[]=credential any name uid
credential uid=text! type=text
endpoint ip=ip port=int intermediate_ips[]=ip hostname=text location=location any ip hostname
location country=country region=text city=text any country region city
named uid=text name=text any uid name
resource uid=text name=text type=text any uid name
web_resource uid=text name=text type=text url_string=text any uid name
policy uid=text name=text type=text any uid name type
entity uid=text name=text type_id=0|1|2|3|4|5|6|7|99! type=text! user=user group=resource org=named policy=policy \
    any uid name user group org policy
api operation=text! service=named
observable type_id=1|2|4|5|6|10|14|31|32|33! name=text! value=text!
";

/// The lines of 1.3.0 that differ.
const RULES_1_3: &str = "
3001 user=user! src_endpoint=endpoint policy=policy
3004 entity=entity! src_endpoint=endpoint
3005 user=user! src_endpoint=endpoint privileges[]=text! resource=resource
3006 group=resource! src_endpoint=endpoint user=user privileges[]=text resource=resource any privileges user
6002 app=vendor_product!
vendor_product uid=text name=text vendor_name=text! any name uid
metadata version=text! profiles[]=host uid=text event_code=text! product=vendor_product! tenant_uid=text \
    log_name=text! log_provider=text! original_time=text logged_time=time processed_time=time!
user uid=text name=text email_addr=email type_id=0|1|2|3|99 type=text credential_uid=text any name uid
policy uid=text name=text any uid name
entity uid=text name=text type_id=0|1|2|3|4|5|6|99! type=text! user=user group=resource org=named policy=policy \
    any uid name user group org policy
observable type_id=1|2|4|5|6|10|14! name=text! value=text!
";

/// `activity_id` and `activity_name` of each class, beside 0 (`Unknown`) and 99, which has the
/// source's word.
const ACTIVITIES: &[(u64, &[&str])] = &[
    (
        3001,
        &[
            "Create",
            "Enable",
            "Password Change",
            "Password Reset",
            "Disable",
            "Delete",
            "Attach Policy",
            "Detach Policy",
            "Lock",
            "MFA Factor Enable",
            "MFA Factor Disable",
            "Unlock",
        ],
    ),
    (
        3002,
        &[
            "Logon",
            "Logoff",
            "Authentication Ticket",
            "Service Ticket Request",
            "Service Ticket Renew",
            "Preauth",
            "Account Switch",
        ],
    ),
    (
        3004,
        &[
            "Create",
            "Read",
            "Update",
            "Delete",
            "Move",
            "Enroll",
            "Unenroll",
            "Enable",
            "Disable",
            "Activate",
            "Deactivate",
            "Suspend",
            "Resume",
        ],
    ),
    (3005, &["Assign Privileges", "Revoke Privileges"]),
    (
        3006,
        &[
            "Assign Privileges",
            "Revoke Privileges",
            "Add User",
            "Remove User",
            "Delete",
            "Create",
            "Add Subgroup",
            "Remove Subgroup",
        ],
    ),
    (6002, &["Install", "Remove", "Start", "Stop", "Restart", "Enable", "Disable", "Update"]),
    (6001, &["Create", "Read", "Update", "Delete", "Search", "Import", "Export", "Share"]),
    (6003, &["Create", "Read", "Update", "Delete"]),
];

/// The caption of an activity of a class, if it has one of that number.
pub fn caption(version: &str, class_uid: u64, activity_id: u64) -> Option<&'static str> {
    let (_, names) = ACTIVITIES.iter().find(|(uid, _)| *uid == class_uid)?;
    let last = match (version, class_uid) {
        ("1.3.0", 3001) => 11,
        ("1.3.0", 3002 | 3006) => 6,
        _ => u64::MAX,
    };
    if activity_id > last {
        return None;
    }
    match activity_id {
        0 => Some("Unknown"),
        id => names.get(usize::try_from(id).ok()? - 1).copied(),
    }
}

/// What is wrong with an event.
pub fn faults(event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let version = event["metadata"]["version"].as_str().unwrap_or_default();
    if !["1.3.0", "1.8.0"].contains(&version) {
        return vec!["no known version".to_owned()];
    }
    let rules = Rules(version);
    let number = |key: &str| event[key].as_u64().unwrap_or(u64::MAX);
    let class = number("class_uid").to_string();
    let Some(own) = rules.rule(&class) else {
        return vec![format!("{class} is no class")];
    };
    let mut all = rules.rule("event").unwrap_or_default();
    all.attributes.splice(0..0, own.attributes);
    all.any = own.any;
    rules.check(&all, event, &class, &mut faults);
    check_profile(version, event, &mut faults);
    let (class_uid, id) = (number("class_uid"), number("activity_id"));
    if number("category_uid") != class_uid / 1000 {
        faults.push("category_uid does not fit".to_owned());
    }
    if number("type_uid") != class_uid * 100 + id {
        faults.push("type_uid does not fit".to_owned());
    }
    let name = event["activity_name"].as_str().unwrap_or_default();
    if caption(version, class_uid, id).is_none_or(|caption| caption != name) && id != 99 {
        faults.push(format!("activity {id} of {class_uid} is not called {name}"));
    }
    let joined = format!("{}: {name}", event["class_name"].as_str().unwrap_or_default());
    if event["type_name"] != *joined {
        faults.push(format!("type_name is not {joined}"));
    }
    nothing_empty(event, &class, &mut faults);
    faults
}

/// An attribute: its name, its type, whether it is required, whether it is a list.
type Attribute = (&'static str, &'static str, bool, bool);

#[derive(Default)]
struct Rule {
    attributes: Vec<Attribute>,
    any: Vec<&'static str>,
}

/// In 1.3 the actor of some classes is of the profile `host`, which must be named then.
fn check_profile(version: &str, event: &Value, faults: &mut Vec<String>) {
    let is_of_host = matches!(event["class_uid"].as_u64(), Some(3004..=3006 | 6001 | 6002));
    let needs = version == "1.3.0" && is_of_host && event.get("actor").is_some();
    if event["metadata"].get("profiles").is_some() != needs {
        faults.push("the profile does not fit the actor".to_owned());
    }
}

/// The rules of a version.
struct Rules<'v>(&'v str);

impl Rules<'_> {
    fn rule(&self, name: &str) -> Option<Rule> {
        let find = |rules: &'static str| {
            rules.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        let changed = Some(RULES_1_3).filter(|_| self.0 == "1.3.0");
        let line = changed.and_then(find).or_else(|| find(RULES))?;
        let (attributes, any) = line.split_once(" any ").unwrap_or((line, ""));
        let attribute = |word: &'static str| {
            let (name, kind) = word.split_once('=').unwrap();
            let (kind, is_required) = match kind.strip_suffix('!') {
                Some(kind) => (kind, true),
                None => (kind, false),
            };
            match name.strip_suffix("[]") {
                Some(name) => (name, kind, is_required, true),
                None => (name, kind, is_required, false),
            }
        };
        Some(Rule {
            attributes: attributes.split_whitespace().map(attribute).collect(),
            any: any.split_whitespace().collect(),
        })
    }

    fn check(&self, rule: &Rule, value: &Value, path: &str, faults: &mut Vec<String>) {
        let none = Map::new();
        let fields = value.as_object().unwrap_or_else(|| {
            faults.push(format!("{path} is no object"));
            &none
        });
        for (name, ..) in rule.attributes.iter().filter(|(.., required, _)| *required) {
            if !fields.contains_key(*name) {
                faults.push(format!("{path}.{name} is missing"));
            }
        }
        if !rule.any.is_empty() && !rule.any.iter().any(|name| fields.contains_key(*name)) {
            faults.push(format!("{path} has none of {:?}", rule.any));
        }
        for (key, value) in fields {
            let path = format!("{path}.{key}");
            match rule.attributes.iter().find(|(name, ..)| name == key) {
                None => faults.push(format!("{path} is unknown")),
                Some((_, kind, _, true)) => match value.as_array() {
                    Some(list) => {
                        list.iter().for_each(|value| self.of_type(kind, value, &path, faults))
                    }
                    None => faults.push(format!("{path} is no list")),
                },
                Some((_, kind, ..)) => self.of_type(kind, value, &path, faults),
            }
        }
    }

    fn of_type(&self, kind: &str, value: &Value, path: &str, faults: &mut Vec<String>) {
        let text = value.as_str();
        let fits = match kind {
            "any" => value.is_object(),
            "text" => text.is_some(),
            "int" => value.is_i64() || value.is_u64(),
            // What is no time in milliseconds is before 1973.
            "time" => value.as_i64().is_some_and(|time| time > 100_000_000_000),
            "ip" => text.is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
            "country" => text.is_some_and(|text| text.len() == 2 && text.to_uppercase() == text),
            "email" => text.is_some_and(is_email),
            _ if kind.starts_with(|c: char| c.is_ascii_digit()) => {
                let mut numbers = kind.split('|').map(str::parse::<i64>);
                numbers.any(|number| number.ok() == value.as_i64() && value.is_i64())
            }
            "host" => text == Some("host"),
            _ => match self.rule(kind) {
                Some(rule) => return self.check(&rule, value, path, faults),
                None => false,
            },
        };
        if !fits {
            faults.push(format!("{path} is not of type {kind}: {value}"));
        }
    }
}

/// The pattern of `email_t`, step by step.
fn is_email(text: &str) -> bool {
    let marks = "!#$%&'*+,-./=?^_`{|}~";
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    let Some((first, rest)) = domain.split_once('.') else {
        return false;
    };
    let of = |text: &str, marks: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
    };
    of(name, marks) && of(first, "-") && of(rest, "-.")
}

fn nothing_empty(value: &Value, path: &str, faults: &mut Vec<String>) {
    let is_empty = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if is_empty {
        faults.push(format!("{path} is empty"));
    }
    match value {
        Value::Array(list) => list.iter().for_each(|value| nothing_empty(value, path, faults)),
        Value::Object(fields) => {
            for (key, value) in fields {
                nothing_empty(value, &format!("{path}.{key}"), faults);
            }
        }
        _ => {}
    }
}
