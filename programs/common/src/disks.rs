//! Which disk is which: what Linux says of a disk, when two of them are one, and which one the
//! firmware started this system from, or from a file on it. Installer and appliance go by the same rules.
//!
//! Reads below a root that tests replace by a fake tree, and never writes.

mod boot;
mod bus;
mod device;
mod iso_file;
mod marks;
mod place;
mod serial;

pub use boot::BootPartition;
pub use bus::Bus;
pub use device::{Device, ask_serial, names};
pub use iso_file::IsoFileVolume;
pub use marks::Marks;
