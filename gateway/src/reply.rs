//! JSON-RPC replies as HTTP responses.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ttp::code::{CallError, ErrorCode};
use ttp::rpc::{RequestId, write_reply};

/// A payload of a server, as it came.
pub(crate) fn forwarded(status: StatusCode, payload: Bytes) -> Response {
    let mut response = (status, [(CONTENT_TYPE, "application/json")], payload).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// An error of the gateway's own, with the status that its code stands for.
pub(crate) fn refused(error: &CallError) -> Response {
    refused_with(status_of(error.code), &RequestId::Null, error)
}

/// An error of the gateway's own whose status says more than its code.
pub(crate) fn refused_with(status: StatusCode, id: &RequestId, error: &CallError) -> Response {
    let mut payload = Vec::new();
    write_reply(&mut payload, id, Err(error));
    forwarded(status, payload.into())
}

/// The HTTP status of an error code.
pub(crate) fn status_of(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
