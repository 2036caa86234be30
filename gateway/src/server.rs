//! A gateway as a program starts it: served on a listener, stopped by a future.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{Instrument, info, info_span, warn};
use ttp::code::CallError;
use ttp::limits::FRAME_BYTES_MAX;
use ttp::net::serve::{self, Accepted, Permit, ServeCounters, ServeLimits, ServerStream};

use crate::config::Config;
use crate::error::Error;
use crate::{conversation, guard, post, ready, reply};

/// Connections past the limit that are told so; further ones are refused by the accept loop, which knows no HTTP.
const REFUSALS_MAX: usize = 64;

/// Bytes of a request's head, and of the buffer through which bodies are read.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// What all connections share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    /// True when the gateway stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The other end of the connection on which a request came. What a request says of where it comes from is not believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(pub(crate) SocketAddr);

/// A gateway that does not serve yet.
#[derive(Debug)]
pub struct Server {
    config: Config,
    counters: Arc<ServeCounters>,
}

impl Server {
    /// A gateway with these settings. Connects to nothing yet.
    pub fn open(config: Config) -> Self {
        Self { config, counters: Arc::default() }
    }

    /// What the accept loop counts.
    pub fn counters(&self) -> Arc<ServeCounters> {
        Arc::clone(&self.counters)
    }

    /// Serves until `shutdown` resolves, then answers what was asked until then.
    ///
    /// # Errors
    /// [`Error::NotLoopback`] at once, before anything is accepted.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let address = listener.local_addr()?;
        self.config.protection.check(address)?;
        info!(%address, "gateway listens");
        let connections_max = self.config.connections_max;
        let limits = ServeLimits {
            connections_max: connections_max + REFUSALS_MAX,
            connections_per_address_max: self.config.connections_per_address_max,
            opening_timeout: self.config.opening_timeout,
            drain_timeout: self.config.drain_timeout,
        };
        let (stop, stopping) = watch::channel(false);
        let protection = self.config.protection.clone();
        let shared = Shared { config: Arc::new(self.config), stopping };
        let router = Router::new()
            .route("/rpc", post(post::answer))
            .route("/ws", get(conversation::open))
            .route("/ready", get(ready::answer))
            .layer(DefaultBodyLimit::max(FRAME_BYTES_MAX))
            .with_state(shared.clone());
        let counters = Arc::clone(&self.counters);
        let accepted = |Accepted { stream, peer, permit }: Accepted| {
            let is_full = counters.open() > connections_max;
            let life =
                serve_connection(stream, Origin(peer), permit, is_full, router.clone(), shared.clone());
            tokio::spawn(life.instrument(info_span!("connection", %peer)));
        };
        let draining = || {
            stop.send_replace(true);
        };
        let open =
            serve::serve(listener, &protection, limits, self.counters, shutdown, accepted, draining).await;
        if open > 0 {
            warn!(open, "connections were cut: they did not end in time");
        }
        info!("gateway stopped");
        Ok(())
    }
}

/// The life of one HTTP connection. If it becomes a WebSocket, its permit goes on with that.
async fn serve_connection(
    stream: ServerStream,
    origin: Origin,
    permit: Permit,
    is_full: bool,
    router: Router,
    shared: Shared,
) {
    let Shared { config, mut stopping } = shared;
    let permit = Arc::new(permit);
    let router = TowerToHyperService::new(router);
    let protection = config.protection.clone();
    let service = service_fn(move |mut request: hyper::Request<_>| {
        let refusal = match guard::check(request.uri(), request.headers(), &protection) {
            Ok(()) if is_full => {
                Some(CallError::overloaded("this gateway has no place for another connection"))
            }
            checked => checked.err(),
        };
        request.extensions_mut().insert(Arc::clone(&permit));
        request.extensions_mut().insert(origin);
        let answered = refusal.is_none().then(|| router.call(request));
        async move {
            match (answered, refusal) {
                (Some(answered), _) => answered.await,
                (None, refusal) => {
                    Ok::<_, Infallible>(refusal.as_ref().map(reply::refused).unwrap_or_default())
                }
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.opening_timeout)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => Ok(served),
        _ = stopping.wait_for(|&stops| stops) => Err(config.drain_timeout),
        () = tokio::time::sleep(config.reuse_timeout) => Err(config.opening_timeout + config.upstream_timeout),
    };
    let served = match served {
        Ok(served) => Ok(served),
        Err(patience) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(patience, connection).await
        }
    };
    match served {
        Ok(Ok(())) => info!("connection closed"),
        Ok(Err(error)) => info!(%error, "connection lost"),
        Err(_) => info!("connection closed: the peer did not take its answer in time"),
    }
}
