//! The bounds of one attempt: under its own intent, soon after it, and not for long.
//!
//! They are what makes an intent forgettable: from [`Intent::until`] on, nothing that the intent does
//! not already name can come into being under it, whoever has it.

use super::error::ProviderError;
use super::{Intent, LeaseAsk, Provider, when};
use crate::clock::UnixMillis;
use std::time::Duration;

/// How old an intent may be when an attempt starts. Beyond it somebody may have given it up, and what
/// an upstream makes could outlive the time that the intent promises.
const FRESH: Duration = Duration::from_secs(30);
/// How long an attempt may take in all, from the operator's secret to the upstream's answer.
const LONGEST: Duration = Duration::from_secs(20);

/// Returns from when on nothing can be made any more under an intent of this time.
pub(super) fn until(at: UnixMillis) -> UnixMillis {
    when::after(at, FRESH + LONGEST)
}

/// Refuses what is no attempt under the ask's own intent, in time.
///
/// A time before the ask is refused too: a clock that went back makes every intent look fresh.
pub(super) fn check(
    provider: &dyn Provider,
    ask: &LeaseAsk,
    intent: &Intent,
    now: UnixMillis,
) -> Result<(), ProviderError> {
    if *intent != provider.intent(ask) {
        return Err(ProviderError::never("the intent is not that of what is asked"));
    }
    if now < ask.at || now.saturating_since(ask.at) > FRESH {
        return Err(ProviderError::Gone);
    }
    Ok(())
}

/// Gives an attempt up when it takes too long; what it made until then is left to its revocation.
pub(super) async fn bounded<T>(
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let late = |_| Err(ProviderError::later("the credential could not be made in time"));
    tokio::time::timeout(LONGEST, work).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]
    use super::super::config::CredentialsFile;
    use super::super::{Kind, Providers, Revoked, Surroundings};
    use super::*;
    use crate::id::{LeaseId, TaskId};
    use std::os::unix::fs::PermissionsExt;

    const AT: UnixMillis = UnixMillis(1_800_000_000_000);

    /// One credential of each kind; nobody listens where they come from.
    const FILE: &str = r#"
        [credential.secret]
        kind = "secret"
        source = { env = "TOKEN" }
        [[credential.secret.allow]]
        host = "api.example.com"
        methods = ["GET"]
        paths = ["/**"]

        [credential.postgres]
        kind = "postgres"
        admin = { env = "ADMIN" }
        role = "readers"

        [credential.oauth]
        kind = "oauth"
        token_endpoint = "https://127.0.0.1:1/token"
        client_id = "writ"
        client_secret = { env = "TOKEN" }
        scope = ["read"]
        longest_life = "1h"
        [[credential.oauth.allow]]
        host = "api.example.com"
        methods = ["GET"]
        paths = ["/**"]

        [credential.github-app]
        kind = "github-app"
        app_id = "1"
        installation_id = 1
        private_key = { env = "TOKEN" }
        api = "https://127.0.0.1:1"
        repositories = ["site"]
        permissions = { contents = "read" }
        [[credential.github-app.allow]]
        host = "api.example.com"
        methods = ["GET"]
        paths = ["/**"]
    "#;

    /// Providers whose operator's secrets cannot be read, so that an attempt is seen by its error.
    fn providers() -> Providers {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials.toml");
        std::fs::write(&path, FILE).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let parsed = CredentialsFile::read(&path).unwrap().parse();
        assert!(!parsed.report.has_errors(), "{}", parsed.report.render(false));
        Providers::new(parsed.credentials.unwrap(), Surroundings::new(|_| None))
    }

    fn ask(credential: &str, n: u8) -> LeaseAsk {
        LeaseAsk {
            credential: credential.to_owned(),
            lease: LeaseId::from_random([n; 10]),
            task: TaskId::from_random([n; 10]),
            at: AT,
            ttl: Duration::from_secs(60),
            scope: None,
            resource: None,
            subject: None,
        }
    }

    #[tokio::test]
    async fn every_kind_takes_an_intent_once_and_only_soon_after_it() {
        let providers = providers();
        for kind in Kind::ALL {
            let provider = providers.provider(kind.as_str()).unwrap();
            let mut n = 0;
            let mut fresh = || {
                n += 1;
                ask(kind.as_str(), n)
            };
            for now in [AT.0 - 1, AT.0 + 30_001, 0, u64::MAX] {
                let ask = fresh();
                let error = provider.lease(&ask, &provider.intent(&ask), UnixMillis(now)).await;
                assert_eq!(error.unwrap_err(), ProviderError::Gone, "{kind} at {now}");
            }
            let (ask, other) = (fresh(), fresh());
            let error = provider.lease(&ask, &provider.intent(&other), AT).await.unwrap_err();
            assert!(error.to_string().contains("intent"), "{kind}: {error}");

            // The honest one gets as far as the operator's secret, and once only.
            let (intent, last) = (provider.intent(&ask), UnixMillis(AT.0 + 30_000));
            assert_eq!(intent.until, UnixMillis(AT.0 + 50_000));
            let error = provider.lease(&ask, &intent, last).await.unwrap_err();
            assert!(error.to_string().contains("is not set"), "{kind}: {error}");
            let error = provider.lease(&ask, &intent, last).await.unwrap_err();
            assert_eq!(error, ProviderError::Gone, "{kind}");
        }
    }

    #[tokio::test]
    async fn an_intent_of_which_nothing_was_made_is_revoked_again_and_again() {
        let providers = providers();
        for (kind, expected) in [
            (Kind::Secret, Revoked::Withheld),
            (Kind::Oauth, Revoked::Lapses(Some(UnixMillis(AT.0 + 3_650_000)))),
            (Kind::GithubApp, Revoked::Lapses(Some(UnixMillis(AT.0 + 3_650_000)))),
        ] {
            let ask = ask(kind.as_str(), 1);
            let intent = providers.provider(kind.as_str()).unwrap().intent(&ask);
            let handle = intent.clone().into_handle();
            let provider = providers.revoker(&handle).unwrap();
            for _ in 0..3 {
                assert_eq!(provider.revoke(&handle, AT).await, Ok(expected), "{kind}");
            }
            let error = provider.lease(&ask, &intent, AT).await.unwrap_err();
            assert_eq!(error, ProviderError::Gone, "{kind} makes something after its revocation");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_given_up() {
        let never = std::future::pending::<Result<(), ProviderError>>();
        let start = tokio::time::Instant::now();
        assert!(matches!(bounded(never).await, Err(ProviderError::Later { .. })));
        assert_eq!(start.elapsed(), LONGEST);
    }
}
