use super::*;

const HASH: &str = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";
const ID: &str = "12345678-9abc-def0-1234-56789abcdef0";

#[test]
fn a_root_is_named_in_five_ways() {
    let id: Uuid = ID.parse().unwrap();
    for (cmdline, expected) in [
        ("root=LABEL=ROOT", Root::Label("ROOT".to_owned())),
        ("root=LABEL=A root=LABEL=B", Root::Label("B".to_owned())),
        (
            "root=LABEL=\"MY ROOT\" quiet",
            Root::Label("MY ROOT".to_owned()),
        ),
        ("\"root=LABEL=MY ROOT\"", Root::Label("MY ROOT".to_owned())),
        ("root=UUID=DEAD-BEEF", Root::Uuid("dead-beef".to_owned())),
        ("root=PARTLABEL=a=b", Root::PartLabel("a=b".to_owned())),
        (
            &format!("quiet\troot=PARTUUID={}\n", ID.to_uppercase()),
            Root::PartUuid(id),
        ),
        (
            &format!("roothash={HASH} root="),
            Root::Hash(HASH.parse().unwrap()),
        ),
        (
            "root=LABEL=ROOT -- root=LABEL=OTHER",
            Root::Label("ROOT".to_owned()),
        ),
    ] {
        assert_eq!(read(cmdline).unwrap().root, expected, "{cmdline}");
    }
    for root in [
        "root=LABEL=ROOT",
        "root=UUID=dead-beef",
        "root=PARTLABEL=x",
        &format!("root=PARTUUID={ID}"),
    ] {
        assert_eq!(read(root).unwrap().root.to_string(), root);
    }
}

#[test]
fn all_else_has_a_usual_value() {
    let usual = read("root=LABEL=R").unwrap();
    let expected = Wanted {
        root: Root::Label("R".to_owned()),
        kind: None,
        flags: String::new(),
        is_writable: false,
        state: None,
        init: None,
        patience: 60,
    };
    assert_eq!(usual, expected);
    let all = "root=LABEL=R rootfstype=ext4 rootflags=data=ordered,noatime ro rw init=/bin/sh rd.timeout=5";
    let expected = Wanted {
        kind: Some("ext4".to_owned()),
        flags: "data=ordered,noatime".to_owned(),
        is_writable: true,
        init: Some("/bin/sh".to_owned()),
        patience: 5,
        ..expected
    };
    assert_eq!(read(all).unwrap(), expected);
    assert!(!read("root=LABEL=R rw ro").unwrap().is_writable);
}

#[test]
fn what_names_no_root_is_said() {
    for (cmdline, expected) in [
        (
            "quiet",
            "The kernel command line does not say which file system is the root.",
        ),
        (
            "root= roothash=",
            "The kernel command line does not say which file system is the root.",
        ),
        (
            "-- root=LABEL=R",
            "The kernel command line does not say which file system is the root.",
        ),
        (
            "root=LABEL=",
            "root=LABEL= on the kernel command line has nothing behind it.",
        ),
        (
            "root=UUID",
            "root=UUID on the kernel command line has nothing behind it.",
        ),
        (
            "root=/dev/sda1",
            "root=/dev/sda1 on the kernel command line is no name that a disk keeps.",
        ),
        (
            "root=label=R",
            "root=label=R on the kernel command line is no name that a disk keeps.",
        ),
        (
            "root=LABEL=R roothash=12",
            "The kernel command line has both root=LABEL=R and roothash=.",
        ),
        (
            "roothash=12",
            "roothash=12 on the kernel command line is no root hash.",
        ),
        (
            "root=LABEL=R init=sh",
            "init=sh on the kernel command line is no path from the root.",
        ),
        (
            "root=LABEL=R rd.timeout=1m",
            "rd.timeout=1m on the kernel command line is no number of seconds.",
        ),
        (
            &format!("rw roothash={HASH}"),
            "The kernel command line has both roothash= and rw, but what is verified cannot be written to.",
        ),
    ] {
        assert_eq!(read(cmdline).unwrap_err().message, expected);
    }
    let problem = read("root=PARTUUID=12345678-02").unwrap_err();
    let begins = "root=PARTUUID=12345678-02 on the kernel command line names no UUID: ";
    assert!(problem.message.starts_with(begins), "{problem}");
}

#[test]
fn how_to_fail_can_be_read_from_anything() {
    for (cmdline, has_shell, panic) in [
        ("", false, Panic::Stays),
        ("root=? panic=0", false, Panic::Stays),
        ("panic=10 rd.shell", true, Panic::Reboots(10)),
        ("panic=-1 rd.shell=1", true, Panic::Reboots(0)),
        ("panic=10 panic=x rd.shell=0", false, Panic::Stays),
    ] {
        assert_eq!(failing(cmdline), Failing { has_shell, panic }, "{cmdline}");
    }
}

#[test]
fn modules_get_their_parameters() {
    let cmdline = "virtio_blk.queue_depth=64 virtio-blk.x quiet nvme.a=1 \"virtio_blk.name=a b\" virtio_blk.c=\"d e\"";
    for (module, expected) in [
        ("virtio_blk", "queue_depth=64 x \"name=a b\" c=\"d e\""),
        ("virtio-blk", "queue_depth=64 x \"name=a b\" c=\"d e\""),
        ("nvme", "a=1"),
        ("virtio", ""),
    ] {
        assert_eq!(parameters_of(module, cmdline), expected, "{module}");
    }
}

#[test]
fn state_is_told_as_a_root_is_but_never_by_a_hash() {
    let state = |text: &str| read(&format!("root=LABEL=R {text}")).map(|it| it.state);
    let expected = State {
        place: Root::PartLabel("VAR".to_owned()),
        said: "stage1.state=PARTLABEL=VAR".to_owned(),
    };
    assert_eq!(state("stage1.state=PARTLABEL=VAR"), Ok(Some(expected)));
    assert_eq!(state("stage1.state="), Ok(None));
    for (text, expected) in [
        ("LABEL=", "has nothing behind it"),
        ("/dev/sda2", "is no name that a disk keeps"),
        (HASH, "is no name that a disk keeps"),
    ] {
        let problem = state(&format!("stage1.state={text}")).unwrap_err();
        let whole = format!("stage1.state={text} on the kernel command line {expected}.");
        assert_eq!(problem.message, whole);
    }
}
