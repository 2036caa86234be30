//! Accounts and sessions: proving who one is, on every connection, and what happens when the session has ended.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod fake;

use std::time::Duration;

use client_lib::{
    ChatId, Client, CloseCode, ConnectionState, Error, ErrorCode, Event, EventStream, Position, Role,
    SendQueue, UserId,
};
use fake::accounts::{PASSWORD, password, token};
use fake::data::DataServer;
use fake::{ME, Server, options, soon, user};
use ttp::call::{Authenticate, DataCall, GetChats};
use ttp::event::{Close, close_frame};
use ttp::secret::Secret;

/// A data-server that answers only those who are logged in.
async fn guarded() -> DataServer {
    let data = DataServer::start().await;
    data.state.lock().unwrap().accounts.guarded = true;
    data
}

async fn client(data: &DataServer, broadcast: &str) -> Client {
    Client::connect(options(&data.address, broadcast)).await.unwrap()
}

async fn logged_in(data: &DataServer, broadcast: &str) -> Client {
    let client = client(data, broadcast).await;
    client.login("me", password(), "a device").await.unwrap();
    client
}

/// Ends a session as another device does.
fn revoke(data: &DataServer, index: usize) {
    data.state.lock().unwrap().accounts.sessions[index].has_ended = true;
}

fn count(data: &DataServer, kind: impl Fn(&DataCall) -> bool) -> usize {
    data.state.lock().unwrap().calls.iter().filter(|call| kind(call)).count()
}

fn is_authenticate(call: &DataCall) -> bool {
    matches!(call, DataCall::Authenticate(_))
}

async fn chats(client: &Client) -> Result<(), Error> {
    soon(client.call(GetChats::default())).await.map(drop)
}

fn refused(answer: Result<(), Error>) -> ErrorCode {
    match answer.unwrap_err() {
        Error::Call(refusal) => refusal.code,
        other => panic!("{other}"),
    }
}

#[track_caller]
fn assert_logged_out<T: std::fmt::Debug>(answer: Result<T, Error>) {
    let error = answer.unwrap_err();
    assert!(matches!(error, Error::LoggedOut), "{error}");
    assert!(!error.is_temporary());
}

async fn connected(events: &mut EventStream) {
    let event = soon(events.next()).await;
    assert!(matches!(event, Some(Event::Connection(ConnectionState::Connected))), "{event:?}");
}

async fn interrupted(events: &mut EventStream) {
    let lost = soon(events.next()).await;
    let Some(Event::Connection(ConnectionState::Disconnected { retry_in: Some(_), .. })) = lost else {
        panic!("{lost:?}");
    };
}

/// The last event of a stream that was logged out, and its end.
async fn ends_logged_out(events: &mut EventStream) {
    match soon(events.next()).await {
        Some(Event::Connection(ConnectionState::Disconnected {
            reason: Error::LoggedOut,
            retry_in: None,
        })) => {}
        other => panic!("{other:?}"),
    }
    assert!(soon(events.next()).await.is_none());
}

/// T63: a new person registers and is somebody; a second device logs in; both are seen; the first is revoked.
#[tokio::test]
async fn t63_register_login_list_and_revoke() {
    let data = guarded().await;
    let first = client(&data, "").await;
    let invitation = Some(Secret::new("welcome"));
    let reply = first.register("me", password(), invitation, "laptop").await.unwrap();
    assert_eq!((reply.user, reply.server_role), (user(ME), Role::Member));
    assert_eq!(first.me(), Some(user(ME)));
    let second = client(&data, "").await;
    second.login("me", password(), "phone").await.unwrap();
    let sessions = second.sessions().await.unwrap();
    let seen: Vec<_> = sessions.iter().map(|info| (info.device.as_str(), info.is_current)).collect();
    assert_eq!(seen, [("laptop", false), ("phone", true)]);
    second.revoke_session(sessions[0].session_id).await.unwrap();
    assert_logged_out(chats(&first).await);
    assert_eq!(first.me(), None);
    chats(&second).await.unwrap();
    let named = data.state.lock().unwrap().calls.iter().any(|call| {
        matches!(call, DataCall::Register(call)
            if call.invitation == Some(Secret::new("welcome")) && call.device == "laptop")
    });
    assert!(named);
}

#[tokio::test]
async fn refusals_of_accounts_are_typed_and_change_nothing() {
    let data = guarded().await;
    let client = client(&data, "").await;
    let taken = client.register("taken", password(), None, "").await.map(drop);
    assert_eq!(refused(taken), ErrorCode::Conflict);
    let wrong = client.login("me", Secret::new("a guess"), "").await.map(drop);
    assert_eq!(refused(wrong), ErrorCode::Unauthenticated);
    assert_eq!(refused(chats(&client).await), ErrorCode::Unauthenticated, "it never spoke for anybody");
    assert!(matches!(client.logout().await, Err(Error::Unauthenticated)));
    assert_logged_out(client.authenticate(token(7)).await);
    assert_eq!(client.me(), None);
    client.login("me", password(), "").await.unwrap();
    assert!(matches!(client.login("me", password(), "").await, Err(Error::LoggedIn)));
    let wrong = client.change_password(Secret::new("a guess"), password()).await.map(drop);
    assert_eq!(refused(wrong), ErrorCode::Unauthenticated, "the session is not taken for ended");
    assert_eq!(
        count(&data, |call| matches!(call, DataCall::ChangePassword(_))),
        1,
        "guesses are not repeated"
    );
    chats(&client).await.unwrap();
}

#[tokio::test]
async fn every_method_of_accounts_sends_its_call() {
    let data = guarded().await;
    let client = logged_in(&data, "").await;
    let other = logged_in(&data, "").await;
    assert_eq!(client.rename("Ada").await.unwrap().user_name, "Ada");
    assert_eq!(client.me().unwrap().user_name, "Ada");
    assert_eq!(client.change_password(password(), Secret::new("new")).await.unwrap(), 1);
    assert_logged_out(chats(&other).await);
    // The fake knows none of these.
    client.invite(Some(2), Some(Duration::from_secs(60)), None).await.unwrap_err();
    client.invitations().await.unwrap_err();
    client.revoke_invitation(client_lib::InvitationId(3)).await.unwrap_err();
    client.set_server_role(UserId(2), Role::Moderator).await.unwrap_err();
    client.set_role(ChatId(1), UserId(2), Role::Guest).await.unwrap_err();
    assert_eq!(client.deactivate_user(UserId(2)).await.unwrap(), 0);
    chats(&client).await.unwrap();
    let calls = std::mem::take(&mut data.state.lock().unwrap().calls);
    let sent = |wanted: &str| calls.iter().any(|call| format!("{call:?}").contains(wanted));
    for wanted in [
        "UpdateUser { user_name: \"Ada\" }",
        "InsertInvitation { uses_max: Some(2), lifetime_ms: Some(60000), role: None }",
        "GetInvitations",
        "RevokeInvitation { invitation_id: InvitationId(3) }",
        "SetServerRole { user_id: UserId(2), role: Moderator }",
        "SetRole { chat_id: ChatId(1), user_id: UserId(2), role: Guest }",
        "DeactivateUser { user_id: Some(UserId(2)), password: None }",
    ] {
        assert!(sent(wanted), "{wanted}");
    }
}

/// What ends the own session ends it here too, at once, and one that is gone already is no trouble.
#[tokio::test]
async fn logging_out_is_final_and_may_be_followed_by_a_login() {
    let data = guarded().await;
    let client = logged_in(&data, "").await;
    client.logout().await.unwrap();
    assert_eq!(client.me(), None);
    assert_logged_out(chats(&client).await);
    assert_logged_out(client.logout().await);
    client.login("me", password(), "").await.unwrap();
    chats(&client).await.unwrap();
    revoke(&data, 1);
    client.logout().await.unwrap();
    client.login("me", password(), "").await.unwrap();
    assert_eq!(client.logout_everywhere().await.unwrap(), 1);
    assert_eq!(client.me(), None);
    client.login("me", password(), "").await.unwrap();
    assert_eq!(client.deactivate(password()).await.unwrap(), 1);
    assert_logged_out(chats(&client).await);
}

/// A client is one person for ever; the session that somebody else began by mistake is ended.
#[tokio::test]
async fn nobody_else_becomes_the_client() {
    let data = guarded().await;
    let client = logged_in(&data, "").await;
    client.logout().await.unwrap();
    let other = client.login("other", password(), "").await.unwrap_err();
    assert!(matches!(other, Error::OtherPerson), "{other}");
    assert!(data.state.lock().unwrap().accounts.sessions[1].has_ended);
    assert_logged_out(chats(&client).await);
    let stranger = self::client(&data, "").await;
    let theirs = stranger.login("other", password(), "").await.unwrap().token;
    let other = client.authenticate(theirs).await.unwrap_err();
    assert!(matches!(other, Error::OtherPerson), "{other}");
    assert_logged_out(chats(&client).await);
    chats(&stranger).await.unwrap();
}

/// The token is said again on every new connection; when it is refused there, nobody says it a second time.
#[tokio::test]
async fn a_refused_token_is_not_said_again() {
    let data = guarded().await;
    let client = logged_in(&data, "").await;
    data.cut();
    chats_after_cut(&client).await.unwrap();
    let said = count(&data, is_authenticate);
    assert!(said >= 1);
    let calls = data.state.lock().unwrap().calls.clone();
    let by_token = Authenticate { token: Some(token(0)), user_id: None };
    assert!(calls.contains(&DataCall::Authenticate(by_token)));
    revoke(&data, 0);
    data.cut();
    assert_logged_out(chats_after_cut(&client).await);
    for _ in 0..3 {
        assert_logged_out(chats(&client).await);
    }
    assert_eq!(count(&data, is_authenticate), said + 1);
    assert!(count(&data, |call| matches!(call, DataCall::Hello(_))) <= 4, "connections are kept");
    client.login("me", password(), "").await.unwrap();
    chats(&client).await.unwrap();
}

/// The first call after a cut may be the one that notices it.
async fn chats_after_cut(client: &Client) -> Result<(), Error> {
    match chats(client).await {
        Err(Error::Disconnected(_)) => chats(client).await,
        answer => answer,
    }
}

/// Many calls that are refused at once ask once whether the session goes on.
#[tokio::test]
async fn many_refused_calls_ask_once() {
    let data = guarded().await;
    let client = logged_in(&data, "").await;
    revoke(&data, 0);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { chats(&client).await })
        })
        .collect();
    for call in calls {
        assert_logged_out(soon(call).await.unwrap());
    }
    assert_eq!(count(&data, is_authenticate), 1);
}

/// R18: streams end with the session, whoever says it first: the stream's server, a call, or the program itself.
#[tokio::test]
async fn r18_streams_end_with_the_session() {
    for by in ["the server", "a call", "the program"] {
        let (data, broadcast) = (guarded().await, Server::start().await);
        let client = logged_in(&data, &broadcast.address()).await;
        let mut events = client.events(Position::Now);
        let mut stream = broadcast.stream().await;
        connected(&mut events).await;
        if by == "the program" {
            client.logout().await.unwrap();
        } else {
            revoke(&data, 0);
        }
        match by {
            "the server" => stream.write(&close_frame(&Close::new(CloseCode::LoggedOut, None))).await,
            "a call" => assert_logged_out(chats(&client).await),
            _ => {}
        }
        ends_logged_out(&mut events).await;
        stream.closed().await;
        assert_eq!(client.me(), None, "{by}");
        let mut more = client.events(Position::Now);
        ends_logged_out(&mut more).await;
        client.login("me", password(), "").await.unwrap();
        chats(&client).await.unwrap();
    }
}

/// A stream that comes back learns from the ticket that the session has ended, and a session that ends while it waits to
/// come back ends the wait.
#[tokio::test]
async fn r18_streams_that_come_back_end_with_the_session() {
    let (data, broadcast) = (guarded().await, Server::start().await);
    let client = logged_in(&data, &broadcast.address()).await;
    let mut events = client.events(Position::Now);
    let stream = broadcast.stream().await;
    connected(&mut events).await;
    revoke(&data, 0);
    drop(stream);
    interrupted(&mut events).await;
    ends_logged_out(&mut events).await;
    assert_eq!(client.me(), None);

    client.login("me", password(), "").await.unwrap();
    let mut events = client.events(Position::Now);
    let mut stream = broadcast.stream().await;
    connected(&mut events).await;
    stream.write(&close_frame(&Close::new(CloseCode::GoingAway, Some(600_000)))).await;
    interrupted(&mut events).await;
    client.logout().await.unwrap();
    ends_logged_out(&mut events).await;
}

/// What waits and what was saved outlives the session, and goes on when the person is back.
#[tokio::test]
async fn everything_goes_on_after_the_next_login() {
    let folder = tempfile::tempdir().unwrap();
    let (data, broadcast) = (guarded().await, Server::start().await);
    let client = logged_in(&data, &broadcast.address()).await;
    let queue = SendQueue::open(folder.path().join("unsent"), ME).unwrap();
    let mut events = client.events(Position::Now);
    let mut stream = broadcast.stream().await;
    connected(&mut events).await;
    stream.push(&data.commit(1, "heard")).await;
    assert!(soon(events.next()).await.is_some_and(|event| event.message().is_some()));
    revoke(&data, 0);
    queue.push(ChatId(1), "waits").unwrap();
    assert_logged_out(soon(client.deliver_next(&queue)).await);
    assert_logged_out(soon(client.deliver_next(&queue)).await);
    let told = client.deliver_next(&queue).await.unwrap_err().to_string();
    assert!(told.contains("what waits"), "{told}");
    ends_logged_out(&mut events).await;
    assert_eq!(queue.waiting().len(), 1);
    data.commit(1, "missed");
    client.login("me", password(), "").await.unwrap();
    let delivery = soon(client.deliver_next(&queue)).await.unwrap();
    assert_eq!(delivery.outcome.unwrap().message_text, "waits");
    let mut events = client.events(Position::After(events.cursors().unwrap()));
    let _stream = broadcast.stream().await;
    let event = soon(events.next()).await.unwrap();
    assert_eq!(event.message().unwrap().message_text, "missed");
}

/// The long poll says it too, and goes on where it was.
#[tokio::test]
async fn a_poll_goes_on_after_the_next_login() {
    let (data, broadcast) = (guarded().await, Server::start().await);
    let client = logged_in(&data, &broadcast.address()).await;
    let opening = tokio::spawn(async move { (broadcast.stream().await, broadcast) });
    let none = client.receive_one(Some(Duration::from_millis(200))).await.unwrap();
    assert_eq!(none, None);
    let (_stream, broadcast) = soon(opening).await.unwrap();
    client.logout().await.unwrap();
    assert_logged_out(soon(client.receive_one(None)).await);
    data.commit(1, "missed");
    client.login("me", password(), "").await.unwrap();
    let opening = tokio::spawn(async move { broadcast.stream().await });
    let message = soon(client.receive_one(None)).await.unwrap().unwrap();
    assert_eq!(message.message_text, "missed");
    drop(soon(opening).await.unwrap());
}

/// G21: whatever is printed of a client, a token and a password are not in it.
#[tokio::test]
async fn g21_secrets_are_not_printed() {
    let data = guarded().await;
    let client = logged_in(&data, "").await;
    let wrong = client.change_password(Secret::new("a guess"), Secret::new("another")).await.unwrap_err();
    let printed = format!("{client:?} {wrong:?} {wrong}");
    for secret in ["token 0", PASSWORD, "a guess", "another"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

/// The blocking client has the same words.
#[test]
fn the_blocking_client_logs_in_and_out() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let data = runtime.block_on(guarded());
    let client = client_lib::blocking::Client::connect(options(&data.address, "")).unwrap();
    let token = client.register("me", password(), None, "laptop").unwrap().token;
    client.logout().unwrap();
    assert_logged_out(client.authenticate(token));
    let token = client.login("me", password(), "laptop").unwrap().token;
    assert_eq!(client.sessions().unwrap().len(), 1);
    let second = client_lib::blocking::Client::connect(options(&data.address, "")).unwrap();
    assert_eq!(second.authenticate(token).unwrap(), user(ME));
    assert_eq!(second.logout_everywhere().unwrap(), 1);
    assert_logged_out(client.sessions());
}
