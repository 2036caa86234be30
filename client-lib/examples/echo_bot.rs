//! Answers every message with the same words: `cargo run --example echo_bot -- 127.0.0.1:8889 USER_ID`.

use client_lib::{Client, ConnectionState, Error, Event, Options, Position, UserId};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(Ok(user))) = (arguments.next(), arguments.next().map(|id| id.parse::<UserId>()))
    else {
        eprintln!("usage: echo_bot HOST:PORT USER_ID");
        return Ok(());
    };
    let client = Client::connect(Options::new(address)).await?;
    let me = client.trust_me(user).await?;
    let mut events = client.events(Position::Now);
    while let Some(event) = events.next().await {
        match event {
            Event::Entry(entry) => {
                // What this client sends does not come back, but what the person says elsewhere does.
                let Some(message) = entry.message().filter(|message| message.user != me) else {
                    continue;
                };
                client.insert_message(message.chat_id, &message.message_text).await?;
            }
            Event::Connection(ConnectionState::Disconnected { reason, .. }) => eprintln!("{reason}"),
            _ => {}
        }
    }
    Ok(())
}
