//! What is mounted, from `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::path::Path;

/// How a folder is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// It is not.
    Missing,
    /// It can be written to.
    Writable,
    /// It cannot, or not any more: ext4 turns to this when the disk reports errors.
    ReadOnly,
}

/// How `/NAME` is mounted on the machine below `root`.
pub fn mount(root: &Path, name: &str) -> Mount {
    let text = std::fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    parse(&text, &format!("/{name}"))
}

/// The last line about a folder counts: it covers the others.
fn parse(mountinfo: &str, folder: &str) -> Mount {
    let mut lines = mountinfo.lines().filter_map(|line| {
        let (own, file_system) = line.split_once(" - ")?;
        let mut own = own.split(' ').skip(4);
        let (point, options) = (own.next()?, own.next()?);
        let super_options = file_system.split(' ').nth(2)?;
        let read_only = [options, super_options]
            .into_iter()
            .any(|options| options.split(',').any(|it| it == "ro"));
        (point == folder).then_some(read_only)
    });
    match lines.next_back() {
        None => Mount::Missing,
        Some(true) => Mount::ReadOnly,
        Some(false) => Mount::Writable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_mount_and_file_system_both_count() {
        let line = |options: &str, super_options: &str| {
            format!(
                "15 1 0:5 / /proc rw - proc proc rw\n22 1 259:2 / /data {options} shared:1 - ext4 \
                 /run/example/data-device {super_options}\n"
            )
        };
        let rows = [
            (line("rw,noatime", "rw,errors=remount-ro"), Mount::Writable),
            (line("rw,noatime", "ro,errors=remount-ro"), Mount::ReadOnly),
            (line("ro,noatime", "rw"), Mount::ReadOnly),
            (
                line("rw", "rw").replace("/data ", "/data2 "),
                Mount::Missing,
            ),
            (String::new(), Mount::Missing),
            ("rubbish - x\n".to_owned(), Mount::Missing),
            (line("rw", "ro") + &line("rw", "rw"), Mount::Writable),
        ];
        for (text, expected) in rows {
            assert_eq!(parse(&text, "/data"), expected, "{text}");
        }
        assert_eq!(mount(Path::new("/nowhere"), "data"), Mount::Missing);
    }
}
