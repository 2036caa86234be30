//! A framed connection over any async byte stream.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::frame::{Decoder, FrameError};

/// Bytes offered to one read.
const READ_BYTES: usize = 16 * 1024;

/// Why no payload could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The peer's bytes are not frames; tell it before closing.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer closed in the middle of a frame.
    #[error("the connection was closed in the middle of a frame")]
    CutOff,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The reading half: payloads out of a byte stream.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    decoder: Decoder,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames of at most `payload_bytes_max` bytes of payload.
    pub fn new(stream: R, payload_bytes_max: usize) -> Self {
        Self::with_decoder(stream, Decoder::new(payload_bytes_max))
    }

    /// Goes on with a decoder that holds bytes read earlier.
    pub fn with_decoder(stream: R, decoder: Decoder) -> Self {
        Self { stream, decoder }
    }

    /// Changes the limit for frames to come.
    pub fn set_limit(&mut self, payload_bytes_max: usize) {
        self.decoder.set_limit(payload_bytes_max);
    }

    /// Whether no part of a frame has been received.
    pub fn is_between_frames(&self) -> bool {
        self.decoder.is_between_frames()
    }

    /// The next payload that has been received already, without reading.
    ///
    /// # Errors
    /// [`ReadError::Frame`].
    pub fn buffered_payload(&mut self) -> Result<Option<Bytes>, ReadError> {
        Ok(self.decoder.next_payload()?)
    }

    /// The next payload; `None` when the peer closed between two frames. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_payload(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            if let Some(payload) = self.decoder.next_payload()? {
                return Ok(Some(payload));
            }
            if !self.fill().await? {
                return if self.decoder.is_between_frames() { Ok(None) } else { Err(ReadError::CutOff) };
            }
        }
    }

    /// Reads once; `false` at the end of the stream. What was read is in the decoder when the future is ready, so
    /// dropping it earlier loses nothing. The scratch buffer lives on the stack of one poll: a connection that
    /// waits owns nothing but the bytes it has received.
    ///
    /// # Errors
    /// As the stream says.
    pub async fn fill(&mut self) -> io::Result<bool> {
        poll_fn(|context| {
            let mut scratch = [const { MaybeUninit::uninit() }; READ_BYTES];
            let mut scratch = ReadBuf::uninit(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut scratch))?;
            self.decoder.push(scratch.filled());
            Poll::Ready(Ok(!scratch.filled().is_empty()))
        })
        .await
    }
}

/// Both halves over one stream, for conversations that take turns.
#[derive(Debug)]
pub struct FramedConnection<S> {
    reader: FrameReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> FramedConnection<S> {
    /// Frames over `stream`, with payloads of at most `payload_bytes_max` bytes in what is read.
    pub fn new(stream: S, payload_bytes_max: usize) -> Self {
        Self { reader: FrameReader::new(stream, payload_bytes_max) }
    }

    /// Goes on with a decoder that holds bytes read earlier.
    pub fn with_decoder(stream: S, decoder: Decoder) -> Self {
        Self { reader: FrameReader::with_decoder(stream, decoder) }
    }

    /// See [`FrameReader::next_payload`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn next_payload(&mut self) -> Result<Option<Bytes>, ReadError> {
        self.reader.next_payload().await
    }

    /// Writes whole frames.
    ///
    /// # Errors
    /// As the stream says. A part may have been written then: the connection is of no more use.
    pub async fn write_frames(&mut self, frames: &[u8]) -> io::Result<()> {
        self.reader.stream.write_all(frames).await?;
        self.reader.stream.flush().await
    }

    /// The stream and the decoder, with what it holds.
    pub fn into_parts(self) -> (S, Decoder) {
        (self.reader.stream, self.reader.decoder)
    }
}

/// Two connections that speak to each other in memory, for tests.
pub fn pair(
    payload_bytes_max: usize,
) -> (FramedConnection<tokio::io::DuplexStream>, FramedConnection<tokio::io::DuplexStream>) {
    let (left, right) = tokio::io::duplex(64 * 1024);
    (FramedConnection::new(left, payload_bytes_max), FramedConnection::new(right, payload_bytes_max))
}
