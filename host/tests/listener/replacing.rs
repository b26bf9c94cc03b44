//! replacing
