//! A partition that another system starts from gets files of ours.

use super::*;
use crate::fat::shape::Shape;

type Files<'a> = &'a [(&'a str, &'a [u8])];

/// What another system has there; the second one is in several pieces, and what lies between is deleted.
const FOREIGN: [(&str, usize); 4] = [
    ("EFI/Vendor/shim with a long name.efi", 9_000),
    ("EFI/Vendor/kernel.efi", 40_000),
    ("EFI/BOOT/BOOTX64.EFI", 5_000),
    ("loader/loader.conf", 17),
];

fn content(path: &str, length: usize) -> Vec<u8> {
    path.bytes().cycle().take(length).collect()
}

/// A volume with that on it.
fn foreign(shape: (usize, u16, u32, FatType)) -> Image {
    let mut image = stick(shape);
    image.set_position(0);
    {
        let volume = FileSystem::new(&mut image, FsOptions::new()).unwrap();
        let root = volume.root_dir();
        for folder in ["EFI", "EFI/Vendor", "EFI/BOOT", "loader"] {
            root.create_dir(folder).unwrap();
        }
        for (path, length) in FOREIGN {
            let mut file = root.create_file(path).unwrap();
            let between = root.create_file("EFI/between").unwrap();
            let mut between = Some(between);
            for part in content(path, length).chunks(8_000) {
                file.write_all(part).unwrap();
                if let Some(file) = &mut between {
                    file.write_all(&[0x77; 3000]).unwrap();
                }
            }
            between.take();
            drop(file);
            root.remove("EFI/between").unwrap();
        }
    }
    judged(&image);
    image
}

fn has_all_of_others(image: &mut Image) -> bool {
    let others = FOREIGN.iter();
    let mut others = others.map(|(path, length)| (*path, content(path, *length)));
    others.all(|(path, wanted)| read(image, path).is_ok_and(|it| it == wanted))
        && read(image, "Folder/a long name.text").is_ok_and(|it| it == b"kept")
}

/// Brings the volume to where it has these files, as an installation does; returns how many changes that
/// took.
fn bring<T: Read + Write + io::Seek>(image: T, files: Files<'_>) -> io::Result<usize> {
    let mut volume = opened(image)?.unwrap();
    let changes = volume.missing(files)?;
    assert!(volume.needs(&changes) <= volume.has_free());
    for change in &changes {
        volume.change(change, Stamp::FIRST)?;
    }
    volume.settle()?;
    Ok(changes.len())
}

const OWN: [(&str, &[u8]); 3] = [
    ("EFI/own/grubx64.efi", &[7; 3_000]),
    ("EFI/own/grub.cfg", b"configfile"),
    ("EFI/own/grubenv", &[b'#'; 1024]),
];
const NEWER: [(&str, &[u8]); 2] = [
    ("EFI/own/grubx64.efi", &[8; 4_500]),
    ("EFI/own/grub.cfg", b"configfile"),
];

/// Where the clusters lie that were somebody's before, without those of the folder `EFI`.
fn others(image: &Image) -> Vec<std::ops::Range<usize>> {
    let mut image = image.clone();
    let shape = Shape::of(image.get_ref().first_chunk().unwrap()).unwrap();
    let volume = opened(&mut image).unwrap().unwrap();
    let root = record::records(&volume.root.bytes);
    let efi = root.iter().find(|it| it.is_called("EFI")).unwrap().first & 0xffff;
    let efi = volume.space.chain(efi);
    let used = 2..shape.clusters + 2;
    let used = used.filter(|it| volume.space.table.get(*it) != 0 && !efi.contains(it));
    used.map(|it| usize::try_from(shape.at(it)).unwrap())
        .map(|at| at..at + shape.cluster)
        .collect()
}

#[test]
fn own_files_come_beside_those_of_others_and_nothing_else_changes() {
    for shape in SHAPES {
        let mut image = foreign(shape);
        let before = image.clone();
        assert_eq!(bring(&mut image, &OWN).unwrap(), 1, "{shape:?}");
        judged(&image);
        assert!(has_all_of_others(&mut image), "{shape:?}");
        for (path, content) in OWN {
            assert!(read(&mut image, path).unwrap() == content, "{path}");
        }
        for range in others(&before) {
            assert!(image.get_ref()[range.clone()] == before.get_ref()[range]);
        }
        let mut volume = opened(&mut image).unwrap().unwrap();
        let names = volume.names("efi/OWN").unwrap().unwrap();
        let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["GRUBX64.EFI", "GRUB.CFG", "GRUBENV"]);
        assert_eq!(volume.names("EFI/nobody").unwrap(), None);
    }
}

#[test]
fn a_second_run_writes_nothing_and_a_newer_file_gives_back_the_room_of_the_older() {
    for shape in &SHAPES[..3] {
        let mut image = foreign(*shape);
        bring(&mut image, &OWN).unwrap();
        let mut recorded = recorded(&image);
        assert_eq!(bring(&mut recorded, &OWN).unwrap(), 0);
        assert!(recorded.batches.iter().all(Vec::is_empty), "{shape:?}");
        for _ in 0..50 {
            assert_eq!(bring(&mut image, &NEWER).unwrap(), 1);
            assert_eq!(bring(&mut image, &OWN).unwrap(), 1);
        }
        let mut volume = opened(&mut image).unwrap().unwrap();
        let stale = Change::Remove("EFI/own/grubenv".to_owned());
        volume.change(&stale, Stamp::FIRST).unwrap();
        assert!(read(&mut image, "EFI/own/grubenv").is_err());
        judged(&image);
        assert!(has_all_of_others(&mut image));
        // Back to what was there but for the order of names and clusters.
        let free = |image: &mut Image| opened(image).unwrap().unwrap().has_free();
        let with_own = free(&mut image);
        let cluster = u64::from(shape.2);
        let own = [3_000, 10].map(|it: u64| it.next_multiple_of(cluster));
        assert_eq!(
            free(&mut foreign(*shape)),
            with_own + own.iter().sum::<u64>() + cluster
        );
    }
}

#[test]
fn what_is_in_the_way_is_told_and_nothing_is_written() {
    let rows: [(Files<'_>, &str); 3] = [
        (
            &[("EFI/BOOT/BOOTX64.EFI/x", b"")],
            "EFI/BOOT/BOOTX64.EFI is a file there",
        ),
        (&[("EFI/Vendor", b"")], "EFI/Vendor is a folder there"),
        (
            &[("efi/vendor/KERNEL.EFI/x/y", b"")],
            "efi/vendor/KERNEL.EFI is a file there",
        ),
    ];
    let image = foreign(SHAPES[1]);
    for (files, expected) in rows {
        let mut recorded = recorded(&image);
        let error = bring(&mut recorded, files).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(recorded.batches.iter().all(Vec::is_empty));
    }
    let mut image = image;
    let mut volume = opened(&mut image).unwrap().unwrap();
    let gone = Change::Remove("EFI/nobody".to_owned());
    let error = volume.change(&gone, Stamp::FIRST).unwrap_err();
    assert_eq!(error.to_string(), "EFI/nobody is not there any more");
}

fn recorded(image: &Image) -> Recorded {
    Recorded {
        image: image.clone(),
        batches: vec![Vec::new()],
    }
}

/// Some choices of which of `count` writes arrived: all but one, the first ones, one alone.
fn some(count: usize) -> Vec<u64> {
    let all = (1 << count) - 1;
    let single = (0..count).flat_map(|bit| [1 << bit, all ^ 1 << bit]);
    let first = (0..=count).map(|bit| (1 << bit) - 1);
    single.chain(first).collect()
}

/// Cuts what brings `image` to `files` at every place, and goes on; all of it ends with the same bytes.
fn cut(image: &Image, files: Files<'_>, is_same: bool) {
    let mut recorded = recorded(image);
    bring(&mut recorded, files).unwrap();
    let mut image = image.clone();
    for batch in &recorded.batches {
        assert!(batch.len() < 60, "{}", batch.len());
        for choice in some(batch.len()) {
            let arrived = (0..).zip(batch).filter(|(bit, _)| choice >> bit & 1 == 1);
            let arrived: Vec<_> = arrived.map(|(_, write)| write.clone()).collect();
            let mut cut = image.clone();
            put(&mut cut, &arrived);
            assert!(has_all_of_others(&mut cut), "{choice:b}");
            bring(&mut cut, files).unwrap();
            for (path, content) in files {
                assert!(read(&mut cut, path).unwrap() == *content, "{path}");
            }
            assert!(has_all_of_others(&mut cut), "{choice:b}");
            if is_same {
                assert!(cut.get_ref() == recorded.image.get_ref(), "{choice:b}");
            }
            assert_eq!(bring(&mut cut, files).unwrap(), 0);
        }
        put(&mut image, batch);
    }
    assert!(image.get_ref() == recorded.image.get_ref());
}

#[test]
fn whatever_arrived_before_the_power_was_cut_the_next_run_ends_with_the_same_bytes() {
    for shape in &SHAPES[..3] {
        cut(&foreign(*shape), &OWN, true);
    }
}

#[test]
fn a_newer_file_that_was_cut_off_is_the_older_or_the_newer_one() {
    for shape in &SHAPES[..3] {
        let mut image = foreign(*shape);
        bring(&mut image, &OWN).unwrap();
        cut(&image, &NEWER, false);
    }
}

#[test]
fn a_folder_that_gets_longer_is_whole_whenever_that_is_cut_off() {
    let mut image = foreign(SHAPES[2]);
    let many: Vec<_> = (0..14).map(|it| format!("EFI/own/{it:02}")).collect();
    let files: Vec<_> = many.iter().map(|it| (it.as_str(), &b"x"[..])).collect();
    bring(&mut image, &files).unwrap();
    // The 14 records and two more fill its one cluster.
    cut(&image, &[("EFI/own/one more.text", b"y")], true);
}

#[test]
fn tables_that_differ_are_damage_where_nothing_was_begun() {
    let shape = SHAPES[1];
    let clean = foreign(shape);
    let boot = Shape::of(clean.get_ref().first_chunk().unwrap()).unwrap();
    let at =
        |copy: usize, cluster: usize| usize::try_from(boot.tables[copy]).unwrap() + 2 * cluster;
    // The last one is free; the first ones are a folder's and a file's.
    let last = boot.clusters as usize + 1;
    let rows = [
        (vec![(at(1, last), 9)], Some("its two tables differ")),
        (vec![(at(1, last), 9), (at(1, 1) + 1, 0x7f)], None),
        (vec![(at(0, last), 9), (at(0, 1) + 1, 0x7f)], None),
        (
            vec![(at(1, 3), 9), (at(1, 1) + 1, 0x7f)],
            Some("its two tables differ"),
        ),
        (
            vec![(at(0, 3), 0), (at(0, 3) + 1, 0), (at(1, 1) + 1, 0x7f)],
            Some("a chain of clusters leads out of it"),
        ),
    ];
    for (writes, expected) in rows {
        let mut image = clean.clone();
        for (at, byte) in &writes {
            image.get_mut()[*at] = *byte;
        }
        let said = bring(&mut image, &OWN).map_err(|it| it.to_string());
        if let Some(expected) = expected {
            assert!(said.unwrap_err().contains(expected), "{writes:?}");
        } else {
            said.unwrap();
            let tables = [at(0, 0)..at(0, last + 1), at(1, 0)..at(1, last + 1)];
            let [one, other] = tables.map(|it| &image.get_ref()[it]);
            assert!(one == other, "{writes:?}");
        }
    }
}
