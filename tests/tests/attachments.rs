//! Files of messages over real servers: they come back as they were over bad networks, nobody reads them who may not read the
//! message, and they go with the last message that has them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use client_lib::{
    Attachment, Chat, Client, Error, ErrorCode, FileHash, InsertMessage, Message, MessagePlace,
    NewAttachment, Options, UserId,
};
use data_server::store::sqlite;
use rusqlite::Connection;
use serde_json::json;
use sha2::{Digest, Sha256};
use tests::proxy::{End, Hand, Proxy, Way};
use tests::{Form, Installation, Setup, until, within};
use ttp::attachment::FileBytes;
use ttp::call::{BeginUpload, DownloadChunk, UploadChunk};
use ttp::limits::{FILE_CHUNK_BYTES_MAX, UPLOADS_BEGUN_MAX};

/// Bytes that no two places of a file have in common.
fn bytes(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = Sha256::digest([seed]);
    while bytes.len() < length {
        block = Sha256::digest(block);
        bytes.extend_from_slice(&block);
    }
    bytes.truncate(length);
    bytes
}

fn hash(bytes: &[u8]) -> FileHash {
    FileHash(Sha256::digest(bytes).into())
}

fn place(message: &Message) -> MessagePlace {
    MessagePlace { chat_id: message.chat_id, seq: message.seq }
}

fn files(message: &Message) -> &[Attachment] {
    message.details.as_ref().map_or(&[], |details| &details.attachments)
}

/// Every file below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(below(&path)) } else { found.push(path) }
    }
    found
}

/// A server with Ada and Bob in a chat, and Eve outside of it.
struct Stage {
    servers: Installation,
    ada: Client,
    bob: (Client, UserId),
    eve: Client,
    chat: Chat,
}

impl Stage {
    async fn start_with(setup: Setup) -> Self {
        let servers = Installation::start_with(Form::Together, setup).await;
        let [(ada, _), (bob, bobs), (eve, _)] =
            [servers.person("Ada").await, servers.person("Bob").await, servers.person("Eve").await];
        let chat = ada.insert_chat("photos", &[bobs.user_id, bobs.user_id]).await;
        let chat = match chat {
            Ok(chat) => chat,
            Err(_) => ada.insert_chat("photos", &[bobs.user_id]).await.unwrap(),
        };
        Self { servers, ada, bob: (bob, bobs.user_id), eve, chat }
    }

    async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    fn folder(&self) -> PathBuf {
        let mut name = self.servers.database().into_os_string();
        name.push("-files");
        name.into()
    }

    fn stored(&self, bytes: &[u8]) -> PathBuf {
        let name = hash(bytes).to_string();
        self.folder().join(&name[..2]).join(name)
    }

    async fn send(&self, bytes: &[u8], name: &str) -> Message {
        let sent = self.ada.upload_from(Cursor::new(bytes.to_vec()), name, |_| {}).await.unwrap();
        self.ada.insert_file(self.chat.chat_id, vec![sent], "").await.unwrap()
    }
}

fn code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::Call(refused) => Some(refused.code),
        _ => None,
    }
}

/// A client that reaches the servers over a bad network.
async fn over(proxy: &Proxy, servers: &Installation, user: UserId) -> Client {
    let options = Options {
        broadcast_address: Some(servers.broadcast_address.to_string()),
        ..Options::new(proxy.address().to_string())
    };
    let client = Client::connect(options).await.unwrap();
    client.trust_me(user).await.unwrap();
    client
}

/// Cuts the connection when so many more bytes have passed on one way.
struct Cutter {
    proxy: Arc<Proxy>,
    way: Way,
    left: Arc<AtomicI64>,
}

impl Hand for Cutter {
    fn pass(&mut self, way: Way, bytes: &[u8]) -> Vec<u8> {
        let count = bytes.len() as i64;
        if way != self.way {
            return bytes.to_vec();
        }
        let left = self.left.fetch_sub(count, Ordering::SeqCst);
        if left <= 0 || left > count {
            return bytes.to_vec();
        }
        self.proxy.cut(End::Reset);
        bytes[..left as usize].to_vec()
    }
}

/// Answers what is left until the cut.
fn cut_after(proxy: &Arc<Proxy>, way: Way, bytes: i64) -> Arc<AtomicI64> {
    let left = Arc::new(AtomicI64::new(bytes));
    let (cutting, counted) = (Arc::clone(proxy), Arc::clone(&left));
    proxy
        .lay_hands(move || Box::new(Cutter { proxy: Arc::clone(&cutting), way, left: Arc::clone(&counted) }));
    left
}

/// V12: a file of 5 MB in parts, each way cut in the middle of a part, comes back as it was, and no part before the cut goes
/// twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_survives_cuts_both_ways() {
    let stage = Stage::start().await;
    let proxy = Arc::new(Proxy::to(stage.servers.data_address).await);
    let left = cut_after(&proxy, Way::Up, 3_000_000);
    let me = stage.bob.1;
    let client = over(&proxy, &stage.servers, me).await;
    let content = bytes(5_000_000, 1);
    let source = stage.servers.folder().join("far away.bin");
    std::fs::write(&source, &content).unwrap();
    let mut seen = Vec::new();
    let sent = client.upload(&source, |transfer| seen.push(transfer.done)).await.unwrap();
    assert!(
        left.load(Ordering::SeqCst) <= 0 && proxy.accepted() == 2,
        "the connection was cut on the way up"
    );
    assert!(seen.is_sorted() && seen.last() == Some(&5_000_000), "{seen:?}");
    assert_eq!(
        seen.len(),
        1 + content.len().div_ceil(FILE_CHUNK_BYTES_MAX),
        "each part arrived once: {seen:?}"
    );
    let message = client.insert_file(stage.chat.chat_id, vec![sent], "look").await.unwrap();
    assert_eq!(
        (files(&message)[0].bytes, files(&message)[0].file_name.as_str()),
        (5_000_000, "far away.bin")
    );

    let target = stage.servers.folder().join("here.bin");
    let left = cut_after(&proxy, Way::Down, 3_000_000);
    proxy.cut(End::Reset);
    let fetched = client.download(place(&message), hash(&content), &target, |_| {}).await.unwrap();
    assert!(
        left.load(Ordering::SeqCst) <= 0 && proxy.accepted() == 4,
        "the connection was cut on the way down"
    );
    assert_eq!(fetched, 5_000_000);
    assert!(std::fs::read(&target).unwrap() == content, "the file is another one");
    // What is there is not written over.
    let again = client.download(place(&message), hash(&content), &target, |_| {}).await;
    assert!(matches!(again, Err(Error::File { .. })), "{again:?}");
    // What another program, or an earlier run of this one, has sent is not sent again.
    let mut seen = Vec::new();
    client.upload(&source, |transfer| seen.push(transfer.done)).await.unwrap();
    assert_eq!(seen, [5_000_000]);
}

/// What an earlier run has begun is taken up: half of an upload by another client of the person, and half of a download.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_is_taken_up() {
    let stage = Stage::start().await;
    let content = bytes(1_000_000, 2);
    let (sha256, length) = (hash(&content), content.len() as u64);
    assert_eq!(stage.ada.call(BeginUpload { sha256, bytes: length }).await.unwrap().have, 0);
    let data = FileBytes(content[..200_000].to_vec());
    let part = UploadChunk { sha256, bytes: length, offset: 0, data };
    assert_eq!(stage.ada.call(part.clone()).await.unwrap().have, 200_000);
    // The same part once more is answered, and not taken.
    assert_eq!(stage.ada.call(part).await.unwrap().have, 200_000);
    let mut seen = Vec::new();
    let sent =
        stage.ada.upload_from(Cursor::new(content.clone()), "b.bin", |at| seen.push(at.done)).await.unwrap();
    assert_eq!(seen[0], 200_000);
    let message = stage.ada.insert_file(stage.chat.chat_id, vec![sent], "").await.unwrap();

    let target = stage.servers.folder().join("b.bin");
    let part = stage.servers.folder().join("b.bin.part");
    std::fs::write(&part, &content[..300_000]).unwrap();
    let mut seen = Vec::new();
    stage.bob.0.download(place(&message), sha256, &target, |at| seen.push(at.done)).await.unwrap();
    assert!(seen[0] > 300_000 && std::fs::read(&target).unwrap() == content && !part.exists());
    // A part of something else is found out, and is not in the way of the next attempt.
    let other = stage.servers.folder().join("c.bin");
    std::fs::write(stage.servers.folder().join("c.bin.part"), b"nonsense").unwrap();
    let fetched = stage.bob.0.download(place(&message), sha256, &other, |_| {}).await;
    assert!(matches!(fetched, Err(Error::WrongFile)) && !other.exists(), "{fetched:?}");
    stage.bob.0.download(place(&message), sha256, &other, |_| {}).await.unwrap();
}

/// What is not what its hash says, is too long or too much at one time is refused, and nothing of it stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_file_is_refused() {
    let mut setup = Setup::default();
    setup.data.attachment_bytes_max = 300_000;
    let stage = Stage::start_with(setup).await;
    let ada = &stage.ada;
    let content = bytes(1_000, 3);
    let wrong = hash(b"something else");
    let begin = |sha256, bytes| ada.call(BeginUpload { sha256, bytes });
    let chunk = |sha256, bytes, offset, data: &[u8]| {
        ada.call(UploadChunk { sha256, bytes, offset, data: FileBytes(data.to_vec()) })
    };
    begin(wrong, 1_000).await.unwrap();
    let refused = chunk(wrong, 1_000, 0, &content).await.unwrap_err();
    assert_eq!(code(&refused), Some(ErrorCode::InvalidParams), "{refused}");
    assert!(below(&stage.folder()).is_empty(), "{:?}", below(&stage.folder()));
    let refused = chunk(wrong, 1_000, 0, &content).await.unwrap_err();
    assert_eq!(code(&refused), Some(ErrorCode::NotFound), "nothing is begun any more: {refused}");
    let refused = begin(wrong, 300_001).await.unwrap_err();
    assert_eq!(code(&refused), Some(ErrorCode::TooLarge), "{refused}");
    assert!(refused.to_string().contains("300000"), "{refused}");
    assert_eq!(code(&begin(wrong, 0).await.unwrap_err()), Some(ErrorCode::InvalidParams));
    begin(hash(&content), 1_000).await.unwrap();
    let refused = chunk(hash(&content), 1_000, 0, &bytes(1_001, 3)).await.unwrap_err();
    assert_eq!(code(&refused), Some(ErrorCode::InvalidParams), "beyond the end: {refused}");
    let refused = chunk(hash(&content), 1_000, 0, &bytes(FILE_CHUNK_BYTES_MAX + 1, 3)).await.unwrap_err();
    assert_eq!(code(&refused), Some(ErrorCode::TooLarge), "{refused}");
    for other in 1..UPLOADS_BEGUN_MAX {
        begin(FileHash([other as u8; 32]), 9).await.unwrap();
    }
    let refused = begin(wrong, 9).await.unwrap_err();
    assert_eq!(code(&refused), Some(ErrorCode::Conflict), "{refused}");
    // One that is begun goes on.
    assert_eq!(chunk(hash(&content), 1_000, 0, &content).await.unwrap().have, 1_000);
    begin(wrong, 9).await.unwrap();
    let name = |file_name: &str| NewAttachment {
        sha256: hash(&content),
        file_name: file_name.into(),
        media_type: None,
    };
    for file_name in ["", "../a", "a/b", "a\nb", "a\u{202e}b"] {
        let refused = ada.insert_file(stage.chat.chat_id, vec![name(file_name)], "").await.unwrap_err();
        assert_eq!(code(&refused), Some(ErrorCode::InvalidParams), "{file_name:?}: {refused}");
    }
    let refused = ada.insert_file(stage.chat.chat_id, vec![name("a"), name("b")], "").await.unwrap_err();
    assert_eq!(code(&refused), Some(ErrorCode::InvalidParams), "{refused}");
    ada.insert_file(stage.chat.chat_id, vec![name("a")], "").await.unwrap();
}

/// G20: a hash opens nothing. To a stranger a file that is there looks in every answer like one that is not, and who was
/// removed reads no more of it.
#[tokio::test(flavor = "multi_thread")]
async fn g20_a_hash_alone_opens_nothing() {
    let stage = Stage::start().await;
    let (bob, bobs) = &stage.bob;
    let (carol, carols) = stage.servers.person("Carol").await;
    let group = stage.ada.insert_chat("team", &[*bobs, carols.user_id]).await.unwrap().chat_id;
    let content = bytes(50_000, 4);
    let (there, not_there) = (hash(&content), hash(b"nobody has this"));
    let sent = stage.ada.upload_from(Cursor::new(content.clone()), "plan.pdf", |_| {}).await.unwrap();
    let message = stage.ada.insert_file(group, vec![sent.clone()], "the plan").await.unwrap();
    let read = |client: &Client, sha256| {
        let MessagePlace { chat_id, seq } = place(&message);
        let (client, call) =
            (client.clone(), DownloadChunk { chat_id, seq, sha256, offset: 0, length: None });
        async move { client.call(call).await }
    };
    for member in [&stage.ada, bob, &carol] {
        assert!(read(member, there).await.unwrap().data.0 == content);
        assert_eq!(code(&read(member, not_there).await.unwrap_err()), Some(ErrorCode::NotFound));
    }
    let eve = &stage.eve;
    let notes = eve.insert_chat("notes", &[carols.user_id]).await.unwrap().chat_id;
    let mut answers = Vec::new();
    for sha256 in [there, not_there] {
        let mut told = Vec::new();
        told.push(format!("{:?}", eve.call(BeginUpload { sha256, bytes: 50_000 }).await));
        let attachment = NewAttachment { sha256, file_name: "mine".into(), media_type: None };
        let said = eve.insert_file(notes, vec![attachment], "").await.unwrap_err();
        assert_eq!(code(&said), Some(ErrorCode::NotFound), "{said}");
        told.push(said.to_string().replace(&sha256.to_string(), "HASH"));
        let fetched = read(eve, sha256).await.unwrap_err();
        assert_eq!(code(&fetched), Some(ErrorCode::Forbidden), "{fetched}");
        told.push(fetched.to_string());
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1], "what is there looks like what is not there");
    // Who can read it may say it elsewhere, without sending it again.
    assert_eq!(carol.call(BeginUpload { sha256: there, bytes: 50_000 }).await.unwrap().have, 50_000);
    let elsewhere = carol.insert_chat("elsewhere", &[*bobs]).await.unwrap().chat_id;
    carol.insert_file(elsewhere, vec![sent.clone()], "from carol").await.unwrap();
    // Who is removed reads nothing of the message any more, and what the person has by another message stays.
    stage.ada.remove_participant(group, *bobs).await.unwrap();
    assert_eq!(code(&read(bob, there).await.unwrap_err()), Some(ErrorCode::Forbidden));
    stage.ada.remove_participant(group, carols.user_id).await.unwrap();
    assert_eq!(code(&read(&carol, there).await.unwrap_err()), Some(ErrorCode::Forbidden));
    assert_eq!(bob.call(BeginUpload { sha256: there, bytes: 50_000 }).await.unwrap().have, 50_000);
    assert_eq!(eve.call(BeginUpload { sha256: there, bytes: 50_000 }).await.unwrap().have, 0);
}

/// A forwarded message takes its files along; the file goes from the disk with the last message that has it, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_with_its_last_message() {
    let stage = Stage::start().await;
    let content = bytes(70_000, 5);
    let first = stage.send(&content, "a.bin").await;
    assert!(stage.stored(&content).exists());
    assert_eq!(below(&stage.folder()), [stage.stored(&content)], "nothing is left of the sending");
    let other = stage.ada.insert_chat("other", &[stage.bob.1]).await.unwrap().chat_id;
    let second = stage.ada.forward(place(&first), other).await.unwrap();
    assert_eq!(files(&second), files(&first));
    stage.ada.delete_message(first.chat_id, first.seq).await.unwrap();
    let target = stage.servers.folder().join("a.bin");
    let gone = stage.bob.0.download(place(&first), hash(&content), &target, |_| {}).await.unwrap_err();
    assert_eq!(code(&gone), Some(ErrorCode::NotFound));
    stage.bob.0.download(place(&second), hash(&content), &target, |_| {}).await.unwrap();
    stage.ada.delete_message(second.chat_id, second.seq).await.unwrap();
    until("the file to go", async || !stage.stored(&content).exists()).await;
    let database = Connection::open(stage.servers.database()).unwrap();
    until("the row to go", async || {
        database.query_row("SELECT count(*) FROM Files", [], |row| row.get::<_, u64>(0)).unwrap() == 0
    })
    .await;
    // And it can come again.
    stage.send(&content, "a.bin").await;
    assert!(stage.stored(&content).exists());
}

/// Images say how large they are, by their first bytes and whatever the sender claims; readers who come by stream, page and
/// `Sync` are told the same.
#[tokio::test(flavor = "multi_thread")]
async fn images_carry_their_dimensions() {
    let stage = Stage::start().await;
    let mut events = tests::live(&stage.bob.0).await;
    let png =
        [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xf0\x08\x06\0\0\0"[..], &bytes(100, 6)].concat();
    let mut claims = stage.ada.upload_from(Cursor::new(png), "cat.gif", |_| {}).await.unwrap();
    claims.media_type = Some("text/html".into());
    let mut pretends = stage.ada.upload_from(Cursor::new(bytes(100, 7)), "dog.png", |_| {}).await.unwrap();
    pretends.media_type = Some("image/png".into());
    let mut says = stage.ada.upload_from(Cursor::new(bytes(100, 8)), "a.pdf", |_| {}).await.unwrap();
    says.media_type = Some("application/pdf".into());
    let message = stage.ada.insert_file(stage.chat.chat_id, vec![claims, pretends, says], "").await.unwrap();
    let told: Vec<_> =
        files(&message).iter().map(|file| (file.media_type.as_deref(), file.width, file.height)).collect();
    assert_eq!(told, [(Some("image/png"), 320, 240), (None, 0, 0), (Some("application/pdf"), 0, 0)]);
    let page = stage.bob.0.get_messages(stage.chat.chat_id, None, None).await.unwrap();
    assert_eq!(files(page.messages.last().unwrap()), files(&message));
    let heard = within("the event", async {
        loop {
            if let Some(client_lib::Event::Entry(entry)) = events.next().await
                && let Some(heard) = entry.message()
            {
                return heard.clone();
            }
        }
    })
    .await;
    assert_eq!(files(&heard), files(&message));
    for (query, found) in [("has:file", 1), ("has:image", 1), ("has:image from:Bob", 0), ("has:file x", 0)] {
        let search = ttp::call::SearchMessages { query: query.into(), ..Default::default() };
        let hits = stage.bob.0.search_messages(search).await.unwrap().hits;
        assert_eq!(hits.len(), found, "{query}");
        assert!(hits.iter().all(|hit| files(&hit.message).len() == 3), "{query}");
    }
}

/// T69: the key of a message covers its files.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_message_covers_its_files() {
    let stage = Stage::start().await;
    let mut wire = stage.servers.data_wire().await;
    wire.result("Hello", json!({"protocol": [2]})).await;
    wire.result("Authenticate", json!({"user_id": stage.ada.me().unwrap().user_id})).await;
    let mut sent = Vec::new();
    for seed in [9, 10] {
        sent.push(stage.ada.upload_from(Cursor::new(bytes(10, seed)), "a", |_| {}).await.unwrap());
    }
    let call = |text: &str, attachments: &[NewAttachment]| {
        let call = InsertMessage {
            chat_id: stage.chat.chat_id,
            message_text: text.into(),
            client_message_id: Some("key".into()),
            attachments: attachments.to_vec(),
            ..InsertMessage::default()
        };
        serde_json::to_value(call).unwrap()
    };
    let first = wire.result("InsertMessage", call("x", &sent[..1])).await;
    assert_eq!(wire.result("InsertMessage", call("x", &sent[..1])).await, first);
    let renamed = NewAttachment { file_name: "b".into(), ..sent[0].clone() };
    for other in [&sent[1..], &sent[..], &[], &[renamed]] {
        assert_eq!(wire.refusal("InsertMessage", call("x", other)).await, -32009, "{other:?}");
    }
    assert_eq!(
        wire.refusal("InsertMessage", call("", &[])).await,
        -32602,
        "without files there must be words"
    );
}

/// H07: files of messages go along with an export and an import; what is not what its name says is taken by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn files_go_out_and_come_in_with_their_messages() {
    let stage = Stage::start().await;
    let png =
        [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x40\0\0\0\xf0\x08\x06\0\0\0"[..], &bytes(100, 11)].concat();
    let kept = stage.send(&png, "cat.png").await;
    stage.ada.forward(place(&kept), stage.chat.chat_id).await.unwrap();
    let deleted = stage.send(&bytes(100, 12), "gone.bin").await;
    stage.ada.delete_message(deleted.chat_id, deleted.seq).await.unwrap();
    let name = hash(&png).to_string();
    let home = stage.servers.stop().await;
    let path = |name: &str| home.path().join(name);
    let quiet = &mut |_| std::ops::ControlFlow::Continue(());
    let exported = sqlite::export(&path("talko.db"), &[], &path("export"), quiet).unwrap();
    assert_eq!((exported.files, exported.files_missing), (1, 0));
    assert_eq!(std::fs::read(path("export/files").join(&name)).unwrap(), png);
    assert_eq!(sqlite::import(&path("export"), &path("new.db"), quiet).unwrap(), exported);
    let report = sqlite::check(&path("new.db")).unwrap();
    assert_eq!(report.faults().collect::<Vec<_>>(), Vec::<&str>::new());
    let images = "SELECT count(*) FROM Files WHERE width = 320 AND height = 240 AND media_type = 'image/png'";
    let new = Connection::open(path("new.db")).unwrap();
    assert_eq!(new.query_row(images, [], |row| row.get::<_, u64>(0)).unwrap(), 1);
    assert_eq!(below(&path("new.db-files")).len(), 1);
    // An export of the lines alone brings the messages, and says how many files are missing.
    let imported = sqlite::import(&path("export/talko.jsonl"), &path("lines.db"), quiet).unwrap();
    assert_eq!((imported.files, imported.files_missing), (0, 1));
    std::fs::write(path("export/files").join(&name), b"sand").unwrap();
    let refused = sqlite::import(&path("export"), &path("other.db"), quiet).unwrap_err().to_string();
    assert!(refused.contains("not what its name says") && !path("other.db").exists(), "{refused}");
}
