//! What this medium carries to be started by firmware, and where it lies in the partition that firmware reads:
//! the system's UKI twice, and before it, where the medium has it, shim. Firmware that trusts only what machines
//! are sold with starts shim, and shim whatever the owner trusts.
//!
//! shim starts the file beside it that was given its name when it was built, or else the menu in which a key is
//! enrolled. Its second stage could be named by the load options of a boot entry, too; but those do not reach what
//! lies at the path that firmware looks for by itself, and some firmware adds to them.
//!
//! UEFI specification 2.10, section 3.5.1.1 (the path that firmware looks for by itself); shim, README.md and
//! `DEFAULT_LOADER`.

use std::fs;
use std::path::Path;

use common::digest::sha256;
use common::problem::Problem;
use common::product::product;

use super::layout::SYSTEM;
use super::receipt::FileFacts;
use super::system::{FALLBACK, system_path};

/// What shim is called in our folder, and on the medium.
const SHIM: &str = "shimx64.efi";
/// What shim starts.
const SECOND_STAGE: &str = "grubx64.efi";
/// What shim starts where nobody trusts its second stage: the menu in which a key is enrolled.
const MOK_MANAGER: &str = "mmx64.efi";

/// What this medium carries.
#[derive(Debug)]
pub(super) struct Payload {
    system: Vec<u8>,
    shim: Option<Shim>,
}

#[derive(Debug)]
struct Shim {
    program: Vec<u8>,
    mok_manager: Vec<u8>,
}

impl Payload {
    /// The appliance's UKI.
    pub(super) fn system(&self) -> &[u8] {
        &self.system
    }

    /// Reads it below `root`, and compares the system with its digest.
    pub(super) fn read(root: &Path) -> Result<Self, Problem> {
        let name = &product().medium.payload;
        let system = read(root, name)?;
        // Beside the appliance's UKI lies its SHA-256.
        let expected = read(root, &format!("{name}.sha256"))?;
        let found = sha256(&system);
        if !expected.starts_with(found.as_bytes()) {
            return Err(broken(format!(
                "/payload/{name} of this medium is not what was built: its SHA-256 is {found}."
            )));
        }
        let shim = if root.join("payload").join(SHIM).exists() {
            Some(Shim {
                program: read(root, SHIM)?,
                mok_manager: read(root, MOK_MANAGER)?,
            })
        } else {
            None
        };
        Ok(Self { system, shim })
    }

    /// Paths and contents in the partition that firmware reads: first the system of this version, twice.
    pub(super) fn files(&self, version: &str) -> Vec<(String, &[u8])> {
        let system = self.system.as_slice();
        let Some(shim) = &self.shim else {
            let paths = [system_path(version), FALLBACK.to_owned()];
            return Vec::from(paths.map(|path| (path, system)));
        };
        let (own, (fallback, _)) = (product().systems(), split(FALLBACK));
        let rows = [
            (format!("{own}/{SECOND_STAGE}"), system),
            (format!("{fallback}/{SECOND_STAGE}"), system),
            (format!("{own}/{SHIM}"), &shim.program),
            (FALLBACK.to_owned(), &shim.program),
            (format!("{own}/{MOK_MANAGER}"), &shim.mok_manager),
            (format!("{fallback}/{MOK_MANAGER}"), &shim.mok_manager),
        ];
        Vec::from(rows)
    }

    /// The same as a receipt has it.
    pub(super) fn facts(&self, version: &str) -> Vec<FileFacts> {
        let files = self.files(version).into_iter();
        let facts = files.map(|(path, content)| FileFacts {
            path: format!("{SYSTEM}:/{path}"),
            bytes: content.len() as u64,
            sha256: sha256(content),
        });
        facts.collect()
    }

    /// The path that a boot entry starts.
    pub(super) fn started(&self, version: &str) -> String {
        match self.shim {
            Some(_) => format!("{}/{SHIM}", product().systems()),
            None => system_path(version),
        }
    }

    /// What firmware may start of it: the programs whose signatures it looks at, without a menu.
    pub(super) fn programs(&self) -> impl Iterator<Item = &[u8]> {
        let shim = self.shim.iter().map(|it| it.program.as_slice());
        shim.chain([self.system.as_slice()])
    }
}

/// Of these names of our folder those that firmware may have been told to start, shim first.
pub(super) fn startable(names: Vec<String>) -> Vec<String> {
    let is = |name: &String, other: &str| name.eq_ignore_ascii_case(other);
    let is_program =
        |name: &String| name.to_ascii_lowercase().ends_with(".efi") && !is(name, MOK_MANAGER);
    let mut names: Vec<String> = names.into_iter().filter(is_program).collect();
    names.sort_by_key(|name| !is(name, SHIM));
    names
}

/// Folder and name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn read(root: &Path, name: &str) -> Result<Vec<u8>, Problem> {
    let path = format!("payload/{name}");
    fs::read(root.join(&path))
        .map_err(|error| broken(format!("/{path} of this medium cannot be read: {error}.")))
}

fn broken(message: String) -> Problem {
    Problem::new(
        message,
        "The medium is damaged: write it again, or build it again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(shim: bool) -> Payload {
        Payload {
            system: vec![1],
            shim: shim.then(|| Shim {
                program: vec![2],
                mok_manager: vec![3],
            }),
        }
    }

    #[test]
    fn shim_lies_before_the_system_wherever_firmware_looks() {
        let rows = [
            (
                false,
                &[("EFI/Example/example-1.0.efi", 1), (FALLBACK, 1)][..],
                "EFI/Example/example-1.0.efi",
            ),
            (
                true,
                &[
                    ("EFI/Example/grubx64.efi", 1),
                    ("EFI/BOOT/grubx64.efi", 1),
                    ("EFI/Example/shimx64.efi", 2),
                    (FALLBACK, 2),
                    ("EFI/Example/mmx64.efi", 3),
                    ("EFI/BOOT/mmx64.efi", 3),
                ],
                "EFI/Example/shimx64.efi",
            ),
        ];
        for (shim, expected, started) in rows {
            let payload = payload(shim);
            let files = payload.files("1.0");
            let found: Vec<_> = files
                .iter()
                .map(|(path, it)| (path.as_str(), it[0]))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(payload.started("1.0"), started);
            let facts: Vec<_> = payload.facts("1.0").into_iter().map(|it| it.path).collect();
            let paths: Vec<_> = expected
                .iter()
                .map(|(it, _)| format!("EFI:/{it}"))
                .collect();
            assert_eq!(facts, paths);
        }
    }

    #[test]
    fn shim_is_what_firmware_was_told_to_start_and_a_menu_is_not() {
        let names = ["grubx64.efi", "MMX64.EFI", "note.txt", "SHIMX64.EFI"].map(str::to_owned);
        assert_eq!(startable(names.to_vec()), ["SHIMX64.EFI", "grubx64.efi"]);
    }
}
