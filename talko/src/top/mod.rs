//! `talko top`: the figures of running servers, live in the terminal or once as a table.
//!
//! - [`scrape`]: asks an endpoint, and reads what it answers.
//! - [`history`]: what a few scrapes together say: rates, times, what has just grown.
//! - [`rows`]: which figures are shown, and in which words.
//! - [`board`]: the state of the screen; it does no I/O. `draw` shows it.
//! - `live`: the loop around them.

mod board;
mod draw;
mod history;
mod live;
mod rows;
mod scrape;

use std::time::Duration;

use crate::output::say;
use crate::settings::Settings;
use crate::top::board::Board;

/// Where servers show their figures in all examples.
const USUAL_ADDRESS: &str = "127.0.0.1:8890";

/// Distance of scrapes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows the figures until the person ends it; once, when that is wanted or nobody can see a screen.
pub(crate) async fn run(addresses: Vec<String>, once: bool, settings: &Settings) -> anyhow::Result<()> {
    let mut addresses = addresses;
    if addresses.is_empty() {
        let named = settings.metrics_address.value.clone();
        addresses.push(named.unwrap_or_else(|| USUAL_ADDRESS.into()));
    }
    addresses.dedup();
    let mut board = Board::new(&addresses);
    for (place, address) in addresses.iter().enumerate() {
        board.take(place, Ok(scrape::fetch(address).await?));
    }
    if !once {
        return live::run(board).await;
    }
    // A rate takes two looks.
    tokio::time::sleep(INTERVAL).await;
    for (place, address) in addresses.iter().enumerate() {
        board.take(place, Ok(scrape::fetch(address).await?));
    }
    board.table().iter().try_for_each(say)
}
