//! Who may ask: only pages of this gateway's own origin, and programs that call it by a name of this machine.
//!
//! A page of any site can make a browser send requests here. Its origin gives it away; and where a foreign name was
//! made to resolve to this machine (DNS rebinding), the `Host` does.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderValue, ORIGIN};
use axum::http::uri::Authority;
use ttp::code::{CallError, ErrorCode};

/// Refuses a request of a foreign page, before anything else of it is looked at.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), CallError> {
    let mut hosts = headers.get_all(HOST).iter().map(HeaderValue::to_str);
    let (Some(Ok(host)), None) = (hosts.next(), hosts.next()) else {
        return Err(forbidden("a request names one `Host`"));
    };
    if !is_loopback(host) {
        return Err(forbidden("`Host` is not a loopback name"));
    }
    let own = format!("http://{host}");
    if headers.get_all(ORIGIN).iter().any(|origin| origin != own.as_str()) {
        return Err(forbidden("`Origin` is a foreign one"));
    }
    Ok(())
}

fn forbidden(message: &str) -> CallError {
    CallError::new(ErrorCode::Forbidden, message)
}

/// Whether `HOST[:PORT]` says this machine in so many words. Nothing is resolved.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    !host.contains('@')
        && (name.eq_ignore_ascii_case("localhost")
            || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        check(&headers).is_ok()
    }

    #[test]
    fn names_of_this_machine_are_allowed_and_no_others() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]", "[::1]:8080"] {
            assert!(is_allowed(host, None), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "example.localhost:8080",
            "127.0.0.1.example.org",
            "192.168.0.1:8080",
            "0.0.0.0:8080",
            "[::]:8080",
            "::1",
            "localhost@example.org",
            "example.org@localhost",
            "localhost:8080/path",
        ] {
            assert!(!is_allowed(host, None), "{host}");
        }
    }

    #[test]
    fn the_only_allowed_origin_is_the_own_one() {
        assert!(is_allowed("localhost:8080", Some("http://localhost:8080")));
        for origin in [
            "null",
            "",
            "http://localhost",
            "http://localhost:3000",
            "https://localhost:8080",
            "http://127.0.0.1:8080",
            "http://localhost:8080.example.org",
            "http://example.org",
        ] {
            assert!(!is_allowed("localhost:8080", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn one_good_header_does_not_excuse_a_bad_one() {
        let mut headers = HeaderMap::new();
        assert!(check(&headers).is_err());
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
        assert!(check(&headers).is_ok());
        headers.append(ORIGIN, HeaderValue::from_static("http://example.org"));
        assert!(check(&headers).is_err());
        headers.remove(ORIGIN);
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(check(&headers).is_err());
    }
}
