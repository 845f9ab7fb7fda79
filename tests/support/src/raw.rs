//! A server that sends exactly the bytes a test gives it.

use crate::background::Background;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a [`RawServer`] does after its answer.
#[derive(Debug, Clone)]
pub enum Then {
    /// Closes the connection.
    Close,
    /// Keeps it open and says nothing more.
    Hold,
    /// Sends these bytes again and again, as fast as they are taken.
    Repeat(Vec<u8>),
}

/// A TCP server that answers each connection, after the first blank line, with the same bytes.
pub struct RawServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
    accepted: Arc<Mutex<usize>>,
    ended: Arc<Mutex<usize>>,
    _running: Background,
}

impl RawServer {
    /// Starts it.
    pub fn start(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let answer = answer.into();
        Self::serve(move |stream, received| {
            let (answer, then) = (answer.clone(), then.clone());
            async move {
                drop(converse(stream, &received, &answer, &then).await);
            }
        })
    }

    /// Starts a server that sends back what it gets, until the other side closes.
    pub fn echo() -> Self {
        Self::serve(|mut stream, received| async move {
            let mut buffer = [0; 16 << 10];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                received.lock().unwrap().extend_from_slice(&buffer[..read]);
                if stream.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
            drop(stream.write_all(b"bye").await);
        })
    }

    fn serve<F>(talk: impl Fn(TcpStream, Arc<Mutex<Vec<u8>>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (accepted, ended): (Arc<Mutex<usize>>, Arc<Mutex<usize>>) = Default::default();
        let (heard, counted, over) = (received.clone(), accepted.clone(), ended.clone());
        let running = Background::run(move || async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *counted.lock().unwrap() += 1;
                let (talking, over) = (talk(stream, heard.clone()), over.clone());
                tokio::spawn(async move {
                    talking.await;
                    *over.lock().unwrap() += 1;
                });
            }
        });
        Self { address, received, accepted, ended, _running: running }
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns everything that was sent to it.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }

    /// Returns how many connections were made to it.
    pub fn accepted(&self) -> usize {
        *self.accepted.lock().unwrap()
    }

    /// Returns how many of the connections are over.
    pub fn ended(&self) -> usize {
        *self.ended.lock().unwrap()
    }
}

async fn converse(
    mut stream: TcpStream,
    received: &Mutex<Vec<u8>>,
    answer: &[u8],
    then: &Then,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..read]);
        received.lock().unwrap().extend_from_slice(&buffer[..read]);
    }
    stream.write_all(answer).await?;
    match then {
        Then::Close => stream.shutdown().await,
        Then::Hold => {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await? > 0 {}
            Ok(())
        }
        Then::Repeat(bytes) => loop {
            stream.write_all(bytes).await?;
        },
    }
}
