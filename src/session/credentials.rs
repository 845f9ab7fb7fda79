//! What the requests of a task carry: tokens of our own, and credentials of the operator.

use super::Names;
use crate::cli::Operator;
use crate::places::Places;
use anyhow::{Context, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::Path;
use std::sync::Arc;
use writ_broker::authority::{Authority, Bearer, Issuer, Leases, Presented, Request, Tokens, Use};
use writ_broker::diagnostic::Severity;
use writ_broker::grant::{CredentialGrant, CredentialKind};
use writ_broker::id::LeaseId;
use writ_broker::keys::KeyFiles;
use writ_broker::providers::config::CredentialsFile;
use writ_broker::providers::{Material, Providers, Surroundings};
use writ_broker::{Grant, codes};
use writ_runtime::authority::CredentialAsk;
use writ_runtime::injection::Injection;
use writ_runtime::secret::Secret;
use writ_runtime::wire::Fault;

/// Where credentials come from on this machine.
#[derive(Clone)]
pub(crate) struct Sources {
    issuer: Option<Issuer>,
    providers: Option<Arc<Providers>>,
}

impl Sources {
    /// Reads what the operator says. Nothing is opened that the grant does not need.
    pub(crate) fn of(operator: &Operator, places: &Places, grant: &Grant) -> Result<Self> {
        let any = |fits: fn(CredentialKind) -> bool| {
            grant.credentials.iter().any(|credential| fits(credential.kind))
        };
        let issuer = match &operator.issuer {
            Some(url) if any(|kind| kind == CredentialKind::Jwt) => {
                let files = KeyFiles::open(&places.keys());
                let files = files.map_err(|error| Fault::new(codes::KEYS, error.to_string()))?;
                Some(Issuer { url: url.clone(), files: Arc::new(files) })
            }
            _ => None,
        };
        let providers = operator.credentials.as_deref().map(providers).transpose()?;
        Ok(Self { issuer, providers })
    }

    /// Returns who gives and revokes the operator's credentials.
    pub(crate) fn providers(&self) -> Option<&Arc<Providers>> {
        self.providers.as_ref()
    }
}

/// Reads the operator's file. Nothing is opened or connected.
pub(crate) fn providers(file: &Path) -> Result<Arc<Providers>> {
    let parsed = CredentialsFile::read(file)?.parse();
    crate::output::diagnostics(&parsed.report);
    let sound = parsed.report.count(Severity::Error) == 0;
    let credentials = parsed.credentials.filter(|_| sound);
    let credentials = credentials.context("the credentials file has errors")?;
    let environment = Surroundings::new(|name| std::env::var_os(name));
    Ok(Arc::new(Providers::new(credentials, environment)))
}

/// The credentials of one task.
pub(crate) struct Credentials {
    grant: Vec<CredentialGrant>,
    tokens: Option<Tokens>,
    leases: Option<Leases>,
}

impl Credentials {
    /// Makes and leases nothing yet.
    pub(crate) fn new(
        authority: &Arc<Authority>,
        sources: &Sources,
        grant: &Grant,
        names: &Names,
        bearer: Bearer,
    ) -> Self {
        let whose = (names.task.clone(), names.host.clone());
        let leases = sources.providers.clone();
        let leases = leases.map(|given| Leases::new(Arc::clone(authority), given, whose));
        let tokens = sources.issuer.clone();
        let tokens = tokens.map(|issuer| Tokens::new(Arc::clone(authority), issuer, bearer));
        Self { grant: grant.credentials.clone(), tokens, leases }
    }

    /// Returns what may exist upstream.
    pub(super) fn leases(&self) -> Vec<LeaseId> {
        self.leases.as_ref().map(Leases::made).unwrap_or_default()
    }

    /// Gives what one request carries, or says why it cannot be had.
    pub(crate) async fn inject(&self, ask: &CredentialAsk) -> Result<Injection, String> {
        let named = |grant: &&CredentialGrant| grant.name == ask.credential;
        let grant = self.grant.iter().find(named).ok_or("the grant has no such credential")?;
        let (secret, proof) = match grant.kind {
            CredentialKind::Jwt => self.token(grant, ask).await?,
            _ => (self.lease(grant, ask).await?, None),
        };
        Injection::place(&grant.place, secret, proof).map_err(|error| error.to_string())
    }

    async fn token(
        &self,
        grant: &CredentialGrant,
        ask: &CredentialAsk,
    ) -> Result<(Secret, Option<Secret>), String> {
        let tokens = self.tokens.as_ref();
        let tokens = tokens.ok_or("no issuer is named; `--issuer URL` does that")?;
        let url = ask.request.url();
        let nonce = ask.nonce.as_ref().map(writ_runtime::authority::Nonce::as_str);
        let request = Request { method: &ask.request.method, url: &url, nonce };
        let presented = tokens.present(grant, request).await;
        let Presented { token, proof } = presented.map_err(|error| error.to_string())?;
        let proof = proof.map(|proof| Secret::new(proof.expose()));
        Ok((Secret::new(token.expose()), proof))
    }

    async fn lease(&self, grant: &CredentialGrant, ask: &CredentialAsk) -> Result<Secret, String> {
        let leases = self.leases.as_ref();
        let leases = leases.ok_or(NO_FILE)?;
        let material = leases.obtain(grant, Use::Request(&ask.request)).await;
        match material.map_err(|error| error.to_string())? {
            Material::Bearer(secret) | Material::Value(secret) => Ok(Secret::new(secret.expose())),
            Material::Login { .. } => Err("a login does not go into a request".to_owned()),
        }
    }

    /// Leases what the tool itself is to hold, as variables of its environment: `NAME_URL` for a
    /// database, in the form of libpq (PostgreSQL, "Connection URIs").
    pub(super) async fn exposed(&self, grant: &Grant) -> Result<Vec<(String, String)>> {
        let mut variables = Vec::new();
        for credential in self.grant.iter().filter(|credential| credential.expose) {
            let name = credential.name.as_str();
            let refuse = |why: &str| {
                let message = format!("the credential \"{name}\" cannot be had: {why}");
                Fault::new(codes::NO_CREDENTIAL, message)
            };
            let variable = format!("{}_URL", name.to_uppercase().replace('-', "_"));
            if grant.env.contains_key(&variable) {
                return Err(refuse(&format!("[env] sets {variable} as well; rename one")).into());
            }
            let leases = self.leases.as_ref();
            let leases = leases.ok_or_else(|| refuse(NO_FILE))?;
            let material = leases.obtain(credential, Use::Exposed).await;
            let material = material.map_err(|error| refuse(&error.to_string()))?;
            let Material::Login { user, password, host, port, database } = material else {
                return Err(refuse("it is no login").into());
            };
            let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let (user, password) = (part(&user), part(password.expose()));
            let (host, database) = (part(&host), part(&database));
            let url = format!("postgres://{user}:{password}@{host}:{port}/{database}");
            variables.push((variable, url));
        }
        Ok(variables)
    }
}

/// Why nothing is leased where the operator has said nothing.
const NO_FILE: &str = "no file says where it comes from; `--credentials FILE` does";
