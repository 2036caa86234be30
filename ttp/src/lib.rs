//! The Talko Transfer Protocol, as data.
//!
//! A TTP *frame* is a ten-byte decimal length and that many bytes of payload; a payload is JSON-RPC 2.0. This
//! crate turns bytes into payloads, payloads into typed calls, and answers back into bytes. Its core holds no
//! socket and reads no clock, so TCP, a test and a fuzzer drive the same code; feature `net` adds the async
//! connection and the accept loop.
//!
//! ```
//! use ttp::frame::{Decoder, encode};
//!
//! let mut decoder = Decoder::new(1024);
//! decoder.push(&encode(b"hello world"));
//! assert_eq!(decoder.next_payload()?.as_deref(), Some(&b"hello world"[..]));
//! # Ok::<(), ttp::frame::FrameError>(())
//! ```
//!
//! Modules in reading order:

pub mod limits;
pub mod frame;
pub mod json;
pub mod hex;
pub mod secret;
pub mod rpc;
pub mod exchange;
pub mod code;
pub mod attachment;
mod change;
pub mod model;
pub mod call;
mod server_info;
pub mod encode;
pub mod event;
pub mod invitation;
#[cfg(feature = "net")]
pub mod ticket;
#[cfg(feature = "net")]
pub mod net;
