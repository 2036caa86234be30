//! The end of a connection: why it comes, what it waits for, and how the peer gets to read the last words.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ttp::frame::FrameError;

/// How long a peer may take to read why the connection ends.
const LINGER: Duration = Duration::from_millis(250);

/// How far the server has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It takes no more requests.
    Draining,
    /// It waits no longer.
    Ended,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the peer closed")]
    PeerClosed,
    #[error("the peer closed in the middle of a frame")]
    CutOff,
    #[error(transparent)]
    BadFrame(FrameError),
    #[error("no protocol version in common")]
    NoCommonVersion,
    #[error("a frame was not completed in time")]
    FrameTimeout,
    #[error("nobody logged in in time")]
    NoLogin,
    #[error("nothing was asked, or no reply read, for too long")]
    Idle,
    #[error("the server stopped")]
    Drained,
    #[error("the connection was lost: {0}")]
    Lost(#[from] io::Error),
}

/// Gives the peer a moment to read what was sent to it.
pub(super) async fn linger(reader: &mut (impl AsyncRead + Unpin), writer: &mut (impl AsyncWrite + Unpin)) {
    // Whether the peer listens is its own business.
    let _ = tokio::time::timeout(LINGER, say_goodbye(reader, writer)).await;
}

/// Closes our side and reads on until the peer closes its own: bytes that nobody reads would make the kernel answer
/// with a reset, which takes our last frames away from the peer.
async fn say_goodbye(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    writer.shutdown().await?;
    let mut scrap = [0; 1024];
    while reader.read(&mut scrap).await? > 0 {}
    Ok(())
}
