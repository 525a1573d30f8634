//! The rules that are part of the program.

/// Names the files of `src/detect/rules`, with their texts.
macro_rules! rules {
    ($($name:literal,)*) => {
        /// Each file and its text.
        pub const RULES: [(&str, &str); [$($name,)*].len()] = [
            $(($name, include_str!(concat!("../rules/", $name))),)*
        ];
    };
}

rules! {
    "admin_organization_admin_added.yml",
}
