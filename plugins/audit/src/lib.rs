//! The audit record: append-only and hash-chained: a core module, linked into the host by default.
