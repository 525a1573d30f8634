//! An expression of `--where`: it is refused, or true where its negation is false.

#![no_main]

use atlaudit::fuzz::is_true;

libfuzzer_sys::fuzz_target!(|text: &str| {
    // The negation of one that is nested as deep as is allowed is refused.
    if let (Some(is_it), Some(is_not)) = (is_true(text), is_true(&format!("not ({text})"))) {
        assert_ne!(is_it, is_not);
    }
});
