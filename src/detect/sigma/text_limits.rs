//! Refuses texts of rules that would cost too much to read, before a parser sees them.

/// The most bytes of one file.
pub const MAX_FILE_BYTES: u64 = 256 << 10;

/// The most bytes of all files together.
pub const MAX_TOTAL_BYTES: u64 = 4 << 20;

/// The most rules, correlations included.
pub const MAX_RULES: usize = 2000;

/// The most correlations: they share the memory for windows.
pub const MAX_CORRELATIONS: usize = 100;

/// The most values that rules compare fields with, all rules together.
pub const MAX_VALUES: usize = 20_000;

/// The most values of one rule.
pub const MAX_VALUES_OF_RULE: usize = 2000;

/// The most bytes of a condition.
const MAX_CONDITION_BYTES: usize = 4096;

/// How deep a condition's parentheses, and the structure of a file, may be nested.
const MAX_DEPTH: usize = 24;

/// The most `[` and `{` of a file that stand where a list or mapping may begin. The parser compares
/// each of them with all that are open.
const MAX_OPENED: usize = 2000;

/// Why `text` is not given to the parser of YAML, and the line of the reason.
pub fn refuse_text(text: &str) -> Option<(usize, String)> {
    let anchors: Vec<(usize, &str)> = node_marks(text, '&').collect();
    if let Some((at, name)) =
        node_marks(text, '*').find(|(_, name)| anchors.iter().any(|(_, other)| other == name))
    {
        let what = format!("`*{name}` repeats what `&{name}` names, which is not read here");
        return Some((line_at(text, at), format!("{what}: write it out")));
    }
    let mut opened = 0;
    for (at, mark) in text.match_indices(['[', '{']) {
        opened += usize::from(may_begin_node(text, at));
        if opened > MAX_OPENED {
            let what = format!("more than {MAX_OPENED} `[` or `{{`, and so is not read");
            return Some((line_at(text, at), format!("it has {what} (the last is `{mark}`)")));
        }
    }
    for (index, line) in text.lines().enumerate() {
        let depth = block_depth(line);
        if depth > MAX_DEPTH {
            return Some((index + 1, format!("it is nested more than {MAX_DEPTH} deep")));
        }
    }
    None
}

/// The names behind each `mark` that may stand where a node begins.
fn node_marks(text: &str, mark: char) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices(mark).filter(|(at, _)| may_begin_node(text, *at)).filter_map(
        move |(at, mark)| {
            let rest = text.get(at + mark.len()..)?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let next = rest.chars().next();
            // What no name follows is a text such as `* a`.
            next.filter(|c| !c.is_whitespace())?;
            Some((at, rest.get(..end)?))
        },
    )
}

/// Whether what stands at `at` may begin a list, a mapping, an anchor or an alias.
fn may_begin_node(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    before.is_none_or(|c| c.is_whitespace() || "[{,:-?".contains(c))
}

/// How many lists and mappings a line may open by its `-`, `?` and `:` alone.
fn block_depth(line: &str) -> usize {
    let mut depth = 0;
    let mut rest = line.trim_start();
    while let Some(inner) = rest.strip_prefix(['-', '?', ':']) {
        if !inner.starts_with(char::is_whitespace) {
            break;
        }
        depth += 1;
        rest = inner.trim_start();
    }
    depth
}

/// The line of the byte at `at`, from 1 on.
fn line_at(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or_default().matches('\n').count()
}

/// Why a condition is not given to its parser.
pub fn refuse_condition(condition: &str) -> Option<String> {
    if condition.len() > MAX_CONDITION_BYTES {
        return Some(format!("the condition has more than {MAX_CONDITION_BYTES} bytes"));
    }
    let (mut open, mut deepest) = (0_usize, 0);
    for c in condition.chars() {
        match c {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    let negations = condition.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    let mut in_a_row = 0;
    for word in negations.filter(|word| !word.is_empty()) {
        in_a_row = if word == "not" { in_a_row + 1 } else { 0 };
        deepest = deepest.max(in_a_row);
    }
    (deepest > MAX_DEPTH).then(|| format!("the condition is nested more than {MAX_DEPTH} deep"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_refused_and_what_looks_like_them_is_not() {
        assert_eq!(refuse_text("a: &x 1\nb: *x").map(|(line, _)| line), Some(2));
        assert!(refuse_text("a: &x [1]\nb: [*x,*x]").is_some());
        assert!(refuse_text("a: &x [1]\n<<: *x").is_some());
        for fine in ["a: 'R&D *b'", "a: b*c\nd: &e 1", "- '*admin*'\n- 'a & b'", "a: '* x'"] {
            assert_eq!(refuse_text(fine), None, "{fine}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        assert!(refuse_text(&"- ".repeat(30)).is_some());
        assert!(refuse_text(&"[ ".repeat(3000)).is_some());
        assert!(refuse_text(&"[".repeat(3000)).is_some());
        assert!(refuse_text(&"{a: ".repeat(3000)).is_some());
        assert_eq!(refuse_text("- - a: [b, {c: d}]"), None);
        let deep = format!("{}a{}", "(".repeat(30), ")".repeat(30));
        assert!(refuse_condition(&deep).is_some());
        assert!(refuse_condition(&format!("{}a", "not ".repeat(30))).is_some());
        assert!(refuse_condition(&"a or ".repeat(1000)).is_some());
        assert_eq!(refuse_condition("not (a and not b) and (c or d)"), None);
    }
}
