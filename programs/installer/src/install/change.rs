//! Other settings for an installation that stays as it is: one cluster of the EFI partition is written,
//! and nothing of the data. The appliance takes them at its next start, through its own file system, so
//! that `node.toml` is the old one or the new one whenever the power fails.

use std::path::Path;
use std::rc::Rc;

use common::settings::{compose, nothing, places, wanted};
use ext4_view::{Ext4, Ext4Error};

use super::data::{self, NODE, OLD_NODE, RECEIPT};
use super::disk_error;
use super::node;
use super::plan::{open, present_layout};
use super::progress::Course;
use super::receipt::Receipt;
use super::report::{Report, Stage};
use super::request::Request;
use super::system;
use common::problem::Problem;

/// Leaves the settings of `request` for the appliance.
pub(super) fn run(
    root: &Path,
    request: &Request,
    course: &mut Course<'_>,
) -> Result<Report, Problem> {
    let name = &request.disk.name;
    let device = open(root, request)?;
    let (layout, _) = present_layout(&device, request)?;
    let device = Rc::new(device);
    let system = layout.system();
    let volume = data::open(&device, &layout.data()[0]).map_err(|it| unreadable(&it))?;
    let present = read(&volume, NODE).map_err(|it| unreadable(&it))?;
    let text = match node::changed(&present, &request.settings) {
        Ok(text) if node::settings_of(&present).is_some() => text,
        // Wrong or lost: it stays the node whose log lies beside it.
        _ => {
            let id = node::id_in(&present).or_else(|| earlier_id(&volume));
            let id = id.ok_or_else(|| nameless(name))?;
            let identity = node::identity(root)?;
            let labels = layout.data().iter().map(|it| it.name.as_str());
            let made = node::node_toml(request, &identity, &id, labels.collect());
            made.map_err(|error| unreadable(&error.to_string()))?
        }
    };
    let file = if text == present {
        Some(nothing())
    } else {
        compose(&present, &text)
    };
    let file = file.ok_or_else(|| unreadable("it is far too long"))?;
    let [path, former] = places();
    let place = |path: String| system::cluster_of(&device, system, &path).map(|at| (path, at));
    let found = place(path.clone()).or_else(|error| place(former).map_err(|_| error));
    let (path, at) = found.map_err(|error| {
        Problem::new(
            format!(
                "{name} has no place for other settings, /{path} in its EFI partition: {error}."
            ),
            "Choose Reinstall, keep data first: it makes that place, and keeps data and settings.",
        )
    })?;
    course.expect(2 * file.len() as u64);
    course.enter(Stage::System);
    let writing = |error| disk_error::of_disk("Writing to", name, error);
    device.write_at(at, &file).map_err(writing)?;
    device.flush().map_err(writing)?;
    course.advance(file.len() as u64);
    course.enter(Stage::Verify);
    let reading = |error| disk_error::of_disk("Reading from", name, error);
    let found = system::read_file(&device, system, &path).map_err(reading)?;
    if found != file {
        return Err(disk_error::unlike(name, &format!("/{path}"), at));
    }
    course.advance(file.len() as u64);
    course.leave();
    let will_be = wanted(&found, &present).unwrap_or(present);
    Ok(report(request, &will_be, course))
}

/// A file of the data; nothing if it is not there.
fn read(volume: &Ext4, path: &str) -> Result<String, String> {
    match volume.read_to_string(format!("/{path}").as_str()) {
        Ok(text) => Ok(text),
        Err(Ext4Error::NotFound) => Ok(String::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// The node's identifier, as what else lies among the data has it.
fn earlier_id(volume: &Ext4) -> Option<String> {
    let old = read(volume, OLD_NODE).ok();
    old.and_then(|text| node::id_in(&text)).or_else(|| {
        let text = read(volume, RECEIPT).ok()?;
        let receipt: Receipt = serde_json::from_str(&text).ok()?;
        receipt.node.filter(|id| common::node_toml::is_id(id))
    })
}

fn nameless(disk: &str) -> Problem {
    Problem::new(
        format!(
            "{NODE} among the data on {disk} is lost or wrong, and neither {OLD_NODE} nor {RECEIPT} says \
             which node this is."
        ),
        format!("Put a {NODE} there with the id that the log has; another node could not read it."),
    )
}

fn unreadable(reason: &str) -> Problem {
    Problem::new(
        format!("The present settings, {NODE} among the data, cannot be changed: {reason}."),
        "Start the appliance once, which checks its data, then try again.",
    )
}

/// What was done: the lines of the new `node.toml` stand for the layout.
fn report(request: &Request, text: &str, course: &Course<'_>) -> Report {
    let disk = &request.disk;
    let serial = disk.serial.as_ref();
    let serial = serial.map_or_else(String::new, |it| format!(", serial {it}"));
    Report {
        task: request.task,
        disk: disk.name.clone(),
        model: format!("{}{serial}", disk.model),
        version: disk.version().unwrap_or_default().to_owned(),
        layout: text.lines().map(str::to_owned).collect(),
        warnings: Vec::new(),
        notes: Vec::new(),
        recovery: None,
        stages: course.stages().to_vec(),
        receipt: String::new(),
        log: String::new(),
    }
}
