use std::io::{Cursor, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};

mod update;

use super::*;
use common::slice::Slice;

type Image = Cursor<Vec<u8>>;

/// A volume of each type, and one on sectors of 4096 bytes: bytes, of a sector, of a cluster.
const SHAPES: [(usize, u16, u32, FatType); 4] = [
    (2 << 20, 512, 1024, FatType::Fat12),
    (16 << 20, 512, 2048, FatType::Fat16),
    (36 << 20, 512, 512, FatType::Fat32),
    (300 << 20, 4096, 4096, FatType::Fat32),
];

/// A volume that has a folder with a file.
fn stick((size, sector, cluster, kind): (usize, u16, u32, FatType)) -> Image {
    let mut image = Cursor::new(vec![0; size]);
    let options = FormatVolumeOptions::new()
        .fat_type(kind)
        .bytes_per_sector(sector)
        .bytes_per_cluster(cluster)
        .volume_label(*b"STICK      ");
    fatfs::format_volume(&mut image, options).unwrap();
    let mut volume = opened(&mut image).unwrap().unwrap();
    volume.date_label(Stamp::FIRST).unwrap();
    let inner = vec![("a long name.text".to_owned(), Node::File(b"kept"))];
    volume
        .add(&[("Folder".to_owned(), Node::Folder(inner))], Stamp::now())
        .unwrap();
    image
}

fn opened<T: Read + Write + io::Seek>(mut image: T) -> io::Result<Option<Volume<T>>> {
    let size = image.seek(io::SeekFrom::End(0))?;
    Volume::open(image, size)
}

fn add(image: &mut Image, name: &str, content: &[u8]) -> io::Result<()> {
    let files = vec![
        ("installer.log".to_owned(), Node::File(content)),
        ("EMPTY".to_owned(), Node::File(b"")),
    ];
    opened(image)?
        .unwrap()
        .add(&[(name.to_owned(), Node::Folder(files))], Stamp::now())
}

fn by_fatfs(image: &mut Image) -> io::Result<FileSystem<&mut Image>> {
    image.set_position(0);
    FileSystem::new(image, FsOptions::new())
}

fn read(image: &mut Image, path: &str) -> io::Result<Vec<u8>> {
    let volume = by_fatfs(image)?;
    let mut content = Vec::new();
    volume
        .root_dir()
        .open_file(path)?
        .read_to_end(&mut content)?;
    Ok(content)
}

fn judged(image: &Image) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(image.get_ref()).unwrap();
    judge(file.path());
}

/// Lets `fsck.fat` of dosfstools say what is wrong with a volume.
pub(crate) fn judge(volume: &Path) {
    let places = ["/usr/sbin/fsck.fat", "/sbin/fsck.fat"];
    let Some(program) = places.iter().find(|it| Path::new(it).exists()) else {
        assert!(std::env::var_os("CI").is_none(), "dosfstools is missing");
        return;
    };
    let done = Command::new(program)
        .arg("-n")
        .arg(volume)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
}

#[test]
fn what_is_added_is_read_by_others_and_judged_to_be_right() {
    for shape in SHAPES {
        let mut image = stick(shape);
        let content = vec![0x5a; 100_000];
        for number in 1..=3 {
            add(&mut image, &format!("example-logs-{number}"), &content).unwrap();
        }
        judged(&image);
        assert_eq!(
            read(&mut image, "FOLDER/A LONG NAME.TEXT").unwrap(),
            b"kept"
        );
        for number in 1..=3 {
            let folder = format!("example-logs-{number}");
            assert!(opened(&mut image).unwrap().unwrap().has(&folder));
            let path = format!("{folder}/installer.log");
            assert_eq!(read(&mut image, &path).unwrap(), content);
            assert_eq!(read(&mut image, &format!("{folder}/empty")).unwrap(), b"");
        }
        assert!(!opened(&mut image).unwrap().unwrap().has("example-logs-4"));
    }
}

#[test]
fn a_root_folder_grows_as_far_as_it_can_and_a_full_volume_is_left_as_it_is() {
    for shape in &SHAPES[..3] {
        let mut image = stick(*shape);
        let is_chain = shape.3 == FatType::Fat32;
        let names =
            (1..130).map(|number| format!("a name that takes four records in all {number}"));
        let mut before = Vec::new();
        let full = names.into_iter().find_map(|name| {
            if !is_chain {
                before.clone_from(image.get_ref());
            }
            add(&mut image, &name, b"text").err()
        });
        judged(&image);
        let full = full.map(|it| it.kind());
        let expected = (!is_chain).then_some(io::ErrorKind::StorageFull);
        assert_eq!(full, expected, "{shape:?}");
        assert!(
            is_chain || image.get_ref() == &before,
            "a full volume was written to"
        );
    }
    let mut image = stick(SHAPES[0]);
    let before = image.clone();
    let error = add(&mut image, "LARGE", &vec![7; SHAPES[0].0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(image.get_ref() == before.get_ref());
}

#[test]
fn deleted_names_are_used_again_and_what_is_behind_the_end_stays_out_of_view() {
    let mut image = stick(SHAPES[1]);
    let root = root_of(&image);
    // Behind the label and the two records of `Folder`: garbage behind the end, in view if it is not cut off.
    let end = root + 3 * record::RECORD;
    image.get_mut()[end + record::RECORD..end + 1024].fill(b'G');
    add(&mut image, "example-logs-1", b"text").unwrap();
    let volume = by_fatfs(&mut image).unwrap();
    let names: Vec<_> = volume
        .root_dir()
        .iter()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(names, ["Folder", "example-logs-1"]);
    drop(volume);
    let mut image = stick(SHAPES[1]);
    for number in 1..=3 {
        add(&mut image, &format!("LOGS{number}"), b"text").unwrap();
    }
    {
        let volume = by_fatfs(&mut image).unwrap();
        let top = volume.root_dir();
        for path in [
            "logs1/installer.log",
            "logs1/empty",
            "logs1",
            "logs2/installer.log",
            "logs2/empty",
            "logs2",
        ] {
            top.remove(path).unwrap();
        }
    }
    add(&mut image, "example", b"text").unwrap();
    let again = &image.get_ref()[root + 3 * record::RECORD..];
    assert_eq!(again[record::RECORD..][..11], *b"EXAMPLE    ");
}

fn root_of(image: &Image) -> usize {
    let boot = image.get_ref().first_chunk().unwrap();
    match shape::Shape::of(boot).unwrap().root {
        shape::Root::Fixed(at, _) => usize::try_from(at).unwrap(),
        shape::Root::Chain(_) => panic!("it is FAT32"),
    }
}

/// A stick that remembers what was written between two waits for it.
#[derive(Debug)]
struct Recorded {
    image: Image,
    batches: Vec<Vec<(u64, Vec<u8>)>>,
}

impl Read for Recorded {
    fn read(&mut self, data: &mut [u8]) -> io::Result<usize> {
        self.image.read(data)
    }
}

impl Write for Recorded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let batch = self.batches.last_mut().unwrap();
        batch.push((self.image.position(), data.to_vec()));
        self.image.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.batches.push(Vec::new());
        Ok(())
    }
}

impl io::Seek for Recorded {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.image.seek(to)
    }
}

/// Puts the bytes at their places, and returns what was there.
fn put(image: &mut Image, writes: &[(u64, Vec<u8>)]) -> Vec<(u64, Vec<u8>)> {
    let place = |(at, bytes): &(u64, Vec<u8>)| {
        let at = usize::try_from(*at).unwrap();
        at..at + bytes.len()
    };
    let swap = |write: &(u64, Vec<u8>)| {
        let old = image.get_ref()[place(write)].to_vec();
        image.get_mut()[place(write)].copy_from_slice(&write.1);
        (write.0, old)
    };
    let mut old: Vec<_> = writes.iter().map(swap).collect();
    old.reverse();
    old
}

/// Which of `count` writes arrived, one bit each: all choices of few, some of many.
fn choices(count: usize) -> Vec<u64> {
    let all = (1 << count) - 1;
    if count <= 8 {
        return (0..=all).collect();
    }
    let single = (0..count).flat_map(|bit| [1 << bit, all ^ 1 << bit]);
    let first = (0..count).map(|bit| (1 << bit) - 1);
    // Knuth's multiplier, for any that are always the same.
    let any = (1..100_u64).map(|it| it.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7 & all);
    single.chain(first).chain(any).chain([all]).collect()
}

#[test]
fn a_stick_that_is_pulled_out_whatever_arrived_of_the_last_writes_has_lost_nothing() {
    for shape in &SHAPES[..3] {
        let mut image = stick(*shape);
        let content = vec![0x5a; 9000];
        let mut recorded = Recorded {
            image: image.clone(),
            batches: vec![Vec::new()],
        };
        let nodes = [("example-logs-1".to_owned(), Node::File(&content))];
        let volume = opened(&mut recorded).unwrap().unwrap();
        { volume }.add(&nodes, Stamp::now()).unwrap();
        assert!(recorded.batches.len() > 4);
        for batch in &recorded.batches {
            assert!(batch.len() < 60);
            for choice in choices(batch.len()) {
                let arrived = (0..).zip(batch).filter(|(bit, _)| choice >> bit & 1 == 1);
                let arrived: Vec<_> = arrived.map(|(_, write)| write.clone()).collect();
                let old = put(&mut image, &arrived);
                let kept = read(&mut image, "folder/a long name.text").unwrap();
                assert_eq!(kept, b"kept", "{choice:b}");
                if let Ok(found) = read(&mut image, "example-logs-1") {
                    assert!(found == content, "{choice:b}");
                }
                match opened(&mut image) {
                    Ok(volume) => assert!(volume.is_some()),
                    Err(error) => assert!(error.to_string().contains("tables differ"), "{error}"),
                }
                put(&mut image, &old);
            }
            put(&mut image, batch);
        }
        assert!(image.get_ref() == recorded.image.get_ref());
        assert_eq!(read(&mut image, "example-logs-1").unwrap(), content);
    }
}

#[test]
fn a_stick_of_1_tib_is_looked_through_with_its_folders() {
    const SIZE: u64 = 1 << 40;
    let file = tempfile::tempfile().unwrap();
    file.set_len(SIZE).unwrap();
    let sectors = u32::try_from(SIZE / 512).unwrap();
    let table = sectors.div_ceil(64).div_ceil(128);
    let mut boot = [0; 512];
    boot[11..16].copy_from_slice(&[0, 2, 64, 32, 0]);
    boot[16] = 2;
    boot[32..36].copy_from_slice(&sectors.to_le_bytes());
    boot[36..40].copy_from_slice(&table.to_le_bytes());
    boot[44] = 2;
    boot[510..].copy_from_slice(&[0x55, 0xaa]);
    file.write_all_at(&boot, 0).unwrap();
    let begin = [u32::MAX, u32::MAX, 0x0fff_ffff].map(u32::to_le_bytes);
    for copy in 0..2 {
        let at = 512 * (32 + copy * u64::from(table));
        file.write_all_at(begin.as_flattened(), at).unwrap();
    }
    let slice = || Slice::new(file.try_clone().unwrap(), 0, SIZE, MOST_READ);
    let mut volume = Volume::open(slice(), SIZE).unwrap().unwrap();
    let inner = || vec![("installer.log".to_owned(), Node::File(b"text"))];
    let nodes = (1..=4).map(|number| (format!("logs-{number}"), Node::Folder(inner())));
    let nodes: Vec<_> = nodes.collect();
    volume.add(&nodes, Stamp::now()).unwrap();
    let volume = Volume::open(slice(), SIZE).unwrap().unwrap();
    assert!(nodes.iter().all(|(name, _)| volume.has(name)));
}

#[test]
fn a_damaged_volume_is_refused_and_not_written_to() {
    let crossed = "two files share a cluster";
    let outside = "a chain of clusters leads out of it";
    // FAT16 with clusters of 2 KiB: cluster 2 is the folder's, 3 the file's.
    let shape = SHAPES[1];
    let clean = stick(shape);
    let boot = clean.get_ref();
    let word = |at: usize| usize::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    let (first, length) = (word(14) * 512, word(22) * 512);
    let data = root_of(&clean) + word(17) * 32;
    let file = data + 2 * record::RECORD + 2 * record::RECORD;
    let folder = root_of(&clean) + 2 * record::RECORD;
    let table = |cluster: usize, next: &[u8]| {
        let at = first + cluster * 2;
        vec![(at, next.to_vec()), (at + length, next.to_vec())]
    };
    let rows = [
        (table(3, &[0, 0]), outside),
        (table(3, &[0xff, 0x7f]), outside),
        (table(3, &[2, 0]), crossed),
        (table(2, &[2, 0]), crossed),
        (vec![(file + 26, vec![2, 0])], crossed),
        (vec![(file + 26, vec![0, 0])], outside),
        (
            vec![(file + 28, vec![0, 0, 1, 0])],
            "a file has fewer clusters than bytes",
        ),
        (vec![(folder + 26, vec![0, 0])], outside),
        (vec![(first + 500, vec![9])], "its two tables differ"),
        (vec![(22, vec![1, 0])], "its tables are too short"),
    ];
    for (writes, expected) in rows {
        let mut image = clean.clone();
        for (at, bytes) in &writes {
            image.get_mut()[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        let before = image.clone();
        let error = add(&mut image, "example-logs-1", b"text").expect_err(expected);
        assert!(error.to_string().contains(expected), "{writes:?}: {error}");
        assert!(image.get_ref() == before.get_ref(), "{writes:?}");
    }
}

#[test]
fn short_names_are_those_that_others_make() {
    let rows = [
        ("EFI", "EFI        ", 1),
        ("BOOTX64.EFI", "BOOTX64 EFI", 1),
        ("Example", "EXAMPLE    ", 2),
        ("example-1.2.3.efi", "EXAMPL~2EFI", 3),
        ("install-receipt.json", "INSTAL~1JSO", 3),
        ("installer.log", "INSTAL~1LOG", 2),
        (".hidden", "~1      HID", 2),
    ];
    for (name, expected, count) in rows {
        let short = record::short_name(name, &[*b"EXAMPL~1EFI"]).unwrap();
        assert_eq!(short, *expected.as_bytes(), "{name}");
        assert_eq!(record::count(name, &short), count, "{name}");
    }
}
