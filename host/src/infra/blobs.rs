//! Stores of blobs: a directory, or an S3 API.

mod directory;
#[cfg(feature = "s3")]
mod s3;

#[cfg(all(test, feature = "servers", feature = "s3"))]
mod servers;

pub use directory::DirectoryBlobs;
#[cfg(feature = "s3")]
pub use s3::{S3Blobs, S3Settings};
