//! wharf.toml: types, parsing, validation and the embedded section; no I/O.
