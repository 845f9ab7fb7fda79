#![expect(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use crate::authority::{Run, RunEnd, View};
use crate::clock::{Clock, ManualClock};
use crate::event::{CallStarted, Owner, TaskEnd, TaskStarted};
use crate::id::{CallId, HostId};
use crate::ledger::{Ledger, MemoryLedger};
use crate::process::Process;
use crate::providers::Surroundings;
use crate::providers::config::CredentialsFile;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Credentials of which nothing can be had: nobody listens, or nobody answers.
fn providers(database: u16) -> Providers {
    let file = "
        [credential.oauth]
        kind = \"oauth\"
        token_endpoint = \"https://127.0.0.1:1/token\"
        client_id = \"writ\"
        client_secret = { env = \"SECRET\" }
        scope = [\"read\"]
        longest_life = \"1h\"
        [[credential.oauth.allow]]
        host = \"api.example.com\"
        methods = [\"GET\"]
        paths = [\"/**\"]

        [credential.db]
        kind = \"postgres\"
        admin = { env = \"ADMIN\" }
        role = \"readers\"
    ";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials.toml");
    std::fs::write(&path, file).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let credentials = CredentialsFile::read(&path).unwrap().parse().credentials.unwrap();
    let admin = format!("host=127.0.0.1 port={database} user=admin dbname=main");
    Providers::new(credentials, Surroundings::new(move |_| Some(admin.clone().into())))
}

fn task() -> TaskId {
    TaskId::from_random([1; RANDOM_BYTES])
}

fn host() -> HostId {
    HostId::from_random([1; RANDOM_BYTES])
}

fn call() -> CallId {
    CallId::from_random([1; RANDOM_BYTES])
}

/// Two processes with one ledger; the first has run a task that was to lease a credential and ended.
struct Machine {
    ledger: Arc<dyn Ledger>,
    clock: Arc<ManualClock>,
    first: Authority,
    second: Authority,
}

impl Machine {
    async fn after_a_run(credential: &str, providers: &Providers) -> Self {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
        let clock = Arc::new(ManualClock::new(NOW));
        let open = || Authority::open(ledger.clone(), clock.clone()).unwrap();
        let (first, second) = (open(), open());
        let started = TaskStarted {
            task: task(),
            parent: None,
            host: Some(host()),
            owner: Owner::User { uid: 1000 },
            labels: BTreeMap::new(),
            deadline: None,
            grant: serde_json::json!({}),
        };
        let begun = CallStarted {
            task: task(),
            call: call(),
            host: host(),
            tool: "t".to_owned(),
            digest: "sha256:00".to_owned(),
            function: None,
        };
        let run = Run { process: Process::current().unwrap(), task: Some(started), call: begun };
        let _watch = first.start_run(run).await.unwrap();
        let ask = LeaseAsk {
            credential: credential.to_owned(),
            lease: LeaseId::from_random([1; RANDOM_BYTES]),
            task: task(),
            at: clock.now(),
            ttl: Duration::from_secs(60),
            scope: None,
            resource: None,
            subject: None,
        };
        let intent = providers.provider(credential).unwrap().intent(&ask);
        first.intend(&ask, &host(), &intent).await.unwrap();
        let ended = Event::CallEnded {
            task: task(),
            call: call(),
            outcome: "exited".to_owned(),
            exit_code: 0,
            limit: None,
        };
        let end = RunEnd {
            notes: Vec::new(),
            call: ended,
            task: Some((task(), TaskEnd::Done)),
            leases: vec![ask.lease.clone()],
        };
        first.end_run(host(), end).await.unwrap();
        Self { ledger, clock, first, second }
    }

    /// What the ledger says after the end of the task.
    fn story(&self) -> Vec<String> {
        let records = self.ledger.read(1, usize::MAX).unwrap();
        let words = records.iter().map(|record| record.event().to_owned());
        words.skip_while(|word| word != "task.ended").skip(1).collect()
    }

    fn leases(&self) -> usize {
        View::open(self.ledger.clone()).unwrap().state().leases().count()
    }
}

#[tokio::test]
async fn what_a_process_leased_is_its_own_to_revoke_as_long_as_it_is_there() {
    let (here, there) = (providers(1), providers(1));
    let machine = Machine::after_a_run("oauth", &here).await;
    machine.second.revoke_orphans(&there, Instant::now()).await.unwrap();
    assert_eq!(machine.story(), [""; 0], "another process may not know what there is to revoke");
    machine.first.revoke_own(&here, &host(), Instant::now()).await.unwrap();
    assert_eq!(machine.story(), ["lease.lapsing", "host.ended"]);
}

#[tokio::test]
async fn what_nobody_can_call_back_is_not_said_to_be_gone_before_it_is() {
    let providers = providers(1);
    let machine = Machine::after_a_run("oauth", &providers).await;
    for _ in 0..2 {
        let left = machine.first.revoke_own(&providers, &host(), Instant::now()).await.unwrap();
        assert_eq!(
            (left, machine.leases()),
            (0, 1),
            "nothing more can be done, and it may be used"
        );
    }
    assert_eq!(machine.story(), ["lease.lapsing", "host.ended"], "it is said once");
    // The hour that the server may let it live, and as long as somebody may still have made it.
    machine.clock.set(UnixMillis(NOW.0 + 3_700_000));
    machine.second.note(Vec::new()).await.unwrap();
    let lost =
        Event::HostEnded { host: HostId::from_random([9; RANDOM_BYTES]), how: HostEnd::Lost };
    machine.second.decide(move |_, _| Ok((vec![lost.clone()], ()))).await.unwrap();
    assert_eq!(machine.leases(), 0);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_does_not_hold_up_an_end_for_long() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let providers = providers(silent.local_addr().unwrap().port());
    let machine = Machine::after_a_run("db", &providers).await;
    let started = Instant::now();
    let left = machine.first.revoke_own(&providers, &host(), started).await.unwrap();
    assert_eq!((left, machine.leases()), (1, 1));
    assert!(started.elapsed() < ONCE + Duration::from_secs(1));
    assert_eq!(machine.story(), ["lease.retrying", "host.ended"]);
}
