//! Owns which types ECS 9.4 allows with which category, and the types of a pattern's actions.

use crate::model::meaning::{EcsCategory, EcsType};

/// The values of `event.type` that ECS allows with a category, of those that are used here.
pub fn allowed_types(category: EcsCategory) -> &'static [EcsType] {
    use EcsType::*;
    match category {
        EcsCategory::Api => &[
            Access, Admin, Allowed, Change, Creation, Deletion, Denied, End, Info, Start, User,
        ],
        EcsCategory::Authentication | EcsCategory::Session => &[Start, End, Info],
        EcsCategory::Configuration | EcsCategory::File => {
            &[Access, Change, Creation, Deletion, Info]
        }
        EcsCategory::Iam => &[Admin, Change, Creation, Deletion, Group, Info, User],
        EcsCategory::Web => &[Access, Error, Info],
    }
}

/// The types of an action: what it is `of`, and what its deed was; `info` where that is not told or not allowed.
/// None at all for the web, where only to look at something has a type.
pub fn types_for(
    category: Option<EcsCategory>,
    of: Option<EcsType>,
    deed: Option<EcsType>,
) -> &'static [EcsType] {
    let Some(category) = category else {
        return &[];
    };
    let deed = deed.filter(|kind| allowed_types(category).contains(kind));
    if category == EcsCategory::Web && deed.is_none() {
        return &[];
    }
    type_list(of, deed.unwrap_or(EcsType::Info))
}

/// Every list that [`types_for`] may need.
fn type_list(of: Option<EcsType>, deed: EcsType) -> &'static [EcsType] {
    macro_rules! lists {
        ($($kind:ident)*) => {
            match (of, deed) {
                $(
                    (None, EcsType::$kind) => &[EcsType::$kind],
                    (Some(EcsType::User), EcsType::$kind) => &[EcsType::User, EcsType::$kind],
                    (Some(EcsType::Group), EcsType::$kind) => &[EcsType::Group, EcsType::$kind],
                    (Some(EcsType::Admin), EcsType::$kind) => &[EcsType::Admin, EcsType::$kind],
                )*
                _ => &[EcsType::Info],
            }
        };
    }
    lists! { Access Change Creation Deletion End Info Start }
}
