//! Where an address or a country is, how far two places are apart, and on which of the user's lists
//! an address stands. Nothing here asks the network.

mod address_lists;
mod country_distances;
mod geo_database;
mod geo_place;

pub use address_lists::{AddressListError, AddressLists};
pub use geo_database::{GeoDatabase, GeoDatabaseError};
pub use geo_place::{
    CountryCode, DistanceBasis, GeoPlace, PlaceOrigin, TravelDistance, travel_distance,
};
