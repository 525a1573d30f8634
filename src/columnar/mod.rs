//! Writes events to Parquet files, which engines such as DuckDB, Spark and Athena query.
//!
//! `lines -> table_set (sorted by file and time) -> row_shredder (the values of each column) ->
//! row_group (encoded, in memory) -> table_file`
//!
//! `raw` and what has keys of its own kind in every event stand as JSON text, so that the columns
//! of a version are always the same: engines fail on files whose columns differ.

#[cfg(any(feature = "parquet", feature = "object-store"))]
mod partitions;
#[cfg(feature = "parquet")]
mod row_group;
#[cfg(feature = "parquet")]
mod row_shredder;
#[cfg(feature = "parquet")]
mod table_file;
mod table_layout;
#[cfg(feature = "parquet")]
mod table_schema;
#[cfg(feature = "parquet")]
mod table_set;

#[cfg(any(feature = "parquet", feature = "object-store"))]
pub use partitions::FilePartitions;
pub use table_layout::{HAS_PARQUET, columns_of, message_of};
#[cfg(feature = "parquet")]
pub use table_set::TableSet;

#[cfg(feature = "parquet")]
#[cfg(test)]
mod round_trip_tests;
