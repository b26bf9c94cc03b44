//! Load on a real host while it is changed. [`reload`] is the only kind so far: a client without retries runs a mix of
//! requests against a module that is swapped again and again, and every answer says which instance gave it.

pub mod reload;
