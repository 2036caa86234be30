//! Searching the whole history, over real servers: in three languages, by whom, where and when, page by page, and by nobody
//! who may not read it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use client_lib::{Client, Error, ErrorCode};
use tests::{Form, Installation, until};
use ttp::call::{SearchMessages, SearchOrder, SearchReply};
use ttp::model::ChatId;

async fn search(client: &Client, query: &str) -> SearchReply {
    client.search_messages(SearchMessages { query: query.into(), ..SearchMessages::default() }).await.unwrap()
}

/// The texts that are found, in their order.
async fn found(client: &Client, query: &str) -> Vec<String> {
    search(client, query).await.hits.into_iter().map(|hit| hit.message.message_text).collect()
}

#[track_caller]
fn assert_refused(answer: Result<SearchReply, Error>, code: ErrorCode, sentence: &str) {
    match answer.unwrap_err() {
        Error::Call(refusal) if refusal.code == code => {
            assert!(refusal.message.contains(sentence), "{}", refusal.message);
        }
        other => panic!("{other}"),
    }
}

async fn say(client: &Client, chat_id: ChatId, texts: &[&str]) {
    for text in texts {
        client.insert_message(chat_id, text).await.unwrap();
    }
}

/// What of a text is marked.
fn marked(reply: &SearchReply) -> Vec<String> {
    let hit = &reply.hits[0];
    let chars: Vec<char> = hit.message.message_text.chars().collect();
    hit.highlights.iter().map(|[start, end]| chars[*start..*end].iter().collect()).collect()
}

/// The examples of three languages, asked at once after they were said, and again when they are in the index.
#[tokio::test(flavor = "multi_thread")]
async fn english_russian_and_chinese_are_found_at_once_and_later() {
    for form in [Form::Together, Form::Apart] {
        let house = Installation::start(form).await;
        let (ada, _) = house.person("Ada").await;
        let (_, grace) = house.person("Grace").await;
        let chat_id = ada.insert_chat("", &[grace.user_id]).await.unwrap().chat_id;
        let texts =
            ["我家在上海东边。", "Пришло новое сообщение", "Ёлка зелёная", "I run every morning", "海上"];
        say(&ada, chat_id, &texts).await;
        let database = house.database();
        let mut is_indexed = false;
        loop {
            for (query, text, mark) in [
                ("上海", texts[0], "上海"),
                ("сообщения", texts[1], "сообщение"),
                ("елка", texts[2], "Ёлка"),
                ("ЗЕЛЕНЫЕ", texts[2], "зелёная"),
                ("running", texts[3], "run"),
                ("\"every mornings\"", texts[3], "every morning"),
            ] {
                let reply = search(&ada, query).await;
                let said: Vec<&str> =
                    reply.hits.iter().map(|hit| hit.message.message_text.as_str()).collect();
                assert_eq!(said, [text], "{query}");
                assert_eq!(marked(&reply).concat().replace(' ', ""), mark.replace(' ', ""), "{query}");
                assert_eq!(reply.indexing, None);
            }
            for query in ["上东", "runner", "\"morning every\"", "мороз"] {
                assert_eq!(found(&ada, query).await, [""; 0], "{query}");
            }
            if std::mem::replace(&mut is_indexed, true) {
                break;
            }
            let marks = rusqlite::Connection::open(&database).unwrap();
            until("messages are in the index", async || {
                let sql = "SELECT count(*) FROM TextMarks t JOIN Chats c USING (chat_id) WHERE indexed_seq = last_seq";
                marks.query_row(sql, [], |row| row.get::<_, i64>(0)).is_ok_and(|chats| chats == 1)
            })
            .await;
        }
        let folder = house.stop().await;
        let report = data_server::store::sqlite::check(&database).unwrap();
        assert_eq!(report.faults().collect::<Vec<_>>(), [""; 0]);
        drop(folder);
    }
}

/// Who may not read a message does not find it; who comes later finds what was said before, as in the list of messages.
#[tokio::test(flavor = "multi_thread")]
async fn only_own_chats_are_searched() {
    let house = Installation::start(Form::Together).await;
    let (ada, _) = house.person("Ada").await;
    let (grace, grace_user) = house.person("Grace").await;
    let (linus, linus_user) = house.person("Linus").await;
    let lunch = ada.insert_chat("lunch", &[grace_user.user_id, linus_user.user_id]).await.unwrap().chat_id;
    let plans = ada.insert_chat("plans", &[ada.me().unwrap().user_id]).await.unwrap().chat_id;
    say(&ada, lunch, &["soup today"]).await;
    say(&grace, lunch, &["no soup for me, see http://menu.example/soup"]).await;
    say(&ada, plans, &["soup in secret"]).await;

    assert_eq!(found(&ada, "soup").await.len(), 3);
    assert_eq!(found(&grace, "soup").await.len(), 2);
    assert_eq!(found(&ada, "soup in:plans").await, ["soup in secret"]);
    assert_eq!(found(&ada, "soup from:me in:lunch").await, ["soup today"]);
    assert_eq!(found(&ada, "from:grace").await.len(), 1);
    assert_eq!(found(&linus, "has:link").await.len(), 1);
    assert_eq!(found(&ada, "soup after:2020-01-01").await.len(), 3);
    assert_eq!(found(&ada, "soup before:2020-01-01").await.len(), 0);

    let ask = |client: &Client, query: &str, chat_id| {
        let search = SearchMessages { query: query.into(), chat_id, ..SearchMessages::default() };
        let client = client.clone();
        async move { client.search_messages(search).await }
    };
    assert_refused(ask(&grace, "soup", Some(plans)).await, ErrorCode::Forbidden, "does not take part");
    assert_refused(ask(&grace, "soup in:plans", None).await, ErrorCode::NotFound, "no chat of that name");
    assert_refused(ask(&ada, "soup from:nobody", None).await, ErrorCode::NotFound, "no user of that name");
    assert_refused(ask(&ada, "soup before:banana", None).await, ErrorCode::InvalidParams, "2026-11-21");
    assert_eq!(found(&ada, "has:file").await.len(), 0);
    assert_refused(ask(&ada, "...", None).await, ErrorCode::InvalidParams, "say what to look for");
    assert_refused(ask(&ada, &"x ".repeat(40), None).await, ErrorCode::TooLarge, "look for less");

    ada.remove_participant(lunch, grace_user.user_id).await.unwrap();
    assert_eq!(found(&grace, "soup").await.len(), 0);
    ada.add_participant(plans, linus_user.user_id).await.unwrap();
    assert_eq!(found(&linus, "secret").await, ["soup in secret"]);
    house.stop().await;
}

/// Pages follow one another without a gap or a repeat, also while others speak; the best come first when asked for; what
/// stands around a message comes along.
#[tokio::test(flavor = "multi_thread")]
async fn pages_orders_and_context() {
    let house = Installation::start(Form::Together).await;
    let (ada, ada_user) = house.person("Ada").await;
    let mut chats = Vec::new();
    for name in ["one", "two", "three"] {
        chats.push(ada.insert_chat(name, &[ada_user.user_id]).await.unwrap().chat_id);
    }
    for number in 0..30 {
        say(&ada, chats[number % 3], &[&format!("the run of day {number}"), "and nothing else"]).await;
    }
    say(&ada, chats[0], &["running"]).await;
    for order in [SearchOrder::Newest, SearchOrder::Relevance] {
        let mut places = Vec::new();
        let mut page = SearchMessages {
            query: "running".into(),
            limit: Some(7),
            order: Some(order),
            context: Some(1),
            ..SearchMessages::default()
        };
        loop {
            let reply = ada.search_messages(page.clone()).await.unwrap();
            assert!(reply.hits.len() <= 7);
            for hit in &reply.hits {
                places.push((hit.message.message_ts, hit.message.chat_id, hit.message.seq));
                let around = hit.before.iter().chain(&hit.after);
                assert!(
                    around.clone().count() <= 2 && around.clone().all(|m| m.chat_id == hit.message.chat_id)
                );
            }
            assert_eq!(reply.more, reply.cursor.is_some());
            let Some(cursor) = reply.cursor else { break };
            page.cursor = Some(cursor);
            say(&ada, chats[1], &["a run that came later"]).await;
        }
        let mut newest_first = places.clone();
        newest_first.sort_unstable();
        newest_first.dedup();
        newest_first.reverse();
        match order {
            SearchOrder::Newest => assert_eq!(places, newest_first),
            SearchOrder::Relevance => assert_eq!(places.len(), newest_first.len()),
        }
        assert!(places.len() >= 31, "{} of {order:?}", places.len());
    }
    let best = SearchMessages {
        query: "running".into(),
        order: Some(SearchOrder::Relevance),
        ..SearchMessages::default()
    };
    let best = ada.search_messages(best).await.unwrap();
    assert_eq!(best.hits[0].message.message_text, "running", "the form that was typed comes first");
    let first = search(&ada, "\"day 0\"").await.hits.remove(0);
    assert_eq!((first.before.len(), first.after.len()), (0, 0), "context comes when it is asked for");
    house.stop().await;
}
