//! The admin API: HTTP and JSON on a Unix socket.
