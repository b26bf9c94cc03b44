//! A TestHost: the Wharf host library with in-memory ports and no sockets.
