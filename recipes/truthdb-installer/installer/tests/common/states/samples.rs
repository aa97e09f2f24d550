//! What the machine, the engine and answer files may say.

use std::time::Duration;

use truthdb_installer::answers;
use truthdb_installer::hardware::Problem;
use truthdb_installer::install::{Failure, Finding, Progress, Report, Stage, Task};
use truthdb_installer::state::{Event, Plan, Refused};

/// An answer file that installs to the first disk of [`machine_with_disks`].
pub const ANSWERS: &str = "\
version = 1
task = \"install\"
on_success = \"reboot\"
on_error = \"poweroff\"

[disk]
serial = \"S6Z2NJ0TB04321A\"
erase = \"S6Z2NJ0TB04321A\"
";

/// How far an installation is, after some seconds.
pub fn progress(stage: Stage, megabytes: u64, seconds: u64) -> Event {
    let progress = Progress {
        stage,
        done: megabytes * 1_000_000,
        total: 412_000_000,
    };
    let elapsed = Duration::from_secs(seconds);
    Event::Progress { progress, elapsed }
}

pub fn report(task: Task) -> Report {
    let times = [310, 45, 2_130, 3_870, 4_420, 60, 15];
    let times = times.map(Duration::from_millis);
    Report {
        task,
        disk: "nvme0n1".to_owned(),
        model: "Samsung SSD 990 PRO 2TB, serial S6Z2NJ0TB04321A".to_owned(),
        version: "0.1.0".to_owned(),
        layout: vec![
            "1  EFI            536.9 MB  FAT32, the system".to_owned(),
            "2  TRUTHDB_DATA     2.0 TB  ext4, data".to_owned(),
        ],
        warnings: Vec::new(),
        stages: Stage::ALL.into_iter().zip(times).collect(),
    }
}

/// A report that does not fit on a small screen.
pub fn long_report() -> Report {
    let data =
        (2..=8).map(|number| format!("{}  TRUTHDB_DATA{number}  249.9 GB  ext4, data", number + 1));
    let mut report = report(Task::Install);
    report.layout.extend(data);
    report.warnings = vec![
        "The firmware has no room for a boot entry. It starts the system all the same, as long \
         as no other system is in front of it in its boot order."
            .to_owned(),
        "The disk does not say when it has written everything.".to_owned(),
    ];
    report
}

pub fn failure() -> Failure {
    Failure {
        stage: Stage::Data,
        message: "/dev/nvme0n1 cannot be written at byte 8,589,934,592: input/output error."
            .to_owned(),
        disk: "The disk is unfinished: it does not start, and what was on it is lost.".to_owned(),
        hint: "Check the disk and its cable, then press R to begin again, or press B to choose \
               another disk."
            .to_owned(),
    }
}

pub fn problem() -> Problem {
    Problem::new(
        "/proc/meminfo cannot be read: it does not exist.",
        "Is /proc mounted? A line of /etc/inittab mounts it before this program starts.",
    )
}

pub fn plan() -> Plan {
    Plan {
        source: "/install.toml on sdb1 (TRUTHDB_CFG)".to_owned(),
        answers: answers::parse(ANSWERS).unwrap(),
    }
}

pub fn refused() -> Refused {
    Refused {
        source: Some("/install.toml on sdb1 (TRUTHDB_CFG)".to_owned()),
        problems: vec![
            Problem::new(
                "Line 2: tusk: this key is not known.",
                "Keys here are: task, disk, settings, on_success, on_error.",
            ),
            Problem::new(
                "Line 7: disk.min_size: Write a size like 10 GiB or 500 GB.",
                "Write a number, a blank and a unit.",
            ),
        ],
        on_error: answers::Ending::PowerOff,
    }
}

pub fn exported() -> Event {
    Event::LogExported {
        notice: "There is no FAT stick to export the logs to. Plug one in and export again. \
                 The log was written to /dev/ttyS0."
            .to_owned(),
        log: (1..=30)
            .map(|line| format!("line {line} of the log"))
            .collect(),
    }
}

pub fn findings(bad: bool) -> Vec<Finding> {
    let finding = |good, text: &str| Finding {
        good,
        text: text.to_owned(),
    };
    vec![
        finding(true, "The partition table and its backup are the same."),
        finding(
            !bad,
            "Partition 1, EFI: both copies of the file allocation table are the same.",
        ),
        finding(
            true,
            "The system is TruthDB 0.1.0; its SHA-256 is the receipt's.",
        ),
        finding(
            true,
            "Partition 2, TRUTHDB_DATA: the ext4 file system is clean.",
        ),
        finding(
            !bad,
            "The firmware has a boot entry for this disk, and it is the first in its boot order.",
        ),
    ]
}
