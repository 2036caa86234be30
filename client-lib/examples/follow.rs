//! Prints new messages as they come: `cargo run --example follow -- 127.0.0.1:8889 USER_ID`.

use client_lib::blocking::Client;
use client_lib::{Error, Options, Position, UserId};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(Ok(user))) = (arguments.next(), arguments.next().map(|id| id.parse::<UserId>()))
    else {
        eprintln!("usage: follow HOST:PORT USER_ID");
        return Ok(());
    };
    let client = Client::connect(Options::new(address))?;
    client.trust_me(user)?;
    for event in client.events(Position::Now) {
        if let Some(message) = event.message() {
            println!("{} in {}: {}", message.user.user_name, message.chat_id, message.message_text);
        }
    }
    Ok(())
}
