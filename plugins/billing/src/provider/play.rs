//! The provider `test`: play money. What comes of a charge is in its token, so that tests and demonstrations can choose.

use std::time::Duration;

use super::{Charge, GiveBack, NoAnswer, Outcome, PaymentProvider};

/// How long `tok_slow` takes: long enough to be killed meanwhile.
const SLOW: Duration = Duration::from_secs(2);

/// | token | what comes of it |
/// |---|---|
/// | `tok_ok` | succeeds |
/// | `tok_slow` | succeeds after two seconds |
/// | `tok_later` | a webhook says how it ended |
/// | `tok_declined` | fails with `card_declined` |
/// | `tok_away` | the provider never answers |
/// | any other | fails with `invalid_token` |
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlayMoney;

#[tonic::async_trait]
impl PaymentProvider for PlayMoney {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn charge(&self, charge: Charge<'_>) -> Result<Outcome, NoAnswer> {
        // A function of the key, so the same charge is the same in every try.
        let reference = format!("play_{}", charge.key);
        if charge.token == "tok_slow" {
            tokio::time::sleep(SLOW).await;
        }
        Ok(match charge.token {
            "tok_ok" | "tok_slow" => Outcome::Succeeded { reference },
            "tok_later" => Outcome::Pending { reference },
            "tok_declined" => failed("card_declined"),
            "tok_away" => {
                return Err(NoAnswer {
                    provider: self.name(),
                    why: "it was asked with tok_away".to_owned(),
                });
            }
            _ => failed("invalid_token"),
        })
    }

    async fn give_back(&self, refund: GiveBack<'_>) -> Result<Outcome, NoAnswer> {
        if refund.amount.minor() <= 0 || !refund.payment.starts_with("play_") {
            return Ok(failed("unknown_payment"));
        }
        Ok(Outcome::Succeeded {
            reference: format!("back_{}", refund.key),
        })
    }
}

fn failed(failure: &str) -> Outcome {
    Outcome::Failed {
        failure: failure.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::money::{Currency, Money};

    #[tokio::test]
    async fn the_token_decides_and_the_same_key_gives_the_same_answer() {
        let amount = Money::new(5, Currency::of("EUR").unwrap());
        let ask = |token: &'static str| async move {
            let charge = Charge { key: "k", amount, token };
            (PlayMoney.charge(charge).await.ok(), PlayMoney.charge(charge).await.ok())
        };
        let reference = "play_k".to_owned();
        let wanted = [
            (
                "tok_ok",
                Some(Outcome::Succeeded {
                    reference: reference.clone(),
                }),
            ),
            ("tok_later", Some(Outcome::Pending { reference })),
            ("tok_declined", Some(failed("card_declined"))),
            ("tok_unknown", Some(failed("invalid_token"))),
            ("tok_away", None),
        ];
        for (token, outcome) in wanted {
            assert_eq!(ask(token).await, (outcome.clone(), outcome), "{token}");
        }
        let charge = Charge {
            key: "k",
            amount,
            token: "canary",
        };
        assert!(!format!("{charge:?}").contains("canary"));
    }
}
