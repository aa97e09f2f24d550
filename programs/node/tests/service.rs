//! The real program, started, asked, killed and started again.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use node::log::format::{Event, Kind};
use node::log::{Log, SEGMENT, acknowledged};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

const NODE_TOML: &str = r#"
version = 1
[node]
id = "8f3c0000000000000000000000000001"
name = "node-1"
host_name = "truthdb"
[machine]
identity = "uuid:x"
[disk]
model = "QEMU NVMe Ctrl"
serial = "S1"
data = ["TRUTHDB_DATA"]
[network]
address = "dhcp"
"#;

/// A data partition as the installer leaves it.
fn data() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("wal")).unwrap();
    fs::create_dir(data.path().join("metadata")).unwrap();
    fs::write(data.path().join("metadata/node.toml"), NODE_TOML).unwrap();
    data
}

fn segment(data: &TempDir) -> PathBuf {
    data.path().join("wal").join(SEGMENT)
}

fn events(data: &TempDir) -> Vec<Event> {
    let mut events = Vec::new();
    Log::open(&data.path().join("wal"), |event| events.push(event.clone())).unwrap();
    events
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
    command.arg("--data").arg(data);
    command.arg("--run").arg(data);
    command.args(["--listen", "127.0.0.1:0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    command
}

/// The program, which is known to answer.
struct Node {
    program: Child,
    address: String,
    first_line: String,
}

impl Node {
    fn start(data: &TempDir) -> Self {
        Self::spawn(command(data.path()))
    }

    fn spawn(mut command: Command) -> Self {
        let mut program = command.spawn().unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let first_line = lines.next().unwrap().unwrap();
        let second = lines.next().unwrap().unwrap();
        let (_, rest) = second.split_once("http://").unwrap();
        let address = rest.split('/').next().unwrap().to_owned();
        // Whatever else it says must find a reader.
        std::thread::spawn(move || lines.count());
        Self {
            program,
            address,
            first_line,
        }
    }

    fn get(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        (status.to_owned(), body.to_owned())
    }

    fn status(&self) -> Value {
        let (status, body) = self.get("/status");
        assert_eq!(status, "200");
        serde_json::from_str(&body).unwrap()
    }

    fn end(mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_child(&self.program);
        kill_process(pid, signal).unwrap();
        self.program.wait().unwrap()
    }
}

fn refused(data: &TempDir) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(data.path()).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn records_its_start_and_says_who_it_is() {
    let data = data();
    let state = r#"{"partitions": [{"result": "clean"}], "other": 1}"#;
    fs::write(data.path().join("data.state"), state).unwrap();
    let node = Node::start(&data);
    assert!(
        node.first_line.contains("1 events, 1 boots"),
        "{}",
        node.first_line
    );
    assert_eq!(node.get("/healthz"), ("200".into(), "ok\n".into()));
    assert_eq!(node.get("/").0, "404");
    let status = node.status();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["node"]["id"], "8f3c0000000000000000000000000001");
    assert_eq!(status["node"]["name"], "node-1");
    assert_eq!(status["node"]["host_name"], "truthdb");
    assert_eq!(status["disk"]["labels"][0], "TRUTHDB_DATA");
    assert_eq!(status["disk"]["model"], "QEMU NVMe Ctrl");
    assert_eq!(status["disk"]["serial"], "S1");
    assert_eq!(status["disk"]["check"], "clean");
    let log = &status["log"];
    assert_eq!(log["segment"], SEGMENT);
    assert_eq!(
        (log["events"].as_u64(), log["boots"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(log["bytes"], fs::metadata(segment(&data)).unwrap().len());
    assert_eq!(log["last_sequence"], 1);
    assert_eq!(log["tail_cut_bytes"], 0);
    let bytes = fs::read(segment(&data)).unwrap();
    let last = u64::from_le_bytes(bytes[bytes.len() - 8..].try_into().unwrap());
    assert_eq!(log["last_checksum"], format!("{last:016x}"));
    assert_eq!(status["healthy"], true);
    assert_eq!(status["problem"], Value::Null);
    assert_eq!(node.end(Signal::TERM).code(), Some(0));
}

#[test]
fn starting_again_without_a_reboot_is_a_start_and_no_boot() {
    let data = data();
    for _ in 0..3 {
        assert_eq!(Node::start(&data).end(Signal::INT).code(), Some(0));
    }
    let kinds: Vec<_> = events(&data).iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::BOOT, Kind::START, Kind::START]);
    // The same log on a machine that was started since.
    let (mut log, _) = Log::open(&data.path().join("wal"), |_| ()).unwrap();
    log.append(Kind::BOOT, br#"{"boot_id": "another"}"#)
        .unwrap();
    drop(log);
    let node = Node::start(&data);
    assert_eq!(node.status()["log"]["boots"], 3);
    node.end(Signal::TERM);
    assert_eq!(events(&data).last().unwrap().kind, Kind::BOOT);
}

#[test]
fn the_log_of_another_node_is_refused() {
    let data = data();
    Node::start(&data).end(Signal::TERM);
    let before = fs::read(segment(&data)).unwrap();
    let other = NODE_TOML.replace("8f3c", "9f3c");
    fs::write(data.path().join("metadata/node.toml"), other).unwrap();
    let (code, text) = refused(&data);
    assert_eq!(code, Some(78));
    let expected = "is the log of node 8f3c0000000000000000000000000001, and this is node \
        9f3c0000000000000000000000000001. Put back";
    assert!(text.contains(expected), "{text}");
    assert_eq!(fs::read(segment(&data)).unwrap(), before);
    fs::write(data.path().join("metadata/node.toml"), NODE_TOML).unwrap();
    Node::start(&data).end(Signal::TERM);
}

#[test]
fn a_torn_tail_is_reported_everywhere() {
    let data = data();
    Node::start(&data).end(Signal::TERM);
    let acknowledged = data.path().join("wal").join(acknowledged::NAME);
    let before = fs::read(&acknowledged).unwrap();
    Node::start(&data).end(Signal::TERM);
    let length = fs::metadata(segment(&data)).unwrap().len();
    let file = File::options().write(true).open(segment(&data)).unwrap();
    file.set_len(length - 5).unwrap();
    let (code, text) = refused(&data);
    assert_eq!(code, Some(65));
    assert!(text.contains("and it was acknowledged"), "{text}");
    // The power went away before it was.
    fs::write(&acknowledged, before).unwrap();
    let node = Node::start(&data);
    assert!(
        node.first_line.contains("was cut off"),
        "{}",
        node.first_line
    );
    let cut = node.status()["log"]["tail_cut_bytes"].as_u64().unwrap();
    assert!(cut > 0);
    node.end(Signal::TERM);
    let events = events(&data);
    let kinds: Vec<_> = events.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::BOOT, Kind::TAIL_CUT, Kind::START]);
    let said: Value = serde_json::from_slice(&events[1].payload).unwrap();
    assert_eq!(said["bytes"], cut);
    assert_eq!(said["offset"], length - 5 - cut);
    let kept = data.path().join("wal").join(said["kept"].as_str().unwrap());
    assert_eq!(fs::metadata(kept).unwrap().len(), cut);
}

#[test]
fn damage_is_refused_with_the_place_and_nothing_is_changed() {
    let data = data();
    for _ in 0..3 {
        Node::start(&data).end(Signal::TERM);
    }
    let mut bytes = fs::read(segment(&data)).unwrap();
    bytes[50] ^= 1;
    fs::write(segment(&data), &bytes).unwrap();
    let (code, text) = refused(&data);
    assert_eq!(code, Some(65));
    assert!(
        text.contains("is damaged: event 1 at byte 32 has a wrong checksum"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
    assert_eq!(fs::read(segment(&data)).unwrap(), bytes);
}

#[test]
fn wrong_configuration_and_missing_folders_have_their_codes() {
    let without_toml = data();
    fs::remove_file(without_toml.path().join("metadata/node.toml")).unwrap();
    assert_eq!(refused(&without_toml).0, Some(78));
    let without_wal = data();
    fs::remove_dir(without_wal.path().join("wal")).unwrap();
    assert_eq!(refused(&without_wal).0, Some(74));
    let rows: [&[&str]; 3] = [&["--dta", "x"], &["--data"], &["--listen", "8080"]];
    for arguments in rows {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        let output = command.args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{arguments:?}");
    }
}

/// A limit on the size of files stands in for a full disk.
#[test]
fn a_disk_that_takes_no_writes_is_unhealthy_until_it_does() {
    let data = data();
    Node::start(&data).end(Signal::TERM);
    let program = command(data.path());
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -S -f 0; exec \"$@\"", "sh"]);
    shell.arg(program.get_program()).args(program.get_args());
    shell.stdin(Stdio::null()).stdout(Stdio::piped());
    let node = Node::spawn(shell);
    let (status, text) = node.get("/healthz");
    assert_eq!(status, "503");
    assert!(
        text.contains("cannot write to") && text.contains("File too large"),
        "{text}"
    );
    assert_eq!(node.status()["healthy"], false);
    assert_eq!(node.status()["log"]["events"], 1);

    let pid = Some(Pid::from_child(&node.program));
    let limit = Rlimit {
        current: None,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while node.get("/healthz").0 != "200" {
        assert!(Instant::now() < deadline, "{}", node.get("/healthz").1);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(node.status()["log"]["events"], 2);
    node.end(Signal::TERM);
    assert_eq!(events(&data).len(), 2);
}

/// Each start that was announced was recorded before; so after any number of kills at any time, the
/// log holds at least what was announced, in order, and nothing is damaged.
#[test]
fn killed_at_any_time_no_acknowledged_event_is_lost() {
    let data = data();
    let started = Instant::now();
    Node::start(&data).end(Signal::KILL);
    let whole = started.elapsed();
    let mut acknowledged = 1;
    for round in 0..60_u32 {
        let mut program = command(data.path()).spawn().unwrap();
        let started = Instant::now();
        let delay = whole * (round * 7 % 60) / 60;
        let mut output = program.stdout.take().unwrap();
        while started.elapsed() < delay {
            std::hint::spin_loop();
        }
        kill_process(Pid::from_child(&program), Signal::KILL).unwrap();
        program.wait().unwrap();
        let mut said = String::new();
        output.read_to_string(&mut said).unwrap();
        if let Some(count) = said.split("log verified: ").nth(1) {
            let count = count.split(' ').next().unwrap().parse().unwrap();
            assert!(count > acknowledged, "{said}");
            acknowledged = count;
        }
    }
    let node = Node::start(&data);
    assert!(node.status()["log"]["events"].as_u64().unwrap() > acknowledged);
    node.end(Signal::TERM);
    let events = events(&data);
    assert!(
        events
            .iter()
            .zip(1..)
            .all(|(event, at)| event.sequence == at)
    );
    assert_eq!(events.iter().filter(|it| it.kind == Kind::BOOT).count(), 1);
}
