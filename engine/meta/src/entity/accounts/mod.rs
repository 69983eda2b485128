//! Tables of the server: accounts, secrets, notifications.

pub mod destination;
pub mod kept_answer;
pub mod secret;
pub mod session;
pub mod token;
pub mod user;
