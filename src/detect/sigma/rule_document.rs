//! A document of a file of rules: splits files into documents and finds lines in them.

use super::rule_error::RuleProblem;

/// One of the documents that `---` separates in a file.
#[derive(Debug, Clone, Copy)]
pub struct RuleDocument<'a> {
    /// The file, as messages name it.
    pub file: &'a str,
    /// The line of the file that it begins at, from 1 on.
    pub first_line: usize,
    /// Its text.
    pub text: &'a str,
}

impl<'a> RuleDocument<'a> {
    /// The documents of a file that say something.
    pub fn split(file: &'a str, text: &'a str) -> Vec<RuleDocument<'a>> {
        let mut documents = Vec::new();
        let (mut start, mut first_line, mut at) = (0, 1, 0);
        for (index, line) in text.split_inclusive('\n').enumerate() {
            // Even in a block of text that is a mark.
            let rest = line.strip_prefix("---");
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
                let text = text.get(start..at).unwrap_or_default();
                documents.push(RuleDocument { file, first_line, text });
                (start, first_line) = (at, index + 1);
            }
            at += line.len();
        }
        let text = text.get(start..).unwrap_or_default();
        documents.push(RuleDocument { file, first_line, text });
        documents.retain(RuleDocument::says_something);
        documents
    }

    fn says_something(&self) -> bool {
        let is_empty =
            |line: &str| line.is_empty() || line.starts_with('#') || matches!(line, "---" | "...");
        !self.text.lines().map(str::trim).all(is_empty)
    }

    /// A problem at the first line that has `part`; else at the document's first.
    pub fn problem_at(&self, part: &str, what: impl Into<String>) -> RuleProblem {
        let mut lines = self.text.lines();
        let found =
            lines.position(|line| !line.trim_start().starts_with('#') && line.contains(part));
        self.problem(found.map_or_else(|| self.first_said(), |index| index + 1), what)
    }

    /// A problem at a line of the document, from 1 on.
    pub fn problem(&self, line: usize, what: impl Into<String>) -> RuleProblem {
        let line = Some(self.first_line + line.saturating_sub(1));
        RuleProblem { file: self.file.to_owned(), line, what: one_line(&what.into()) }
    }

    /// The first line that says something, from 1 on.
    fn first_said(&self) -> usize {
        let is_empty = |line: &str| line.is_empty() || line.starts_with('#') || line == "---";
        self.text.lines().position(|line| !is_empty(line.trim())).unwrap_or(0) + 1
    }
}

/// `text` in one line that is not longer than a message may be.
fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let line = crate::model::text::printable_line(text);
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_lines() {
        let text = "# no rule\n---\ntitle: a\n--- # second\ntitle: b\nlevel: c\n---\n";
        let documents = RuleDocument::split("x.yml", text);
        let lines: Vec<_> = documents.iter().map(|document| document.first_line).collect();
        assert_eq!(lines, [2, 4]);
        assert_eq!(documents[1].problem_at("level", "odd").to_string(), "x.yml:6: odd");
        assert_eq!(documents[0].problem_at("none", "odd").line, Some(3));
    }
}
