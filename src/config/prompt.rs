//! Asks a person for missing values, one question at a time, and checks each answer at once.

use std::io::{self, ErrorKind};

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::error::HintedError;

/// How often one question is asked before nobody seems to know the answer.
const MAX_ATTEMPTS: usize = 5;

/// A person who answers: at a terminal, or in a test's script.
pub trait UserPrompt {
    /// Shows lines that ask nothing.
    ///
    /// # Errors
    /// The terminal is gone.
    fn show(&mut self, lines: &str) -> io::Result<()>;

    /// The answer to `question`; nothing when the person has gone.
    ///
    /// # Errors
    /// The terminal is gone.
    fn ask(&mut self, question: &str) -> io::Result<Option<String>>;

    /// The same, for what nobody may see.
    ///
    /// # Errors
    /// The terminal is gone.
    fn ask_secret(&mut self, question: &str) -> io::Result<SecretString>;
}

/// The answer that `check` accepts. A refused one is never shown again: it may be the key, pasted
/// at the wrong place.
///
/// # Errors
/// There is nobody any more, or no answer that is accepted.
pub fn ask_until_valid<T>(
    person: &mut dyn UserPrompt,
    question: &str,
    check: impl Fn(&str) -> Result<T, HintedError>,
) -> io::Result<T> {
    repeat(person, |person| {
        let answer = person.ask(question)?;
        let answer = answer.ok_or_else(|| io::Error::from(ErrorKind::UnexpectedEof))?;
        Ok(check(answer.trim()))
    })
}

/// The same, where an empty answer means none.
///
/// # Errors
/// As with [`ask_until_valid`].
pub fn ask_optional<T>(
    person: &mut dyn UserPrompt,
    question: &str,
    check: impl Fn(&str) -> Result<T, HintedError>,
) -> io::Result<Option<T>> {
    ask_until_valid(person, question, |answer| match answer {
        "" => Ok(None),
        answer => check(answer).map(Some),
    })
}

/// The same, for a secret.
///
/// # Errors
/// As with [`ask_until_valid`].
pub fn ask_secret_until_valid<T>(
    person: &mut dyn UserPrompt,
    question: &str,
    check: impl Fn(&str) -> Result<T, HintedError>,
) -> io::Result<T> {
    repeat(person, |person| Ok(check(person.ask_secret(question)?.expose_secret())))
}

/// Whether the answer is yes, which an empty one is as `is_usual` says.
///
/// # Errors
/// As with [`ask_until_valid`].
pub fn confirm(person: &mut dyn UserPrompt, question: &str, is_usual: bool) -> io::Result<bool> {
    ask_until_valid(person, question, |answer| match answer.to_ascii_lowercase().as_str() {
        "" => Ok(is_usual),
        "n" | "no" => Ok(false),
        "y" | "yes" => Ok(true),
        _ => Err(HintedError::new("answer `y` or `n`")),
    })
}

/// Asks until the answer is accepted.
fn repeat<T>(
    person: &mut dyn UserPrompt,
    ask: impl Fn(&mut dyn UserPrompt) -> io::Result<Result<T, HintedError>>,
) -> io::Result<T> {
    for _ in 0..MAX_ATTEMPTS {
        match ask(person)? {
            Ok(value) => return Ok(value),
            Err(refusal) => person.show(&format!("  {refusal}\n"))?,
        }
    }
    Err(io::Error::other("no valid answer was given"))
}

#[cfg(test)]
pub mod script {
    //! Scripted answers.

    use super::*;

    /// Gives these answers in order, and records questions and messages.
    #[derive(Debug, Default, Clone)]
    pub struct ScriptedUser {
        /// Answers that are left.
        pub answers: Vec<&'static str>,
        /// What a person would have seen.
        pub seen: String,
    }

    impl ScriptedUser {
        /// A person who gives these answers, one after the other.
        pub fn new(answers: &[&'static str]) -> ScriptedUser {
            ScriptedUser { answers: answers.to_vec(), seen: String::new() }
        }
    }

    impl UserPrompt for ScriptedUser {
        fn show(&mut self, lines: &str) -> io::Result<()> {
            self.seen.push_str(lines);
            Ok(())
        }

        fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
            self.seen.push_str(question);
            if self.answers.is_empty() {
                return Ok(None);
            }
            Ok(Some(self.answers.remove(0).to_owned()))
        }

        fn ask_secret(&mut self, question: &str) -> io::Result<SecretString> {
            let answer = self.ask(question)?;
            Ok(SecretString::from(answer.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::script::ScriptedUser;
    use super::*;
    use crate::config::validate;

    #[test]
    fn a_wrong_answer_gets_a_reason_and_the_question_again() {
        let mut person = ScriptedUser::new(&["acme", " https://Acme.atlassian.net/ "]);
        let site = ask_until_valid(&mut person, "Site: ", validate::site).unwrap();
        assert_eq!(site, "acme.atlassian.net");
        assert_eq!(
            person.seen,
            "Site:   not a site's host name; write it like `acme.atlassian.net`\nSite: "
        );
    }

    #[test]
    fn it_is_not_asked_forever() {
        let mut person = ScriptedUser::new(&["x"; 9]);
        assert!(ask_until_valid(&mut person, "?", validate::site).is_err());
        assert_eq!(person.answers.len(), 9 - MAX_ATTEMPTS);
        assert!(ask_until_valid(&mut ScriptedUser::new(&[]), "?", validate::site).is_err());
        assert!(ask_secret_until_valid(&mut ScriptedUser::new(&[]), "?", validate::site).is_err());
    }

    #[test]
    fn a_key_at_the_wrong_place_is_not_shown() {
        let mut person = ScriptedUser::new(&["ATCTT3xSECRET", ""]);
        assert_eq!(ask_optional(&mut person, "?", validate::org_id).unwrap(), None);
        assert!(!person.seen.contains("SECRET"), "{}", person.seen);
    }

    #[test]
    fn no_is_the_default_answer() {
        assert!(!confirm(&mut ScriptedUser::new(&[""]), "?", false).unwrap());
        assert!(confirm(&mut ScriptedUser::new(&["what", "Y"]), "?", false).unwrap());
    }
}
