//! What the machine, the engine and answer files may say.

use std::time::Duration;

use installer::answers;
use installer::hardware::Problem;
use installer::install::{Failure, Finding, Progress, Report, Stage, Task};
use installer::state::{Event, Plan, Refused};

/// An answer file that installs to the first disk of [`machine_with_disks`].
pub const ANSWERS: &str = "\
version = 1
task = \"install\"
on_success = \"reboot\"
on_error = \"poweroff\"

[disk]
serial = \"S6Z2NJ0TB04321A\"
erase = \"S6Z2NJ0TB04321A\"
erase_foreign_data = true
";

/// The same for the second disk, on which Example is.
pub const AGAIN: &str = "\
version = 1
task = \"install\"
on_error = \"poweroff\"
[disk]
serial = \"2CKXYZ7P\"
erase_any_matching = true
";

/// An answer file that changes the settings of the second disk.
pub const CHANGE: &str = "\
version = 1
task = \"change-settings\"
[disk]
bus = \"SATA\"
[settings]
node_name = \"node-7\"
address = \"dhcp\"
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
            "1  EFI             536.9 MB  Example 0.1.0".to_owned(),
            "2  EXAMPLE_DATA      2.0 TB  new, for data".to_owned(),
        ],
        warnings: Vec::new(),
        notes: Vec::new(),
        recovery: None,
        stages: Stage::ALL.into_iter().zip(times).collect(),
        receipt: "{\"verified\": true}\n".to_owned(),
        log: String::new(),
    }
}

/// A report that does not fit on a small screen.
pub fn long_report() -> Report {
    let data = (2..=8).map(|number| {
        format!(
            "{}  EXAMPLE_DATA{number}   250.0 GB  new, for data",
            number + 1
        )
    });
    let mut report = report(Task::Install);
    report.layout.extend(data);
    report.warnings = vec![
        "The firmware did not take the boot entry (No space left on device (os error 28)). It \
         starts this disk by itself only if no other system comes first; else choose the disk in \
         its menu."
            .to_owned(),
        "EXAMPLE_DATA4 cannot be read: its superblock is not one of an ext4 file system made here. \
         The appliance checks it when it starts, and says what it finds."
            .to_owned(),
    ];
    report
}

pub fn failure() -> Failure {
    Failure {
        stage: Stage::Data,
        message: "Writing to nvme0n1 failed: Input/output error.".to_owned(),
        disk: "nvme0n1 holds an unfinished installation: it does not start, and what was on it is \
               lost."
            .to_owned(),
        hint: "The disk may be failing: check its cables, or choose another one.".to_owned(),
        receipt: Some("{\"verified\": false}\n".to_owned()),
        log: Box::default(),
    }
}

pub fn problem() -> Problem {
    Problem::new(
        "/proc/meminfo cannot be read: it does not exist.",
        "Is /proc mounted? A line of /etc/inittab mounts it before this program starts.",
    )
}

pub fn plan() -> Plan {
    plan_of(ANSWERS)
}

pub fn plan_of(text: &str) -> Plan {
    Plan {
        source: "/install.toml on sdb1 (EXAMPLE_CFG)".to_owned(),
        answers: answers::parse(text).unwrap(),
    }
}

pub fn refused() -> Refused {
    Refused {
        source: Some("/install.toml on sdb1 (EXAMPLE_CFG)".to_owned()),
        problems: vec![
            Problem::new(
                "Line 2: tusk: This key is unknown.",
                "Known here are version, task, on_success, on_error, disk, settings.",
            ),
            Problem::new(
                "Line 7: disk.min_size: Write a size like 10 GiB or 500 GB.",
                "Write it like this: min_size = \"500 GB\"",
            ),
        ],
        on_error: answers::Ending::PowerOff,
        installed: None,
    }
}

pub fn not_started() -> Problem {
    Problem::new(
        "The firmware cannot be told to start Boot0003 next (No space left on device (os error 28)).",
        "Take the installation medium away, or choose the disk in the firmware's menu.",
    )
}

pub fn exported() -> Event {
    Event::LogExported {
        notice: "There is no stick to export the logs to. Plug in a USB stick with a FAT file \
                 system (not exFAT), then press E again. The log was written to /dev/ttyS0."
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
        if bad {
            finding(
                false,
                "One of the two partition tables is damaged. Repair boot writes both again.",
            )
        } else {
            finding(true, "Both partition tables are whole and say the same.")
        },
        finding(
            true,
            "/EFI/Example/example-0.1.0.efi is Example 0.1.0, byte for byte.",
        ),
        finding(
            true,
            "/EFI/BOOT/BOOTX64.EFI is Example 0.1.0, byte for byte.",
        ),
        if bad {
            finding(false, "The firmware starts something else before Boot0003.")
        } else {
            finding(true, "The firmware starts it first, by Boot0003.")
        },
        finding(
            true,
            "EXAMPLE_DATA is an ext4 file system that can be read.",
        ),
    ]
}

/// A sentence of this many characters, or a little more, without a blank for long.
fn sentence(length: usize) -> String {
    let mut text = String::from("It said");
    let mut number = 0;
    while text.len() < length {
        number += 1;
        text += " word/";
        text += &"x".repeat(number % 90);
    }
    text + "."
}

pub fn longest_report() -> Report {
    let mut report = long_report();
    report.model = sentence(300);
    report.warnings = vec![sentence(700); 6];
    report
}

pub fn longest_failure() -> Failure {
    Failure {
        message: sentence(900),
        disk: sentence(300),
        hint: sentence(600),
        ..failure()
    }
}

pub fn longest_refused() -> Refused {
    Refused {
        source: Some(sentence(200)),
        problems: (0..9)
            .map(|line| Problem::new(format!("Line {line}: {}", sentence(300)), sentence(200)))
            .collect(),
        ..refused()
    }
}

/// An answer file that asks for the disk with this key, by names as long as they may be.
pub fn longest_plan(key: &str, value: &str) -> Plan {
    let name = "a".repeat(63);
    let text = format!(
        "version = 1\ntask = \"install\"\n[disk]\n{key} = \"{value}\"\nerase_any_matching = true\n\
         [settings]\nhost_name = \"{name}\"\nnode_name = \"{name}\"\n"
    );
    Plan {
        source: sentence(200),
        answers: answers::parse(&text).unwrap(),
    }
}

/// A volume that has an answer file, and another label.
pub fn of_other_label() -> Problem {
    Problem::new(
        "/install.toml on sdb1 is not followed: its file system has the label DATA.",
        "To have it followed, label the file system EXAMPLE_CFG.",
    )
}
