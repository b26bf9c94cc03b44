//! The only place that knows a module may be a shared library.
//!
//! In the order of the stages: [`discover`] finds files, [`place`] reads them, [`trust`] asks who made them, [`inspect`] reads
//! them without running them, [`verify`] puts these together with the manifest's rules, [`plan`] judges a whole folder,
//! [`open`] and [`instance`] let code of the module run. [`standing`] and [`current`] are what is known of an instance and of
//! the threads inside it; [`control`] is what operators may ask, [`endpoint`] what the listener sees.

pub mod control;
pub mod endpoint;

pub mod discover;
mod duties;
pub mod inspect;
pub mod os;
pub mod place;
pub mod plan;
pub mod trust;
pub mod verify;

pub mod instance;
pub mod open;

pub mod mesh;
pub mod supervisor;

pub mod belongings;
pub mod current;
pub mod standing;
pub mod visiting;
