//! A program that may die at any moment: `cargo run --example keeper -- 127.0.0.1:8889 USER_ID CHAT_ID FOLDER` says each
//! line that it reads, prints what it hears, and keeps in the folder what must outlive it. It can be started without a
//! server.

use std::path::Path;
use std::time::Duration;

use client_lib::{ChatId, Client, Cursors, Delivery, Error, Event, Options, Position, SendQueue, UserId};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, chat_id, folder] = &arguments[..] else { return usage() };
    let (Ok(user), Ok(chat_id)) = (user.parse::<UserId>(), chat_id.parse::<ChatId>()) else { return usage() };
    let queue = SendQueue::open(Path::new(folder).join("unsent.queue"), user)?;
    let reading = queue.clone();
    std::thread::spawn(move || read_lines(&reading, chat_id));
    let client = connect(address, user).await;
    let position = Path::new(folder).join("position.json");
    // In this order: what the queue tells, the stream leaves out.
    tokio::try_join!(deliver(&client, &queue), listen(&client, &position))?;
    Ok(())
}

fn usage() -> Result<(), Error> {
    eprintln!("usage: keeper HOST:PORT USER_ID CHAT_ID FOLDER");
    Ok(())
}

/// From the moment that a line is printed as queued it will be said.
fn read_lines(queue: &SendQueue, chat_id: ChatId) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match queue.push(chat_id, &line) {
            Ok(message) => println!("queued {}", message.text),
            Err(error) => eprintln!("not queued, {error}: {line}"),
        }
    }
}

/// Waits until there is a server.
async fn connect(address: &str, user: UserId) -> Client {
    loop {
        let connecting = async {
            let client = Client::connect(Options::new(address)).await?;
            client.trust_me(user).await?;
            Ok::<_, Error>(client)
        };
        match connecting.await {
            Ok(client) => return client,
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Says what waits. What is printed here twice was printed when the program died.
async fn deliver(client: &Client, queue: &SendQueue) -> Result<(), Error> {
    loop {
        let Delivery { message, outcome } = client.deliver_next(queue).await?;
        match outcome {
            Ok(stored) => println!("said {} {}", stored.seq, stored.message_text),
            Err(error) => println!("not said, {error}: {}", message.text),
        }
    }
}

/// Prints what others say. What is printed here twice was printed when the program died.
async fn listen(client: &Client, path: &Path) -> Result<(), Error> {
    let mut events = client.events(Position::After(Cursors::load(path)?.unwrap_or_default()));
    while let Some(event) = events.next().await {
        match &event {
            Event::Reset => println!("reset"),
            event => {
                if let Some(message) = event.message() {
                    println!("heard {} {}", message.seq, message.message_text);
                }
            }
        }
        if let Some(cursors) = events.cursors() {
            cursors.save(path)?;
        }
    }
    Ok(())
}
