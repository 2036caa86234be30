//! A subscriber's connection, which does not block once the subscriber is open: plain, or TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::{Interest, Registry, Token};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, PeerIncompatible, SignatureScheme, Stream,
};
use socket2::{Domain, Socket, Type};

/// Longest wait for a reply before the measurement.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections of one of this machine's addresses.
const OF_ONE_ADDRESS: usize = 4_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    session: Option<Box<ClientConnection>>,
}

impl Wire {
    /// Connects; with TLS the handshake is still to come.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        Self::connect_from(0, address, tls)
    }

    /// The same for one of many. Thousands at a time have one of this machine's addresses, since the system looks longer
    /// and longer for a free port.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) fn connect_from(
        place: usize,
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if place >= OF_ONE_ADDRESS {
            let last = u8::try_from(1 + place / OF_ONE_ADDRESS).context("too many subscribers")?;
            socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into())?;
        }
        socket.connect(&address.into()).with_context(|| format!("nobody answers on {address}"))?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        let name = ServerName::from(address.ip());
        let session = tls.map(|config| ClientConnection::new(Arc::clone(config), name)).transpose()?;
        Ok(Self { stream, session: session.map(Box::new) })
    }

    /// Says something, and waits until it is gone.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.session {
            None => self.stream.write_all(bytes),
            Some(session) => {
                let mut stream = Stream::new(session.as_mut(), &mut self.stream);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Waits until `until` was heard; gives the answer, which ends with it, and what came after it.
    ///
    /// # Errors
    /// It does not come.
    pub(crate) fn hear(&mut self, heard: Vec<u8>, until: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut heard = heard;
        loop {
            if let Some(at) = heard.windows(until.len()).position(|part| part == until) {
                let rest = heard.split_off(at + until.len());
                return Ok((heard, rest));
            }
            let mut buffer = [0; 4096];
            let count = match &mut self.session {
                None => self.stream.read(&mut buffer),
                Some(session) => Stream::new(session.as_mut(), &mut self.stream).read(&mut buffer),
            };
            let told = || {
                let (until, heard) = (String::from_utf8_lossy(until), String::from_utf8_lossy(&heard));
                format!("a subscriber waits for {until:?} and hears {heard:?}")
            };
            match count.with_context(told)? {
                0 => bail!("{}, then the end", told()),
                count => heard.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Does not block from now on, and tells when something comes.
    ///
    /// # Errors
    /// The system has no room for it.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        self.stream.set_nonblocking(true)?;
        registry.register(&mut mio::unix::SourceFd(&self.stream.as_raw_fd()), token, Interest::READABLE)
    }

    /// Reads what is there, into the front of `buffer`, and whether there may be more.
    ///
    /// # Errors
    /// The server has closed the connection.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let Some(session) = &mut self.session else {
            return match self.stream.read(buffer) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => Ok((count, count == buffer.len())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok((0, false)),
                Err(error) => Err(error),
            };
        };
        // A session takes so much at a time that its plaintext fits the buffer.
        let is_more = match session.read_tls(&mut self.stream) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => return Err(error),
        };
        session.process_new_packets().map_err(io::Error::other)?;
        let mut count = 0;
        while count < buffer.len() {
            match session.reader().read(&mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok((count, is_more))
    }
}

/// TLS 1.3 to whoever is there: these servers are our own.
///
/// # Errors
/// Never in practice.
pub(crate) fn tls() -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"talko".to_vec()];
    // Every handshake is a whole one.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Believes every certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
