//! Configuration: file, environment and secret files become typed values that remember where they came from.
