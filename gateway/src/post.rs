//! `POST /rpc`: one payload in, one payload out.

use axum::body::{Bytes, HttpBody};
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tracing::info;
use ttp::code::{CallError, ErrorCode};
use ttp::limits::FRAME_BYTES_MAX;
use ttp::rpc::{self, Incoming, RequestId, ServerMessage};
use ttp::secret::Secret;

use crate::reply::{forwarded, refused, refused_with, status_of};
use crate::server::{Origin, Shared};
use crate::upstream::{self, Failure, Opening};

/// Says which version the payload speaks. Absent it is 1, and 2 where a token is shown.
const VERSION_HEADER: &str = "talko-version";

/// Answers one request.
pub(crate) async fn answer(
    State(shared): State<Shared>,
    Extension(Origin(origin)): Extension<Origin>,
    request: Request,
) -> Response {
    if !is_json(request.headers()) {
        let error = CallError::new(ErrorCode::InvalidRequest, "`Content-Type` must be application/json");
        return refused_with(StatusCode::UNSUPPORTED_MEDIA_TYPE, &RequestId::Null, &error);
    }
    let opening = match opening(request.headers()) {
        Ok(opening) => opening,
        Err(error) => return refused(&error),
    };
    let config = &shared.config;
    if request.body().size_hint().lower() > FRAME_BYTES_MAX as u64 {
        // Who were cut off while sending might not see the answer: for a while the body is read and thrown away.
        let mut body = request.into_body().into_data_stream();
        let reading = async move { while let Some(Ok(_)) = body.next().await {} };
        tokio::spawn(tokio::time::timeout(config.opening_timeout, reading));
        return too_large();
    }
    let body = Bytes::from_request(request, &());
    let payload = match tokio::time::timeout(config.opening_timeout, body).await {
        Ok(Ok(payload)) => payload,
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return too_large();
        }
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let expected = Expected::of(&rpc::parse(&payload));
    let asked = upstream::ask(config, origin, &opening, &payload, config.upstream_timeout).await;
    let failure = match (asked, &expected) {
        (Ok(Some(reply)), _) => return answered(reply),
        (Ok(None), Expected::Nothing) => return StatusCode::NO_CONTENT.into_response(),
        (Ok(None), Expected::Reply(_)) => Failure::Lost,
        (Err(failure), _) => failure,
    };
    info!(%failure, "a posted payload was not answered");
    let error = CallError::from(&failure);
    let status = match failure {
        Failure::Refused(_) => status_of(error.code),
        Failure::Unreachable(_) | Failure::Lost => StatusCode::BAD_GATEWAY,
        Failure::Late => StatusCode::GATEWAY_TIMEOUT,
        Failure::TooLong => status_of(error.code),
    };
    let id = match expected {
        Expected::Reply(id) => id,
        Expected::Nothing => RequestId::Null,
    };
    refused_with(status, &id, &error)
}

/// How the payload's connection begins: in a session, where the request shows its token.
fn opening(headers: &HeaderMap) -> Result<Opening, CallError> {
    let token = bearer(headers)?;
    match (headers.get(VERSION_HEADER).map(HeaderValue::as_bytes), token) {
        (None | Some(b"2"), Some(token)) => Ok(Opening::Session(token)),
        (None | Some(b"1"), None) => Ok(Opening::Nothing),
        (Some(b"2"), None) => Ok(Opening::Hello),
        (Some(b"1"), Some(_)) => {
            let message = "version 1 has no sessions: leave `Talko-Version` out, or say 2";
            Err(CallError::new(ErrorCode::InvalidRequest, message))
        }
        (Some(_), _) => Err(CallError::new(ErrorCode::UnsupportedVersion, "`Talko-Version` is 1 or 2")),
    }
}

/// The token of `Authorization: Bearer TOKEN`. Whether it is one is for the data-server to say.
fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, CallError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let token = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(|value| value.split_once(' ')),
        (Some(_), Some(_)) => None,
    };
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty() => {
            Ok(Some(Secret::new(token.trim())))
        }
        _ => {
            let message = "`Authorization` is `Bearer` and the token of a session, once";
            Err(CallError::new(ErrorCode::Unauthenticated, message))
        }
    }
}

fn too_large() -> Response {
    let message = format!("a payload holds at most {FRAME_BYTES_MAX} bytes");
    refused(&CallError::new(ErrorCode::TooLarge, message))
}

/// A page of another site cannot send this type without asking the gateway first, which never allows it.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// What a payload asks for.
pub(crate) enum Expected {
    /// A reply; if the gateway makes it, with this id.
    Reply(RequestId),
    /// Notifications alone get none.
    Nothing,
}

impl Expected {
    pub(crate) fn of(payload: &Incoming<'_>) -> Self {
        let is_notification = |item: &Result<rpc::Request<'_>, _>| {
            item.as_ref().is_ok_and(|request| request.id == RequestId::Absent)
        };
        match payload {
            Incoming::Single(one) if is_notification(one) => Self::Nothing,
            Incoming::Single(Ok(request)) => Self::Reply(request.id.clone()),
            Incoming::Single(Err(refusal)) => Self::Reply(refusal.id.clone()),
            Incoming::Batch(items) if items.iter().all(is_notification) => Self::Nothing,
            Incoming::Batch(_) => Self::Reply(RequestId::Null),
        }
    }
}

/// A batch is answered with 200, whatever its replies say.
fn answered(reply: Bytes) -> Response {
    let error = serde_json::from_slice::<ServerMessage<'_>>(&reply).ok().and_then(|message| message.error);
    forwarded(error.map_or(StatusCode::OK, |error| status_of(error.code)), reply)
}
