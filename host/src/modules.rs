//! The only place that knows a module may be a shared library.
//!
//! In reading order: [`control`] (what operators may ask), [`endpoint`] (what the listener sees), `open` and `instance`
//! (stages 6 and 7), [`standing`] and [`current`] (what is known of an instance and of the threads in it).

pub mod control;
pub mod endpoint;

pub mod instance;
pub mod open;

pub mod current;
pub mod standing;
pub mod visiting;
