//! How long a connection may take for what, and what it is told when that is over.

use std::time::{Duration, Instant};

use ttp::code::{CallError, ErrorCode};
use ttp::net::clock;

use super::{End, Life};

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For the first frame, for the rest of any frame, and for taking some of the replies that wait.
    pub(crate) opening: Duration,
    /// Between frames.
    pub(crate) idle: Duration,
}

impl Life {
    /// When patience ends, unless it is the store that the connection waits for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let frame = self.frame_begun.filter(|_| self.listens()).map(|begun| begun + self.patience.opening);
        let idle = if self.has_unsent() {
            Some(self.last_written + self.patience.opening)
        } else {
            (self.exchange.in_flight() == 0).then_some(self.last_progress + self.patience.idle)
        };
        [frame, idle, self.login_deadline()].into_iter().flatten().min()
    }

    /// When the peer must have logged in, unless it is we who take the time.
    fn login_deadline(&self) -> Option<Instant> {
        self.login_by.filter(|_| self.finishing.is_none() && !self.barrier_in_flight)
    }

    /// Looks why the deadline has passed. A frame that came to no end is told so; then only sending is left.
    pub(super) fn has_patience_left(&mut self) -> bool {
        let now = clock::now();
        if self.login_deadline().is_some_and(|login_by| login_by <= now) {
            let message = "nobody has logged in on this connection in time";
            self.tell(&CallError::new(ErrorCode::Unauthenticated, message));
            self.finish(End::NoLogin);
            return true;
        }
        let frame_late = self.frame_begun.is_some_and(|begun| begun + self.patience.opening <= now);
        if self.listens() && frame_late {
            let message = "a frame was not completed in time";
            self.tell(&CallError::new(ErrorCode::ParseError, message));
            self.finish(End::FrameTimeout);
            return true;
        }
        self.deadline().is_none_or(|deadline| now < deadline)
    }
}
