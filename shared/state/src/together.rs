//! What several ask at about the same time is one request: whoever comes first asks for all who wait.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{Semaphore, oneshot};

/// How long whoever asks waits for others of whom it is known that they may come: about as long as one request to a
/// database that is near takes.
const GATHER: Duration = Duration::from_millis(10);
/// How often it is looked whether some have come; where none has meanwhile, the others are not about to.
const LOOK: Duration = Duration::from_millis(2);

/// How many may be about to ask. Clones count the same.
#[derive(Debug, Clone, Default)]
pub struct Crowd(Arc<AtomicUsize>);

/// One of a [`Crowd`], until it is dropped.
#[derive(Debug)]
pub struct Member(Crowd);

impl Crowd {
    /// Adds one.
    #[must_use]
    pub fn join(&self) -> Member {
        self.0.fetch_add(1, Relaxed);
        Member(self.clone())
    }

    fn size(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// A question, and who waits for its answer.
type Open<Q, A> = (Q, oneshot::Sender<A>);

/// Questions of one kind.
#[derive(Debug)]
pub(crate) struct Together<Q, A> {
    open: Mutex<Vec<Open<Q, A>>>,
    /// Of those who are asking.
    asking: Semaphore,
    crowd: Crowd,
}

impl<Q: Clone, A> Together<Q, A> {
    /// Questions that come from this crowd, in so many requests at once: somebody who is alone waits for nobody.
    pub(crate) fn new(crowd: Crowd, at_once: usize) -> Self {
        Self { open: Mutex::default(), asking: Semaphore::new(at_once), crowd }
    }

    /// Asks a question, maybe with others: `fits` tells how many of those that wait go into one request, at least one;
    /// `ask` answers them, in their order.
    pub(crate) async fn ask<F>(&self, question: Q, fits: impl Fn(&[&Q]) -> usize, ask: impl Fn(Vec<Q>) -> F) -> A
    where
        F: Future<Output = Vec<A>>,
    {
        loop {
            let (answer, mut answered) = oneshot::channel();
            self.open().push((question.clone(), answer));
            let answer = loop {
                tokio::select! {
                    biased;
                    answer = &mut answered => break answer,
                    turn = self.asking.acquire() => {
                        self.gather(&fits).await;
                        let has_asked = self.ask_some(&fits, &ask).await;
                        drop(turn);
                        if !has_asked {
                            // Somebody else asks for this one at the moment.
                            break answered.await;
                        }
                    }
                }
            };
            // If there is none, whoever was asking did not come to its end.
            if let Ok(answer) = answer {
                return answer;
            }
        }
    }

    /// Waits a moment for those who may come, as long as some do, and not for more than go together.
    async fn gather(&self, fits: impl Fn(&[&Q]) -> usize) {
        let (mut waited, mut before) = (Duration::ZERO, 0);
        while waited < GATHER {
            let (count, is_full) = {
                let open = self.open();
                let count = open.len();
                (count, fits(&open.iter().map(|(question, _)| question).collect::<Vec<_>>()) < count)
            };
            if is_full || count <= before || count >= self.crowd.size() {
                return;
            }
            before = count;
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
    }

    /// Asks for those that have waited the longest, as many as go together. Tells whether there were any.
    async fn ask_some<F>(&self, fits: impl Fn(&[&Q]) -> usize, ask: impl Fn(Vec<Q>) -> F) -> bool
    where
        F: Future<Output = Vec<A>>,
    {
        let batch: Vec<Open<Q, A>> = {
            let mut open = self.open();
            if open.is_empty() {
                return false;
            }
            let count = fits(&open.iter().map(|(question, _)| question).collect::<Vec<_>>());
            let count = count.clamp(1, open.len());
            open.drain(..count).collect()
        };
        let (questions, waiting): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        for (waits, answer) in waiting.into_iter().zip(ask(questions).await) {
            // Nobody has to wait any more.
            let _gone = waits.send(answer);
        }
        true
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open<Q, A>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    /// Asks so many questions at once, five of which go together; returns how many each request had.
    async fn asked(count: usize, crowd: &Crowd) -> Vec<usize> {
        let (together, requests) = (Together::new(crowd.clone(), 1), Mutex::new(Vec::new()));
        let ask = |number: usize| {
            together.ask(
                number,
                |open| open.len().min(5),
                |numbers: Vec<usize>| {
                    requests.lock().unwrap().push(numbers.len());
                    async move {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        numbers.into_iter().map(|number| number * 10).collect()
                    }
                },
            )
        };
        let answers = join_all((0..count).map(ask)).await;
        assert_eq!(answers, (0..count).map(|number| number * 10).collect::<Vec<_>>());
        requests.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_meanwhile_is_asked_for_next() {
        assert_eq!(asked(1, &Crowd::default()).await, [1]);
        let some = asked(12, &Crowd::default()).await;
        assert!(some.len() <= 4 && some.iter().sum::<usize>() == 12 && some.iter().all(|it| *it <= 5), "{some:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long_for_those_who_do_not_come() {
        let crowd = Crowd::default();
        let _members = [crowd.join(), crowd.join(), crowd.join()];
        let began = tokio::time::Instant::now();
        assert_eq!(asked(2, &crowd).await, [2]);
        assert!(began.elapsed() < GATHER + Duration::from_millis(10), "{:?}", began.elapsed());
        let began = tokio::time::Instant::now();
        assert_eq!(asked(3, &crowd).await, [3]);
        assert!(began.elapsed() < Duration::from_millis(10), "all of them were there");
    }

    #[tokio::test(start_paused = true)]
    async fn several_may_be_asking_and_each_question_is_asked_once() {
        let together = Together::<usize, usize>::new(Crowd::default(), 2);
        let (asking, most, asked) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
        let one = async |number: usize| {
            tokio::time::sleep(Duration::from_millis(number as u64)).await;
            let ask = async |numbers: Vec<usize>| {
                most.fetch_max(asking.fetch_add(1, Relaxed) + 1, Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
                asking.fetch_sub(1, Relaxed);
                asked.lock().unwrap().extend(numbers.iter().copied());
                numbers
            };
            (together.ask(number, |open| open.len(), ask).await, tokio::time::Instant::now())
        };
        let began = tokio::time::Instant::now();
        let answers = join_all((0..40).map(one)).await;
        for (number, (answer, at)) in answers.into_iter().enumerate() {
            assert_eq!(answer, number);
            let waited = at.duration_since(began).saturating_sub(Duration::from_millis(number as u64));
            assert!(waited <= Duration::from_millis(45), "{number} was not answered by the next request: {waited:?}");
        }
        let mut asked = asked.into_inner().unwrap();
        asked.sort_unstable();
        assert_eq!(asked, (0..40).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_asking_may_go_away() {
        let together = Together::<u8, u8>::new(Crowd::default(), 1);
        let never = together.ask(1, |open| open.len(), |_| std::future::pending());
        let other = together.ask(2, |open| open.len(), std::future::ready);
        let gone = tokio::time::timeout(Duration::from_millis(50), never);
        let (gone, other) = tokio::join!(gone, other);
        assert!(gone.is_err());
        assert_eq!(other, 2);
    }
}
