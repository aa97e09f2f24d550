//! Runs a program on all consoles at once, as a screen that several people share: what it prints is seen on
//! each of them, what is typed on any of them is its input, and everybody sees what the others type.
//!
//! - [`session`] is the program on a terminal of its own, between start and end.
//! - [`ending`] is what follows: init is asked to end the machine, or starts the program again.
//!
//! Every path is looked up below a root folder, which is `/` but in tests.

pub mod ending;
pub mod session;
