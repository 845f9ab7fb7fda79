//! Who may send a token.

use super::*;
use crate::token::dpop::Prover;

fn verify(bed: &Bed, token: &str, holder: Holder<'_>) -> Result<(), Rejection> {
    bed.verifier.verify(token, &Expectations { holder, ..expected() }, NOW).map(|_| ())
}

#[test]
fn a_bound_token_is_good_for_the_holder_of_its_key_only() {
    let bed = Bed::new();
    let (prover, other) = (Prover::generate().unwrap(), Prover::generate().unwrap());
    let token = bed.mint(&Claims { bound_to: Some(*prover.thumbprint()), ..claims() });
    assert_eq!(verify(&bed, &token, Holder::Proved(prover.thumbprint())), Ok(()));
    let stranger = Holder::Proved(other.thumbprint());
    assert_eq!(verify(&bed, &token, stranger), Err(Rejection::Binding));
    assert_eq!(verify(&bed, &token, Holder::Bearer), Err(Rejection::Binding));
    assert_eq!(verify(&bed, &token, Holder::Inquirer), Ok(()));
}

#[test]
fn a_token_that_is_not_bound_is_refused_where_a_proof_came_with_it() {
    let bed = Bed::new();
    let prover = Prover::generate().unwrap();
    let token = bed.mint(&claims());
    let holder = Holder::Proved(prover.thumbprint());
    assert_eq!(verify(&bed, &token, holder), Err(Rejection::Binding));
    assert_eq!(verify(&bed, &token, Holder::Bearer), Ok(()));
}

#[test]
fn only_who_says_so_takes_a_token_for_others() {
    let bed = Bed::new();
    let token = bed.mint(&Claims { audience: "https://other.example".into(), ..claims() });
    assert_eq!(bed.refuse(&token), Rejection::Audience);
    let any = Expectations { audience: Audience::DangerousAny, ..expected() };
    assert!(bed.verifier.verify(&token, &any, NOW).is_ok());
    let empty = Expectations { audience: Audience::Is(""), ..expected() };
    assert_eq!(bed.verifier.verify(&token, &empty, NOW).unwrap_err(), Rejection::Audience);
}
