//! What all shards have in common: settings, who may open streams, the places of each person, who is here, the way to one
//! another and to the directory.

use std::sync::Arc;
use std::time::Instant;

use bus::Directory;
use bus::link::LinkAcceptor;

use crate::config::Config;
use crate::hub::Hub;
use crate::places::Places;
use crate::presence::Presence;
use crate::tickets::Tickets;

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) tickets: Tickets,
    pub(crate) places: Arc<Places>,
    pub(crate) presence: Presence,
    /// When the server started: the milliseconds of its shards are counted from here.
    pub(crate) started: Instant,
    pub(crate) hub: Arc<Hub>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) links: Option<Arc<dyn LinkAcceptor>>,
}
