//! Bots: programs with accounts that belong to people, over real servers that believe nobody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use client_lib::{
    Client, ConnectionState, Error, ErrorCode, Event, EventStream, Position, Role, Secret, UserId,
};
use tests::{Form, Installation, Setup, live, within};
use ttp::call::Authenticate;
use ttp::limits::BOTS_PER_OWNER_MAX;

const PASSWORD: &str = "correct horse battery";

async fn house() -> Installation {
    Installation::start_with(Form::Together, Setup::guarded()).await
}

/// The owner of the server, and somebody whom she has invited.
async fn ada_and_grace(house: &Installation) -> (Client, Client) {
    let ada = house.client().await;
    ada.register("Ada", Secret::new(PASSWORD), None, "").await.unwrap();
    let invitation = ada.invite(Some(9), None, None).await.unwrap();
    let grace = house.client().await;
    grace.register("Grace", Secret::new(PASSWORD), Some(invitation.code), "").await.unwrap();
    (ada, grace)
}

fn id(client: &Client) -> UserId {
    client.me().unwrap().user_id
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Error>, code: ErrorCode) {
    match answer.unwrap_err() {
        Error::Call(refusal) if refusal.code == code => {}
        other => panic!("{other}"),
    }
}

async fn next_text(events: &mut EventStream) -> (UserId, String) {
    loop {
        let event = within("a message", events.next()).await.expect("the stream has ended");
        if let Some(message) = event.message() {
            return (message.user.user_id, message.message_text.clone());
        }
    }
}

async fn ends_logged_out(events: &mut EventStream) {
    loop {
        match within("the end of the stream", events.next()).await {
            Some(Event::Connection(ConnectionState::Disconnected { reason: Error::LoggedOut, .. })) => return,
            Some(_) => {}
            None => panic!("the stream has ended without a word"),
        }
    }
}

/// A bot reads and writes as a member does, is told from people, and may not make bots, invitations or moderators of itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_is_a_member_without_a_password() {
    let house = house().await;
    let (ada, grace) = ada_and_grace(&house).await;
    let made = grace.insert_bot("dicer").await.unwrap();
    let bot = house.client().await;
    let identity = bot.call(Authenticate { token: Some(made.token.clone()), user_id: None }).await.unwrap();
    assert!(identity.is_bot && identity.server_role == Role::Member);
    let bot_user = bot.authenticate(made.token).await.unwrap();
    assert_eq!(bot_user, made.bot.user);
    assert!(ada.is_bot(bot_user.user_id).await.unwrap());
    assert!(!ada.is_bot(id(&grace)).await.unwrap());
    let chat_id = grace.insert_chat("games", &[id(&ada), bot_user.user_id]).await.unwrap().chat_id;
    assert_eq!(ada.get_participants(chat_id, None).await.unwrap().bots, [bot_user.user_id]);
    let mut bot_hears = live(&bot).await;
    grace.insert_message(chat_id, "are you there?").await.unwrap();
    assert_eq!(next_text(&mut bot_hears).await.1, "are you there?");
    bot.insert_message(chat_id, "always").await.unwrap();
    // What a member of the server may, but a bot may not.
    assert_refused(bot.insert_bot("child").await, ErrorCode::Forbidden);
    assert_refused(bot.invite(None, None, None).await, ErrorCode::Forbidden);
    assert_refused(ada.set_server_role(bot_user.user_id, Role::Moderator).await, ErrorCode::Forbidden);
    let stranger = house.client().await;
    assert_refused(stranger.login("dicer", Secret::new(PASSWORD), "").await, ErrorCode::Unauthenticated);
    assert_refused(grace.insert_bot("ADA").await, ErrorCode::Conflict);
    let session = bot.sessions().await.unwrap().remove(0);
    assert!(
        session.expires_ts > session.created_ts + 1_000 * 365 * 24 * 3_600_000,
        "it does not end by disuse"
    );
    house.stop().await;
}

/// Another token ends the first one and its streams; so does the end of the bot, or of its owner's account. Nobody else has a
/// say in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_ends_with_its_token_and_its_owner() {
    let house = house().await;
    let (ada, grace) = ada_and_grace(&house).await;
    let first = grace.insert_bot("first").await.unwrap();
    let bot = house.client().await;
    bot.authenticate(first.token.clone()).await.unwrap();
    let mut hears = live(&bot).await;
    let number = first.bot.user.user_id;
    assert_refused(ada.renew_bot(number).await, ErrorCode::NotFound);
    assert_refused(ada.revoke_bot(number).await, ErrorCode::NotFound);
    let renewed = grace.renew_bot(number).await.unwrap();
    ends_logged_out(&mut hears).await;
    let again = house.client().await;
    assert!(matches!(again.authenticate(first.token).await, Err(Error::LoggedOut)));
    again.authenticate(renewed.token).await.unwrap();
    let mut hears = live(&again).await;
    grace.revoke_bot(number).await.unwrap();
    ends_logged_out(&mut hears).await;
    assert_eq!(grace.get_bots().await.unwrap(), []);
    assert_refused(grace.renew_bot(number).await, ErrorCode::NotFound);

    let second = grace.insert_bot("second").await.unwrap();
    let bot = house.client().await;
    bot.authenticate(second.token).await.unwrap();
    let mut hears = live(&bot).await;
    ada.deactivate_user(id(&grace)).await.unwrap();
    ends_logged_out(&mut hears).await;
    house.stop().await;
}

/// A person has so many bots and no more; a guest of the server has none, and a bot is no more than its owner.
#[tokio::test(flavor = "multi_thread")]
async fn bots_have_limits() {
    let house = house().await;
    let (ada, grace) = ada_and_grace(&house).await;
    let mut bots = Vec::new();
    for number in 0..BOTS_PER_OWNER_MAX {
        bots.push(grace.insert_bot(&format!("helper {number}")).await.unwrap());
    }
    assert_refused(grace.insert_bot("one more").await, ErrorCode::Conflict);
    grace.revoke_bot(bots[3].bot.user.user_id).await.unwrap();
    grace.insert_bot("one more").await.unwrap();
    ada.set_server_role(id(&grace), Role::Guest).await.unwrap();
    assert_refused(grace.insert_bot("and another").await, ErrorCode::Forbidden);
    let bot = house.client().await;
    bot.authenticate(bots[0].token.clone()).await.unwrap();
    assert_refused(bot.insert_room("mine", &[], Default::default()).await, ErrorCode::Forbidden);
    house.stop().await;
}

/// The example of `client-lib`, as a process that is killed at the end.
struct DiceBot(Child);

impl DiceBot {
    fn start(house: &Installation, token: &Secret, file: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dice"));
        command.arg(house.data_address.to_string()).arg(file).env("TALKO_TOKEN", token.expose());
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for DiceBot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The example answers people, neither itself nor bots, and each message once, although it is killed and begins before what it
/// has answered.
#[tokio::test(flavor = "multi_thread")]
async fn the_dice_bot_answers_each_message_once() {
    let house = house().await;
    let (ada, grace) = ada_and_grace(&house).await;
    let made = ada.insert_bot("dice").await.unwrap();
    let echo = grace.insert_bot("echo").await.unwrap();
    let (dice, echo_user) = (made.bot.user.user_id, echo.bot.user.user_id);
    let chat_id = ada.insert_chat("games", &[id(&grace), dice, echo_user]).await.unwrap().chat_id;
    let echo_client = house.client().await;
    echo_client.authenticate(echo.token).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("position.json");
    let mut hears = grace.events(Position::Now);
    // Everything that is said comes, so that it does not matter when the bot has begun.
    std::fs::write(&file, "{}").unwrap();
    let before = std::fs::read(&file).unwrap();
    let mut bot = DiceBot::start(&house, &made.token, &file);
    ada.insert_message(chat_id, "/roll 2d6").await.unwrap();
    let answer = answer_of(&mut hears, dice).await;
    assert!(answer.contains(" + ") && answer.contains(" = "), "{answer}");
    drop(bot);
    // It has forgotten that it has answered.
    std::fs::write(&file, before).unwrap();
    bot = DiceBot::start(&house, &made.token, &file);
    echo_client.insert_message(chat_id, "/roll 1d6").await.unwrap();
    ada.insert_message(chat_id, "/roll 0d6").await.unwrap();
    let answer = answer_of(&mut hears, dice).await;
    assert!(answer.starts_with("I throw"), "the answer to what came last is the next one: {answer}");
    let messages = ada.get_messages(chat_id, None, None).await.unwrap().messages;
    let answers = messages.iter().filter(|message| message.user.user_id == dice).count();
    assert_eq!(answers, 2, "{messages:?}");
    drop(bot);
    house.stop().await;
}

async fn answer_of(hears: &mut EventStream, bot: UserId) -> String {
    loop {
        if let (user, text) = next_text(hears).await
            && user == bot
        {
            return text;
        }
    }
}
