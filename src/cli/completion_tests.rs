use super::*;

/// What is offered for the last word of `line`, after the program's name; `names` are configured.
fn offer(line: &str, names: &[&str]) -> ShellCompletion {
    let typed: Vec<_> = line.split(' ').map(str::to_owned).collect();
    let names = |_: Option<&str>| names.iter().map(|name| (*name).to_owned()).collect();
    offered(&generate::command(), &typed, &names)
}

/// Its words; no paths may be offered.
fn words(line: &str) -> Vec<String> {
    let offer = offer(line, &["acme", "acme-jira", "lab"]);
    assert_eq!(offer.paths, PathKind::None, "{line}");
    offer.words.into_iter().map(|word| word.value).collect()
}

/// The kind of paths, where no words are.
fn paths(line: &str) -> PathKind {
    let offer = offer(line, &["acme"]);
    assert_eq!(offer.words, [], "{line}");
    offer.paths
}

#[test]
fn closed_lists_are_offered_and_no_files() {
    let formats = ["normalized", "raw", "ecs", "ocsf", "ocsf-1.3"];
    assert_eq!(words("pull --format "), formats);
    assert_eq!(words("--quiet convert x.jsonl --format "), formats);
    assert_eq!(words("pull --format oc"), ["ocsf", "ocsf-1.3"]);
    assert_eq!(words("pull --format=oc"), ["--format=ocsf", "--format=ocsf-1.3"]);
    assert_eq!(words("pull --compression "), ["none", "gzip", "zstd"]);
    assert_eq!(words("follow --encoding "), ["jsonl", "parquet"]);
    assert_eq!(words("--color "), ["auto", "always", "never"]);
    assert_eq!(words("status --log-format j"), ["json"]);
    assert!(words("auth login acme --type ").contains(&"datacenter-audit".to_owned()));
    assert_eq!(words("auth login acme --product "), ["jira", "confluence"]);
    assert_eq!(words("auth login acme --store "), ["keyring", "file:"]);
    assert_eq!(words("search x --outcome f"), ["failure"]);
    assert_eq!(
        words("search x --columns time,act"),
        [
            "time,action",
            "time,actor",
            "time,actor.type",
            "time,actor.id",
            "time,actor.name",
            "time,actor.email",
            "time,actor.auth",
            "time,actor.on_behalf_of"
        ]
    );
    assert_eq!(words("pull --tz Europe/Berl"), ["Europe/Berlin"]);
    assert_eq!(words("check --object-store s"), ["s3://"]);
    assert!(words("completions ").contains(&"fish".to_owned()));
    assert_eq!(words("pull --since y"), ["yesterday"]);
}

#[test]
fn sources_are_offered_wherever_one_is_named() {
    let all = ["acme", "acme-jira", "lab"];
    for line in [
        "pull ",
        "follow -o x.jsonl ",
        "tail ",
        "export ",
        "check ",
        "status -v ",
        "actions ",
        "posture ",
        "auth login ",
        "auth logout ",
        "search --source ",
        "convert --source ",
        "verify x --against-source ",
        "pull -- ",
    ] {
        assert_eq!(words(line), all, "{line}");
    }
    assert_eq!(words("pull acme "), ["acme-jira", "lab"]);
    assert_eq!(words("search --source acme l"), ["lab"]);
    assert_eq!(words("search --source=a"), ["--source=acme", "--source=acme-jira"]);
    assert_eq!(words("pull --max-events 5 l"), ["lab"]);
    assert_eq!(words("search --source acme --source "), ["acme-jira", "lab"]);
    assert_eq!(words("pull x"), <[&str; 0]>::default());
}

#[cfg(feature = "respond")]
#[test]
fn respond_offers_an_action_then_a_source_then_nothing() {
    assert_eq!(words("respond susp"), ["suspend"]);
    assert_eq!(words("respond suspend l"), ["lab"]);
    assert_eq!(words("respond suspend lab x"), <[&str; 0]>::default());
}

#[test]
fn paths_are_left_to_the_shell() {
    for line in ["pull -o ", "report --output x", "convert ", "search x.jsonl ", "--config "] {
        assert_eq!(paths(line), PathKind::Files, "{line}");
    }
    for line in
        ["verify ", "export acme -o ", "export acme --output ca", "man --dir ", "--state-dir "]
    {
        assert_eq!(paths(line), PathKind::Folders, "{line}");
    }
    assert_eq!(offer("pull --output=ev", &[]).to_string(), "files\t--output=\n");
    assert_eq!(offer("auth login a --store file:ke", &[]).to_string(), "files\tfile:\n");
    assert_eq!(paths("pull --max-events "), PathKind::None);
}

#[test]
fn commands_and_flags_are_offered_by_what_is_typed() {
    assert!(words("").contains(&"pull".to_owned()));
    assert!(!words("").iter().any(|word| word.starts_with('_')));
    assert_eq!(words("auth lo"), ["login", "logout"]);
    assert_eq!(words("auth login acme --with"), ["--with-key"]);
    assert!(words("pull --").contains(&"--config".to_owned()));
    assert_eq!(words("search --not-ac"), ["--not-action", "--not-actor"]);
    assert!(!words("search --").contains(&"--not-action".to_owned()));
    assert!(words("config check ").contains(&"--config".to_owned()));
    assert!(words("auth status ").contains(&"lab".to_owned()));
    assert_eq!(words("pull --nonsense="), <[&str; 0]>::default());
}

#[test]
fn the_text_has_the_paths_first_and_help_after_a_tab() {
    let text = offer("respond_or_not", &[]).to_string();
    assert_eq!(text, "");
    let text = offer("auth lo", &[]).to_string();
    assert!(text.starts_with("none\t\nlogin\tRead a key"), "{text}");
}

#[test]
fn the_configuration_that_was_typed_is_the_one_that_is_read() {
    let command = generate::command();
    for (line, config) in [
        ("pull ", None),
        ("--config a.toml pull ", Some("a.toml")),
        ("pull --config=b.toml ", Some("b.toml")),
        ("pull --tz UTC --config c.toml -v ", Some("c.toml")),
    ] {
        let typed: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let names = |typed: Option<&str>| {
            assert_eq!(typed, config, "{line}");
            vec!["acme".to_owned()]
        };
        assert_eq!(offered(&command, &typed, &names).words.len(), 1, "{line}");
    }
}
