//! Who is calling, may they, and what is known of it afterwards: on the real host with its core modules.

mod admin;
mod desk;
mod endpoints;
mod journey;
mod login;
mod tenants;
mod tokens;
