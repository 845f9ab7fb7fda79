//! `writ serve`: answers resource servers and this machine about what the ledger says.

use crate::cli::Serve;
use crate::output::{self, OurFault};
use crate::places::Places;
use crate::session;
use crate::signals::Signals;
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use writ_broker::authority::{Authority, Issuer};
use writ_broker::clock::SystemClock;
use writ_broker::codes;
use writ_broker::keys::KeyFiles;
use writ_broker::ledger::Ledger;
use writ_broker::process::POKE;
use writ_broker::providers::Providers;
use writ_broker::serve::{Checkers, Listen, ServeError, Server, Settings, TlsFiles};
use writ_runtime::wire::Fault;

/// How often what others have left is revoked.
const TIDY: Duration = Duration::from_secs(10);

/// Serves until a signal comes.
pub(crate) fn serve(args: &Serve) -> Result<ExitCode> {
    let places = Places::find(&args.own)?;
    let ledger = places.open_ledger()?;
    let files = KeyFiles::open(&places.keys());
    let files = files.map_err(|error| Fault::new(codes::KEYS, error.to_string()))?;
    let providers = args.credentials.as_deref().map(session::providers).transpose()?;
    let settings = Settings {
        ledger: Arc::clone(&ledger),
        clock: Arc::new(SystemClock),
        issuer: Issuer { url: args.issuer.clone(), files: Arc::new(files) },
        checkers: args.checkers.as_deref().map(Checkers::read).transpose()?.unwrap_or_default(),
        listen: listen(args, &places),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(OurFault("the runtime does not start"))?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let poked = signal(SignalKind::from_raw(POKE.as_raw()));
        let mut poked = poked.context(OurFault("no signals can be heard"))?;
        let server = Server::bind(settings).map_err(|error| match error {
            ServeError::Ledger(why) => Fault::new(codes::LEDGER, why.to_string()).into(),
            error => anyhow::Error::new(error),
        })?;
        output::listening(&places.socket(), &server.addresses(), args.tls_cert.is_some());
        let look = server.looker();
        tokio::spawn(async move {
            while poked.recv().await.is_some() {
                look();
            }
        });
        if let Some(providers) = providers {
            tokio::spawn(tidy(ledger, providers));
        }
        server.run(async { drop(signals.next().await) }).await;
        Ok(ExitCode::SUCCESS)
    })
}

fn listen(args: &Serve, places: &Places) -> Vec<Listen> {
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let tls = tls.map(|(certificates, key)| TlsFiles { certificates, key });
    let tcp = args.listen.iter().map(|address| Listen::Tcp { address: *address, tls: tls.clone() });
    std::iter::once(Listen::Unix(places.socket())).chain(tcp).collect()
}

/// Revokes, again and again, what processes have left that are not there any more.
async fn tidy(ledger: Arc<dyn Ledger>, providers: Arc<Providers>) {
    let Ok(authority) = Authority::open(ledger, Arc::new(SystemClock)) else { return };
    loop {
        // What fails is in the ledger, and tried again.
        let _ = authority.revoke_orphans(&providers, Instant::now()).await;
        tokio::time::sleep(TIDY).await;
    }
}
