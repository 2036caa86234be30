//! What is being performed, and what comes of it: answers, and before each of them the words about its progress.

use std::pin::Pin;
use std::task::Poll;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::event::Net;

/// Words about progress that wait for the loop. Later ones say what those that are left out said.
const PROGRESS_MAX: usize = 64;

/// Tasks whose answers are waited for. Dropping it gives them up.
pub(super) struct Answers {
    tasks: JoinSet<Option<Net>>,
    /// Apart from the others, because the end waits for them.
    sends: JoinSet<Option<Net>>,
    told: (mpsc::Sender<Net>, mpsc::Receiver<Net>),
}

/// Tells of the progress of one task.
#[derive(Debug, Clone)]
pub(super) struct Progress(mpsc::Sender<Net>);

impl Progress {
    /// Tells the loop, unless it has much to hear of already.
    pub(super) fn tell(&self, net: Net) {
        let _ = self.0.try_send(net);
    }
}

impl Answers {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), sends: JoinSet::new(), told: mpsc::channel(PROGRESS_MAX) }
    }

    /// For a task that tells how far it is.
    pub(super) fn progress(&self) -> Progress {
        Progress(self.told.0.clone())
    }

    pub(super) fn spawn(&mut self, task: impl Future<Output = Option<Net>> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Messages are sent in the order in which their calls were first polled, so the first poll is here.
    pub(super) async fn spawn_in_turn(
        &mut self,
        mut task: Pin<Box<dyn Future<Output = Option<Net>> + Send>>,
    ) {
        let first = std::future::poll_fn(|context| Poll::Ready(task.as_mut().poll(context))).await;
        match first {
            Poll::Ready(answer) => self.sends.spawn(std::future::ready(answer)),
            Poll::Pending => self.sends.spawn(task),
        };
    }

    /// The next answer. Waits for ever when nothing is being performed; dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Net, JoinError> {
        loop {
            let answer = tokio::select! {
                // In this order: "100 %" that is heard behind the end would stay on the screen.
                biased;
                Some(net) = self.told.1.recv() => Some(net),
                Some(answer) = self.sends.join_next() => answer?,
                Some(answer) = self.tasks.join_next() => answer?,
            };
            if let Some(net) = answer {
                return Ok(net);
            }
        }
    }

    /// The next answer about a message or a draft; nothing when all have one.
    pub(super) async fn next_sent(&mut self) -> Option<Net> {
        while let Some(answer) = self.sends.join_next().await {
            if let Ok(Some(net)) = answer {
                return Some(net);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Saving;

    /// Of a file that is there the last word is that it is there, however late the loop comes to hear it.
    #[tokio::test]
    async fn progress_is_heard_before_the_end() {
        for _ in 0..64 {
            let mut answers = Answers::new();
            let progress = answers.progress();
            answers.spawn(async move {
                progress.tell(Net::Saved(Saving::Going { file_name: "menu.txt".into(), percent: 100 }));
                Some(Net::Saved(Saving::Done("menu.txt".into())))
            });
            tokio::task::yield_now().await;
            assert!(matches!(answers.next().await, Ok(Net::Saved(Saving::Going { .. }))));
            assert!(matches!(answers.next().await, Ok(Net::Saved(Saving::Done(_)))));
        }
    }
}
