//! A place on the earth, as far as a source or a database knows it, and how far two are apart.

use serde::{Deserialize, Serialize};

use super::country_distances::border_distance_km;
use crate::model::json::write::ObjectWriter;
use crate::model::text::visible;

const EARTH_RADIUS_KM: f64 = 6371.0088;
/// A longer name is cut: places are kept for each user.
const MAX_CITY_CHARS: usize = 40;

/// Where an event came from. Any part may be unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeoPlace {
    /// The country.
    pub country: Option<CountryCode>,
    /// The city's name, for people.
    pub city: Option<Box<str>>,
    /// Its centre.
    pub coordinates: Option<GeoCoordinates>,
    /// Who says so.
    pub origin: PlaceOrigin,
}

/// Who says where a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceOrigin {
    /// The event's source.
    Source,
    /// The user's database of addresses.
    Database,
}

/// The code of a country: ISO 3166-1 alpha-2, or `XK`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CountryCode([u8; 2]);

/// A point on the earth, and how far from it the place may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GeoCoordinates {
    latitude: f32,
    longitude: f32,
    radius_km: u16,
}

/// How far apart two places are at least.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TravelDistance {
    /// Kilometres, never negative.
    pub km: f64,
    /// What was measured.
    pub basis: DistanceBasis,
}

/// What a distance was measured between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistanceBasis {
    /// The two points, less both radii.
    Coordinates,
    /// The nearest points of the two countries' borders.
    Borders,
}

/// How far apart two places are at least. By the countries if one of them has no coordinates; None
/// if one has no country either, or a country whose borders are unknown.
pub fn travel_distance(a: &GeoPlace, b: &GeoPlace) -> Option<TravelDistance> {
    if let (Some(a), Some(b)) = (a.coordinates, b.coordinates) {
        let radii = f64::from(a.radius_km) + f64::from(b.radius_km);
        let km = (a.distance_km(b) - radii).max(0.0);
        return Some(TravelDistance { km, basis: DistanceBasis::Coordinates });
    }
    let km = border_distance_km(a.country?.as_str(), b.country?.as_str())?;
    Some(TravelDistance { km: km.into(), basis: DistanceBasis::Borders })
}

impl GeoPlace {
    /// A place with what is known of it. A text that is no country's code counts as none, a long
    /// name of a city is cut.
    pub fn new(origin: PlaceOrigin, country: Option<&str>, city: Option<&str>) -> GeoPlace {
        let city = city.map(str::trim).filter(|city| !city.is_empty());
        GeoPlace {
            country: country.and_then(CountryCode::new),
            city: city.map(|city| first_chars(city, MAX_CITY_CHARS).into()),
            coordinates: None,
            origin,
        }
    }
}

fn first_chars(text: &str, count: usize) -> &str {
    match text.len() > count {
        true => text.char_indices().nth(count).and_then(|(end, _)| text.get(..end)).unwrap_or(text),
        false => text,
    }
}

impl GeoPlace {
    /// The code of its country.
    pub fn country_code(&self) -> Option<&str> {
        self.country.as_ref().map(CountryCode::as_str)
    }

    /// What it is called.
    pub fn label(&self) -> String {
        match (&self.city, &self.country) {
            (Some(city), Some(country)) => format!("{} ({})", visible(city), country.as_str()),
            (Some(city), None) => visible(city),
            (None, Some(country)) => country.as_str().to_owned(),
            (None, None) => "an unnamed place".to_owned(),
        }
    }

    /// Who says so, as the end of a sentence.
    pub fn origin_in_words(&self) -> &'static str {
        match self.origin {
            PlaceOrigin::Source => "as the event says",
            PlaceOrigin::Database => "as the database of addresses says",
        }
    }

    /// Writes what is known of it, as an event has it.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("country_code", self.country_code());
        out.text_if_some("city", self.city.as_deref());
    }
}

impl CountryCode {
    /// The code in `text`, in capital letters, if it is one that is known.
    pub fn new(text: &str) -> Option<CountryCode> {
        let code = CountryCode(text.as_bytes().try_into().ok()?);
        super::country_distances::is_country(code.as_str()).then_some(code)
    }

    /// Its two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl GeoCoordinates {
    /// A point in degrees and the radius around it. None for what is not on the earth, and for
    /// exactly 0, 0: databases write that for "unknown", and only sea is there.
    pub fn new(latitude: f64, longitude: f64, radius_km: u16) -> Option<GeoCoordinates> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        let is_null = latitude == 0.0 && longitude == 0.0;
        (is_on_earth && !is_null).then_some(GeoCoordinates {
            latitude: latitude as f32,
            longitude: longitude as f32,
            radius_km,
        })
    }

    /// The great-circle distance of the two points (haversine), in kilometres.
    fn distance_km(self, other: GeoCoordinates) -> f64 {
        let radians = |degrees: f32| f64::from(degrees).to_radians();
        let (north, other_north) = (radians(self.latitude), radians(other.latitude));
        let half_sine = |angle: f64| (angle / 2.0).sin().powi(2);
        let east = radians(self.longitude) - radians(other.longitude);
        let share =
            half_sine(north - other_north) + north.cos() * other_north.cos() * half_sine(east);
        2.0 * EARTH_RADIUS_KM * share.sqrt().min(1.0).asin()
    }
}

impl std::fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> impl Strategy<Value = GeoPlace> {
        let country = proptest::option::of(prop_oneof!["[A-Z]{2}", Just("DE".to_owned())]);
        let point = proptest::option::of((-90.0..=90.0, -180.0..=180.0, 0_u16..2000));
        (country, point).prop_map(|(country, point)| GeoPlace {
            coordinates: point.and_then(|(lat, lon, km)| GeoCoordinates::new(lat, lon, km)),
            ..GeoPlace::new(PlaceOrigin::Source, country.as_deref(), Some("Somewhere"))
        })
    }

    proptest! {
        #[test]
        fn a_distance_is_symmetric_and_on_the_earth(a in place(), b in place()) {
            let distance = travel_distance(&a, &b);
            prop_assert_eq!(distance, travel_distance(&b, &a));
            if let Some(distance) = distance {
                prop_assert!((0.0..=20_016.0).contains(&distance.km));
            }
            let own = travel_distance(&a, &a);
            prop_assert_eq!(own.is_some(), a.country.is_some() || a.coordinates.is_some());
            prop_assert!(own.is_none_or(|own| own.km == 0.0));
        }

        #[test]
        fn a_place_is_the_same_after_it_was_saved(place in place()) {
            let json = serde_json::to_string(&place).unwrap();
            prop_assert!(json.len() < 160, "{}", json);
            prop_assert_eq!(serde_json::from_str::<GeoPlace>(&json).unwrap(), place);
        }
    }

    fn at(latitude: f64, longitude: f64, radius_km: u16, country: &str) -> GeoPlace {
        let coordinates = GeoCoordinates::new(latitude, longitude, radius_km);
        GeoPlace { coordinates, ..GeoPlace::new(PlaceOrigin::Database, Some(country), None) }
    }

    #[test]
    fn points_are_measured_less_their_radii() {
        let (berlin, tokyo) = (at(52.52, 13.405, 20, "DE"), at(35.68, 139.77, 5, "JP"));
        let distance = travel_distance(&berlin, &tokyo).unwrap();
        assert!((8890.0..8900.0).contains(&distance.km), "{}", distance.km);
        assert_eq!(distance.basis, DistanceBasis::Coordinates);
        // Over the antimeridian, and over a pole.
        for (a, b, km) in [
            (at(0.0, 179.5, 0, "FJ"), at(0.0, -179.5, 0, "FJ"), 111.0),
            (at(89.5, 0.0, 0, "NO"), at(89.5, 180.0, 0, "RU"), 111.0),
            (at(10.0, 10.0, 100, "DE"), at(10.1, 10.0, 0, "DE"), 0.0),
        ] {
            let distance = travel_distance(&a, &b).unwrap().km;
            assert!((distance - km).abs() < 1.0, "{distance}");
        }
    }

    #[test]
    fn without_both_points_the_borders_count() {
        let berlin = at(52.52, 13.405, 20, "DE");
        let of_country = |code| GeoPlace::new(PlaceOrigin::Source, Some(code), None);
        for (code, far) in [("DE", false), ("FR", false), ("PL", false), ("JP", true)] {
            let distance = travel_distance(&berlin, &of_country(code)).unwrap();
            assert_eq!(distance.basis, DistanceBasis::Borders);
            assert_eq!(distance.km > 500.0, far, "{code}");
            assert!(far || distance.km == 0.0, "{code}");
        }
        assert_eq!(travel_distance(&berlin, &of_country("ZZ")), None);
    }

    #[test]
    fn what_is_no_point_or_no_country_is_none() {
        for (latitude, longitude) in [(f64::NAN, 1.0), (91.0, 0.0), (0.0, 181.0), (0.0, 0.0)] {
            assert_eq!(GeoCoordinates::new(latitude, longitude, 1), None);
        }
        for text in ["", "de", "DEU", "ZZ", "Ä"] {
            assert_eq!(CountryCode::new(text), None, "{text}");
        }
        let place = GeoPlace::new(PlaceOrigin::Source, None, Some(&"é".repeat(100)));
        assert_eq!(place.city.as_deref(), Some("é".repeat(40).as_str()));
    }
}
