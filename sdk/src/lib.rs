//! What an author of a Wharf module imports.
