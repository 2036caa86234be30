//! The part of the matrix that is about drafts and bots: its lines, and what an accepted call leaves behind.
//!
//! `$my_bot` is a bot of who asks, without a token until it is renewed; `$tilda_bot` is Tilda's.

use ttp::call::DataCall;
use ttp::model::UserId;

/// The lines, as in `table`.
pub(crate) const NOTES: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 SetDraft {"chat_id":$team,"text":"half a thought"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 SetDraft {"chat_id":$team,"text":"half an answer","reply_to":9}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 SetDraft {"chat_id":$team,"text":"half an answer","reply_to":999}
=   =   =   =   003 003 003 003 003 001 001 001 001 001 SetDraft {"chat_id":$team,"text":""}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 SetDraft {"chat_id":$private,"text":"half a secret"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 SetDraft {"chat_id":999,"text":"half a thought"}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetDrafts {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 Sync {"cursors":{},"noted":0}
ok  ok  ok  ok  ok  ok  ok  ok  003 001 001 001 001 001 InsertBot {"user_name":"Newton"}
009 009 009 009 009 009 009 009 003 001 001 001 001 001 InsertBot {"user_name":"tilda"}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetBots {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 RenewBot {"user_id":$my_bot}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 RenewBot {"user_id":$tilda_bot}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 RenewBot {"user_id":$me}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 RevokeBot {"user_id":$my_bot}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 RevokeBot {"user_id":$tilda_bot}
"#;

/// What is so after a call of these.
pub(crate) fn is_so(call: &DataCall, my: UserId) -> String {
    match call {
        DataCall::MarkRead(call) => format!(
            "SELECT read_number = {} FROM Participants WHERE chat_id = {} AND user_id = {my}",
            call.number, call.chat_id
        ),
        DataCall::SetDraft(call) => format!(
            "SELECT count(*) = 1 FROM Drafts WHERE user_id = {my} AND chat_id = {} AND draft_text = '{}'",
            call.chat_id, call.text
        ),
        DataCall::InsertBot(call) => format!(
            "SELECT count(*) = 1 FROM Bots JOIN Users USING (user_id) WHERE owner_id = {my} AND user_name = '{}'",
            call.user_name
        ),
        DataCall::RenewBot(call) => {
            format!("SELECT count(*) = 1 FROM Sessions WHERE user_id = {} AND ended_ts IS NULL", call.user_id)
        }
        DataCall::RevokeBot(call) => {
            format!("SELECT deactivated_ts IS NOT NULL FROM Users WHERE user_id = {}", call.user_id)
        }
        other => panic!("{other:?} is no call of these"),
    }
}
