//! Answer files that the firmware's SMBIOS table carries.

use std::path::Path;

use super::{base64, oem};
use crate::product::product;

/// What an OEM string begins with, behind the product's name and a dot, whose rest is an answer file.
const PLAIN: &str = "install.toml";
/// The same, for a file that a shell or a hypervisor would spoil.
const ENCODED: &str = "install.toml.base64";

/// An answer file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where, in words for people: the end of a sentence, without full stop.
    pub source: String,
    /// What is in it, as far as an answer file may be large, and at most one byte more.
    pub bytes: Vec<u8>,
}

/// The answer files in the SMBIOS table of the machine below `root`. Fails with where one is that is not
/// base64 though it says so.
pub fn read(root: &Path) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let [plain, encoded] = [PLAIN, ENCODED].map(|name| format!("{}.{name}", product().id));
    for string in oem::strings(root) {
        let value = |name: &str| string.strip_prefix(format!("{name}=").as_bytes());
        if let Some(text) = value(&plain) {
            found.push(Found {
                source: format!("SMBIOS OEM string {plain}"),
                bytes: text.to_vec(),
            });
        } else if let Some(text) = value(&encoded) {
            let source = format!("SMBIOS OEM string {encoded}");
            let decoded = str::from_utf8(text).ok().and_then(base64::decode);
            let bytes = decoded.ok_or_else(|| source.clone())?;
            found.push(Found { source, bytes });
        }
    }
    Ok(found)
}
