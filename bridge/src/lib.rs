//! http and bytes types to and from the Wharf ABI, compiled into each side.
