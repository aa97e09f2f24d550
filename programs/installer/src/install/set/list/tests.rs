//! Lists that are right, and every kind that is not.

use serde_json::{Value, json};

use super::*;

fn value() -> Value {
    let sha = "0".repeat(64);
    let content =
        |file: &str| json!({"file": file, "packed": "zstd", "bytes": 4096, "sha256": sha});
    let part = |role: &str, label: &str, kind: &str, content: Value| {
        json!({"role": role, "label": label, "type": kind, "size": 1 << 20, "grow": false,
               "content": content})
    };
    let linux = "0fc63daf-8483-4772-8e79-3d69d8477de4";
    let esp = json!({"role": "esp", "label": "EFI", "type": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        "size": 1 << 20, "grow": false,
        "files": [{"path": "EFI/Own/grubx64.efi", "file": "grubx64.efi", "bytes": 9, "sha256": sha}]});
    let mut data = part("data", "DATA", linux, content("data"));
    data["grow"] = json!(true);
    json!({"format": 1, "name": "toy", "title": "Toy", "version": "1.0", "folder": "Own",
        "boot_code": {"file": "boot.img", "bytes": 512, "sha256": sha},
        "partitions": [
            part("bios", "BIOSBOOT", "21686148-6449-6e6f-744e-656564454649", content("core.img")),
            esp, part("boot", "BOOT", linux, content("boot")), part("root", "ROOT", linux, content("root")),
            data],
        "entries": [{"id": "toy-0", "title": "Toy", "system": "/s", "kernel": "vmlinuz",
            "kernel_sha256": sha, "initrd": "initrd", "initrd_sha256": sha, "cmdline": "quiet"}]})
}

fn read(value: &Value) -> Result<Set, Problem> {
    Set::read("payload/partitions.json", value.to_string().as_bytes())
}

#[test]
fn a_set_is_read_and_its_roles_found() {
    let set = read(&value()).unwrap();
    assert_eq!(set.of(Role::Boot).unwrap().label, "BOOT");
    assert_eq!(set.growing().unwrap().label, "DATA");
    assert_eq!(
        set.partitions[0].content.as_ref().unwrap().packed,
        Packing::Zstd
    );
}

#[test]
fn everything_that_is_not_as_it_may_be_is_said() {
    let rows: &[(&str, Value, &str)] = &[
        ("/format", json!(2), "its format is 2, not 1"),
        ("/folder", json!("../x"), "\"../x\" is no name of a folder"),
        ("/boot_code/bytes", json!(440), "boot code has 512 bytes"),
        (
            "/boot_code/file",
            json!("a/b"),
            "\"a/b\" is no name of a file",
        ),
        (
            "/boot_code/sha256",
            json!("abc"),
            "boot.img: \"abc\" is no SHA-256",
        ),
        (
            "/entries",
            json!([]),
            "it has no entry that could be started",
        ),
        (
            "/partitions/0/role",
            json!("data"),
            "it has 0 partitions of the role Bios",
        ),
        (
            "/partitions/2/label",
            json!("ROOT"),
            "two partitions have the same label",
        ),
        (
            "/partitions/2/label",
            json!("BOOT OF MINE"),
            "\"BOOT OF MINE\": no label of at most 16 characters",
        ),
        (
            "/partitions/2/type",
            json!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
            "\"BOOT\": c12a7328-f81f-11d2-ba4b-00a0c93ec93b is not the type of this role",
        ),
        (
            "/partitions/4/grow",
            json!(false),
            "the last partition, and no other one, has to grow",
        ),
        (
            "/partitions/2/grow",
            json!(true),
            "the last partition, and no other one, has to grow",
        ),
        (
            "/partitions/2/size",
            json!(4095),
            "\"BOOT\": 4096 bytes do not fit",
        ),
        (
            "/partitions/2/size",
            json!(0),
            "\"BOOT\": 0 bytes are no size",
        ),
        (
            "/partitions/0/content/bytes",
            json!(512),
            "\"BIOSBOOT\": its content is no core.img",
        ),
        (
            "/partitions/2/content",
            Value::Null,
            "\"BOOT\": its content is missing, or its files",
        ),
        (
            "/partitions/1/files/0/path",
            json!("EFI/../grub.cfg"),
            "\"EFI\": \"EFI/../grub.cfg\" is no path below EFI",
        ),
        (
            "/partitions/1/files/0/path",
            json!("loader/x/y"),
            "\"EFI\": \"loader/x/y\" is no path below EFI",
        ),
    ];
    for (path, new, said) in rows {
        let mut value = value();
        *value.pointer_mut(path).unwrap() = new.clone();
        let message = format!("/payload/partitions.json of this medium is wrong: {said}.");
        assert_eq!(read(&value).unwrap_err().message, message);
    }
    for (path, key) in [
        ("", "extra"),
        ("/partitions/0", "extra"),
        ("/boot_code", "extra"),
    ] {
        let mut value = value();
        value.pointer_mut(path).unwrap()[key] = json!(1);
        let message = read(&value).unwrap_err().message;
        assert!(message.contains("unknown field `extra`"), "{message}");
    }
}
