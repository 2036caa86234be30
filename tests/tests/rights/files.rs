//! The part of the matrix that is about files: its lines, and what an accepted call leaves behind.
//!
//! `$file` is the hash of a file of a message of Tony in the group, `$file_message`. Everybody has begun to send `$hello`.

use serde_json::json;
use sha2::{Digest, Sha256};
use tests::Wire;
use ttp::attachment::{FileBytes, FileHash};
use ttp::call::{BeginUpload, DataCall, UploadChunk};
use ttp::model::UserId;

use crate::effects::{CANARY, Effect};

/// The lines, as in `table`.
pub(crate) const FILES: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 BeginUpload {"sha256":"$file","bytes":29}
602 602 602 602 602 602 602 602 602 602 602 602 001 001 BeginUpload {"sha256":"$file","bytes":0}
602 602 602 602 602 602 602 602 602 602 602 602 602 001 BeginUpload {"sha256":"$file","bytes":29,"user_id":$tony}
013 013 013 013 013 013 013 013 013 013 013 013 001 001 BeginUpload {"sha256":"$file","bytes":99999999999}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 UploadChunk {"sha256":"$hello","bytes":5,"offset":0,"data":"aGVsbG8="}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 UploadChunk {"sha256":"abababababababababababababababababababababababababababababababab","bytes":5,"offset":0,"data":"aGVs"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"attachments":[{"sha256":"$file","file_name":"a"}]}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$private,"attachments":[{"sha256":"$file","file_name":"a"}]}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"attachments":[{"sha256":"abababababababababababababababababababababababababababababababab","file_name":"a"}]}
602 602 602 602 602 602 602 602 602 602 602 602 001 001 InsertMessage {"chat_id":$team,"attachments":[{"sha256":"$file","file_name":"../a"}]}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 DownloadChunk {"chat_id":$team,"seq":$file_message,"sha256":"$file"}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 DownloadChunk {"chat_id":$team,"seq":$tilda_message,"sha256":"$file"}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 DownloadChunk {"chat_id":$team,"seq":$file_message,"sha256":"abababababababababababababababababababababababababababababababab"}
003 003 004 003 003 003 003 003 003 001 001 001 001 001 DownloadChunk {"chat_id":$private,"seq":2,"sha256":"$file"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 DownloadChunk {"chat_id":999,"seq":2,"sha256":"$file"}
"#;

/// What an accepted call shows.
pub(crate) fn effect(call: &DataCall, my: UserId, is_in_the_group: bool) -> Effect {
    match call {
        DataCall::BeginUpload(_) if is_in_the_group => Effect::Answer("\"have\":29"),
        DataCall::BeginUpload(_) => Effect::Answer("\"have\":0"),
        DataCall::DownloadChunk(_) => Effect::Answer(CANARY_BYTES),
        _ => Effect::Change(format!("SELECT count(*) = 1 FROM Uploads WHERE user_id = {my}")),
    }
}

/// What is in the file of the group, as it travels.
const CANARY_BYTES: &str = "dGhlIGNhbmFyeSBzaW5ncyBpbiB0aGUgZ3JvdXA=";

/// The hash of what is in a file.
pub(crate) fn hash(text: &str) -> FileHash {
    FileHash(Sha256::digest(text).into())
}

/// Begins to send the greeting that everybody has begun to send.
pub(crate) async fn begin(wire: &mut Wire) {
    let call = BeginUpload { sha256: hash("hello"), bytes: 5 };
    wire.result("BeginUpload", serde_json::to_value(call).unwrap()).await;
}

/// Says a message with the file of the group; answers its entry.
pub(crate) async fn say(wire: &mut Wire, team: &serde_json::Value) -> String {
    let (sha256, bytes) = (hash(CANARY), CANARY.len() as u64);
    wire.result("BeginUpload", serde_json::to_value(BeginUpload { sha256, bytes }).unwrap()).await;
    let part = UploadChunk { sha256, bytes, offset: 0, data: FileBytes(CANARY.into()) };
    wire.result("UploadChunk", serde_json::to_value(part).unwrap()).await;
    let attachment = json!({"sha256": sha256, "file_name": "canary.txt"});
    let said = json!({"chat_id": team, "message_text": CANARY, "attachments": [attachment]});
    wire.result("InsertMessage", said).await["message"]["seq"].to_string()
}
