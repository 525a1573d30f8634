//! A text in the place of a state file: one that is a checkpoint is the same when saved and loaded.

#![no_main]

use atlaudit::fuzz::State;

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    if let Some(state) = State::load(text) {
        let saved = state.save().expect("saved");
        assert_eq!(State::load(&saved), Some(state));
    }
});
