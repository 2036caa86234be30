//! T63, R18, R19: accounts and sessions with the client library, over real servers that believe nobody.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::time::{Duration, Instant};

use client_lib::{
    Client, ConnectionState, Error, ErrorCode, Event, EventStream, Options, Position, Role, SavedSession,
    Secret, SendQueue, SessionFile, UserId, blocking,
};
use tests::{Form, Installation, Setup, live, within};
use ttp::net::clock;

fn password() -> Secret {
    Secret::new("correct horse battery")
}

async fn house(form: Form) -> Installation {
    Installation::start_with(form, Setup::guarded()).await
}

async fn registered(house: &Installation, name: &str) -> Client {
    let client = house.client().await;
    client.register(name, password(), None, "laptop").await.unwrap();
    client
}

/// Somebody else, whom the owner of the server has invited.
async fn invited(house: &Installation, owner: &Client, name: &str) -> Client {
    let invitation = owner.invite(None, None, None).await.unwrap();
    let client = house.client().await;
    client.register(name, password(), Some(invitation.code), "").await.unwrap();
    client
}

fn me(client: &Client) -> UserId {
    client.me().unwrap().user_id
}

async fn logged_in(house: &Installation, name: &str) -> Client {
    let client = house.client().await;
    client.login(name, password(), "phone").await.unwrap();
    client
}

#[track_caller]
fn assert_logged_out<T: std::fmt::Debug>(answer: Result<T, Error>) {
    let error = answer.unwrap_err();
    assert!(matches!(error, Error::LoggedOut), "{error}");
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Error>, code: ErrorCode) {
    match answer.unwrap_err() {
        Error::Call(refusal) if refusal.code == code => {}
        other => panic!("{other}"),
    }
}

/// Waits until a stream has said that it was logged out, and has ended.
async fn ends_logged_out(events: &mut EventStream) {
    loop {
        match within("the end of the stream", events.next()).await {
            Some(Event::Connection(ConnectionState::Disconnected {
                reason: Error::LoggedOut,
                retry_in: None,
            })) => break,
            Some(Event::Connection(ConnectionState::Disconnected { retry_in: None, reason })) => {
                panic!("{reason}")
            }
            Some(_) => {}
            None => panic!("the stream ended without a word"),
        }
    }
    assert!(within("the end", events.next()).await.is_none());
}

/// T63, R18: a person registers, a second device logs in and sees both sessions; it revokes the first, whose stream ends
/// and whose next call is refused. Also when the two servers are apart.
#[tokio::test(flavor = "multi_thread")]
async fn t63_r18_a_second_device_revokes_the_first() {
    for form in [Form::Together, Form::Apart] {
        let house = house(form).await;
        let first = registered(&house, "Ada").await;
        let mut events = live(&first).await;
        let second = logged_in(&house, "Ada").await;
        let mut others = live(&second).await;
        let sessions = second.sessions().await.unwrap();
        let mut devices: Vec<_> =
            sessions.iter().map(|info| (info.device.as_str(), info.is_current)).collect();
        devices.sort_unstable();
        assert_eq!(devices, [("laptop", false), ("phone", true)]);
        let laptop = sessions.iter().find(|info| !info.is_current).unwrap().session_id;
        let revoked: Instant = clock::now();
        second.revoke_session(laptop).await.unwrap();
        ends_logged_out(&mut events).await;
        let took = clock::now() - revoked;
        assert!(took < Duration::from_secs(1), "{form:?}: {took:?}");
        println!("{form:?}: the stream of a revoked session ended after {took:?}");
        assert_logged_out(first.sessions().await);
        assert_eq!(first.me(), None);
        // The other device hears on.
        let bob = invited(&house, &second, "Bob").await;
        let chat = bob.insert_chat("two", &[me(&second)]).await.unwrap();
        bob.insert_message(chat.chat_id, "still here").await.unwrap();
        while within("the message", others.next()).await.unwrap().message().is_none() {}
        house.stop().await;
    }
}

/// A call finds out by itself where no stream is told.
#[tokio::test(flavor = "multi_thread")]
async fn r18_the_next_call_of_a_revoked_session_is_logged_out() {
    let house = house(Form::Together).await;
    let first = registered(&house, "Ada").await;
    let second = logged_in(&house, "Ada").await;
    assert_eq!(second.logout_everywhere().await.unwrap(), 2);
    assert_logged_out(first.get_chats(None, None).await);
    assert_logged_out(second.get_chats(None, None).await);
    first.login("Ada", password(), "laptop again").await.unwrap();
    first.get_chats(None, None).await.unwrap();
    house.stop().await;
}

/// Another password ends the other sessions, and only them.
#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_the_other_sessions() {
    let house = house(Form::Together).await;
    let first = registered(&house, "Ada").await;
    let second = logged_in(&house, "Ada").await;
    let mut events = live(&second).await;
    let new = Secret::new("another correct horse");
    let guess = first.change_password(Secret::new("a wrong guess"), new.clone()).await;
    assert_refused(guess, ErrorCode::Forbidden);
    assert_eq!(first.change_password(password(), new.clone()).await.unwrap(), 1);
    ends_logged_out(&mut events).await;
    assert_logged_out(second.sessions().await);
    assert_eq!(first.sessions().await.unwrap().len(), 1);
    assert_refused(second.login("Ada", password(), "").await, ErrorCode::Unauthenticated);
    second.login("Ada", new, "").await.unwrap();
    house.stop().await;
}

/// R19: after the logout the token is refused everywhere, and the same client may log in again and go on.
#[tokio::test(flavor = "multi_thread")]
async fn r19_logout_and_login_on_one_client() {
    let house = house(Form::Together).await;
    let client = house.client().await;
    let begun = client.register("Ada", password(), None, "").await.unwrap();
    let bob = invited(&house, &client, "Bob").await;
    let chat = bob.insert_chat("two", &[begun.user.user_id]).await.unwrap();
    let queue = SendQueue::open(house.folder().join("unsent"), begun.user.user_id).unwrap();
    let mut events = live(&client).await;
    client.logout().await.unwrap();
    ends_logged_out(&mut events).await;
    assert_logged_out(client.get_chats(None, None).await);
    assert_logged_out(client.authenticate(begun.token.clone()).await);
    assert_logged_out(house.client().await.authenticate(begun.token).await);
    queue.push(chat.chat_id, "waits").unwrap();
    assert_logged_out(client.deliver_next(&queue).await);
    let again = client.login("Ada", password(), "").await.unwrap();
    let delivery = within("the delivery", client.deliver_next(&queue)).await.unwrap();
    assert_eq!(delivery.outcome.unwrap().message_text, "waits");
    let saved = events.cursors().unwrap();
    let mut events = client.events(Position::After(saved));
    let elsewhere = house.client().await;
    elsewhere.authenticate(again.token).await.unwrap();
    elsewhere.insert_message(chat.chat_id, "heard again").await.unwrap();
    loop {
        if let Some(message) = within("an event", events.next()).await.unwrap().message() {
            assert_eq!(message.message_text, "heard again", "own messages of the queue do not come back");
            break;
        }
    }
    house.stop().await;
}

/// Names and passwords that are refused, and a client that stays one person.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_typed_and_a_client_stays_one_person() {
    let house = house(Form::Together).await;
    let ada = registered(&house, "Ada").await;
    assert!(matches!(ada.login("Ada", password(), "").await, Err(Error::LoggedIn)));
    let other = house.client().await;
    assert_refused(other.register("Bob", password(), None, "").await, ErrorCode::Forbidden);
    let invitation = ada.invite(Some(1), Some(Duration::from_secs(60)), None).await.unwrap();
    let code = || Some(invitation.code.clone());
    assert_refused(other.register("ada", password(), code(), "").await, ErrorCode::Conflict);
    assert_eq!(ada.invitations().await.unwrap(), std::slice::from_ref(&invitation.invitation));
    assert_refused(other.login("Ada", Secret::new("a wrong guess"), "").await, ErrorCode::Unauthenticated);
    assert_refused(other.login("Nobody", password(), "").await, ErrorCode::Unauthenticated);
    assert_refused(other.get_chats(None, None).await, ErrorCode::Unauthenticated);
    assert_refused(other.trust_me(UserId(1)).await, ErrorCode::Forbidden);
    other.register("Bob", password(), code(), "").await.unwrap();
    assert_eq!(ada.invitations().await.unwrap(), [], "it was for one");
    let more = ada.invite(None, None, None).await.unwrap().invitation.invitation_id;
    ada.revoke_invitation(more).await.unwrap();
    ada.set_server_role(me(&other), Role::Owner).await.unwrap();
    assert_eq!(ada.rename("Ada Lovelace").await.unwrap().user_name, "Ada Lovelace");
    assert_eq!(ada.me().unwrap().user_name, "Ada Lovelace");
    ada.logout().await.unwrap();
    assert!(matches!(ada.login("Bob", password(), "").await, Err(Error::OtherPerson)));
    assert_eq!(other.sessions().await.unwrap().len(), 1, "the session that nobody uses is ended");
    assert_logged_out(ada.get_chats(None, None).await);
    ada.login("Ada Lovelace", password(), "").await.unwrap();
    assert_eq!(ada.deactivate(password()).await.map_err(|error| error.to_string()), Ok(1));
    assert_logged_out(ada.get_chats(None, None).await);
    assert_refused(ada.login("Ada Lovelace", password(), "").await, ErrorCode::Unauthenticated);
    house.stop().await;
}

/// A program that was ended goes on with the session of its file; the blocking client has the same words.
#[test]
fn a_saved_session_outlives_the_program() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = runtime.block_on(house(Form::Together));
    let server = house.data_address.to_string();
    let file = SessionFile::new(house.folder().join("sessions"));
    let connect = || blocking::Client::connect(Options::new(&server)).unwrap();
    let client = connect();
    let begun = client.register("Ada", password(), None, "laptop").unwrap();
    file.save(&SavedSession::new(&server, &begun)).unwrap();
    drop(client);
    let saved = file.find(&server, Some("Ada")).unwrap().unwrap();
    let client = connect();
    assert_eq!(client.authenticate(saved.token.clone()).unwrap(), begun.user);
    assert!(client.sessions().unwrap()[0].is_current);
    client.logout().unwrap();
    assert_logged_out(connect().authenticate(saved.token));
    assert!(file.forget(&server, saved.user_id).unwrap());
    runtime.block_on(house.stop());
}
