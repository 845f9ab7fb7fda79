//! A PostgreSQL cluster of its own: a temporary folder, a Unix socket, a port on loopback.

use crate::ca::TestCa;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use tempfile::TempDir;

/// The password of the superuser `postgres`.
pub const SUPERUSER_PASSWORD: &str = "the superuser of a test";

/// A running cluster. It ends with the process, also when that is killed.
pub struct Postgres {
    dir: TempDir,
    port: u16,
    ca: TestCa,
    log: Arc<Mutex<String>>,
}

impl Postgres {
    /// Returns the cluster of this process, starting it for the first test that asks.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a cluster for one test, which may disturb everybody in it.
    pub fn start() -> Self {
        let bin = programs();
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let password = dir.path().join("password");
        std::fs::write(&password, SUPERUSER_PASSWORD).unwrap();
        let ca = TestCa::new();
        let (certificate, key) = ca.server_pem(&["localhost", "127.0.0.1"]);
        let (certificate_file, key_file) = (dir.path().join("crt"), dir.path().join("key"));
        std::fs::write(&certificate_file, certificate).unwrap();
        std::fs::write(&key_file, key).unwrap();
        std::fs::set_permissions(&key_file, Permissions::from_mode(0o600)).unwrap();
        // The server refuses to run as root, and takes only files of its own.
        for path in [dir.path(), &data, &password, &key_file, &certificate_file] {
            let owner = as_root().then_some(NOBODY);
            std::os::unix::fs::chown(path, owner, owner).unwrap();
        }
        let made = lowered(&bin.join("initdb"))
            .args(["--username=postgres", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"])
            .arg(format!("--pwfile={}", password.display()))
            .arg("--locale=C")
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let (ready, started) = mpsc::channel();
        let (socket, program) = (dir.path().to_owned(), bin.join("postgres"));
        // The server is told to end with the thread that started it; so that thread stays.
        let log: Arc<Mutex<String>> = Arc::default();
        let said = Arc::clone(&log);
        std::thread::spawn(move || serve(&program, &data, &socket, port, &ready, &said));
        assert!(started.recv().unwrap(), "the database did not start: {}", log.lock().unwrap());
        Self { dir, port, ca, log }
    }

    /// Returns the port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder of the Unix socket.
    pub fn socket(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the authority of the server's certificate, as PEM.
    pub fn ca(&self) -> String {
        self.ca.pem()
    }

    /// Returns what the server has logged so far, statements included.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Returns the superuser's connection string for a database.
    pub fn superuser(&self, database: &str) -> String {
        self.login("postgres", SUPERUSER_PASSWORD, database)
    }

    /// Returns a connection string over loopback.
    pub fn login(&self, user: &str, password: &str, database: &str) -> String {
        let port = self.port;
        format!(
            "host=127.0.0.1 port={port} user='{user}' password='{password}' dbname='{database}'"
        )
    }
}

/// The user that has nothing: what runs as it owns no file of others.
const NOBODY: u32 = 65534;

fn as_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

/// Starts a program as a user without rights, to be killed with the thread that starts it.
fn lowered(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if as_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg("--pdeathsig=KILL").arg("--").arg(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    command
}

fn serve(
    program: &Path,
    data: &Path,
    socket: &Path,
    port: u16,
    ready: &mpsc::Sender<bool>,
    log: &Mutex<String>,
) {
    let mut server = lowered(program)
        .arg("-D")
        .arg(data)
        .arg("-k")
        .arg(socket)
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200"])
        .args(["-c", "max_prepared_transactions=10", "-c", "ssl=on", "-c", "log_statement=all"])
        .args(["-c", &format!("ssl_cert_file={}", socket.join("crt").display())])
        .args(["-c", &format!("ssl_key_file={}", socket.join("key").display())])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for line in BufReader::new(server.stderr.take().unwrap()).lines() {
        let Ok(line) = line else { break };
        if line.contains("database system is ready to accept connections") {
            let _ = ready.send(true);
        }
        let mut log = log.lock().unwrap();
        log.push_str(&line);
        log.push('\n');
    }
    let _ = ready.send(false);
    drop(server.wait());
}

/// Returns the folder of the newest server that is installed, or the one that `WRIT_POSTGRES` names.
fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("WRIT_POSTGRES") {
        return named.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    let (_, bin) = found.pop().expect("no PostgreSQL server; run scripts/test, which installs one");
    bin
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
