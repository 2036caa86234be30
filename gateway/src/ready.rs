//! `GET /ready`: whether messages are taken at the moment, for those who watch over HTTP.

use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;
use ttp::call::{Call, GetServerInfo, ServerInfo};
use ttp::rpc::{self, ServerMessage};

use crate::reply::forwarded;
use crate::server::{Origin, Shared};
use crate::upstream::{self, Failure, Opening};

/// Time for the data-server to answer. It looks nothing up for it.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Answers with the data-server's `ServerInfo`: 200 when it is ready, 503 otherwise.
pub(crate) async fn answer(
    State(shared): State<Shared>,
    Extension(Origin(origin)): Extension<Origin>,
) -> Response {
    let mut question = Vec::new();
    rpc::write_request(&mut question, Some(0), GetServerInfo::METHOD, &GetServerInfo {})
        .expect("a call without params is JSON");
    let asked = upstream::ask(&shared.config, origin, &Opening::Hello, &question, TIMEOUT).await;
    let (is_ready, body) = match read(asked) {
        Some((info, text)) => (info.ready, text),
        None => (false, json!({"ready": false, "reason": "the data-server does not answer"}).to_string()),
    };
    forwarded(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body.into())
}

fn read(asked: Result<Option<Bytes>, Failure>) -> Option<(ServerInfo, String)> {
    let reply = asked.ok()??;
    let text = serde_json::from_slice::<ServerMessage<'_>>(&reply).ok()?.result?.get().to_owned();
    Some((serde_json::from_str(&text).ok()?, text))
}
