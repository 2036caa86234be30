//! The picture of the README: people who talk through real servers, seen by one of them in a terminal, and drawn as it stands
//! there. But for the times of day it is the same each time.

mod lines;
mod palette;
mod story;
mod svg;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::house::House;
use crate::machine::{GENERATOR_CORE, need_two_cores, pin};
use crate::seat::Seat;
use crate::terminal::Size;

/// The terminal.
const SIZE: Size = Size::new(110, 30);

/// After so long without a byte the screen is finished.
const SILENCE: Duration = Duration::from_millis(700);

/// Draws the picture into the folder of the documents. Servers and client are ended, and what they kept is removed.
///
/// # Errors
/// In one sentence for a person.
pub(crate) fn draw(documents: &Path) -> Result<()> {
    need_two_cores()?;
    pin(&[GENERATOR_CORE])?;
    let house = House::new()?;
    let mut talko = house.up(&[GENERATOR_CORE])?;
    story::tell(talko.data_address()?)?;
    let seat = Seat::of(&house, &talko, story::VIEWER)?;
    let mut client = seat.sit(SIZE)?;
    for sight in story::SIGHTS {
        client.see(sight, |screen| screen.contents().contains(sight))?;
    }
    client.press(story::DRAFT)?;
    client.see("what is typed", |screen| screen.contents().contains(story::DRAFT))?;
    client.settle(SILENCE)?;
    let path = documents.join("talko.svg");
    let drawn = svg::drawn(client.screen(), "talko");
    fs::write(&path, drawn).with_context(|| format!("{} cannot be written", path.display()))?;
    client.end()?;
    talko.server.stop("TERM");
    println!("{}", path.display());
    Ok(())
}
