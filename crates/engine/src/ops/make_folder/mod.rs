//! Makes a folder; and gives one that is there its dates back, or those of its source.
//!
//! Recovery:
//!
//! | at the path | the journal | then |
//! |---|---|---|
//! | a folder that is the run's | was to make it | it gets what it was to have |
//! | a folder that was there | works in it | it gets the date of before, unless the run had finished it |
//! | anything else | | left alone |
//!
//! Undo removes what the run made, once it is empty, and dates the others back.
//!
//! Invariant: a folder that somebody else made is never changed, whatever its path.

mod carry_out;
mod recover;
mod undo;

pub(crate) use carry_out::{create, finish, give_up};
pub(crate) use recover::{adopt_folders, finish_folder};
