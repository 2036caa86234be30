//! The listener: `GET /metrics`, and `GET /healthz` for who only wants to know whether the process answers.
//!
//! One request a connection, few connections at one time, and a time for all of it: who scrapes is a program that comes
//! every few seconds. It is not the accept loop of the servers, which would log each scrape and count it with people.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};
use ttp::net::serve::Protection;

use super::exposition::{CONTENT, Exposition};
use super::sources::Sources;
use crate::listeners::Door;

/// Connections at one time. Further ones are told that there is no place.
const CONNECTIONS_MAX: usize = 16;

/// Time for a request's head, and for all of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a request's head; hyper takes no less.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Wait after `accept` failed for want of files or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves until what is answered is dropped. Without a door nothing is served.
pub(crate) fn serve(door: Option<Door>, sources: Sources) -> JoinSet<()> {
    let mut task = JoinSet::new();
    if let Some(Door { listener, protection, .. }) = door {
        let protection = match protection {
            Protection::Tls(tls) => Protection::Tls(tls.for_http()),
            other => other,
        };
        task.spawn(accept(listener, protection, Arc::new(Exposition::new(sources))));
    }
    task
}

async fn accept(listener: TcpListener, protection: Protection, exposition: Arc<Exposition>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // They end with the listener.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "accept of the metrics failed; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // An empty socket takes so few bytes at once; whether the peer reads them is its own business.
            let _ = stream.try_write(NO_PLACE);
            continue;
        };
        let (protection, exposition) = (protection.clone(), Arc::clone(&exposition));
        connections.spawn(async move {
            let life = answer(stream, protection, exposition);
            if tokio::time::timeout(CONNECTION_TIMEOUT, life).await.is_err() {
                debug!("a connection to the metrics took too long");
            }
            drop(place);
        });
    }
}

async fn answer(stream: TcpStream, protection: Protection, exposition: Arc<Exposition>) {
    match protection {
        Protection::Tls(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                converse(stream, exposition).await;
            }
        }
        _ => converse(stream, exposition).await,
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, exposition: Arc<Exposition>) {
    let service = service_fn(|request: Request<_>| {
        let response = respond(request.method(), request.uri().path(), &exposition);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        debug!(%error, "a connection to the metrics was lost");
    }
}

fn respond(method: &Method, path: &str, exposition: &Exposition) -> Response<String> {
    let (status, content, body) = match (path, *method == Method::GET || *method == Method::HEAD) {
        ("/metrics", true) => match exposition.write() {
            Ok(text) => (StatusCode::OK, CONTENT, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{error}\n")),
        },
        ("/healthz", true) => (StatusCode::OK, PLAIN, "ok\n".to_owned()),
        ("/metrics" | "/healthz", false) => (StatusCode::METHOD_NOT_ALLOWED, PLAIN, String::new()),
        _ => (StatusCode::NOT_FOUND, PLAIN, "the figures are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    }
    response
}

const PLAIN: &str = "text/plain; charset=utf-8";
