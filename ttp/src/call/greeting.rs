//! How a connection begins: its version, and whether anybody is there.

use serde::{Deserialize, Serialize};

use super::SUPPORTED_VERSIONS;
use crate::code::{CallError, ErrorCode, ErrorData};

/// Opens a connection in version 2. The first request, or never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Versions that the client speaks.
    pub protocol: Vec<u32>,
    /// Name and version of the client program, for the server's log.
    #[serde(default)]
    pub client: String,
}

impl Hello {
    /// The greeting of a client that speaks what this crate speaks.
    pub fn from_client(client: impl Into<String>) -> Self {
        Self { protocol: SUPPORTED_VERSIONS.to_vec(), client: client.into() }
    }

    /// The highest version that both sides speak.
    ///
    /// # Errors
    /// `UnsupportedVersion` with the list of ours; the server closes after it.
    pub fn agree(&self) -> Result<u32, CallError> {
        let common = SUPPORTED_VERSIONS.iter().copied().filter(|ours| self.protocol.contains(ours)).max();
        common.ok_or_else(|| {
            let message = format!("no protocol version in common; this server speaks {SUPPORTED_VERSIONS:?}");
            let data = ErrorData { supported: Some(SUPPORTED_VERSIONS.to_vec()), ..ErrorData::default() };
            CallError { data: Some(data), ..CallError::new(ErrorCode::UnsupportedVersion, message) }
        })
    }
}

/// The answer to [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version agreed on.
    pub protocol: u32,
    /// Name and version of the server program.
    pub server: String,
    /// The longest payload that the server accepts.
    pub max_frame_bytes: u64,
    /// `HOST:PORT` of the broadcast-server, from a data-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast_address: Option<String>,
    /// The fingerprint of the broadcast-server's key where it speaks TLS, from a data-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast_fingerprint: Option<String>,
    /// The database's life: cursors of another epoch are refused. From a data-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Distance of heartbeats in milliseconds, from a broadcast-server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_interval_ms: Option<u64>,
}

/// An empty object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Asks for an empty answer; keeps an idle connection open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {}
