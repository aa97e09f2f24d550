//! Whether what is asked for is on the disk already, to the last byte: then nothing is written.

use std::path::Path;

use super::super::request::Request;
use super::super::system;
use super::super::table::Table;
use super::content::digest;
use super::facts::{ContentFacts, Receipt, receipt_path};
use super::list::Role;
use super::plan::Plan;
use super::proof;

/// The receipt of the same set, which is on the disk where `plan` wants it, finished and right; `None` if anything
/// is otherwise. A system that was started since has changed its file systems: it is another one.
pub(super) fn receipt(root: &Path, request: &Request, plan: &Plan) -> Option<String> {
    let table = Table::read(&plan.device).ok()??;
    let is_same = table.guid() == plan.guid
        && *table.partitions() == plan.entries(false)
        && (plan.boot_code).is_none_or(|code| table.boot_code().is_ok_and(|it| it == code));
    if !is_same {
        return None;
    }
    let (text, receipt) = read(plan)?;
    if receipt.set != plan.digest || !receipt.verified {
        return None;
    }
    let has_content = |it: &&super::places::Spot| it.role != Role::Esp;
    let is_there = plan.spots.iter().filter(has_content).all(|spot| {
        let facts = receipt
            .contents
            .iter()
            .find(|it| it.partition == spot.place.name);
        facts.is_some_and(|it| {
            let found = digest(&plan.device, spot.place.start, it.bytes, &mut |_| {});
            it.bytes <= spot.place.size && found.is_ok_and(|found| found == it.sha256)
        })
    });
    let growing = plan.spots.last().map(|it| &it.place);
    let is_whole =
        growing.is_some_and(|place| proof::grown(root, plan, &request.disk.name, place).is_ok());
    let is_right = || {
        proof::findings(root, request, plan, true)
            .iter()
            .all(|it| it.good)
    };
    (is_there && is_whole && is_right()).then_some(text)
}

/// Whether the tables on the disk are whole at both ends: where the power was cut while the last one was written,
/// they are not, and all else is right.
pub(super) fn has_whole_tables(plan: &Plan) -> bool {
    let table = Table::read(&plan.device).ok().flatten();
    table.is_some_and(|it| it.is_doubled() && it.is_protected())
}

/// What the receipt on the disk says of contents; nothing if there is none.
pub(super) fn contents_of(plan: &Plan) -> Vec<ContentFacts> {
    read(plan).map_or_else(Vec::new, |(_, it)| it.contents)
}

fn read(plan: &Plan) -> Option<(String, Receipt)> {
    let path = receipt_path(&plan.set.folder);
    let text = system::read_file(&plan.device, &plan.esp, &path).ok()?;
    let text = String::from_utf8(text).ok()?;
    let receipt = serde_json::from_str(&text).ok()?;
    Some((text, receipt))
}
