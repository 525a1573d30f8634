//! Owns the weight of the category that a source itself files a record under, beside that which the
//! taxonomy has for the action. It gives a record no meaning to other schemas: too many things are filed under one word.

use crate::model::event::Category;

/// The more telling of what the action `told` and of what the source's own category means, by `table`;
/// that of the source where they are even. A login is a login, and a permission is one, wherever they are filed.
pub fn choose_category(told: Category, filed: Option<&str>, table: &[(&str, Category)]) -> Category {
    let named = |word: &str| filed.is_some_and(|filed| filed.trim().eq_ignore_ascii_case(word));
    table
        .iter()
        .find(|(word, _)| named(word))
        .map(|(_, category)| *category)
        .filter(|category| rank(*category) <= rank(told))
        .unwrap_or(told)
}

/// How much a category tells, the most telling first. A setting of a page and a page of settings are even.
fn rank(category: Category) -> u8 {
    match category {
        Category::DataExport => 0,
        Category::Authentication => 1,
        Category::Token => 2,
        Category::Policy => 3,
        Category::Permission => 4,
        Category::Group => 5,
        Category::App => 6,
        Category::Account => 7,
        Category::Content | Category::Configuration => 8,
        Category::Other => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Category::*;

    #[test]
    fn the_more_specific_category_wins_else_the_source() {
        let table = [
            ("users", Account),
            ("permissions", Permission),
            ("admin", Configuration),
        ];
        let cases = [
            (Other, "Users", Account),
            (Group, "users", Group),
            (Authentication, "permissions", Authentication),
            (Group, "permissions", Permission),
            (Content, " Admin ", Configuration),
            (Permission, "admin", Permission),
            (Content, "unknown", Content),
            (Other, "", Other),
        ];
        for (told, filed, want) in cases {
            assert_eq!(
                choose_category(told, Some(filed), &table),
                want,
                "{told:?} {filed}"
            );
        }
        assert_eq!(choose_category(Content, None, &table), Content);
    }
}
