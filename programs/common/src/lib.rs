//! What the programs share that run on booted machines: installer and appliance go by the same rules.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod disks;
pub mod node_toml;
pub mod os_release;
pub mod problem;
pub mod product;
pub mod settings;
pub mod text;
