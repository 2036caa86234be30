//! Who may ask: only pages of this gateway's own origin, and, of a gateway for this machine alone, programs that call it
//! by a name of this machine.
//!
//! A page of any site can make a browser send requests here. Its origin gives it away; and where a foreign name was
//! made to resolve to this machine (DNS rebinding), the `Host` does. A gateway for others has names that it does not
//! know, and gives nothing to whoever merely reaches it. Nobody is known by a cookie, so no page has any to send along.

use std::net::IpAddr;

use axum::http::header::{HOST, HeaderValue, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use ttp::code::{CallError, ErrorCode};
use ttp::net::serve::Protection;

/// Refuses a request of a foreign page, before anything else of it is looked at.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap, protection: &Protection) -> Result<(), CallError> {
    let mut hosts = headers.get_all(HOST).iter().map(HeaderValue::to_str);
    let (Some(Ok(host)), None) = (hosts.next(), hosts.next()) else {
        return Err(forbidden("a request names one `Host`"));
    };
    if matches!(protection, Protection::Loopback) && !is_loopback(host) {
        return Err(forbidden("`Host` is not a loopback name"));
    }
    let scheme = if matches!(protection, Protection::Tls(_)) { "https" } else { "http" };
    let own = format!("{scheme}://{host}");
    if headers.get_all(ORIGIN).iter().any(|origin| origin != own.as_str()) {
        return Err(forbidden("`Origin` is a foreign one"));
    }
    // Addresses get into histories and into logs of those on the way.
    if uri.query().is_some() {
        let message =
            "no address here has a query: a token goes into the header `Authorization`, or into a message";
        return Err(CallError::new(ErrorCode::InvalidRequest, message));
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
    use ttp::net::tls::server::{ServerTls, TlsFiles};

    use super::*;

    fn is_allowed(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        check(&Uri::from_static("/rpc"), &headers, &Protection::Loopback).is_ok()
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

    /// A gateway for others has names that it does not know, and the scheme that it speaks.
    #[test]
    fn behind_tls_the_own_origin_is_https() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("a"), key: folder.path().join("b") };
        let tls = Protection::Tls(ServerTls::open(files, &[]).unwrap());
        for (protection, origin, is_own) in [
            (&tls, "https://chat.example.org:8080", true),
            (&tls, "http://chat.example.org:8080", false),
            (&tls, "https://example.org", false),
            (&Protection::Plaintext, "http://chat.example.org:8080", true),
            (&Protection::Plaintext, "https://chat.example.org:8080", false),
            (&Protection::Loopback, "http://chat.example.org:8080", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("chat.example.org:8080"));
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            assert_eq!(
                check(&Uri::from_static("/rpc"), &headers, protection).is_ok(),
                is_own,
                "{protection:?} {origin}"
            );
        }
    }

    #[test]
    fn one_good_header_does_not_excuse_a_bad_one() {
        let mut headers = HeaderMap::new();
        assert!(check(&Uri::from_static("/rpc"), &headers, &Protection::Loopback).is_err());
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
        assert!(check(&Uri::from_static("/rpc"), &headers, &Protection::Loopback).is_ok());
        headers.append(ORIGIN, HeaderValue::from_static("http://example.org"));
        assert!(check(&Uri::from_static("/rpc"), &headers, &Protection::Loopback).is_err());
        headers.remove(ORIGIN);
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(check(&Uri::from_static("/rpc"), &headers, &Protection::Loopback).is_err());
    }
}
