//! The same through the client library, whose stream says again what it watched and showed.

use client_lib::{
    Appearance, Client, ConnectionState, Error, ErrorCode, Event, Options, Presence, PresenceState, Signal,
    Signals, Typing,
};
use tests::proxy::{End, Proxy};
use tests::{Form, Installation, live, within};
use ttp::model::UserId;

use crate::GRACE_MS;
use crate::seat::house;

async fn next(signals: &mut Signals) -> Signal {
    within("a signal", signals.next()).await.expect("the stream has ended")
}

fn is(user_id: UserId, state: PresenceState) -> Signal {
    Signal::Presence(Presence { state, ..Presence::unknown(user_id) })
}

async fn next_state(signals: &mut Signals) -> (UserId, PresenceState) {
    match next(signals).await {
        Signal::Presence(person) => (person.user_id, person.state),
        other => panic!("{other:?}"),
    }
}

/// A client whose stream goes through a proxy.
async fn behind(house: &Installation, proxy: &Proxy, name: &str) -> (Client, UserId) {
    let broadcast_address = Some(proxy.address().to_string());
    let client = Client::connect(Options { broadcast_address, ..house.options() }).await.unwrap();
    let user = client.insert_user(name).await.unwrap().user_id;
    client.trust_me(user).await.unwrap();
    (client, user)
}

/// N08, N09: people see each other come, change and type.
#[tokio::test(flavor = "multi_thread")]
async fn n08_n09_a_client_hears_who_is_here() {
    let house = house(Form::Together, 300).await;
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let (grace_id, chat) = (grace_user.user_id, ada.insert_chat("", &[grace_user.user_id]).await.unwrap());
    let adas = live(&ada).await;
    let mut signals = adas.signals();
    assert_eq!(signals.watch(&[grace_id], &[]).await.unwrap(), [Presence::unknown(grace_id)]);
    let refusal = signals.watch(&[grace_id], &[]).await.unwrap_err();
    assert!(
        matches!(&refusal, Error::Call(error) if error.code == ErrorCode::Conflict
            && *error.data.as_ref().unwrap().user_ids == [grace_id]),
        "{refusal:?}"
    );
    let graces = live(&grace).await;
    assert_eq!(next(&mut signals).await, is(grace_id, PresenceState::Online));
    graces.signals().appear(Appearance::Away).await.unwrap();
    assert_eq!(next(&mut signals).await, is(grace_id, PresenceState::Away));
    let here = signals.who_is_in(chat.chat_id).await.unwrap();
    assert_eq!(here.people.len(), 2);
    assert_eq!(signals.presence_of(&[grace_id]).await.unwrap()[0].state, PresenceState::Away);
    graces.signals().typing(chat.chat_id, true).await.unwrap();
    let typing = Typing { chat_id: chat.chat_id, user_id: grace_id, expires_ms: 6_000 };
    assert_eq!(next(&mut signals).await, Signal::Typing(typing));
    drop(graces);
    assert_eq!(next_state(&mut signals).await, (grace_id, PresenceState::Offline));
    drop(adas);
    assert_eq!(within("the end", signals.next()).await, None);
    house.stop().await;
}

/// V08: a client whose connection is cut comes back, is seen as it was all the while, and is told what changed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn v08_a_client_that_is_cut_says_again_what_it_watched() {
    let house = house(Form::Together, 4 * GRACE_MS).await;
    let proxy = Proxy::to(house.broadcast_address).await;
    let (ada, ada_id) = behind(&house, &proxy, "Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let grace_id = grace_user.user_id;
    ada.insert_chat("", &[grace_id]).await.unwrap();
    let mut adas = live(&ada).await;
    let mut signals = adas.signals();
    signals.appear(Appearance::Away).await.unwrap();
    signals.watch(&[grace_id], &[]).await.unwrap();
    let graces = live(&grace).await;
    assert_eq!(next(&mut signals).await, is(grace_id, PresenceState::Online));
    let mut grace_sees = graces.signals();
    assert_eq!(grace_sees.watch(&[ada_id], &[]).await.unwrap()[0].state, PresenceState::Away);
    proxy.cut(End::Reset);
    while !matches!(
        within("the cut", adas.next()).await,
        Some(Event::Connection(ConnectionState::Disconnected { .. }))
    ) {}
    while !matches!(
        within("coming back", adas.next()).await,
        Some(Event::Connection(ConnectionState::Connected))
    ) {}
    graces.signals().appear(Appearance::Invisible).await.unwrap();
    assert_eq!(next_state(&mut signals).await, (grace_id, PresenceState::Offline), "it watches again");
    assert_eq!(grace_sees.presence_of(&[ada_id]).await.unwrap()[0].state, PresenceState::Away);
    signals.appear(Appearance::Online).await.unwrap();
    assert_eq!(
        next_state(&mut grace_sees).await,
        (ada_id, PresenceState::Online),
        "of the cut and the return nothing was told"
    );
    house.stop().await;
}
