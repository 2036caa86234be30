//! Fetches pictures to be shown between texts.

use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use client_lib::{Attachment, Client};
use tokio::sync::Semaphore;
use ttp::call::MessagePlace;

use crate::event::Net;
use crate::graphics::Graphics;
use crate::paragraph::shown_size;
use crate::picture::{FILE_BYTES_MAX, Picture};
use crate::terminal::contained;

/// Reads pictures one at a time: each may take much memory for a moment.
#[derive(Clone)]
pub(super) struct Reader {
    graphics: Graphics,
    turn: Arc<Semaphore>,
}

impl Reader {
    pub(super) fn new(graphics: Graphics) -> Self {
        Self { graphics, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The picture, or that there is none.
    pub(super) async fn load(self, client: &Client, from: MessagePlace, file: Attachment) -> Net {
        Net::Picture { sha256: file.sha256, picture: self.fetch(client, from, &file).await }
    }

    async fn fetch(self, client: &Client, from: MessagePlace, file: &Attachment) -> Option<Picture> {
        let place = shown_size(file)?;
        let fetched = client.download_into(from, file.sha256, Bounded(Vec::new()), |_| ()).await.ok()?;
        let _turn = self.turn.acquire().await.ok()?;
        let graphics = self.graphics;
        let read = move || contained(AssertUnwindSafe(|| Picture::read(&fetched.0, place, &graphics)));
        let read = tokio::task::spawn_blocking(read).await.ok()??;
        read.inspect_err(|error| tracing::debug!("a picture cannot be read: {error}")).ok()
    }
}

/// Bytes, and never more than a picture may have, whatever the server sends.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.0.len() + bytes.len()) as u64 > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
