//! An authoritative name server that answers from a script and remembers what it was asked.

use crate::background::Background;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A name server on loopback, over UDP and TCP. A name without a script does not exist.
pub struct DnsStub {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _running: Background,
}

#[derive(Default)]
struct Script {
    zones: HashMap<Name, VecDeque<Vec<RData>>>,
    queries: Vec<(String, String)>,
}

impl Default for DnsStub {
    fn default() -> Self {
        Self::start()
    }
}

impl DnsStub {
    /// Starts with no names.
    pub fn start() -> Self {
        let (udp, tcp, address) = bind();
        let script = Arc::new(Mutex::new(Script::default()));
        let served = Arc::clone(&script);
        let running = Background::run(move || async move {
            let udp = UdpSocket::from_std(udp).unwrap();
            let tcp = TcpListener::from_std(tcp).unwrap();
            tokio::join!(serve_udp(udp, &served), serve_tcp(tcp, &served));
        });
        Self { address, script, _running: running }
    }

    /// Returns where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets a name lead to these addresses, always.
    pub fn answer(&self, name: &str, addresses: &[&str]) {
        self.answer_in_turn(name, &[addresses]);
    }

    /// Lets a name lead to other addresses each time it is asked for; the last answer stays.
    ///
    /// A turn ends with a query for an A record, which resolvers send once per look-up.
    pub fn answer_in_turn(&self, name: &str, turns: &[&[&str]]) {
        let data = |address: &&str| match address.parse::<IpAddr>().unwrap() {
            IpAddr::V4(v4) => RData::A(A(v4)),
            IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
        };
        let turns = turns.iter().map(|turn| turn.iter().map(data).collect()).collect();
        self.script.lock().unwrap().zones.insert(absolute(name), turns);
    }

    /// Lets a name be an alias of another.
    pub fn alias(&self, name: &str, target: &str) {
        let data = vec![RData::CNAME(CNAME(absolute(target)))];
        self.script.lock().unwrap().zones.insert(absolute(name), VecDeque::from([data]));
    }

    /// Returns the names that were asked for, with their record types, in order.
    pub fn queries(&self) -> Vec<(String, String)> {
        self.script.lock().unwrap().queries.clone()
    }
}

fn absolute(name: &str) -> Name {
    let mut name = Name::from_ascii(name).unwrap().to_lowercase();
    name.set_fqdn(true);
    name
}

/// Binds one port for both transports.
fn bind() -> (std::net::UdpSocket, std::net::TcpListener, SocketAddr) {
    for _ in 0..64 {
        let udp = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = udp.local_addr().unwrap();
        if let Ok(tcp) = std::net::TcpListener::bind(address) {
            udp.set_nonblocking(true).unwrap();
            tcp.set_nonblocking(true).unwrap();
            return (udp, tcp, address);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

async fn serve_udp(socket: UdpSocket, script: &Mutex<Script>) {
    let mut buffer = [0; 4096];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
        if let Some(answer) = script.lock().unwrap().answer(&buffer[..length]) {
            // Too long an answer is cut to its header, so that the resolver comes back over TCP.
            let full = answer.to_vec().unwrap();
            let sent = if full.len() > 1200 { answer.truncate().to_vec().unwrap() } else { full };
            drop(socket.try_send_to(&sent, peer));
        }
    }
}

async fn serve_tcp(listener: TcpListener, script: &Arc<Mutex<Script>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let script = Arc::clone(script);
        tokio::spawn(async move { drop(serve_stream(stream, &script).await) });
    }
}

async fn serve_stream(mut stream: TcpStream, script: &Mutex<Script>) -> std::io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await?;
        let answer = script.lock().unwrap().answer(&query);
        if let Some(answer) = answer {
            let bytes = answer.to_vec().unwrap();
            stream.write_u16(u16::try_from(bytes.len()).unwrap()).await?;
            stream.write_all(&bytes).await?;
        }
    }
}

impl Script {
    fn answer(&mut self, query: &[u8]) -> Option<Message> {
        let query = Message::from_vec(query).ok()?;
        let question = query.queries.first()?.clone();
        let (name, kind) = (question.name().to_lowercase(), question.query_type());
        self.queries.push((name.to_ascii(), kind.to_string()));
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        answer.metadata.authoritative = true;
        answer.metadata.recursion_desired = query.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(question);
        if !self.zones.contains_key(&name) {
            answer.metadata.response_code = ResponseCode::NXDomain;
            return Some(answer);
        }
        self.fill(&mut answer, name, kind);
        Some(answer)
    }

    /// Adds the records of a name and of what it is an alias of.
    fn fill(&mut self, answer: &mut Message, mut name: Name, kind: RecordType) {
        while let Some(turns) = self.zones.get_mut(&name) {
            let data = turns.front().cloned().unwrap_or_default();
            if kind == RecordType::A && turns.len() > 1 {
                turns.pop_front();
            }
            let mut alias = None;
            for data in data {
                if let RData::CNAME(target) = &data {
                    alias = Some(target.0.to_lowercase());
                }
                if data.record_type() == kind || alias.is_some() {
                    answer.add_answer(Record::from_rdata(name.clone(), 60, data));
                }
            }
            match alias {
                Some(target) => name = target,
                None => return,
            }
        }
    }
}
