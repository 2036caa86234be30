//! The matrix, written by hand and not by the table of rights that it tests: each line says what becomes of one call,
//! whoever makes it.
//!
//! `ok` is answered, and a change is there afterwards. `=` is answered, and nothing has changed. A number is refused with
//! −32000 less that, and nothing has changed: 001 unauthenticated, 003 forbidden, 004 not found, 009 conflict, 600 and
//! 602 what no caller may ask.
//!
//! In the group `$team`: `own`er, `mod`erator, `mem`ber, `gue`st; `rem` was in it. Outside of it: `str`anger and, by their
//! roles on the server, `lan`dlord (owner), `ste`ward (moderator), `vis`itor (guest); the others are members there. `rev`,
//! `exp` and `clo` are one person, an owner in the group and on the server, whose session was ended elsewhere or has
//! expired, or whose account was closed, while the connection stayed open. `nob` has said Hello and nothing more, `old`
//! not even that.
//!
//! A `$name` is somebody's number. `$thea`, `$tilda` and `$tony` are moderator, member and guest in the group and on the
//! server, `$fallen` an owner in both, `$otto` is not in the group, `$clara`'s account is closed. `nob` and `old` pretend
//! to be `$fallen`. `$private` is the private chat of the member and `$otto`.

use crate::cells::Row;
use crate::files::FILES;
use crate::notes::NOTES;
use crate::rooms::ROOMS;

/// What a data-server is asked.
pub(crate) const DATA: &[&str] = &[
    GREETING,
    ACCOUNTS,
    SERVER_ROLES,
    INVITATIONS,
    CHATS,
    MESSAGES,
    MEMBERSHIP,
    CHAT_ROLES,
    ROOMS,
    FILES,
    NOTES,
];

/// What a broadcast-server is asked.
pub(crate) const BROADCAST: &[&str] = &[STREAMS];

const GREETING: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
600 600 600 600 600 600 600 600 600 600 600 600 600 ok  Hello {"protocol":[2]}
ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  Ping {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  GetServerInfo {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetUser {"user_id":$me}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetUser {"user_id":$tilda}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetUser {"user_name":"tilda"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 GetUser {"user_id":999}
003 003 003 003 003 003 003 003 003 003 003 003 003 001 InsertUser {"user_name":"Newton"}
"#;

/// Who speaks for somebody, or did until the session ended, begins no other session on that connection.
const ACCOUNTS: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
003 003 003 003 003 003 003 003 003 003 003 003 003 001 Register {"user_name":"Newton","password":"$password"}
003 003 003 003 003 003 003 003 003 003 003 003 ok  001 Register {"user_name":"Newton","password":"$password","invitation":"$code"}
003 003 003 003 003 003 003 003 003 003 003 003 009 001 Register {"user_name":"tilda","password":"$password","invitation":"$code"}
003 003 003 003 003 003 003 003 003 003 003 003 004 001 Register {"user_name":"Newton","password":"$password","invitation":"$used_code"}
003 003 003 003 003 003 003 003 003 003 003 003 004 001 Register {"user_name":"Newton","password":"$password","invitation":"$over_code"}
003 003 003 003 003 003 003 003 003 003 003 003 004 001 Register {"user_name":"Newton","password":"$password","invitation":"$ended_code"}
003 003 003 003 003 003 003 003 003 003 003 003 004 001 Register {"user_name":"Newton","password":"$password","invitation":"$unbacked_code"}
003 003 003 003 003 003 003 003 003 003 003 003 004 001 Register {"user_name":"Newton","password":"$password","invitation":"0123456789abcdef0123456789abcdef"}
003 003 003 003 003 003 003 003 003 003 003 003 ok  001 Login {"user_name":"Tilda","password":"$password"}
003 003 003 003 003 003 003 003 003 003 003 003 001 001 Login {"user_name":"Tilda","password":"not the password"}
003 003 003 003 003 003 003 003 003 003 003 003 001 001 Login {"user_name":"Clara","password":"$password"}
003 003 003 003 003 003 003 003 003 003 003 003 001 001 Login {"user_name":"Newton","password":"$password"}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 ok  001 Authenticate {"token":"$my_token"}
003 003 003 003 003 003 003 003 003 003 003 001 ok  001 Authenticate {"token":"$my_phone_token"}
003 003 003 003 003 003 003 003 003 003 003 003 ok  001 Authenticate {"token":"$tilda_token"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 Authenticate {"token":"$clara_token"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 Authenticate {"token":"tlk_0123456789"}
003 003 003 003 003 003 003 003 003 003 003 003 003 001 Authenticate {"user_id":$me}
003 003 003 003 003 003 003 003 003 003 003 003 003 001 Authenticate {"user_id":$tilda}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 Logout {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 LogoutEverywhere {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 ChangePassword {"old_password":"$password","new_password":"staple staple"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 ChangePassword {"old_password":"not the password","new_password":"staple staple"}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetSessions {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 RevokeSession {"session_id":$my_phone}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 RevokeSession {"session_id":$my_session}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 RevokeSession {"session_id":$tilda_session}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 RevokeSession {"session_id":999}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 UpdateUser {"user_name":"Newton"}
009 009 009 009 009 009 009 009 009 001 001 001 001 001 UpdateUser {"user_name":"TILDA"}
602 602 602 602 602 602 602 602 602 602 602 602 602 001 UpdateUser {"user_name":"Newton","user_id":$tilda}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetStreamTicket {}
"#;

const SERVER_ROLES: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 DeactivateUser {"password":"$password"}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 DeactivateUser {"user_id":$me,"password":"$password"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 DeactivateUser {"password":"not the password"}
602 602 602 602 602 602 602 602 602 001 001 001 001 001 DeactivateUser {}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 DeactivateUser {"user_id":$fallen}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 DeactivateUser {"user_id":$thea}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 DeactivateUser {"user_id":$tilda}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 DeactivateUser {"user_id":$tony}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 DeactivateUser {"user_id":$tony,"password":"not the password"}
003 003 003 003 003 003 =   =   003 001 001 001 001 001 DeactivateUser {"user_id":$clara}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 DeactivateUser {"user_id":999}
ok  ok  ok  ok  ok  ok  ok  ok  =   001 001 001 001 001 SetServerRole {"user_id":$me,"role":"guest"}
=   =   =   =   =   =   ok  ok  003 001 001 001 001 001 SetServerRole {"user_id":$me,"role":"member"}
003 003 003 003 003 003 ok  =   003 001 001 001 001 001 SetServerRole {"user_id":$me,"role":"moderator"}
003 003 003 003 003 003 =   003 003 001 001 001 001 001 SetServerRole {"user_id":$me,"role":"owner"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$fallen,"role":"guest"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$fallen,"role":"member"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$fallen,"role":"moderator"}
003 003 003 003 003 003 =   003 003 001 001 001 001 001 SetServerRole {"user_id":$fallen,"role":"owner"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$thea,"role":"guest"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$thea,"role":"member"}
003 003 003 003 003 003 =   003 003 001 001 001 001 001 SetServerRole {"user_id":$thea,"role":"moderator"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$thea,"role":"owner"}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 SetServerRole {"user_id":$tilda,"role":"guest"}
003 003 003 003 003 003 =   =   003 001 001 001 001 001 SetServerRole {"user_id":$tilda,"role":"member"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$tilda,"role":"moderator"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$tilda,"role":"owner"}
003 003 003 003 003 003 =   =   003 001 001 001 001 001 SetServerRole {"user_id":$tony,"role":"guest"}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 SetServerRole {"user_id":$tony,"role":"member"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$tony,"role":"moderator"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 SetServerRole {"user_id":$tony,"role":"owner"}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 SetServerRole {"user_id":$clara,"role":"guest"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 SetServerRole {"user_id":$clara,"role":"owner"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 SetServerRole {"user_id":999,"role":"guest"}
"#;

const INVITATIONS: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 InsertInvitation {"uses_max":3}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 InsertInvitation {"uses_max":3,"role":"guest"}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 InsertInvitation {"uses_max":3,"role":"member"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 InsertInvitation {"uses_max":3,"role":"moderator"}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 InsertInvitation {"uses_max":3,"role":"owner"}
003 003 003 003 003 003 ok  ok  003 001 001 001 001 001 GetInvitations {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 RevokeInvitation {"invitation_id":$my_invitation}
003 003 003 003 003 003 ok  003 003 001 001 001 001 001 RevokeInvitation {"invitation_id":$tilda_invitation}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 RevokeInvitation {"invitation_id":999}
"#;

/// A guess at the private chat of two others, or at the key of somebody's group, makes a new group or nothing.
const CHATS: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetChats {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 GetChats {"user_id":$me}
003 003 003 003 003 003 003 003 003 003 003 003 001 001 GetChats {"user_id":$tilda}
ok  ok  ok  ok  ok  ok  ok  ok  003 001 001 001 001 001 InsertChat {"chat_name":"choir","user_ids":[$tilda,$tony]}
ok  ok  ok  ok  ok  ok  ok  ok  003 001 001 001 001 001 InsertChat {"chat_name":"notes","user_ids":[$me]}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 InsertChat {"user_ids":[$tilda]}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 InsertChat {"user_ids":[$clara]}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 InsertChat {"user_ids":[999]}
602 602 =   602 602 602 602 602 602 602 602 602 001 001 InsertChat {"user_ids":[$member,$otto]}
ok  ok  =   ok  ok  ok  ok  ok  003 001 001 001 001 001 InsertChat {"chat_name":"ours","user_ids":[$member,$otto]}
ok  ok  ok  ok  ok  003 ok  ok  003 001 001 001 001 001 InsertChat {"chat_name":"team","user_ids":[$people],"client_chat_id":"team-1"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 GetMessages {"chat_id":$team}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 GetMessages {"chat_id":$private}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 GetMessages {"chat_id":999}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 SearchMessages {"query":"canary"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 SearchMessages {"query":"canary","chat_id":$team}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 SearchMessages {"query":"canary","chat_id":$private}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 SearchMessages {"query":"canary","chat_id":999}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 SearchMessages {"query":"canary in:nowhere"}
602 602 602 602 602 602 602 602 602 602 602 602 001 001 SearchMessages {"query":"canary before:banana"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"message_text":"hello"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"message_text":"hello","user_id":$me}
003 003 003 003 003 003 003 003 003 003 003 003 001 001 InsertMessage {"chat_id":$team,"message_text":"hello","user_id":$tilda}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"message_text":"hello","client_message_id":"tilda-1"}
ok  ok  ok  ok  003 =   003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"message_text":"words of Remus","client_message_id":"remus-1"}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$private,"message_text":"hello"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 InsertMessage {"chat_id":999,"message_text":"hello"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 MarkRead {"chat_id":$team,"number":9}
602 602 602 602 602 602 602 602 602 602 602 602 602 001 MarkRead {"chat_id":$team,"number":9,"user_id":$tony}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 MarkRead {"chat_id":$private,"number":1}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 MarkRead {"chat_id":999,"number":1}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 Sync {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 Sync {"cursors":{}}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 Sync {"cursors":{"$team":0,"$private":0}}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 Sync {"epoch":"another","cursors":{"$team":0}}
"#;

/// `$my_message` is what the caller said in the group, `$tilda_message` is pinned there, with a sign of everybody, and a thread
/// is about it.
const MESSAGES: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"message_text":"hello","reply_to":$tilda_message}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"message_text":"hello","thread":$tilda_message}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"message_text":"hello","reply_to":1}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$team,"forward":{"chat_id":$private,"seq":2}}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 InsertMessage {"chat_id":$private,"forward":{"chat_id":$team,"seq":$tilda_message}}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 UpdateMessage {"chat_id":$team,"seq":$my_message,"message_text":"anew"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateMessage {"chat_id":$team,"seq":$tilda_message,"message_text":"anew"}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 UpdateMessage {"chat_id":$team,"seq":1,"message_text":"anew"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 UpdateMessage {"chat_id":$private,"seq":2,"message_text":"anew"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 UpdateMessage {"chat_id":999,"seq":2,"message_text":"anew"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$team,"seq":$my_message}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$team,"seq":$tilda_message}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$team,"seq":$tony_message}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$team,"seq":$remus_message}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$team,"seq":$thea_message}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$team,"seq":$fallen_message}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$team,"seq":999}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 DeleteMessage {"chat_id":$private,"seq":2}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 DeleteMessage {"chat_id":999,"seq":2}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 AddReaction {"chat_id":$team,"seq":$tilda_message,"emoji":"🌮"}
=   =   =   =   003 003 003 003 003 001 001 001 001 001 AddReaction {"chat_id":$team,"seq":$tilda_message,"emoji":"👍"}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 AddReaction {"chat_id":$private,"seq":2,"emoji":"🌮"}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 RemoveReaction {"chat_id":$team,"seq":$tilda_message,"emoji":"👍"}
=   =   =   =   003 003 003 003 003 001 001 001 001 001 RemoveReaction {"chat_id":$team,"seq":$tilda_message,"emoji":"🌮"}
ok  ok  ok  003 003 003 003 003 003 001 001 001 001 001 PinMessage {"chat_id":$team,"seq":$remus_message}
=   =   =   003 003 003 003 003 003 001 001 001 001 001 PinMessage {"chat_id":$team,"seq":$tilda_message}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 PinMessage {"chat_id":$private,"seq":2}
ok  ok  ok  003 003 003 003 003 003 001 001 001 001 001 UnpinMessage {"chat_id":$team,"seq":$tilda_message}
=   =   =   003 003 003 003 003 003 001 001 001 001 001 UnpinMessage {"chat_id":$team,"seq":$remus_message}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 GetPins {"chat_id":$team}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 GetPins {"chat_id":999}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 GetThread {"chat_id":$team,"thread":$tilda_message}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 GetMessageHistory {"chat_id":$team,"seq":$tilda_message}
004 004 004 004 003 003 003 003 003 001 001 001 001 001 GetMessageHistory {"chat_id":$team,"seq":1}
003 003 004 003 003 003 003 003 003 001 001 001 001 001 GetMessageHistory {"chat_id":$private,"seq":1}
602 602 602 602 602 602 602 602 602 602 602 602 001 001 GetMessages {"chat_id":$team,"before_seq":9,"after_seq":2}
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 GetMessages {"chat_id":$team,"around_seq":9}
"#;

const MEMBERSHIP: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  ok  ok  003 003 003 003 003 001 001 001 001 001 GetParticipants {"chat_id":$team}
003 003 ok  003 003 003 003 003 003 001 001 001 001 001 GetParticipants {"chat_id":$private}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 GetParticipants {"chat_id":999}
ok  ok  ok  003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$team,"user_id":$otto}
=   =   =   003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$team,"user_id":$me}
=   =   =   003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$team,"user_id":$tilda}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$team,"user_id":$clara}
004 004 004 003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$team,"user_id":999}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$private,"user_id":$me}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 AddParticipant {"chat_id":$private,"user_id":$tilda}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 AddParticipant {"chat_id":999,"user_id":$me}
ok  ok  ok  ok  =   =   =   =   =   001 001 001 001 001 RemoveParticipant {"chat_id":$team,"user_id":$me}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$team,"user_id":$fallen}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$team,"user_id":$thea}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$team,"user_id":$tilda}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$team,"user_id":$tony}
=   =   003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$team,"user_id":$otto}
004 004 003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$team,"user_id":999}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$private,"user_id":$me}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 RemoveParticipant {"chat_id":$private,"user_id":$otto}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 RemoveParticipant {"chat_id":999,"user_id":$me}
"#;

const CHAT_ROLES: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
ok  ok  ok  =   003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$me,"role":"guest"}
ok  ok  =   003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$me,"role":"member"}
ok  =   003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$me,"role":"moderator"}
=   003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$me,"role":"owner"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$fallen,"role":"guest"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$fallen,"role":"member"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$fallen,"role":"moderator"}
=   003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$fallen,"role":"owner"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$thea,"role":"guest"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$thea,"role":"member"}
=   003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$thea,"role":"moderator"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$thea,"role":"owner"}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tilda,"role":"guest"}
=   =   003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tilda,"role":"member"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tilda,"role":"moderator"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tilda,"role":"owner"}
=   =   003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tony,"role":"guest"}
ok  ok  003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tony,"role":"member"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tony,"role":"moderator"}
ok  003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$tony,"role":"owner"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":$otto,"role":"member"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$team,"user_id":999,"role":"member"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$private,"user_id":$me,"role":"owner"}
003 003 003 003 003 003 003 003 003 001 001 001 001 001 SetRole {"chat_id":$private,"user_id":$otto,"role":"guest"}
004 004 004 004 004 004 004 004 004 001 001 001 001 001 SetRole {"chat_id":999,"user_id":$me,"role":"owner"}
"#;

/// Tickets were asked for while the session held; `nob` and `old` have none. A ticket ends streams for its minute, even
/// when its session has ended since: they are its person's own.
const STREAMS: &str = r#"
own mod mem gue str rem lan ste vis rev exp clo nob old
600 600 600 600 600 600 600 600 600 600 600 600 600 ok  Hello {"protocol":[2]}
ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  Ping {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 OpenStreamRequest {"ticket":"$my_ticket"}
ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 001 001 001 OpenStream {"ticket":"$my_ticket","user_id":$me}
003 003 003 003 003 003 003 003 003 003 003 003 001 001 OpenStream {"ticket":"$my_ticket","user_id":$tilda}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 OpenStream {"ticket":"$forged_ticket"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 OpenStream {"ticket":"$late_ticket"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 OpenStream {"ticket":"$trusted_ticket"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 OpenStream {"ticket":"$closed_ticket"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 OpenStream {"ticket":"$my_token"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 OpenStream {"user_id":$me}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 OpenStream {}
ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  ok  001 001 CloseStreamRequest {"ticket":"$my_ticket"}
003 003 003 003 003 003 003 003 003 003 003 003 001 001 CloseStream {"ticket":"$my_ticket","user_id":$tilda}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 CloseStream {"ticket":"$forged_ticket"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 CloseStream {"ticket":"$late_ticket"}
001 001 001 001 001 001 001 001 001 001 001 001 001 001 CloseStream {"user_id":$tilda}
003 003 003 003 003 003 003 003 003 003 003 003 003 003 BroadcastRequest {"receiver_ids":[$tilda],"message":{"message_text":"forged"}}
003 003 003 003 003 003 003 003 003 003 003 003 003 003 Broadcast {"receiver_ids":[$tilda],"message":{"message_text":"forged"}}
003 003 003 003 003 003 003 003 003 003 003 003 003 003 BroadcastMessageRequest {"receiver_ids":[$tilda],"message":{"message_text":"forged"}}
003 003 003 003 003 003 003 003 003 003 003 003 003 003 BroadcastMessage {}
003 003 003 003 003 003 003 003 003 003 003 003 003 003 Link {"nonce":"00"}
=   =   =   =   =   =   =   =   =   =   =   =   =   600 SetPresence {"state":"invisible"}
001 001 001 001 001 001 001 001 001 001 001 001 001 600 WatchPresence {"watch":[$tilda]}
001 001 001 001 001 001 001 001 001 001 001 001 001 600 GetPresence {"user_ids":[$tilda]}
001 001 001 001 001 001 001 001 001 001 001 001 001 600 GetPresence {"chat_id":$team}
001 001 001 001 001 001 001 001 001 001 001 001 001 600 SetTyping {"chat_id":$team,"typing":true}
"#;

/// The lines of a part, in their order.
pub(crate) fn rows(parts: &[&'static str]) -> Vec<Row> {
    parts.iter().flat_map(|part| part.trim().lines().skip(1).map(Row::read)).collect()
}
