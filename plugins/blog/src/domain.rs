//! The rules of a blog, without I/O: what a post may become, what it is called, how it is read.

pub(crate) mod image;
pub(crate) mod letters;
pub(crate) mod markdown;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod reading;
pub(crate) mod slug;
pub(crate) mod state;
pub(crate) mod words;
