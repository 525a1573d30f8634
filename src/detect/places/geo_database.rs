//! Reads where an address is from a MaxMind DB file that the user names.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, PathElement, Reader, path};

use super::geo_place::{GeoCoordinates, GeoPlace, PlaceOrigin};
use crate::model::time::{Timestamp, from_epoch};

/// The largest that are sold have about 200 MB. The whole file is held in memory.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// Of a city whose radius is not stated.
const CITY_RADIUS_KM: u16 = 50;

/// A database of addresses: GeoLite2 and GeoIP2 (City, Country), DB-IP, IPtoASN and others of that
/// format.
#[derive(Debug)]
pub struct GeoDatabase {
    reader: Reader<Vec<u8>>,
    built: Timestamp,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoDatabaseError {
    /// The file cannot be read.
    #[error("cannot read the GeoIP database `{path}`", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a MaxMind DB, or damaged.
    #[error("`{path}` is not a MaxMind DB file, or it is damaged", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: MaxMindDbError,
    },
}

impl GeoDatabaseError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            GeoDatabaseError::Unreadable { .. } => {
                "check the path and the permissions of `geoip`; it must be a regular file of at \
                 most 512 MiB"
            }
            GeoDatabaseError::Damaged { .. } => {
                "download it again and unpack it: `geoip` must name a `.mmdb` file with countries \
                 or cities, such as GeoLite2-City.mmdb"
            }
        }
    }
}

impl GeoDatabase {
    /// Loads the file at `path`.
    pub fn open(path: &Path) -> Result<GeoDatabase, GeoDatabaseError> {
        let bytes = read_whole(path)
            .map_err(|source| GeoDatabaseError::Unreadable { path: path.into(), source })?;
        GeoDatabase::from_bytes(bytes)
            .map_err(|source| GeoDatabaseError::Damaged { path: path.into(), source })
    }

    fn from_bytes(bytes: Vec<u8>) -> Result<GeoDatabase, MaxMindDbError> {
        let reader = Reader::from_source(bytes)?;
        let seconds = i64::try_from(reader.metadata().build_epoch).ok();
        let built = seconds.and_then(|seconds| from_epoch(seconds, 0));
        let built = built.ok_or_else(|| MaxMindDbError::invalid_database("no build date"))?;
        Ok(GeoDatabase { reader, built })
    }

    /// When its data were put together.
    pub fn built(&self) -> Timestamp {
        self.built
    }

    /// Where `address` is. None where the database has neither country nor coordinates for it.
    pub fn place(&self, address: IpAddr) -> Option<GeoPlace> {
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        // Databases differ in where a value is and in its type: what does not fit is not there.
        let text = |path: &[PathElement<'_>]| found.decode_path::<&str>(path).ok().flatten();
        let number = |path: &[PathElement<'_>]| found.decode_path::<f64>(path).ok().flatten();
        let country = text(&path!["country", "iso_code"])
            .or_else(|| text(&path!["country_code"]))
            .or_else(|| text(&path!["country"]));
        let city = text(&path!["city", "names", "en"]).or_else(|| text(&path!["city"]));
        let degrees = |name| number(&path!["location", name]).or_else(|| number(&path![name]));
        let radius = found.decode_path::<u16>(&path!["location", "accuracy_radius"]);
        // A point without radius or city is the middle of a country, which says nothing.
        let radius = radius.ok().flatten().or(city.map(|_| CITY_RADIUS_KM));
        let place = GeoPlace {
            coordinates: radius.and_then(|radius_km| {
                GeoCoordinates::new(degrees("latitude")?, degrees("longitude")?, radius_km)
            }),
            ..GeoPlace::new(PlaceOrigin::Database, country, city)
        };
        (place.country.is_some() || place.coordinates.is_some()).then_some(place)
    }
}

fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let about = path.metadata()?;
    if !about.is_file() || about.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("not a regular file, or larger than 512 MiB"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made-up places of documentation addresses, in the shapes of several vendors.
    const DATABASE: &[u8] = include_bytes!("test_places.mmdb");

    const ADDRESSES: [&str; 9] = [
        "192.0.2.1",
        "192.0.2.200",
        "198.51.100.7",
        "203.0.113.80",
        "2001:db8::1",
        "2001:db8:8000::1",
        "::ffff:192.0.2.1",
        "10.0.0.1",
        "fe80::1",
    ];

    fn place(database: &GeoDatabase, address: &str) -> Option<GeoPlace> {
        database.place(address.parse().unwrap())
    }

    #[test]
    fn it_finds_the_places_of_each_vendor() {
        let database = GeoDatabase::from_bytes(DATABASE.to_vec()).unwrap();
        assert_eq!(database.built().to_rfc3339(), "2026-12-01T00:00:00+00:00");
        let expected = [
            Some(("DE", Some("Berlin"), GeoCoordinates::new(52.52, 13.405, 20))),
            Some(("FR", None, None)),
            Some(("JP", None, None)),
            Some(("AU", Some("Sydney"), GeoCoordinates::new(-33.87, 151.21, 50))),
            Some(("NZ", Some("Auckland"), GeoCoordinates::new(-36.85, 174.76, 5))),
            None,
            Some(("DE", Some("Berlin"), GeoCoordinates::new(52.52, 13.405, 20))),
            None,
            None,
        ];
        for (address, expected) in ADDRESSES.into_iter().zip(expected) {
            let expected = expected.map(|(country, city, coordinates)| GeoPlace {
                coordinates,
                ..GeoPlace::new(PlaceOrigin::Database, Some(country), city)
            });
            assert_eq!(place(&database, address), expected, "{address}");
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_or_lacks_places_and_never_panics() {
        let look_up_all = |bytes: Vec<u8>| {
            if let Ok(database) = GeoDatabase::from_bytes(bytes) {
                for address in ADDRESSES {
                    place(&database, address);
                }
            }
        };
        for length in 0..DATABASE.len() {
            assert!(GeoDatabase::from_bytes(DATABASE[..length].to_vec()).is_err());
            look_up_all(DATABASE[length..].to_vec());
            for byte in [0, 0xff, DATABASE[length] ^ 1, DATABASE[length] ^ 0x80] {
                let mut damaged = DATABASE.to_vec();
                damaged[length] = byte;
                look_up_all(damaged);
            }
        }
    }

    #[test]
    fn what_cannot_be_opened_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("places.mmdb");
        let open = |path: &Path| GeoDatabase::open(path).unwrap_err();
        assert!(matches!(open(&file), GeoDatabaseError::Unreadable { .. }));
        assert!(matches!(open(folder.path()), GeoDatabaseError::Unreadable { .. }));
        std::fs::write(&file, "network,country\n").unwrap();
        let error = open(&file);
        assert!(matches!(error, GeoDatabaseError::Damaged { .. }));
        assert!(error.to_string().contains("places.mmdb") && error.hint().contains(".mmdb"));
        std::fs::write(&file, DATABASE).unwrap();
        assert!(place(&GeoDatabase::open(&file).unwrap(), "192.0.2.1").is_some());
    }
}
