//! What is installed: `/etc/product.toml`, which a recipe has and its images carry. It is read once, when
//! a program begins; everything else that is said of a product is made of it.

use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;

mod colour;
mod field;

pub use colour::Colour;
pub use field::Field;

use crate::problem::Problem;

/// Where it lies below the root.
pub const FILE: &str = "etc/product.toml";

static PRODUCT: OnceLock<Product> = OnceLock::new();

/// A product. `pipeline/project/product.py` checks the same before an image is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// What people call it.
    pub name: String,
    /// What it is called in the names of files and of parameters.
    pub id: String,
    /// Who makes it.
    pub vendor: String,
    /// How a disk is laid out.
    pub disk: Disk,
    /// What it needs of a computer.
    pub needs: Needs,
    /// What lies on a medium.
    pub medium: Medium,
    /// What the appliance runs. Like the settings, and the data partitions of the disk, it may be left out where
    /// what gets installed is a set of partitions, which says everything itself.
    #[serde(default)]
    pub service: Service,
    /// Settings that nobody has chosen.
    #[serde(default)]
    pub settings: Settings,
    /// How the installer's screen looks.
    pub colours: Colours,
    /// What it says in its own words.
    #[serde(default)]
    pub texts: Texts,
    /// Files that it looks like.
    #[serde(default)]
    pub look: Look,
}

/// How a disk is laid out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Its folder in the partition that firmware reads, and in the folder `EFI` there.
    pub folder: String,
    /// Name of the first data partition; the others have their number behind it. Empty if it is not said.
    #[serde(default)]
    pub data: String,
    /// Name of a partition that is being worked on.
    pub unfinished: String,
    /// The fewest MiB of a data partition.
    #[serde(default)]
    pub least_data_mib: u64,
    /// MiB of the partition that firmware reads.
    #[serde(default = "efi_mib")]
    pub efi_mib: u64,
}

/// What the partition has of which nothing is said: room for several systems.
fn efi_mib() -> u64 {
    512
}

/// What it needs of a computer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Bytes of the smallest disk.
    pub disk: u64,
    /// MiB of the least memory.
    pub memory_mib: u64,
}

/// What lies on a medium.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Medium {
    /// Name of the appliance's UKI, or of the list of a set of partitions, which ends in `.json`.
    pub payload: String,
    /// Label of a FAT volume that holds an answer file; small letters are as good.
    pub answers: String,
}

/// What the appliance runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its program, in `/bin`.
    pub program: String,
    /// The port that it listens at.
    pub port: u16,
    /// The port at which the appliance proves what runs; 0 for none.
    #[serde(default)]
    pub attestation_port: u16,
}

/// Settings that nobody has chosen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What the machine is called.
    pub host_name: String,
    /// What the node is called among nodes.
    pub node_name: String,
    /// What everybody is asked for.
    pub asked: Vec<Field>,
    /// What is asked for besides, of those who want to see it. What is in neither list stays as it is.
    pub advanced: Vec<Field>,
}

/// Sentences that people set; each is printable ASCII.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Texts {
    /// What is said first of all.
    pub welcome: Option<String>,
    /// What to do when all is done.
    pub done: Option<String>,
    /// Whom to ask where something went wrong.
    pub support: Option<String>,
}

/// Files beside this one, for a monitor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Look {
    /// A picture, for the first screen.
    pub logo: Option<String>,
    /// The font of all screens.
    pub font: Option<String>,
}

/// The colours of a monitor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Colours {
    pub ground: Colour,
    pub band: Colour,
    pub raised: Colour,
    pub key: Colour,
    pub text: Colour,
    pub quiet: Colour,
    pub accent: Colour,
    pub amber: Colour,
    pub red: Colour,
    pub dim: Colour,
}

impl Product {
    /// Whether what gets installed is a set of partitions, not one UKI beside data.
    pub fn is_set(&self) -> bool {
        Path::new(&self.medium.payload)
            .extension()
            .is_some_and(|it| it == "json")
    }

    /// What it has to say, and does not; nothing of it is needed by a set of partitions.
    fn lacking(&self) -> Option<&'static str> {
        let needed = [
            (self.service.program.is_empty(), "service"),
            (self.settings.host_name.is_empty(), "settings"),
            (self.disk.data.is_empty(), "disk.data"),
            (self.disk.least_data_mib == 0, "disk.least_data_mib"),
        ];
        let mut missing = needed.into_iter().filter(|(is_missing, _)| *is_missing);
        missing
            .next()
            .filter(|_| !self.is_set())
            .map(|(_, key)| key)
    }

    /// Path of its receipt in the partition that firmware reads. Of a set of partitions, that partition may be
    /// another system's, and only the folder below `EFI` is its own.
    pub fn receipt(&self) -> String {
        let parent = if self.is_set() { "EFI/" } else { "" };
        format!("{parent}{}/install-receipt.json", self.disk.folder)
    }

    /// Path of the folder of its systems in the same partition.
    pub fn systems(&self) -> String {
        format!("EFI/{}", self.disk.folder)
    }

    /// Path, below the root, of the file or folder `name` in the appliance's folder in `/run`.
    pub fn run(&self, name: &str) -> String {
        format!("run/{}/{name}", self.id)
    }
}

/// Reads it below `root`, for the whole program; without effect after the first call. Fails with what
/// is wrong.
pub fn load(root: &Path) -> Result<(), Problem> {
    let path = root.join(FILE);
    // Tests have machines without one.
    if cfg!(debug_assertions) && !path.exists() {
        return Ok(());
    }
    // Whoever came first has read the same.
    let _ = PRODUCT.set(read(&path)?);
    Ok(())
}

fn read(path: &Path) -> Result<Product, Problem> {
    let wrong = |what: String| Problem::new(format!("/{FILE} {what}."), "Build the image again.");
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot be read: {error}")).because(error))?;
    let product: Product = toml::from_str(&text)
        .map_err(|error| wrong(format!("is wrong: {}", error.message().trim())).because(error))?;
    match product.lacking() {
        Some(key) => Err(wrong(format!("is wrong: missing field `{key}`"))),
        None => Ok(product),
    }
}

/// The product of this image. Tests, which load none, have one of their own.
///
/// # Panics
///
/// Where none was loaded: `main` does that before anything else.
pub fn product() -> &'static Product {
    #[allow(clippy::expect_used)]
    PRODUCT.get_or_init(|| of_tests().expect("none was loaded"))
}

#[cfg(debug_assertions)]
fn of_tests() -> Option<Product> {
    toml::from_str(include_str!("product/example.toml")).ok()
}

#[cfg(not(debug_assertions))]
fn of_tests() -> Option<Product> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        let colours = ["ground", "band", "raised", "key", "text", "quiet", "accent"];
        let colours = colours.iter().chain(&["amber", "red", "dim"]);
        let colours: Vec<_> = colours.map(|it| format!("{it} = \"#0a0B0c\"\n")).collect();
        format!(
            "name = \"ACME Store\"\nid = \"acme\"\nvendor = \"ACME\"\n\
             [disk]\nfolder = \"ACME\"\ndata = \"ACME_DATA\"\nunfinished = \"ACME_PART\"\n\
             least_data_mib = 64\n\
             [needs]\ndisk = 1\nmemory_mib = 512\n\
             [medium]\npayload = \"acme.efi\"\nanswers = \"ACME_CFG\"\n\
             [service]\nprogram = \"store\"\nport = 80\n\
             [settings]\nhost_name = \"store\"\nnode_name = \"one\"\n\
             asked = [\"host_name\"]\nadvanced = []\n\
             [colours]\n{}",
            colours.concat()
        )
    }

    #[test]
    fn everything_is_made_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("product.toml");
        std::fs::write(&path, text()).unwrap();
        let product = read(&path).unwrap();
        assert_eq!(product.receipt(), "ACME/install-receipt.json");
        assert_eq!(product.systems(), "EFI/ACME");
        assert_eq!(product.run("data.state"), "run/acme/data.state");
        assert_eq!(product.colours.dim, Colour([10, 11, 12]));
        assert_eq!(product.settings.asked, [Field::HostName]);
        assert_eq!(
            (product.vendor.as_str(), product.disk.efi_mib),
            ("ACME", 512)
        );
        assert_eq!((product.texts.support, product.look.logo), (None, None));
        let more = text().replace("[needs]", "efi_mib = 300\n[needs]")
            + "[texts]\nsupport = \"Call 555.\"\n[look]\nfont = \"acme.psf\"\n";
        std::fs::write(&path, more).unwrap();
        let product = read(&path).unwrap();
        assert_eq!(product.disk.efi_mib, 300);
        assert_eq!(product.texts.support.as_deref(), Some("Call 555."));
        assert_eq!(product.look.font.as_deref(), Some("acme.psf"));
    }

    #[test]
    fn a_set_of_partitions_needs_neither_service_nor_settings_nor_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("product.toml");
        let service = "[service]\nprogram = \"store\"\nport = 80\n";
        let settings = "[settings]\nhost_name = \"store\"\nnode_name = \"one\"\n\
                        asked = [\"host_name\"]\nadvanced = []\n";
        let parts = [
            (service, "service"),
            (settings, "settings"),
            ("data = \"ACME_DATA\"\n", "disk.data"),
            ("least_data_mib = 64\n", "disk.least_data_mib"),
        ];
        for (part, key) in parts {
            let short = text().replace(part, "");
            assert_ne!(short, text());
            std::fs::write(&path, &short).unwrap();
            assert_eq!(
                read(&path).unwrap_err().message,
                format!("/etc/product.toml is wrong: missing field `{key}`.")
            );
            std::fs::write(&path, short.replace("acme.efi", "set.json")).unwrap();
            let product = read(&path).unwrap();
            assert!(product.is_set());
            assert_eq!(product.receipt(), "EFI/ACME/install-receipt.json");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_reason() {
        let rows = [
            ("port = 80", "", "missing field `port`"),
            ("vendor = \"ACME\"", "", "missing field `vendor`"),
            (
                "port = 80",
                "port = 80\nx = 1",
                "unknown field `x`, expected one of `program`, `port`, `attestation_port`",
            ),
            (
                "#0a0B0c",
                "#0a0B0",
                "\"#0a0B0\" is not a colour such as #0f151d",
            ),
            (
                "#0a0B0c",
                "0a0b0cc",
                "\"0a0b0cc\" is not a colour such as #0f151d",
            ),
            (
                "#0a0B0c",
                "#0a0b0g",
                "\"#0a0b0g\" is not a colour such as #0f151d",
            ),
        ];
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        for (from, to, reason) in rows {
            std::fs::write(root.path().join(FILE), text().replace(from, to)).unwrap();
            let error = load(root.path()).unwrap_err();
            let message = format!("/etc/product.toml is wrong: {reason}.");
            assert_eq!(error.message, message);
            assert!(std::error::Error::source(&error).is_some());
        }
        let error = read(&root.path().join("x")).unwrap_err().message;
        assert!(
            error.starts_with("/etc/product.toml cannot be read: No such"),
            "{error}"
        );
    }
}
