//! Brings up the network: the loopback and every Ethernet link, with addresses from DHCP or with
//! a fixed one. DHCP is BusyBox's udhcpc(8), one for each link, kept running; it renews.

mod links;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

pub use links::{Addresses, addresses};
use links::{Link, list};

use crate::child::Supervised;
use crate::config::Address;
use crate::confine;

/// Where name servers are, in `resolv.conf`; a link in /etc leads there.
const FOLDER: &str = "run/network";
/// How long a fixed address waits for the first link to have a cable, before another one will do.
const SETTLE: Duration = Duration::from_secs(10);
/// How long a DHCP client may take to give its address back.
const RELEASE: Duration = Duration::from_secs(1);

/// The network of this machine.
#[derive(Debug)]
pub struct Network {
    root: PathBuf,
    host_name: String,
    address: Address,
    links: BTreeMap<String, State>,
    /// The link that has the fixed address.
    fixed: Option<String>,
    started: Instant,
    problem: Option<String>,
}

/// What is known of a link.
#[derive(Debug, Default)]
struct State {
    carrier: bool,
    dhcp: Option<Supervised>,
}

impl Network {
    /// Brings up the loopback of the machine below `root`, and remembers what the rest is to be.
    pub fn new(root: &Path, host_name: &str, address: Address, now: Instant) -> Self {
        let mut network = Self {
            root: root.to_owned(),
            host_name: host_name.to_owned(),
            address,
            links: BTreeMap::new(),
            fixed: None,
            started: now,
            problem: None,
        };
        network.ip(&["link", "set", "dev", "lo", "up"]);
        network
    }

    /// Takes note of links that came or went, and of cables. What DHCP clients said is appended
    /// to `lines`.
    pub fn look(&mut self, now: Instant, lines: &mut Vec<String>) {
        let found = list(&self.root);
        self.links
            .retain(|name, _| found.iter().any(|it| it.name == *name));
        for Link { name, carrier } in found {
            if !self.links.contains_key(&name) {
                self.ip(&["link", "set", "dev", &name, "up"]);
                self.links.insert(name.clone(), State::default());
            }
            let dhcp = self.dhcp(&name, carrier, now);
            if let Some(state) = self.links.get_mut(&name) {
                state.plug(carrier, dhcp);
                if let Some(dhcp) = &mut state.dhcp {
                    let mut said = Vec::new();
                    // How it ends it says itself; it is started again.
                    let _ = dhcp.look(now, &mut said);
                    lines.extend(said.iter().map(|line| format!("{name}: {line}")));
                }
            }
        }
        self.fix(now);
    }

    /// A DHCP client for a link that gets its first cable.
    fn dhcp(&self, name: &str, carrier: bool, now: Instant) -> Option<Supervised> {
        let has = self.links.get(name).is_some_and(|it| it.dhcp.is_some());
        if has || !carrier || self.address != Address::Dhcp {
            return None;
        }
        let program = self.root.join("sbin/udhcpc");
        let mut command = confine::command(&self.root, "dhcp", &[], &program);
        command.args(dhcp_arguments(name, &self.host_name));
        Some(Supervised::new(command, now))
    }

    /// Gives a fixed address to the first link that has a cable. The first of all links is taken
    /// at once, another one after some time, in which a cable further in front may be noticed: so
    /// it is the same link at each start.
    fn fix(&mut self, now: Instant) {
        let Address::Fixed {
            address,
            prefix,
            gateway,
            name_servers,
        } = &self.address
        else {
            return;
        };
        if self
            .fixed
            .as_ref()
            .is_some_and(|it| self.links.contains_key(it))
        {
            return;
        }
        let settled = now - self.started >= SETTLE;
        let mut links = self.links.iter().take(if settled { usize::MAX } else { 1 });
        let Some((name, _)) = links.find(|(_, state)| state.carrier) else {
            return;
        };
        let name = name.clone();
        let commands = fixed_commands(&name, *address, *prefix, *gateway);
        let text = resolv_conf(name_servers);
        let outcome = std::fs::create_dir_all(self.root.join(FOLDER))
            .and_then(|()| std::fs::write(self.root.join(FOLDER).join("resolv.conf"), text));
        if let Err(error) = outcome {
            self.problem = Some(format!("/{FOLDER}/resolv.conf cannot be written: {error}."));
        }
        for command in commands {
            self.ip(&command.iter().map(String::as_str).collect::<Vec<_>>());
        }
        self.fixed = Some(name);
    }

    /// Runs `ip` and keeps what it says if it fails.
    fn ip(&mut self, arguments: &[&str]) {
        let outcome = Command::new(self.root.join("sbin/ip"))
            .args(arguments)
            .stdin(Stdio::null())
            .output();
        let words = arguments.join(" ");
        match outcome {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                self.problem = Some(format!("`ip {words}` failed: {said}."));
            }
            Err(error) => self.problem = Some(format!("`ip {words}` cannot be run: {error}.")),
        }
    }

    /// What went wrong last, as a sentence.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The addresses of this network's links, of all that the kernel knows.
    pub fn own(&self, mut addresses: Addresses) -> Addresses {
        addresses.retain(|(link, ..)| self.links.contains_key(link));
        addresses
    }

    /// What to show of each link: its name, and its addresses or why it has none.
    pub fn rows(&self, addresses: &Addresses) -> Vec<String> {
        let row = |(name, state): (&String, &State)| {
            let own: Vec<_> = addresses
                .iter()
                .filter(|(link, ..)| link == name)
                .map(|(_, address, prefix)| format!("{address}/{prefix}"))
                .collect();
            match (own.as_slice(), state.carrier) {
                (_, false) => format!("{name}: no cable"),
                ([], true) if self.address == Address::Dhcp => {
                    format!("{name}: asking for an address (DHCP)")
                }
                ([], true) => format!("{name}: no address"),
                (own, true) => format!("{name}: {}", own.join(", ")),
            }
        };
        self.links.iter().map(row).collect()
    }

    /// Has the DHCP clients give their addresses back, and end.
    pub fn stop(self) {
        let clients: Vec<_> = self.links.into_values().filter_map(|it| it.dhcp).collect();
        for client in &clients {
            client.signal(Signal::TERM);
        }
        for client in clients {
            client.stop(RELEASE, &mut Vec::new());
        }
    }
}

impl State {
    /// Notes whether there is a cable, and has the address asked for anew if it came back: it may
    /// lead elsewhere now.
    fn plug(&mut self, carrier: bool, dhcp: Option<Supervised>) {
        if carrier
            && !self.carrier
            && let Some(dhcp) = &self.dhcp
        {
            dhcp.signal(Signal::USR1);
        }
        self.carrier = carrier;
        if dhcp.is_some() {
            self.dhcp = dhcp;
        }
    }
}

/// udhcpc in the foreground, for ever: three questions two seconds apart, then a pause of five.
fn dhcp_arguments(link: &str, host_name: &str) -> Vec<String> {
    let name = format!("hostname:{host_name}");
    [
        "-f",
        "-R",
        "-i",
        link,
        "-t",
        "3",
        "-T",
        "2",
        "-A",
        "5",
        "-x",
        &name,
        "-O",
        "121",
        "-s",
        "/etc/udhcpc.script",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What to tell `ip` so that a link has a fixed address. The gateway gets a route of its own, so
/// that it need not be in the address's network.
fn fixed_commands(
    link: &str,
    address: IpAddr,
    prefix: u8,
    gateway: Option<IpAddr>,
) -> Vec<Vec<String>> {
    let family = if address.is_ipv4() { "-4" } else { "-6" };
    let mut commands = vec![format!(
        "{family} addr replace {address}/{prefix} dev {link}"
    )];
    if let Some(gateway) = gateway {
        let host = if gateway.is_ipv4() { 32 } else { 128 };
        commands.push(format!(
            "{family} route replace {gateway}/{host} dev {link}"
        ));
        commands.push(format!(
            "{family} route replace default via {gateway} dev {link}"
        ));
    }
    let words = |it: &String| it.split(' ').map(str::to_owned).collect();
    commands.iter().map(words).collect()
}

/// resolv.conf(5).
fn resolv_conf(name_servers: &[IpAddr]) -> String {
    name_servers.iter().fold(String::new(), |mut text, server| {
        let _ = writeln!(text, "nameserver {server}");
        text
    })
}

#[cfg(test)]
mod tests;
