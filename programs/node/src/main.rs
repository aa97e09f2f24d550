//! `truthdb-node`: see the library. It ends with 0 when SIGTERM or SIGINT asked it to; with 65 if
//! the log is damaged, 74 if the system refused something, 78 if its options or `node.toml` are
//! wrong, each with one line on standard error.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use node::error::Fatal;
use node::identity;
use node::service::{Config, Service};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const USAGE: &str = "usage: truthdb-node [--data DIR] [--listen ADDRESS:PORT] [--run DIR]\n\
    \n\
    Keeps an append-only log of events and answers GET /status and GET /healthz.\n\
    \n\
    \x20 --data DIR      where wal/ and metadata/ are (default: /data)\n\
    \x20 --listen A:P    where to answer (default: port 8080 of every address)\n\
    \x20 --run DIR       where the supervisor says what it found (default: /run/truthdb)\n\
    \x20 --version       print the version of this program\n";

/// The port if none is named.
const PORT: u16 = 8080;
/// How long to wait before a write that failed is tried again.
const RETRY: Duration = Duration::from_secs(2);

struct Options {
    data: PathBuf,
    listen: Vec<SocketAddr>,
    run: PathBuf,
}

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("--version") => {
            println!("truthdb-node {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Some("--help") => {
            print!("{USAGE}");
            Ok(())
        }
        _ => options(std::env::args().skip(1)).and_then(run),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("truthdb-node: {error}");
            ExitCode::from(error.code())
        }
    }
}

/// Reads the options. Fails with what is wrong with one.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Fatal> {
    let mut options = Options {
        data: "/data".into(),
        // One socket for both kinds of addresses; the second is for kernels without IPv6.
        listen: vec![
            (Ipv6Addr::UNSPECIFIED, PORT).into(),
            (Ipv4Addr::UNSPECIFIED, PORT).into(),
        ],
        run: "/run/truthdb".into(),
    };
    while let Some(name) = arguments.next() {
        let mut value = || {
            let missing = || Fatal::Config(format!("{name} needs a value; see --help"));
            arguments.next().ok_or_else(missing)
        };
        match name.as_str() {
            "--data" => options.data = value()?.into(),
            "--run" => options.run = value()?.into(),
            "--listen" => {
                let value = value()?;
                let address = value.parse().map_err(|_| {
                    let like = "192.0.2.1:8080 or [::]:8080";
                    Fatal::Config(format!("--listen {value}: give an address like {like}"))
                })?;
                options.listen = vec![address];
            }
            _ => return Err(Fatal::Config(format!("unknown option {name}; see --help"))),
        }
    }
    Ok(options)
}

/// Runs the service until a signal asks it to stop.
fn run(options: Options) -> Result<(), Fatal> {
    let signals = Signals::new([SIGTERM, SIGINT]);
    let mut signals =
        signals.map_err(|error| Fatal::Io(format!("cannot handle signals: {error}")))?;
    let root = Path::new("/");
    let service = Arc::new(Service::start(Config {
        data: options.data,
        run: options.run,
        boot_id: identity::boot_id(root)?,
        system: identity::system(root),
    })?);
    println!("truthdb-node: log verified: {}", service.summary());
    let listener = web::listen(&options.listen)
        .map_err(|error| Fatal::Io(format!("cannot listen on {:?}: {error}", options.listen)))?;
    if let Ok(address) = listener.local_addr() {
        println!("truthdb-node: answering on http://{address}/status");
    }
    let threads = |error| Fatal::Io(format!("cannot start a thread: {error}"));
    web::serve(listener, Arc::clone(&service) as _).map_err(threads)?;
    let (sender, stop) = channel();
    std::thread::Builder::new()
        .spawn(move || sender.send(signals.forever().next()))
        .map_err(threads)?;
    while stop.recv_timeout(RETRY) == Err(RecvTimeoutError::Timeout) {
        if service.retry() {
            println!("truthdb-node: tried again: {}", service.summary());
        }
    }
    println!("truthdb-node: asked to stop");
    Ok(())
}
