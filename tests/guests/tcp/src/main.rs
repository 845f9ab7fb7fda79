//! `tcp`: tries sockets and name look-up, through `std::net` as any program does.
//!
//! Prints `ok …` and exits 0, or prints `error KIND: …` and exits 1.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::ExitCode;

type Outcome = io::Result<String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(done) => {
            println!("ok {done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error {:?}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Outcome {
    match words {
        ["connect", host, port, text] => talk(TcpStream::connect((*host, parse(port)?))?, text),
        ["connect-ip", ip, port] => connect_ip(parse(ip)?, parse(port)?),
        ["send", host, port, bytes] => send((*host, parse(port)?), parse(bytes)?),
        ["hold", host, port] => hold((*host, parse(port)?)),
        ["resolve", name] => resolve(name),
        ["udp", host, port] => udp((*host, parse(port)?)),
        ["listen", port] => listen(parse(port)?),
        _ => Err(io::Error::other("see tests/guests/README.md for the subcommands")),
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, format!("cannot read {text:?}"));
    text.parse().map_err(|_| wrong())
}

/// Sends a text, closes its own half and reads the reply to its end.
fn talk(mut stream: TcpStream, text: &str) -> Outcome {
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(format!("{} bytes: {}", reply.len(), String::from_utf8_lossy(&reply).escape_debug()))
}

/// Connects to an address without asking for a name.
fn connect_ip(ip: IpAddr, port: u16) -> Outcome {
    TcpStream::connect(SocketAddr::new(ip, port))?;
    Ok("connected".to_owned())
}

/// Sends so many bytes and reads nothing.
fn send(to: (&str, u16), bytes: u64) -> Outcome {
    let mut stream = TcpStream::connect(to)?;
    io::copy(&mut io::repeat(b'x').take(bytes), &mut stream)?;
    Ok(format!("sent {bytes} bytes"))
}

/// Connects and waits until the other side ends the connection.
fn hold(to: (&str, u16)) -> Outcome {
    let mut stream = TcpStream::connect(to)?;
    println!("holding");
    let read = stream.read_to_end(&mut Vec::new())?;
    Ok(format!("ended after {read} bytes"))
}

fn resolve(name: &str) -> Outcome {
    let addresses: Vec<String> =
        (name, 0).to_socket_addrs()?.map(|address| address.ip().to_string()).collect();
    Ok(format!("{} addresses: {}", addresses.len(), addresses.join(" ")))
}

fn udp(to: (&str, u16)) -> Outcome {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let sent = socket.send_to(b"ping", to)?;
    Ok(format!("sent {sent} bytes"))
}

fn listen(port: u16) -> Outcome {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    Ok(format!("listening on {}", listener.local_addr()?))
}
