//! An installation without screens: the same rules, the same engine, one line a stage. It is how the
//! power-cut test goes on, a hundred times, from what a cut left behind.

use std::path::Path;

use crate::answers;
use crate::hardware::{Hardware, read_volume};
use crate::install::{self, Request, Stage, Target};
use crate::medium::Running;
use crate::state::{Purpose, target_of};

/// Does on the machine below `root` what the answer file at `file` says; `Err` is one sentence or
/// more about why not.
pub fn run(root: &Path, file: &Path) -> Result<(), String> {
    let bytes = std::fs::read(file)
        .map_err(|error| format!("{} cannot be read: {error}.", file.display()))?;
    let answers = answers::read(&bytes).map_err(|mistakes| {
        let lines = mistakes.iter().map(|it| format!("{it} {}", it.hint));
        lines.collect::<Vec<String>>().join("\n")
    })?;
    let mut hardware = Hardware::scan(root).map_err(|problem| problem.to_string())?;
    let running = Running::read(root);
    for disk in &mut hardware.disks {
        let path = root.join("dev").join(&disk.name);
        disk.volume = read_volume(&path);
        disk.contents = disk.read_contents(&path).ok();
        disk.is_medium = running.is_on(root, disk);
        disk.serial = disk.serial.take().or_else(|| disk.ask_serial(root));
    }
    let purpose = Purpose::of(answers.task);
    let refuse = |disk: &_| {
        if answers.beside {
            purpose.space_of(&hardware, disk).err()
        } else {
            purpose.refusal(&hardware, disk)
        }
    };
    let disk = answers::choose(&answers, &hardware.disks, &refuse)
        .map_err(|refusal| format!("{} {}", refusal.message, refusal.hint))?;
    println!("disk {}: {:?}", disk.name, disk.contents);
    let request = Request {
        task: answers.task,
        disk: disk.clone(),
        target: if answers.beside {
            target_of(&purpose.space_of(&hardware, disk)?)
        } else {
            Target::WholeDisk
        },
        settings: answers.settings.clone(),
        encryption: answers.encryption.clone(),
        secure_boot: answers.secure_boot,
        warnings: answers::erased(&answers, disk),
    };
    let mut shown: Option<Stage> = None;
    let report = install::run(root, &request, &mut |progress| {
        if shown != Some(progress.stage) {
            println!("{}", progress.stage.name());
            shown = Some(progress.stage);
        }
    })
    .map_err(|failure| failure.to_string())?;
    for warning in report.warnings {
        println!("warning: {warning}");
    }
    println!("done");
    Ok(())
}
