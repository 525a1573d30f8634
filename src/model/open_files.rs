//! Recognises the failures of a process, or a system, that has too many files open.

use std::error::Error;
use std::io;

/// What to do about it.
const HINT: &str = "raise the limit of open files: `ulimit -n 1024` in the shell that starts \
    it, `LimitNOFILE=1024` in a systemd unit";

/// The system's number and words for it (EMFILE, ENFILE), in errors and in the text of wrapped
/// ones.
const NUMBERS: [i32; 2] = [libc::EMFILE, libc::ENFILE];
const WORDS: [&str; 2] = ["Too many open files", "too many open files"];

/// What to do, if `error` or one of its causes is that too many files are open. The usual advice,
/// such as to check a disk or a network, would mislead then.
pub fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let number = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        if number.is_some_and(|number| NUMBERS.contains(&number)) {
            return Some(HINT);
        }
        cause = error.source();
    }
    None
}

/// The same for a text that quotes the system.
pub fn hint_of_text(text: &str) -> Option<&'static str> {
    WORDS.iter().any(|words| text.contains(words)).then_some(HINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_in_an_error_its_causes_and_its_text() {
        for number in NUMBERS {
            let error = io::Error::from_raw_os_error(number);
            assert!(hint_of_text(&error.to_string()).is_some(), "{error}");
            assert!(hint(&error).is_some());
            let wrapped = io::Error::other(Wrapped(error));
            assert!(hint(&wrapped).is_some());
        }
        let error = io::Error::from_raw_os_error(libc::EIO);
        assert!(hint(&error).is_none() && hint_of_text(&error.to_string()).is_none());
    }

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] io::Error);
}
