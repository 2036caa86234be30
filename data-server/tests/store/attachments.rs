//! Files of messages in the store: who may put them into messages and read them, and when they are free. What is in them is
//! nobody's business here.

use data_server::store::sqlite::{check, files_beside};
use data_server::store::{
    AttachmentQuery, Attachments, By, FileQuery, Image, MessageAct, MessageChange, NewFile, NewMessage,
    References, Store, StoreError,
};
use sha2::{Digest, Sha256};
use ttp::attachment::{Attachment, FileHash};
use ttp::call::{MessagePlace, NewAttachment};
use ttp::limits::UPLOADS_WAITING_MAX;
use ttp::model::{ChatId, Message, UserId};

use crate::house::*;

fn hash(number: u8) -> FileHash {
    FileHash([number; 32])
}

fn named(number: u8) -> NewAttachment {
    NewAttachment { sha256: hash(number), file_name: format!("{number}.bin"), media_type: None }
}

impl<S: Store> Caller<S> {
    fn has_sent(&self, user_id: UserId, sha256: FileHash) {
        let new = NewFile { user_id, sha256, bytes: 9, image: None };
        self.ask(|store, done| store.insert_file(By::Trust, new, done)).unwrap();
    }

    fn file(&self, user_id: UserId, sha256: FileHash) -> Answer<Option<u64>> {
        self.ask(|store, done| store.file(By::Trust, FileQuery { user_id, sha256 }, done))
    }

    fn attach(&self, chat_id: ChatId, user_id: UserId, files: &[u8], key: Option<&str>) -> Answer<Message> {
        let attachments = files.iter().map(|number| named(*number)).collect();
        self.send(NewMessage { attachments, ..message(chat_id, user_id, "", key) })
    }

    fn read(&self, message: &Message, viewer: UserId, number: u8) -> Answer<Attachment> {
        let Message { chat_id, seq, .. } = *message;
        let query = AttachmentQuery { viewer, chat_id, seq, sha256: hash(number) };
        self.ask(|store, done| store.attachment(By::Trust, query, done))
    }

    fn delete(&self, message: &Message) {
        let Message { chat_id, seq, .. } = *message;
        let change = MessageChange { chat_id, seq, by: message.user.user_id, act: MessageAct::Delete };
        self.ask(|store, done| store.change_message(By::Trust, change, done)).unwrap();
    }

    fn free(&self) -> Vec<FileHash> {
        self.ask(|store, done| store.free_files(10, done)).unwrap()
    }
}

#[test]
fn who_has_sent_a_file_or_can_read_it_says_it() {
    let house = House::new();
    let store = house.open();
    let [ada, bob, eve, carol] = ["Ada", "Bob", "Eve", "Carol"].map(|name| store.user(name));
    let (group, alone) = (store.group(&[ada, bob, carol]), store.group(&[eve]));
    assert_eq!(store.attach(group, ada, &[1], None), Err(StoreError::NoSuchFile(hash(1))));
    store.has_sent(ada, hash(1));
    assert_eq!(store.file(ada, hash(1)), Ok(Some(9)));
    for other in [bob, eve] {
        assert_eq!(store.file(other, hash(1)), Ok(None), "who sent it told nobody yet");
        assert_eq!(store.attach(group, bob, &[1], None), Err(StoreError::NoSuchFile(hash(1))));
    }
    let said = store.attach(group, ada, &[1], Some("key")).unwrap();
    assert_eq!(store.attach(group, ada, &[1], Some("key")), Ok(said.clone()));
    assert_eq!((store.file(bob, hash(1)), store.file(eve, hash(1))), (Ok(Some(9)), Ok(None)));
    assert_eq!(store.attach(alone, eve, &[1], None), Err(StoreError::NoSuchFile(hash(1))));
    assert_eq!(store.read(&said, bob, 1).unwrap().bytes, 9);
    assert_eq!(store.read(&said, bob, 2), Err(StoreError::NoSuchAttachment(said.seq)));
    let stranger = StoreError::NotAParticipant { user_id: eve, chat_id: group };
    assert_eq!(store.read(&said, eve, 1), Err(stranger));
    // A message of which one file cannot be said is not said at all.
    assert_eq!(store.attach(group, bob, &[1, 2], None), Err(StoreError::NoSuchFile(hash(2))));
    assert_eq!(store.head(group, ada), said.seq);
    store.remove(group, ada, bob).unwrap();
    assert_eq!(store.file(bob, hash(1)), Ok(None));
    let gone = StoreError::NotAParticipant { user_id: bob, chat_id: group };
    assert_eq!(store.read(&said, bob, 1), Err(gone));
}

#[test]
fn a_file_is_free_when_nobody_needs_it() {
    let house = House::new();
    let store = house.open();
    let ada = store.user("Ada");
    let group = store.group(&[ada]);
    store.has_sent(ada, hash(1));
    let first = store.attach(group, ada, &[1], Some("key")).unwrap();
    let forward = Some(MessagePlace { chat_id: group, seq: first.seq });
    let references = References { forward, ..References::default() };
    let second = store.send(NewMessage { references, ..message(group, ada, "", None) }).unwrap();
    assert_eq!(second.details.as_ref().unwrap().attachments, first.details.as_ref().unwrap().attachments);
    store.delete(&first);
    assert_eq!(store.free(), []);
    // The key still stands for the message that was deleted, also when it is sent with its file.
    assert_eq!(store.attach(group, ada, &[1], Some("key")).unwrap().seq, first.seq);
    store.delete(&second);
    assert_eq!(store.free(), [hash(1)]);
    assert_eq!(store.file(ada, hash(1)), Ok(None), "what is about to go is not said any more");
    assert_eq!(store.attach(group, ada, &[1], None), Err(StoreError::NoSuchFile(hash(1))));
    // Whoever comes first: it is forgotten, or somebody has sent it again.
    store.has_sent(ada, hash(1));
    store.ask(|store, done| store.forget_file(hash(1), done)).unwrap();
    assert_eq!((store.free(), store.file(ada, hash(1))), (vec![], Ok(Some(9))));
    // What is in no message for a day is free.
    store.ask(|store, done| store.expire_uploads(1_000_000, done)).unwrap();
    assert_eq!(store.free(), []);
    store.ask(|store, done| store.expire_uploads(1_000_001, done)).unwrap();
    assert_eq!(store.free(), [hash(1)]);
    store.ask(|store, done| store.forget_file(hash(1), done)).unwrap();
    let known = |files: &[u8]| {
        let files = files.iter().map(|number| hash(*number)).collect();
        store.ask(|store, done| store.unknown_files(files, done)).unwrap()
    };
    assert_eq!((store.free(), known(&[1])), (vec![], vec![hash(1)]));
}

#[test]
fn files_in_no_message_are_bounded() {
    let house = House::new();
    let store = house.open();
    let ada = store.user("Ada");
    let group = store.group(&[ada]);
    for number in 0..UPLOADS_WAITING_MAX as u8 {
        assert_eq!(store.file(ada, hash(number)), Ok(None));
        store.has_sent(ada, hash(number));
    }
    assert_eq!(store.file(ada, hash(99)), Err(StoreError::TooManyUploads));
    assert_eq!(store.file(ada, hash(0)), Ok(Some(9)));
    store.attach(group, ada, &[0], None).unwrap();
    assert_eq!(store.file(ada, hash(99)), Ok(None));
}

/// What lies beside the database is compared with its name.
#[test]
fn a_check_reads_the_files() {
    let house = House::new();
    let store = house.open();
    let ada = store.user("Ada");
    let group = store.group(&[ada]);
    let sha256 = FileHash(Sha256::digest(b"what is in it").into());
    let image = Some(Image { media_type: "image/png", width: 3, height: 4 });
    let new = NewFile { user_id: ada, sha256, bytes: 13, image };
    store.ask(|store, done| store.insert_file(By::Trust, new, done)).unwrap();
    let attachments = vec![NewAttachment { sha256, file_name: "a.png".into(), media_type: None }];
    let said = store.send(NewMessage { attachments, ..message(group, ada, "", None) }).unwrap();
    let told = &said.details.as_ref().unwrap().attachments[0];
    assert_eq!((told.media_type.as_deref(), told.width, told.height), (Some("image/png"), 3, 4));
    store.0.close();
    let name = sha256.to_string();
    let folder = files_beside(&house.path()).join(&name[..2]);
    let faults = || check(&house.path()).unwrap().faults().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(faults(), [format!("file {name} is missing")]);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(&name), b"something else").unwrap();
    assert_eq!(faults(), [format!("file {name} is not what its name says")]);
    std::fs::write(folder.join(&name), b"what is in it").unwrap();
    assert_eq!(faults(), [""; 0]);
}
