//! Makes a page of what is known.

use common::product::product;
use std::path::Path;

use crate::check::mount_point;
use crate::config::Config;
use crate::data::{CheckResult, DataState, Encryption, Partition};
use crate::first::Outcome;
use crate::mounts::{Mount, mount};
use crate::network::Addresses;
use crate::page::Page;
use common::problem::Problem;

/// All that a page shows.
pub(super) struct Facts<'a> {
    /// Name and version of the system.
    pub(super) title: &'a str,
    /// What the machine is told about itself, or what is wrong with that.
    pub(super) config: Result<&'a Config, &'a str>,
    /// What came of the first start of an image, if this is it.
    pub(super) first: Option<&'a Outcome>,
    /// Why new settings were not taken.
    pub(super) settings_problem: Option<&'a Problem>,
    /// A line for each link.
    pub(super) links: Vec<String>,
    /// What went wrong with the network.
    pub(super) network_problem: Option<&'a str>,
    /// Addresses that others can reach.
    pub(super) addresses: &'a Addresses,
    /// The data partitions.
    pub(super) data: &'a Data,
    /// What did not go well when they were opened.
    pub(super) data_warning: Option<&'a Problem>,
    /// Why the kernel stopped before this start, if it did.
    pub(super) panic: Option<&'a str>,
    /// How the service is, or why it was not started.
    pub(super) service: Result<&'a str, &'a Problem>,
}

/// The data partitions, and how they are mounted now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Data(Vec<(Partition, String, Mount)>);

impl Data {
    /// Looks how the partitions of `state` are mounted below `root`.
    pub(super) fn look(root: &Path, state: &DataState) -> Self {
        let partitions = state.partitions.iter().map(|partition| {
            let point = mount_point(&partition.label);
            let mount = mount(root, &point);
            (partition.clone(), point, mount)
        });
        Self(partitions.collect())
    }

    /// The mount points of all but the first.
    pub(super) fn further(&self) -> Vec<String> {
        self.0.iter().skip(1).map(|it| it.1.clone()).collect()
    }

    /// Why not all are mounted, if they are not, with what mount said below `root`.
    pub(super) fn mount_problem(&self, root: &Path) -> Option<Problem> {
        let (partition, point, _) = self.0.iter().find(|it| it.2 == Mount::Missing)?;
        let log = std::fs::read_to_string(root.join(product().run("mount.log")));
        let log = log.unwrap_or_default();
        // It also has a line for each partition that is not there, and needs none.
        let point = format!("/{point}");
        let mut lines = log.lines();
        let said = lines.find(|line| line.split([' ', ':']).any(|word| word == point));
        let said = said.unwrap_or("mount said nothing");
        let Partition { label, device, .. } = partition;
        Some(Problem::new(
            format!(
                "{label} on {device} was not mounted, although e2fsck finds nothing wrong with it. {said}"
            ),
            "Start the machine again. If that does not help, look whether the disk has failed.",
        ))
    }

    fn rows(&self) -> Vec<String> {
        let row = |(partition, point, mount): &(Partition, String, Mount)| {
            let result = match partition.result {
                CheckResult::Clean => "clean",
                CheckResult::Repaired => "repaired at this start",
                CheckResult::Damaged => "damaged",
                CheckResult::Unchecked => "not checked",
                CheckResult::Closed => "closed",
            };
            let mount = match mount {
                Mount::Missing => "not mounted".to_owned(),
                Mount::Writable => format!("on /{point}"),
                Mount::ReadOnly => format!("on /{point}, read-only"),
            };
            let encrypted = match partition.encrypted {
                Encryption::No => "",
                Encryption::Tpm => ", encrypted (TPM)",
                Encryption::Passphrase => ", encrypted (passphrase)",
                Encryption::Recovery => ", encrypted (recovery key)",
                Encryption::Closed => ", encrypted",
            };
            let Partition { label, device, .. } = partition;
            format!("{label} ({device}): {result}, {mount}{encrypted}")
        };
        self.0.iter().map(row).collect()
    }

    fn read_only(&self) -> Option<Problem> {
        let (partition, ..) = self.0.iter().find(|it| it.2 == Mount::ReadOnly)?;
        Some(Problem::new(
            format!(
                "{} on {} takes no more writes: the disk reported errors.",
                partition.label, partition.device
            ),
            "Save the data. Then start the machine again; if it happens again, change the disk.",
        ))
    }
}

/// Makes the page.
pub(super) fn page(facts: &Facts<'_>) -> Page {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    match facts.config {
        Ok(config) => {
            rows.push(("Host name", config.host_name.clone()));
            rows.push(("Node", format!("{} ({})", config.node_name, config.node_id)));
        }
        // Where there is no data, that is what has to be said.
        Err(message) if facts.service.is_ok() => problems.push(Problem::new(
            format!("{message} The network is asked for an address (DHCP)."),
            "Start the installer and choose \"Change settings\".",
        )),
        Err(_) => {}
    }
    add(
        &mut rows,
        "Network",
        facts.links.clone(),
        "no Ethernet link found",
    );
    let urls = facts.addresses.iter().map(|(_, address, _)| {
        format!(
            "http://{}/status",
            std::net::SocketAddr::new(*address, product().service.port)
        )
    });
    add(&mut rows, "Status", urls.collect(), "no address yet");
    add(&mut rows, "Data", facts.data.rows(), "none");
    let first = facts.first.and_then(|it| it.said.clone());
    rows.extend(first.map(|it| ("First start", it)));
    let panic = facts.panic.map(ToOwned::to_owned);
    rows.extend(panic.map(|it| ("Last panic", it)));
    match facts.service {
        Ok(state) => rows.push(("Service", state.to_owned())),
        Err(problem) => {
            rows.push(("Service", "not started".to_owned()));
            problems.push(problem.clone());
        }
    }
    problems.extend(facts.first.iter().flat_map(|it| it.problems.clone()));
    problems.extend(facts.settings_problem.cloned());
    problems.extend(facts.data_warning.cloned());
    problems.extend(facts.data.read_only());
    problems.extend(facts.network_problem.map(|message| {
        Problem::new(
            message,
            "Look at the network settings in metadata/node.toml.",
        )
    }));
    Page {
        title: facts.title.to_owned(),
        rows,
        problems,
    }
}

/// Adds a row for each value, the first one with the label; or one that says that there is none.
fn add(
    rows: &mut Vec<(&'static str, String)>,
    label: &'static str,
    values: Vec<String>,
    none: &str,
) {
    if values.is_empty() {
        rows.push((label, none.to_owned()));
    }
    for (index, value) in values.into_iter().enumerate() {
        rows.push((if index == 0 { label } else { "" }, value));
    }
}
