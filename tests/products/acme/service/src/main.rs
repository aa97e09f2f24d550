//! The service of a product that is not ours: it says on port 9090 that it is well.

use std::io::{Read, Write};
use std::net::TcpListener;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

fn main() -> std::io::Result<()> {
    for stream in TcpListener::bind(("0.0.0.0", 9090))?.incoming() {
        let mut stream = stream?;
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(ANSWER);
    }
    Ok(())
}
