//! How near the borders of two countries are to each other.

/// Computed by `tools/country-distances`, which describes the format.
static TABLE: &[u8] = include_bytes!("country_distances.bin");

/// The smallest distance between the borders of two countries (ISO 3166-1 alpha-2, or `XK`), in
/// kilometres: 0 for neighbours, and for a country and itself. None if one of them is unknown.
///
/// All territories of a state count that Natural Earth draws with it, so that France borders on
/// Brazil. The shapes are simplified: expect an error of up to 20 km.
pub fn border_distance_km(a: &str, b: &str) -> Option<u16> {
    let (a, b) = (position(a)?, position(b)?);
    let (low, high) = (a.min(b), a.max(b));
    if low == high {
        return Some(0);
    }
    // The rows before this one have n-1, n-2, ... distances.
    let before = low * (2 * count() - low - 1) / 2;
    u16_at(2 + 2 * count() + 2 * (before + high - low - 1))
}

/// Whether the table has the country.
pub(super) fn is_country(code: &str) -> bool {
    position(code).is_some()
}

fn position(code: &str) -> Option<usize> {
    let (codes, _) = TABLE.get(2..2 + 2 * count())?.as_chunks::<2>();
    let code = u16::from_be_bytes(code.as_bytes().try_into().ok()?);
    codes.binary_search_by_key(&code, |known| u16::from_be_bytes(*known)).ok()
}

fn count() -> usize {
    u16_at(0).map_or(0, usize::from)
}

fn u16_at(at: usize) -> Option<u16> {
    TABLE.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::countries::country_code;

    fn codes() -> Vec<String> {
        let letters = || 'A'..='Z';
        let all = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
        all.filter(|code| is_country(code)).collect()
    }

    #[test]
    fn the_table_is_whole_and_sorted() {
        let n = count();
        assert_eq!(TABLE.len(), 2 + 2 * n + n * (n - 1));
        assert!(TABLE.len() < 70_000);
        assert_eq!(codes().len(), n);
        let (known, _) = TABLE[2..2 + 2 * n].as_chunks::<2>();
        assert!(known.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn every_country_that_has_a_name_is_in_it() {
        let letters = || 'A'..='Z';
        for code in letters().flat_map(|a| letters().map(move |b| format!("{a}{b}"))) {
            let is_known = country_code(&code).is_some() || code == "XK";
            assert_eq!(is_country(&code), is_known, "{code}");
        }
    }

    #[test]
    fn it_is_symmetric_and_fits_on_the_earth() {
        for a in codes() {
            assert_eq!(border_distance_km(&a, &a), Some(0));
            for b in codes() {
                let distance = border_distance_km(&a, &b);
                assert_eq!(distance, border_distance_km(&b, &a));
                assert!(distance.is_some_and(|km| km <= 20_016), "{a} {b} {distance:?}");
            }
        }
    }

    #[test]
    fn neighbours_are_at_no_distance() {
        for pair in "DE-FR US-MX US-CA IE-GB FR-BR FR-ES ES-GI IT-VA IT-SM ZA-LS CN-HK CN-MO AR-CL \
                     IN-PK RU-NO RU-KP RU-PL TR-GR IL-PS RS-XK XK-AL MY-SG NL-BE SX-MF FI-AX CY-GB \
                     US-CU EG-IL UA-RO EH-MR DK-DE CH-LI FR-MC PG-ID TL-ID NO-SJ AU-CX NZ-TK FR-RE"
            .split_whitespace()
        {
            let (a, b) = pair.split_once('-').unwrap();
            let distance = border_distance_km(a, b).unwrap();
            let is_strait = ["MY-SG", "FI-AX"].contains(&pair);
            assert!(distance <= if is_strait { 20 } else { 0 }, "{pair}: {distance}");
        }
    }

    #[test]
    fn others_are_as_far_as_an_atlas_says() {
        for (pair, from, to) in [
            ("US-RU", 0, 10),
            ("ES-MA", 0, 20),
            ("GB-FR", 20, 50),
            ("FI-EE", 30, 80),
            ("AU-NZ", 500, 1000), // Macquarie Island and the Auckland Islands,
            ("DE-JP", 7000, 9500),
            ("BR-NG", 3000, 5500),
            ("IS-PT", 2000, 3100),
            ("FJ-WS", 400, 1100),
            ("CN-TW", 0, 180),
            ("GF-DE", 6000, 8500),
            ("NO-IS", 400, 1400),
        ] {
            let (a, b) = pair.split_once('-').unwrap();
            let distance = border_distance_km(a, b).unwrap();
            assert!((from..=to).contains(&distance), "{pair}: {distance}");
        }
    }

    #[test]
    fn what_is_no_country_has_no_distance() {
        for code in ["", "XX", "ZZ", "de", "DEU", "Ä"] {
            assert_eq!(border_distance_km(code, "DE"), None, "{code}");
            assert_eq!(border_distance_km("DE", code), None, "{code}");
        }
    }
}
