//! A connection on which a program asks anything, by name: for tools that look at a server.

use serde_json::value::RawValue;
use ttp::call::Welcome;
use ttp::frame::encode_with;
use ttp::net::tls::Expected;
use ttp::rpc;

use crate::error::{Error, Lost, ProtocolError};
use crate::link::{self, Link, Opened};
use crate::options::Options;
use crate::pending::{self, Pending};

/// One connection to either server, after its greeting. Calls take turns; pushes are passed over.
pub struct RawConnection {
    link: Link,
    welcome: Welcome,
    options: Options,
}

impl RawConnection {
    /// Connects to a server at `HOST:PORT`. Of the options, their data-server's address and key are not used.
    ///
    /// # Errors
    /// `Connect`, `Refused`, and those of TLS.
    pub async fn open(server: &str, options: &Options) -> Result<Self, Error> {
        let Opened { link, welcome, .. } = link::open(server, options, Expected::Nothing).await?;
        Ok(Self { link, welcome, options: options.clone() })
    }

    /// What the server said of itself.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Asks, and waits for the answer as it was written.
    ///
    /// # Errors
    /// `Call` when the server refused; `Timeout`, `Disconnected` and `Protocol` when it is not known what it did.
    pub async fn call(&mut self, method: &str, params: &RawValue) -> Result<Box<RawValue>, Error> {
        let after = self.options.call_timeout;
        let asking = ask(&mut self.link, method, params);
        tokio::time::timeout(after, asking).await.unwrap_or(Err(Error::Timeout { after }))
    }
}

async fn ask(link: &mut Link, method: &str, params: &RawValue) -> Result<Box<RawValue>, Error> {
    let mut pending = Pending::default();
    let mut frame = Vec::new();
    encode_with(&mut frame, |out| rpc::write_request(out, Some(pending.insert(())), method, params))
        .map_err(|error| ProtocolError::Unreadable(error.into()))?;
    link.write_frames(&frame).await?;
    loop {
        let payload = link.next_payload().await?.ok_or(Error::Disconnected(Lost::Closed))?;
        let message = pending::read(&payload)?;
        if pending.take(&message)?.is_some() {
            return pending::outcome(message);
        }
    }
}
