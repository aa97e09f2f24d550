//! What is on disks, sticks and discs, read without mounting and without writing. What lies there is a
//! stranger's.

pub mod extent;
pub mod fat;
pub mod iso9660;
pub mod mbr;
pub mod udf;

/// What Linux calls a partition, with a `p` where the disk's name ends in a digit; or the whole disk.
pub fn partition_name(disk: &str, number: Option<u32>) -> String {
    let separator = if disk.ends_with(|c: char| c.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    number.map_or_else(
        || disk.to_owned(),
        |number| format!("{disk}{separator}{number}"),
    )
}
