//! Who is typing.

use serde_json::json;
use tests::{Form, Installation};

use crate::FORMS;
use crate::seat::{self, Seat, house, ids};

/// The others in a chat are told who types and when they cease to, and neither the person's own devices nor strangers.
/// What is said too often is answered and not passed on.
#[tokio::test(flavor = "multi_thread")]
async fn others_in_the_chat_are_told_who_types() {
    for form in FORMS {
        let house = house(form, 300).await;
        let [ada, grace, tony, eve] = ids(&house, ["Ada", "Grace", "Tony", "Eve"]).await;
        let chat = seat::group(&house, ada, &[grace, tony]).await;
        let mut adas = Seat::open(&house, ada).await;
        let mut phone = Seat::open(&house, ada).await;
        let mut graces = Seat::open(&house, grace).await;
        let mut tonys = Seat::open(&house, tony).await;
        let mut eves = Seat::open(&house, eve).await;
        for _ in 0..3 {
            adas.ask("SetTyping", json!({"chat_id": chat, "typing": true})).await;
        }
        let types = json!({"chat_id": chat, "user_id": ada, "expires_ms": 6_000});
        assert_eq!(graces.next("Typing").await, types);
        assert_eq!(tonys.next("Typing").await, types);
        adas.ask("SetTyping", json!({"chat_id": chat, "typing": false})).await;
        let ceased = json!({"chat_id": chat, "user_id": ada, "expires_ms": 0});
        assert_eq!(graces.next("Typing").await, ceased, "three words within two seconds are one");
        graces.ask("SetTyping", json!({"chat_id": chat, "typing": true})).await;
        let graces_word = json!({"chat_id": chat, "user_id": grace, "expires_ms": 6_000});
        assert_eq!(phone.next("Typing").await, graces_word, "Ada's phone was not told of Ada");
        assert_eq!(adas.next("Typing").await, graces_word);
        let params = json!({"chat_id": chat, "typing": true});
        assert_eq!(eves.refusal("SetTyping", params).await["code"], -32003);
        assert_eq!(eves.refusal("SetTyping", json!({"chat_id": 999, "typing": true})).await["code"], -32003);
        is_told_nothing_of_typing(&house, eves, eve).await;
        house.stop().await;
    }
}

/// Who is invisible types unseen.
#[tokio::test(flavor = "multi_thread")]
async fn the_typing_of_the_invisible_is_not_told() {
    let house = house(Form::Together, 300).await;
    let [ada, grace, tony] = ids(&house, ["Ada", "Grace", "Tony"]).await;
    let chat = seat::group(&house, ada, &[grace, tony]).await;
    let mut adas = Seat::open_showing(&house, ada, "invisible").await;
    let mut tonys = Seat::open(&house, tony).await;
    let mut graces = Seat::open(&house, grace).await;
    adas.ask("SetTyping", json!({"chat_id": chat, "typing": true})).await;
    tonys.ask("SetTyping", json!({"chat_id": chat, "typing": true})).await;
    assert_eq!(graces.next("Typing").await["user_id"], tony);
    house.stop().await;
}

/// The first that somebody is told is what happens in a chat of their own, later.
async fn is_told_nothing_of_typing(house: &Installation, mut seat: Seat, user: i64) {
    let [friend, other] = ids(house, ["Friend", "Other"]).await;
    let chat = seat::group(house, friend, &[user, other]).await;
    let mut friends = Seat::open(house, friend).await;
    friends.ask("SetTyping", json!({"chat_id": chat, "typing": true})).await;
    assert_eq!(seat.next("Typing").await["user_id"], friend);
}
