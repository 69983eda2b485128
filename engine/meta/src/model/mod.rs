//! Plain rows: what goes into the database and what comes out of it.

mod account;
mod approval;
mod artifact;
mod change;
mod field;
mod log;
mod page;
mod run;
mod state;
mod task;
mod trigger;

pub use account::*;
pub use approval::*;
pub use artifact::*;
pub use change::*;
pub use field::*;
pub use log::*;
pub use page::*;
pub use run::*;
pub use state::*;
pub use task::*;
pub use trigger::*;
