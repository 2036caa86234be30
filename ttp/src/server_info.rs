//! What a server says about itself to whoever asks: the state that operators, load balancers and programs watch.

use serde::{Deserialize, Serialize};

use crate::call::Call;

/// Asks a data-server how it is. Nobody need say who asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetServerInfo {}

/// The answer to [`GetServerInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Name and version of the server program.
    pub server: String,
    /// The database's life.
    pub epoch: String,
    /// Whether changes are stored at the moment. Questions are answered in any case.
    pub ready: bool,
    /// Why they are not, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Call for GetServerInfo {
    const METHOD: &'static str = "GetServerInfo";
    type Reply = ServerInfo;
}
