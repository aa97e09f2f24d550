//! The service of the TruthDB appliance, small enough to read in one sitting: an append-only log
//! of events in `DATA/wal`, verified as a whole at each start, and its state over HTTP.
//!
//! - [`log`] owns the bytes on the disk: their format, what is verified, what is cut off.
//! - [`service`] owns what happens at a start, and the state that is shown.
//! - [`identity`] reads who this node is, from `DATA/metadata/node.toml` and the machine.
//! - [`error`] owns the exit codes.

pub mod error;
pub mod identity;
pub mod log;
pub mod service;
mod status;
