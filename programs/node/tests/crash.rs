//! A process that appends without end is killed again and again, while the lines in which it
//! acknowledges events are read. The test starts itself as that process.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use node::log::Log;
use node::log::format::Kind;

/// Names the folder of the log to the process that appends.
const FOLDER: &str = "TRUTHDB_NODE_TEST_LOG";

/// The process that is killed: appends events of many sizes, and says so after each.
#[test]
fn appender() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let (mut log, _) = Log::open(Path::new(&folder), |_| ()).unwrap();
    let mut out = std::io::stderr();
    loop {
        let next = log.sequence() + 1;
        let payload = vec![next.to_le_bytes()[0]; (next * 7919 % 20_000) as usize];
        let sequence = log.append(Kind(16), &payload).unwrap();
        // In one piece, so that a kill leaves no half of a number.
        let line = format!("acknowledged {sequence}\n");
        out.write_all(line.as_bytes()).unwrap();
    }
}

#[test]
fn killed_while_appending_no_acknowledged_event_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..25_usize {
        let mut program = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "appender", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(program.stderr.take().unwrap()).lines();
        let mut numbers = said.filter_map(|line| {
            let line = line.unwrap();
            Some(line.strip_prefix("acknowledged ")?.parse::<u64>().unwrap())
        });
        // However fast the machine is, some events are there, and one is under way.
        let mut seen: Vec<_> = numbers.by_ref().take(1 + round % 5).collect();
        std::thread::sleep(Duration::from_micros(round as u64 * 379 % 3000));
        program.kill().unwrap();
        program.wait().unwrap();
        seen.extend(numbers);
        assert!(seen.len() > round % 5, "it ended by itself: {seen:?}");
        for number in seen {
            assert!(number > acknowledged, "{number} after {acknowledged}");
            acknowledged = number;
        }
        let mut expected = 1;
        let (log, _) = Log::open(folder.path(), |event| {
            assert_eq!(event.sequence, expected);
            assert_eq!(event.payload.len() as u64, expected * 7919 % 20_000);
            let byte = expected.to_le_bytes()[0];
            assert!(event.payload.iter().all(|it| *it == byte));
            expected += 1;
        })
        .unwrap();
        assert!(log.sequence() >= acknowledged);
    }
}
