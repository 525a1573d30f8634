//! Owns the question whether a text is of a type of OCSF that not every text is of.

/// Whether `text` is of the type `email_t`: some letters, digits and marks, one `@`, and a domain with a dot in it.
pub fn is_email(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().position(|&byte| byte == b'@') else {
        return false;
    };
    let (name, domain) = bytes.split_at(at);
    let domain = domain.get(1..).unwrap_or_default();
    // What stands before the first dot, and behind it, must not be empty.
    let dot = domain.iter().position(|&byte| byte == b'.');
    let has_ends = dot.is_some_and(|dot| dot > 0 && dot + 1 < domain.len());
    let is_of = |text: &[u8], set: &[bool; 256]| text.iter().all(|&byte| set[usize::from(byte)]);
    has_ends && !name.is_empty() && is_of(name, &NAME) && is_of(domain, &DOMAIN)
}

/// What may stand before the `@`.
static NAME: [bool; 256] = letters_digits_and(b"!#$%&'*+,-./=?^_`{|}~");

/// What may stand behind it.
static DOMAIN: [bool; 256] = letters_digits_and(b"-.");

/// Which bytes are letters or digits of ASCII, or one of `marks`.
const fn letters_digits_and(mut marks: &[u8]) -> [bool; 256] {
    let mut set = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        set[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    while let [mark, rest @ ..] = marks {
        set[*mark as usize] = true;
        marks = rest;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_people() {
        for good in [
            "a@b.c",
            "ada.lovelace+x@mail.example.com",
            "o'hara,x@a-b.example",
            "{~}@x.-",
            "a@b..",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "", "@", "a@b", "a@.b", "a@b.", "@b.c", "a b@c.d", "a@b@c.d", "é@b.c", "a@b.é",
            "a\"@b.c", "a(@b.c", "a<@b.c", "a>@b.c", "a:@b.c", "a;@b.c", "a[@b.c", "a\\@b.c",
            "a]@b.c", "a@b_c.d", "a@b.c\n",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn every_ascii_character_before_the_at() {
        let allowed = "!#$%&'*+,-./=?^_`{|}~";
        for byte in 0..128_u8 {
            let c = char::from(byte);
            let want = c.is_ascii_alphanumeric() || allowed.contains(c);
            assert_eq!(is_email(&format!("a{c}@b.c")), want, "{c:?}");
        }
    }
}
