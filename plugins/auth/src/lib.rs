//! Sessions, tokens, keys, and login through other identity providers: a core module, linked into the host by default.
