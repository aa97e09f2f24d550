//! Whether this machine's TPM can keep a key for the system that this medium installs.

use std::path::Path;

use common::luks::has_tpm;

/// Where systemd-stub(7) puts the key whose signature says what the installed system may be measured as: the section
/// `.pcrpkey` of the UKI that runs.
pub const PUBLIC_KEY: &str = ".extra/tpm2-pcr-public-key.pem";

/// Whether a key can be sealed to the TPM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sealing {
    /// It can.
    Ready,
    /// There is no TPM 2.0.
    #[default]
    NoTpm,
    /// Nobody signed what the installed system is measured as.
    NoPolicy,
}

impl Sealing {
    /// Looks at the machine below `root`.
    pub(super) fn read(root: &Path) -> Self {
        if !has_tpm(root) {
            Self::NoTpm
        } else if root.join(PUBLIC_KEY).exists() {
            Self::Ready
        } else {
            Self::NoPolicy
        }
    }

    /// Why it cannot, as a sentence; `None` if it can.
    pub fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Ready => None,
            Self::NoTpm => {
                Some("This computer has no TPM 2.0, or its firmware has it switched off.")
            }
            Self::NoPolicy => Some(
                "This medium is not signed for TPMs, so one could not tell its system from others.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_tpm_keeps_a_key_for_a_signed_system_alone() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Sealing::read(root.path()), Sealing::NoTpm);
        put("sys/class/tpm/tpm0/tpm_version_major", "2\n");
        put("dev/tpmrm0", "");
        assert_eq!(Sealing::read(root.path()), Sealing::NoPolicy);
        put(PUBLIC_KEY, "-----BEGIN PUBLIC KEY-----\n");
        assert_eq!(Sealing::read(root.path()), Sealing::Ready);
        assert_eq!(Sealing::Ready.obstacle(), None);
    }
}
