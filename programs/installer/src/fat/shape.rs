//! Where the parts of a FAT volume lie: §3.1 to §3.5. All places are in bytes.

use std::io;

/// How wide the numbers of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fat12,
    Fat16,
    Fat32,
}

/// Where the root folder lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// From here on, in so many bytes: FAT12 and FAT16.
    Fixed(u64, usize),
    /// In a chain that begins with this cluster.
    Chain(u32),
}

/// What a boot sector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// Bytes in a sector.
    pub(super) sector: u64,
    /// Bytes in a cluster.
    pub(super) cluster: usize,
    /// Where each table begins.
    pub(super) tables: Vec<u64>,
    /// Bytes of a table that have a number of a cluster in them.
    pub(super) table: usize,
    pub(super) root: Root,
    /// Where the first cluster begins, which has number 2.
    pub(super) data: u64,
    /// How many clusters there are.
    pub(super) clusters: u32,
    /// The sector that counts what is free, of FAT32.
    pub(super) info: Option<u64>,
}

/// The largest table that is looked through, in bytes: that of 1 TB with the usual clusters.
const MOST_TABLE: u64 = 128 << 20;
/// The most bytes that are read of a volume: both tables, and folders.
pub(crate) const MOST_READ: u64 = 2 * MOST_TABLE + (64 << 20);

impl Shape {
    /// Reads a boot sector that [`crate::untrusted::is_fat`] found to be one. Fails with what is wrong.
    pub(super) fn of(boot: &[u8; 512]) -> io::Result<Self> {
        let byte = |at: usize| u64::from(boot[at]);
        let word = |at: usize| byte(at) | byte(at + 1) << 8;
        let long = |at: usize| word(at) | word(at + 2) << 16;
        let sector = word(11);
        let is_long = word(22) == 0;
        let sectors = if is_long { long(36) } else { word(22) };
        let total = if word(19) == 0 { long(32) } else { word(19) };
        let root_size = word(17) * 32;
        let root_start = (word(14) + byte(16) * sectors) * sector;
        let data = root_start + root_size.next_multiple_of(sector);
        let cluster = byte(13) * sector;
        let clusters = (total * sector).saturating_sub(data) / cluster;
        // The count alone tells the type; who goes by the layout must come to the same.
        let (kind, bits) = match clusters {
            0 => return Err(super::damaged("it has no cluster")),
            1..4085 => (Kind::Fat12, 12),
            4085..65_525 => (Kind::Fat16, 16),
            _ => (Kind::Fat32, 32),
        };
        if (kind == Kind::Fat32) != is_long {
            return Err(super::damaged(
                "it is of another type than its size makes it",
            ));
        }
        let table = ((clusters + 2) * bits).div_ceil(8);
        if table > sectors * sector || clusters > 0x0fff_fff0 {
            return Err(super::damaged("its tables are too short"));
        }
        if table > MOST_TABLE {
            return Err(io::Error::other(
                "its tables are too large to be looked through",
            ));
        }
        if is_long && word(40) & 0x80 != 0 {
            return Err(io::Error::other("only one of its tables is in use"));
        }
        let number = |it: u64| usize::try_from(it).map_err(io::Error::other);
        Ok(Self {
            kind,
            sector,
            cluster: number(cluster)?,
            tables: (0..byte(16))
                .map(|index| (word(14) + index * sectors) * sector)
                .collect(),
            table: number(table)?,
            root: if is_long {
                Root::Chain(u32::try_from(long(44)).map_err(io::Error::other)?)
            } else {
                Root::Fixed(root_start, number(root_size)?)
            },
            data,
            clusters: u32::try_from(clusters).map_err(io::Error::other)?,
            info: (is_long && (1..word(14)).contains(&word(48))).then(|| word(48) * sector),
        })
    }

    /// Where a cluster begins.
    pub(super) fn at(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster - 2) * self.cluster as u64
    }
}
