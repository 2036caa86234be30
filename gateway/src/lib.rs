//! Talko's gateway: the methods of both servers over HTTP/1.1 and WebSocket, for programs that speak no TTP.
//!
//! `POST /rpc` carries one JSON-RPC payload to the data-server and its reply back. `GET /ws` is a conversation: each
//! text message is one payload, and one socket stands for a connection to each of the two servers. `GET /ready` says
//! whether the data-server stores changes at the moment. The gateway reads method names, to know which server is meant,
//! and never params; it holds no rule of chats. Two calls it makes itself on a peer's behalf, so that a peer that posts need
//! not: `Hello`, and `Authenticate` with the token of the header `Authorization`.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use gateway::{Config, Server};
//!
//! let config = Config::new("127.0.0.1:7777".parse()?, "127.0.0.1:8888".parse()?);
//! let listener = ttp::net::socket::listen("127.0.0.1:8080".parse()?)?;
//! Server::open(config).serve(listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Modules in reading order:

mod config;
mod error;
mod server;
mod guard;
mod post;
mod reply;
mod conversation;
mod ready;
mod upstream;

pub use config::Config;
pub use error::Error;
pub use server::Server;
