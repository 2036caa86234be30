//! A bot that throws dice: whoever says `/roll 2d6` is answered. Its token stands in TALKO_TOKEN:
//! `cargo run --example dice -- 127.0.0.1:8889 position.json`.
//!
//! It answers each message once, whatever dies when: the position in its file says what it has answered, and the key of an
//! answer is made of the message that it answers, so that an answer that was sent just before the end is not said again.

use std::collections::BTreeMap;

use client_lib::{Client, Cursors, Error, Event, InsertMessage, Message, Options, Position, Secret, UserId};

/// Dice in one throw, and sides of each.
const DICE_MAX: u64 = 20;
const SIDES_MAX: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file), Ok(token)) =
        (arguments.next(), arguments.next(), std::env::var("TALKO_TOKEN"))
    else {
        eprintln!("usage: TALKO_TOKEN=… dice HOST:PORT POSITION_FILE");
        return Ok(());
    };
    let client = Client::connect(Options::new(address)).await?;
    let me = client.authenticate(Secret::new(token.as_str())).await?;
    // The first time it begins with what is said from now on.
    let mut events = client.events(Cursors::load(&file)?.map_or(Position::Now, Position::After));
    let mut bots = BTreeMap::new();
    while let Some(event) = events.next().await {
        if let Some(message) = event.message().filter(|message| message.user.user_id != me.user_id)
            && let Some(answer) = answer(message)
            && !is_bot(&client, &mut bots, message.user.user_id).await?
        {
            say(&client, message, answer).await?;
        }
        if matches!(&event, Event::Connection(_)) {
            println!("{event:?}");
        }
        if let Some(cursors) = events.cursors() {
            cursors.save(&file)?;
        }
    }
    Ok(())
}

/// Bots that answer bots do it for ever.
async fn is_bot(client: &Client, known: &mut BTreeMap<UserId, bool>, user: UserId) -> Result<bool, Error> {
    if let Some(known) = known.get(&user) {
        return Ok(*known);
    }
    let is_bot = client.is_bot(user).await?;
    known.insert(user, is_bot);
    Ok(is_bot)
}

/// The same message has the same key for ever, and so at most one answer. Where nothing may be said nothing is.
async fn say(client: &Client, message: &Message, text: String) -> Result<(), Error> {
    let call = InsertMessage {
        chat_id: message.chat_id,
        message_text: text,
        reply_to: Some(message.seq),
        client_message_id: Some(format!("dice-{}-{}", message.chat_id, message.seq)),
        ..InsertMessage::default()
    };
    match client.send_message(call).await {
        Err(Error::Call(refusal)) => {
            eprintln!("not answered: {refusal}");
            Ok(())
        }
        answered => answered.map(drop),
    }
}

/// What is said to a message, if it asks for something.
fn answer(message: &Message) -> Option<String> {
    let (count, sides) = message.message_text.strip_prefix("/roll ")?.trim().split_once('d')?;
    let (count, sides) = (count.parse::<u64>().ok()?, sides.parse::<u64>().ok()?);
    if !(1..=DICE_MAX).contains(&count) || !(2..=SIDES_MAX).contains(&sides) {
        return Some(format!("I throw 1 to {DICE_MAX} dice of 2 to {SIDES_MAX} sides"));
    }
    // The throw is a function of the message, so that it is the same when it is thrown again for the same key.
    let mut state = message.message_id.0.unsigned_abs() ^ message.message_ts.unsigned_abs();
    let mut throw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides + 1
    };
    let thrown: Vec<u64> = (0..count).map(|_| throw()).collect();
    let each: Vec<String> = thrown.iter().map(u64::to_string).collect();
    Some(format!("{} = {}", each.join(" + "), thrown.iter().sum::<u64>()))
}
