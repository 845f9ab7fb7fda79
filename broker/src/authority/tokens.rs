//! The tokens of one task: minted when a request needs one, and renewed before they are over.

use super::{Authority, KeysError, Refused};
use crate::clock::UnixMillis;
use crate::event::{Owner, TokenMinted};
use crate::grant::{CredentialGrant, Placement};
use crate::id::TaskId;
use crate::keys::{KeyError, KeyFiles, Purpose, SignError};
use crate::token::dpop::{Proof, ProofAsk, Prover, Target};
use crate::token::{
    AccessToken, Actor, AuthorizationDetail, Claims, Lifetime, LifetimeError, MintError, Minter,
    TaskClaim,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Who signs, and in whose name.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The URL of this broker, as it stands in `iss`: where checkers find its keys.
    pub url: String,
    /// Where the private keys are.
    pub files: Arc<KeyFiles>,
}

/// Whose tokens they are.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The task, and those above it, the nearest first.
    pub ancestry: Vec<TaskId>,
    /// On whose behalf it runs.
    pub owner: Owner,
    /// When it ends at the latest.
    pub deadline: Option<UnixMillis>,
    /// The digest of the component that runs.
    pub component: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It may not be minted.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no key to sign it with.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// It would live too long or too short.
    #[error(transparent)]
    Lifetime(#[from] LifetimeError),
    /// It cannot be made.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The task's own key cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The proof cannot be signed.
    #[error(transparent)]
    Proof(#[from] SignError),
    /// No proof can speak of this address.
    #[error("this address cannot be named in a proof")]
    Target,
    /// No randomness.
    #[error("there is no randomness")]
    Random,
}

/// A token with a proof for one request, where its audience wants one.
#[derive(Debug)]
pub struct Presented {
    /// The token.
    pub token: Arc<AccessToken>,
    /// The proof that its sender holds the task's key.
    pub proof: Option<Proof>,
}

/// One request, as a proof names it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The address, without query and fragment.
    pub url: &'a str,
    /// The nonce that the server gave last.
    pub nonce: Option<&'a str>,
}

/// The tokens of one task, and the key to which they are bound. Both go when it is dropped.
pub struct Tokens {
    authority: Arc<Authority>,
    issuer: Issuer,
    bearer: Bearer,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Made when it is first needed.
    prover: Option<Arc<Prover>>,
    tokens: BTreeMap<String, Good>,
}

/// A token that has not reached its half-life.
struct Good {
    token: Arc<AccessToken>,
    renew: UnixMillis,
}

impl Tokens {
    /// Makes nothing yet.
    pub fn new(authority: Arc<Authority>, issuer: Issuer, bearer: Bearer) -> Self {
        Self { authority, issuer, bearer, held: Mutex::default() }
    }

    /// Gives a token for a credential of the grant; with a proof for this request, if that is how it
    /// is sent.
    ///
    /// The same token serves many requests until half of its life is over. Its record is durable
    /// before it is signed, and its life ends with the task's.
    pub async fn present(
        &self,
        credential: &CredentialGrant,
        request: Request<'_>,
    ) -> Result<Presented, TokenError> {
        // One at a time: of many requests that start together, one mints for all.
        let mut held = self.held.lock().await;
        // Also one that was minted before: what was admitted before a kill does not get it after it.
        if let Some(task) = self.bearer.ancestry.first() {
            self.authority.still(task)?;
        }
        let now = self.authority.clock.now();
        let bound = credential.place == Placement::Dpop;
        let prover = match (bound, &held.prover) {
            (false, _) => None,
            (true, Some(prover)) => Some(Arc::clone(prover)),
            (true, None) => Some(Arc::clone(held.prover.insert(Arc::new(Prover::generate()?)))),
        };
        let name = credential.name.as_str();
        let token = match held.tokens.get(name).filter(|good| now < good.renew) {
            Some(good) => Arc::clone(&good.token),
            None => {
                let good = self.mint(credential, prover.as_deref(), now).await?;
                let token = Arc::clone(&good.token);
                held.tokens.insert(name.to_owned(), good);
                token
            }
        };
        drop(held);
        let proof = match prover {
            Some(prover) => {
                let Request { method, url, nonce } = request;
                let target = Target::parse(url).ok_or(TokenError::Target)?;
                let ask = ProofAsk { method, target: &target, token: Some(&token), nonce };
                Some(prover.prove(&ask, &random()?, now)?)
            }
            None => None,
        };
        Ok(Presented { token, proof })
    }

    async fn mint(
        &self,
        credential: &CredentialGrant,
        prover: Option<&Prover>,
        now: UnixMillis,
    ) -> Result<Good, TokenError> {
        let signer = self.authority.signer(&self.issuer.files, Purpose::Access).await?;
        let minter = Minter::new(signer);
        let deadline = self.bearer.deadline.unwrap_or(UnixMillis(u64::MAX));
        let lifetime = Lifetime::new(now, credential.ttl, deadline)?;
        let audience = credential.scope.audience.clone().unwrap_or_default();
        let names: Vec<String> = self.bearer.ancestry.iter().map(ToString::to_string).collect();
        let (Some(task), Some(root)) = (self.bearer.ancestry.first(), names.last()) else {
            return Err(TokenError::Mint(MintError::Claim("task")));
        };
        let jti = random()?;
        let minted = TokenMinted {
            task: task.clone(),
            jti: jti.clone(),
            audience: audience.clone(),
            expires: lifetime.ends_at(),
            kid: minter.kid().to_owned(),
            status: None,
        };
        self.authority.mint(minted).await?;
        let token = minter.sign(&Claims {
            issuer: self.issuer.url.clone(),
            subject: subject(&self.bearer.owner),
            audience,
            client_id: "writ".to_owned(),
            lifetime,
            jti,
            scope: credential.scope.actions.clone(),
            txn: root.clone(),
            task: TaskClaim {
                id: task.to_string(),
                parent: names.get(1).cloned(),
                depth: u32::try_from(names.len() - 1).unwrap_or(u32::MAX),
                component: Some(self.bearer.component.clone()),
            },
            act: names.iter().map(|name| Actor { subject: name.clone() }).collect(),
            authorization_details: details(credential),
            bound_to: prover.map(|prover| *prover.thumbprint()),
            status: None,
        })?;
        Ok(Good { token: Arc::new(token), renew: lifetime.half_life() })
    }
}

/// What the grant says of a resource, in the common words of RFC 9396 §2.2.
fn details(credential: &CredentialGrant) -> Vec<AuthorizationDetail> {
    let detail = |resource: &String| AuthorizationDetail {
        kind: "writ_resource".to_owned(),
        locations: credential.scope.audience.iter().cloned().collect(),
        actions: credential.scope.actions.clone(),
        identifier: Some(resource.clone()),
    };
    credential.scope.resource.iter().map(detail).collect()
}

/// The owner as `sub`.
fn subject(owner: &Owner) -> String {
    match owner {
        Owner::User { uid } => format!("user:{uid}"),
        Owner::Ci { issuer, subject } => format!("{issuer}#{subject}"),
    }
}

/// 128 random bits, in hex.
fn random() -> Result<String, TokenError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| TokenError::Random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
