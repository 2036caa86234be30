//! Who may register: anybody, who is invited, nobody; and on the machine itself the first one.

use data_server::Registration;
use serde_json::{Value, json};
use ttp::net::tls::Fingerprint;

use crate::house::*;

fn account(name: &str, code: &Value) -> Value {
    json!({"user_name": name, "password": PASSWORD, "invitation": code})
}

#[tokio::test]
async fn the_first_account_is_the_owners_whatever_the_policy() {
    for (registration, code) in [(Registration::Invitation, -32003), (Registration::Closed, -32003)] {
        let house = House::strict(|config| config.registration = registration).await;
        let mut owner = house.stranger().await;
        let begun = owner.call("Register", account("Owner", &Value::Null)).await.unwrap();
        assert_eq!(begun["server_role"], "owner");
        let refused = house.stranger().await.ask("Register", account("Ada", &Value::Null)).await.unwrap_err();
        assert_eq!((&refused["code"], &refused["data"]["stored"]), (&json!(code), &json!(false)));
        assert!(refused["message"].as_str().unwrap().contains("owner"), "whom to ask: {refused}");
    }
}

/// An invitation opens a closed house for as many as it says, and no longer than it says.
#[tokio::test]
async fn an_invitation_holds_for_its_uses() {
    let house = House::strict(|config| {
        config.registration = Registration::Invitation;
        config.public_address = Some("chat.example.org:8889".into());
        config.fingerprint.set(Some(Fingerprint::of_public_key(b"a key")));
    })
    .await;
    let (mut owner, _) = house.register("Owner").await;
    let made = owner.call("InsertInvitation", json!({"uses_max": 2, "role": "guest"})).await.unwrap();
    assert_eq!(made["address"], "chat.example.org:8889");
    assert_eq!(made["fingerprint"], Fingerprint::of_public_key(b"a key").to_string());
    assert_eq!(made["invitation"]["by"]["user_name"], "Owner");
    let code = &made["code"];
    assert_eq!(code.as_str().unwrap().len(), 32, "128 bits");
    for (name, left) in [("Ada", 1), ("Grace", 0)] {
        let begun = house.stranger().await.call("Register", account(name, code)).await.unwrap();
        assert_eq!(begun["server_role"], "guest");
        let listed = owner.call("GetInvitations", json!({})).await.unwrap();
        let listed = listed["invitations"].as_array().unwrap();
        assert_eq!(listed.len(), usize::from(left > 0));
        assert!(listed.iter().all(|invitation| invitation["uses_left"] == left));
        assert!(!json!(listed).to_string().contains(code.as_str().unwrap()), "shown once");
    }
    for code in [code, &json!("0123"), &json!("")] {
        let refused = house.stranger().await.call("Register", account("Eve", code)).await;
        assert_eq!(refused, Err(-32004), "{code}");
    }
    let made = owner.call("InsertInvitation", json!({})).await.unwrap();
    let end = json!({"invitation_id": made["invitation"]["invitation_id"]});
    assert_eq!(owner.call("RevokeInvitation", end.clone()).await, Ok(json!({})));
    assert_eq!(owner.call("RevokeInvitation", end).await, Err(-32004));
    let refused = house.stranger().await.call("Register", account("Eve", &made["code"])).await;
    assert_eq!(refused, Err(-32004));
    let short = owner.call("InsertInvitation", json!({"lifetime_ms": 1})).await.unwrap();
    while ttp::net::clock::now_ms() <= short["invitation"]["expires_ts"].as_i64().unwrap() {
        tokio::task::yield_now().await;
    }
    let refused = house.stranger().await.call("Register", account("Eve", &short["code"])).await;
    assert_eq!(refused, Err(-32004), "its time is over");
}

#[tokio::test]
async fn invitations_are_made_by_who_may_and_within_limits() {
    let house = House::strict(|_| {}).await;
    let (mut owner, _) = house.register("Owner").await;
    let (mut ada, _) = house.register("Ada").await;
    for params in [
        json!({"uses_max": 0}),
        json!({"uses_max": 1_001}),
        json!({"lifetime_ms": 0}),
        json!({"lifetime_ms": 91_u64 * 24 * 3_600_000}),
        json!({"role": "king"}),
    ] {
        assert_eq!(owner.call("InsertInvitation", params.clone()).await, Err(-32602), "{params}");
    }
    let made = owner.call("InsertInvitation", json!({})).await.unwrap();
    assert_eq!(
        (&made["invitation"]["uses_left"], &made["invitation"]["role"]),
        (&json!(1), &json!("member"))
    );
    let end = json!({"invitation_id": made["invitation"]["invitation_id"]});
    for (method, params) in
        [("InsertInvitation", json!({})), ("GetInvitations", json!({})), ("RevokeInvitation", end)]
    {
        assert_eq!(ada.call(method, params.clone()).await, Err(-32003), "{method}");
        assert_eq!(house.stranger().await.call(method, params).await, Err(-32001), "{method}");
    }
}
