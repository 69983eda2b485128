//! Plain rows: what goes into the database and what comes out of it.

mod approval;
mod artifact;
mod change;
mod event;
mod field;
mod run;
mod state;
mod task;

pub use approval::*;
pub use artifact::*;
pub use change::*;
pub use event::*;
pub use field::*;
pub use run::*;
pub use state::*;
pub use task::*;
