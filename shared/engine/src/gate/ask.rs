//! Asking until nothing is open.

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest,
    gate::{Admission, Ask, Facts},
    selection::Decision,
};

use crate::error::WorkError;

/// Questions that are under way at once.
const QUESTIONS_IN_FLIGHT: usize = 32;

/// What became of a question; nothing where the registry did not say.
pub(crate) enum Answer {
    Digest(Option<Digest>),
    Facts(Option<Facts>),
}

/// Has everything asked that has to be known, and decides.
pub(crate) async fn decide(
    admission: &mut Admission<'_>,
    ask: impl AsyncFn(&Ask) -> Result<Answer, WorkError>,
) -> Result<Vec<Decision>, WorkError> {
    loop {
        let (decisions, asks) = admission.decide();
        if asks.is_empty() {
            return Ok(decisions);
        }
        let one = async |question: Ask| (ask(&question).await, question);
        let mut answers = stream::iter(asks).map(one).buffer_unordered(QUESTIONS_IN_FLIGHT);
        while let Some((answer, question)) = answers.next().await {
            match (answer?, question) {
                (Answer::Digest(digest), Ask::Digest(tag)) => admission.answer(tag, digest),
                (Answer::Facts(facts), Ask::Facts(_, image)) => admission.found(image, facts),
                // No answer to what was asked.
                (_, Ask::Digest(tag)) => admission.answer(tag, None),
                (_, Ask::Facts(_, image)) => admission.found(image, None),
            }
        }
    }
}
