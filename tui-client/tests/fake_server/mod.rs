//! A server that knows Ann, one chat, and just enough calls for the client; both servers in one address.

use serde_json::value::{RawValue, to_raw_value};
use tokio::net::{TcpListener, TcpStream};
use ttp::call::{
    Call, ChatsReply, Empty, IdentityReply, InsertMessage, MessageReply, MessagesReply, SyncReply,
    TicketReply, UnreadReply, Welcome,
};
use ttp::code::{CallError, ErrorCode};
use ttp::frame::encode;
use ttp::limits::FRAME_BYTES_MAX;
use ttp::model::{Chat, ChatId, Message, MessageId, Role, TimestampMs, User, UserId};
use ttp::net::connection::FramedConnection;
use ttp::rpc::{self, Incoming, Request};
use ttp::secret::Secret;

const CHAT: ChatId = ChatId(1);

/// Serves until the runtime ends.
pub(crate) async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let own = address.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, own.clone()));
        }
    });
    address
}

async fn serve(stream: TcpStream, address: String) {
    let mut connection = FramedConnection::new(stream, FRAME_BYTES_MAX);
    let mut number = 0;
    while let Ok(Some(payload)) = connection.next_payload().await {
        let Incoming::Single(Ok(request)) = rpc::parse(&payload) else {
            return;
        };
        let outcome = answer(&request, &address, &mut number);
        let mut reply = Vec::new();
        rpc::write_reply(&mut reply, &request.id, outcome.as_deref());
        if connection.write_frames(&encode(&reply)).await.is_err() {
            return;
        }
    }
}

fn answer(request: &Request<'_>, address: &str, number: &mut u64) -> Result<Box<RawValue>, CallError> {
    let raw = match request.method.as_ref() {
        "Hello" => to_raw_value(&Welcome {
            protocol: 2,
            server: "fake".into(),
            max_frame_bytes: FRAME_BYTES_MAX as u64,
            broadcast_address: Some(address.into()),
            broadcast_fingerprint: None,
            epoch: Some("first".into()),
            heartbeat_interval_ms: None,
        }),
        "Authenticate" => to_raw_value(&IdentityReply {
            user: ann(),
            server_role: Role::Member,
            session_id: None,
            is_bot: false,
        }),
        "GetStreamTicket" => {
            to_raw_value(&TicketReply { ticket: Secret::new("a ticket"), expires_ts: TimestampMs::MAX })
        }
        "GetChats" => to_raw_value(&ChatsReply { chats: vec![lunch()], more: false }),
        "GetMessages" => to_raw_value(&MessagesReply::default()),
        "MarkRead" => to_raw_value(&UnreadReply::default()),
        "Sync" => {
            let heads = Some([(CHAT, 1)].into());
            to_raw_value(&SyncReply { epoch: "first".into(), heads, ..SyncReply::default() })
        }
        InsertMessage::METHOD => {
            *number += 1;
            let params = request.params.map_or("{}", RawValue::get);
            let call: InsertMessage = serde_json::from_str(params).unwrap();
            to_raw_value(&MessageReply { message: stored(call, *number) })
        }
        "Ping" | "OpenStreamRequest" => to_raw_value(&Empty {}),
        other => return Err(CallError::new(ErrorCode::MethodNotFound, other)),
    };
    Ok(raw.unwrap())
}

fn stored(call: InsertMessage, number: u64) -> Message {
    Message {
        message_id: MessageId(i64::try_from(number).unwrap()),
        chat_id: call.chat_id,
        user: ann(),
        message_text: call.message_text,
        message_ts: 0,
        seq: number + 1,
        number,
        client_message_id: call.client_message_id,
        details: None,
    }
}

fn ann() -> User {
    User { user_id: UserId(1), user_name: "Ann".into() }
}

fn lunch() -> Chat {
    Chat {
        chat_id: CHAT,
        chat_name: "Lunch".into(),
        users: vec![ann()],
        messages: vec![],
        is_private: false,
        user_count: 1,
        last_seq: 1,
        last_number: 0,
        unread: 0,
        mentions: 0,
        activity_ts: 0,
        ..Chat::default()
    }
}
