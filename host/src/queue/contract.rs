//! The engine as every database must run it.
