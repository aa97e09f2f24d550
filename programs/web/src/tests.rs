//! The server, asked over a real socket.

use std::net::Ipv4Addr;

use super::*;

struct Echo;

impl Answer for Echo {
    fn answer(&self, path: &str) -> Reply {
        match path {
            "/long" => Reply::text(200, &"x".repeat(1_000_000)),
            path => Reply::text(200, path),
        }
    }
}

fn start() -> SocketAddr {
    let listener = listen(&[(Ipv4Addr::LOCALHOST, 0).into()]).unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, Arc::new(Echo)).unwrap();
    address
}

fn ask(address: SocketAddr, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    for part in parts {
        // The server may have answered and closed already.
        let _ = stream.write_all(part);
        thread::sleep(Duration::from_millis(5));
    }
    let mut reply = String::new();
    // After the answer the connection may be reset: there was more to read, and nobody read it.
    let _ = stream.read_to_string(&mut reply);
    reply
}

#[test]
fn answers_in_full() {
    let reply = ask(start(), &[b"GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n"]);
    assert_eq!(
        reply,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n/x\n"
    );
}

#[test]
fn head_is_answered_without_a_body_and_long_bodies_whole() {
    let address = start();
    let reply = ask(address, &[b"HEAD /long HTTP/1.0\r\n\r\n"]);
    assert!(reply.contains("Content-Length: 1000001\r\n"), "{reply}");
    assert!(reply.ends_with("\r\n\r\n"));
    let reply = ask(address, &[b"GET /long HTTP/1.0\r\n\r\n"]);
    assert!(reply.len() > 1_000_000);
}

#[test]
fn a_request_may_come_in_pieces_and_with_a_body_that_nobody_reads() {
    let address = start();
    let reply = ask(address, &[b"GET /pie", b"ces HTTP/1.0\r\n", b"\r", b"\n"]);
    assert!(reply.ends_with("\r\n\r\n/pieces\n"), "{reply}");
    let body = vec![0; 20_000];
    let reply = ask(address, &[b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", &body]);
    assert!(
        reply.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
        "{reply}"
    );
    assert!(reply.contains("Allow: GET, HEAD\r\n"));
}

#[test]
fn a_head_without_end_is_refused() {
    let line = [b"x: ".as_slice(), &[b'y'; 1000], b"\r\n"].concat();
    let mut parts = vec![b"GET / HTTP/1.1\r\n".as_slice()];
    parts.extend([line.as_slice(); 9]);
    let reply = ask(start(), &parts);
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
}

#[test]
fn a_client_that_says_nothing_is_told_that_time_is_up() {
    let listener = listen(&[(Ipv4Addr::LOCALHOST, 0).into()]).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    client.write_all(b"GET / HT").unwrap();
    converse(&stream, &Echo, Duration::from_millis(50)).unwrap();
    drop(stream);
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert!(
        reply.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{reply}"
    );
}

#[test]
fn too_many_connections_are_told_to_come_back() {
    let address = start();
    let open: Vec<_> = (0..MOST_CONNECTIONS)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let reply = ask(address, &[]);
    assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
    drop(open);
    // The places are free again as soon as the threads have noticed.
    let mut reply = String::new();
    for _ in 0..100 {
        reply = ask(address, &[b"GET /again HTTP/1.0\r\n\r\n"]);
        if reply.starts_with("HTTP/1.1 200 ") {
            return;
        }
    }
    panic!("{reply}");
}

#[test]
fn takes_the_second_address_where_the_first_is_taken() {
    let first = listen(&[(Ipv4Addr::LOCALHOST, 0).into()]).unwrap();
    let taken = first.local_addr().unwrap();
    assert!(listen(&[taken]).is_err());
    let second = listen(&[taken, (Ipv4Addr::LOCALHOST, 0).into()]).unwrap();
    assert_ne!(second.local_addr().unwrap(), taken);
}
