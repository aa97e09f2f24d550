//! An installer as many are: it prints questions and reads lines, and knows one terminal, its own.

use std::io::{self, Write};

fn ask(question: &str) -> io::Result<String> {
    print!("{question} ");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn main() -> io::Result<()> {
    while ask("Erase the disk?")? != "yes" {
        println!("Nothing was erased.");
    }
    let host = ask("What is the host called?")?;
    if host.is_empty() {
        return Err(io::Error::other("a host needs a name"));
    }
    println!("The host is {host}.");
    ask("Press Enter to restart.")?;
    Ok(())
}
