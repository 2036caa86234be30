//! Figures for operators, over HTTP on a listener of their own, in the text format that Prometheus reads.
//!
//! The servers count, and know nothing of any format; how the figures are called and shown is said here alone.
//!
//! - [`sources`]: what is counted in this process; `process`: what the system says of it.
//! - [`exposition`]: from figures to text.
//! - [`endpoint`]: the listener.

mod endpoint;
mod exposition;
mod process;
mod sources;

pub(crate) use endpoint::serve;
pub(crate) use sources::{BroadcastSource, DataSource, Sources};
