//! Who may do what.
//!
//! Every route names the permission that it needs in its OpenAPI description (`x-permission`), and [`policy`] reads them
//! from there: a route without one is refused to everybody.

pub mod accounts;
pub mod gate;
pub mod password;
pub mod policy;
pub mod principal;
pub mod throttle;
pub mod token;
