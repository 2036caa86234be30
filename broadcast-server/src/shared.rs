//! What all shards have in common: settings, the places of each person, the way to one another and to the
//! directory.

use std::sync::Arc;

use bus::Directory;
use bytes::Bytes;
use ttp::frame::Decoder;
use ttp::net::serve::Permit;

use crate::config::Config;
use crate::hub::Hub;
use crate::places::Places;

/// Takes connections that ask to become links of the bus.
pub trait LinkAcceptor: Send + Sync {
    /// Goes on with a connection whose first unanswered request is `first`. Must not block.
    ///
    /// The socket does not block; `decoder` holds what was read after `first`; the permit is to be held as long
    /// as the connection lives. Whether the peer may be a link is for the acceptor to find out.
    fn accept(&self, stream: std::net::TcpStream, decoder: Decoder, first: Bytes, permit: Permit);
}

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) places: Arc<Places>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) links: Option<Arc<dyn LinkAcceptor>>,
}
