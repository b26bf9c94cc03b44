//! The stable ABI between the Wharf host and its modules, and nothing else.
