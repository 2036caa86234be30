//! Every limit that a peer can notice, in one place. What only an operator notices is in the servers' configs.

/// Bytes of a frame's header: a decimal length padded with spaces.
pub const HEADER_BYTES: usize = 10;

/// Largest payload accepted from a peer that has not said who it is.
pub const FRAME_BYTES_MAX_BEFORE_LOGIN: usize = 4 * 1024;

/// Largest payload accepted, and the largest sent to a version 2 peer.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Largest reply to a version 1 peer, which knows no pages.
pub const FRAME_BYTES_MAX_VERSION_1: usize = 4 * 1024 * 1024;

/// Bytes of entries or messages after which a page ends, well below [`FRAME_BYTES_MAX`].
pub const PAGE_BYTES_MAX: usize = 512 * 1024;

/// Rows of one page.
pub const PAGE_ROWS_MAX: usize = 500;

/// Messages of one reply to a version 1 peer, which knows no pages: the newest are sent.
pub const MESSAGES_MAX_VERSION_1: usize = 10_000;

/// Chats of one page when the caller does not say how many; [`PAGE_ROWS_MAX`] are the most.
pub const CHATS_PER_PAGE: usize = 100;

/// Chats of one reply to a version 1 peer, which knows no pages: the most recent are sent.
pub const CHATS_MAX_VERSION_1: usize = 10_000;

/// Messages listed with each chat, whatever the caller asks for.
pub const MESSAGES_PER_CHAT_MAX: usize = 100;

/// People listed with each chat of `GetChats`; the rest come from `GetParticipants`.
pub const USERS_PER_CHAT_MAX: usize = 16;

/// The same for a version 1 peer, which has no `GetParticipants`.
pub const USERS_PER_CHAT_MAX_VERSION_1: usize = 1_000;

/// Messages listed with each chat of `GetChats` when the caller does not say how many.
pub const MESSAGES_PER_CHAT_DEFAULT: usize = 1;

/// The same for a version 1 peer, whose chats always came with messages.
pub const MESSAGES_PER_CHAT_DEFAULT_VERSION_1: usize = 20;

/// Bytes of one message's text, in UTF-8.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Characters (Unicode scalar values) of one message's text.
pub const TEXT_CHARS_MAX: usize = 16_000;

/// Bytes of the sign of a reaction, in UTF-8.
pub const EMOJI_BYTES_MAX: usize = 32;

/// Signs that are seen in one: joiners, variants, tones and accents are not counted.
pub const EMOJI_SIGNS_MAX: usize = 8;

/// Different signs on one message. Of each, one is from one person.
pub const REACTIONS_PER_MESSAGE_MAX: usize = 20;

/// People listed with each sign on a message, whatever their number.
pub const REACTION_USERS_MAX: usize = 10;

/// Messages of one chat that are pinned at one time.
pub const PINS_PER_CHAT_MAX: usize = 50;

/// Names with an `@` before that are looked for in one message; further ones are words.
pub const MENTIONS_PER_MESSAGE_MAX: usize = 32;

/// People in a chat up to whom its members call all with `@all`. Where there are more, moderators and owners do.
pub const CALL_ALL_USERS_MAX: u64 = 32;

/// Bytes of one part of a file that is sent or fetched.
pub const FILE_CHUNK_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a file, unless the operator says otherwise.
pub const ATTACHMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Files of one message.
pub const ATTACHMENTS_PER_MESSAGE_MAX: usize = 10;

/// Bytes of a file's name, as file systems take them.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// Bytes of a media type.
pub const MEDIA_TYPE_BYTES_MAX: usize = 127;

/// Files that one person has begun to send and not finished.
pub const UPLOADS_BEGUN_MAX: usize = 8;

/// Files that one person has sent and not put into a message.
pub const UPLOADS_WAITING_MAX: usize = 32;

/// How long the server keeps such files.
pub const UPLOAD_LIFETIME_MS: u64 = 24 * 3_600_000;

/// Characters of a person's or a chat's name.
pub const NAME_CHARS_MAX: usize = 255;

/// Characters of the one name by which a room is found on its server.
pub const ROOM_NAME_CHARS_MAX: usize = 32;

/// Characters of what a chat is about.
pub const TOPIC_CHARS_MAX: usize = 500;

/// The highest limit of people that a group can be given.
pub const ROOM_USERS_MAX: u64 = 1_000_000;

/// Public rooms that are looked at for one page of those that have something in their names.
pub const ROOMS_SEARCHED_MAX: usize = 5_000;

/// The longest time for which a group keeps what is said, when not for ever: a hundred years …
pub const KEEP_MAX_MS: u64 = 36_500 * 24 * 3_600_000;

/// … and the shortest: a minute.
pub const KEEP_MIN_MS: u64 = 60_000;

/// The most messages that a group keeps, when not all.
pub const KEEP_MESSAGES_MAX: u64 = 1_000_000_000;

/// The longest ban or mute that ends: ten years. A longer one is for ever.
pub const RESTRICTION_MAX_MS: u64 = 3_650 * 24 * 3_600_000;

/// Characters of a password, at least.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// Bytes of a password, at most.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Characters of what a person calls a device.
pub const DEVICE_CHARS_MAX: usize = 100;

/// Sessions of one person. One more ends the one that was not used for longest.
pub const SESSIONS_PER_USER_MAX: usize = 64;

/// How long a stream ticket holds.
pub const TICKET_LIFETIME_MS: i64 = 60_000;

/// Accounts that may be made with one invitation.
pub const INVITATION_USES_MAX: u32 = 1_000;

/// How long an invitation holds at most …
pub const INVITATION_LIFETIME_MAX_MS: u64 = 90 * 24 * 3_600_000;

/// … and when nobody says how long.
pub const INVITATION_LIFETIME_DEFAULT_MS: u64 = 7 * 24 * 3_600_000;

/// Invitations of one server that hold at one time.
pub const INVITATIONS_MAX: usize = 1_000;

/// Bytes of a key minted by a client, such as `client_message_id`.
pub const CLIENT_KEY_BYTES_MAX: usize = 64;

/// Chats in which one person keeps a draft at one time.
pub const DRAFTS_PER_USER_MAX: usize = 200;

/// Bots of one person that have not ended.
pub const BOTS_PER_OWNER_MAX: usize = 16;

/// Characters of a search.
pub const SEARCH_QUERY_CHARS_MAX: usize = 512;

/// Words and names of a search; in scripts without spaces, characters.
pub const SEARCH_WORDS_MAX: usize = 32;

/// Messages of one page of a search when the caller does not say how many …
pub const SEARCH_HITS_DEFAULT: usize = 20;

/// … and at most.
pub const SEARCH_HITS_MAX: usize = 100;

/// Messages before and after each that was found.
pub const SEARCH_CONTEXT_MAX: usize = 5;

/// Places that are told of one message.
pub const SEARCH_HIGHLIGHTS_MAX: usize = 100;

/// The newest messages found, which are sorted by how well they fit. Older ones come on later pages.
pub const SEARCH_RANKED_MAX: usize = 256;

/// Bytes of a raw JSON-RPC id. 128-bit integers need 39.
pub const REQUEST_ID_BYTES_MAX: usize = 1024;

/// People named in one `InsertChat`.
pub const CHAT_USERS_MAX: usize = 20_000;

/// Nesting of arrays and objects in a payload.
pub const JSON_DEPTH_MAX: usize = 32;

/// Requests in one batch.
pub const BATCH_REQUESTS_MAX: usize = 100;

/// Bytes after which the rest of a batch's replies become errors. The errors come on top, so a client takes
/// a little more than this.
pub const BATCH_REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Requests of one connection that wait for their reply.
pub const IN_FLIGHT_MAX: usize = 128;

/// Streams that one person may hold open on one broadcast-server.
pub const STREAMS_PER_USER_MAX: usize = 64;

/// Bytes queued for one stream before it is ended as `slow`.
pub const OUTLET_BYTES_MAX: usize = 1024 * 1024;

/// Connections of one server.
pub const CONNECTIONS_MAX: usize = 20_000;

/// Time for a peer to complete a header, a frame, or the opening of its stream.
pub const OPENING_TIMEOUT_MS: u64 = 10_000;

/// Silence after which a connection is closed. A version 2 peer that is alive says `Ping` before.
pub const IDLE_TIMEOUT_MS: u64 = 90_000;

/// The same on a version 2 stream, so that a half-open one is found within 30 seconds whatever acknowledges for its peer.
pub const STREAM_IDLE_TIMEOUT_MS: u64 = 25_000;

/// Distance between two heartbeats to a version 2 stream.
pub const HEARTBEAT_INTERVAL_MS: u64 = 10_000;

/// Silence of the server after which a version 2 client takes its stream for dead.
pub const STREAM_SILENCE_MAX_MS: u64 = 25_000;

/// Largest payload accepted on an open stream of version 2, where many people may be named in one request.
pub const FRAME_BYTES_MAX_ON_STREAM: usize = 32 * 1024;

/// How long a person stays present after a stream of theirs has ended, so that who comes back in time was never gone.
pub const PRESENCE_GRACE_MS: u64 = 10_000;

/// People whom one stream may watch.
pub const WATCHED_PEOPLE_MAX: usize = 1_000;

/// People about whom one `GetPresence` may ask, and who are named in one answer about a chat.
pub const PEOPLE_ASKED_MAX: usize = 1_000;

/// Distance of two deliveries of presence and typing to one stream …
pub const SIGNALS_INTERVAL_MS: u64 = 250;

/// … and changes of people's presence in one of them. What is left waits for the next, as the latest state of each person.
pub const PRESENCES_PER_DELIVERY_MAX: usize = 500;

/// How long somebody is taken to be typing who said so.
pub const TYPING_LIFETIME_MS: u64 = 6_000;

/// Distance at which one stream's typing in one chat is passed on; what is said between is dropped.
pub const TYPING_INTERVAL_MS: u64 = 2_000;

/// Chats in which one stream may be typing at one time; what is said about more is dropped.
pub const TYPING_CHATS_MAX: usize = 8;

/// People of one chat whose typing is told in one delivery.
pub const TYPISTS_PER_DELIVERY_MAX: usize = 16;

/// Streams of one chat on one thread of a broadcast-server above which nobody's typing is told.
pub const TYPING_LISTENERS_MAX: usize = 1_000;

/// Time that the kernel waits for an acknowledgement of sent bytes (`TCP_USER_TIMEOUT`).
pub const TCP_USER_TIMEOUT_MS: u64 = 15_000;

/// What a peer is told to wait when it was refused because the server is full.
pub const OVERLOADED_RETRY_AFTER_MS: u64 = 1_000;

// A part is written with four characters for three bytes, and the call around it.
const _: () = assert!(FILE_CHUNK_BYTES_MAX / 3 * 4 + 1024 <= PAGE_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX_BEFORE_LOGIN < FRAME_BYTES_MAX);
const _: () = assert!(PAGE_BYTES_MAX * 2 <= FRAME_BYTES_MAX);
// One text may double and more when its control characters are escaped, and must still fit a page and a frame.
const _: () = assert!(TEXT_BYTES_MAX * 6 + 64 * 1024 <= FRAME_BYTES_MAX);
const _: () = assert!(HEARTBEAT_INTERVAL_MS * 2 < STREAM_SILENCE_MAX_MS);
const _: () = assert!(HEARTBEAT_INTERVAL_MS + TCP_USER_TIMEOUT_MS <= 30_000);
const _: () = assert!(WATCHED_PEOPLE_MAX * 20 + 1024 <= FRAME_BYTES_MAX_ON_STREAM);
const _: () = assert!(PEOPLE_ASKED_MAX * 20 + 1024 <= FRAME_BYTES_MAX_ON_STREAM);
// Who types goes on being seen typing, although one word of two gets lost.
const _: () = assert!(TYPING_INTERVAL_MS * 3 <= TYPING_LIFETIME_MS);
// A pulled plug shows within a minute.
const _: () = assert!(STREAM_IDLE_TIMEOUT_MS + PRESENCE_GRACE_MS + 5_000 < 60_000);
const _: () = assert!(FRAME_BYTES_MAX <= OUTLET_BYTES_MAX);
const _: () = assert!(BATCH_REQUESTS_MAX <= IN_FLIGHT_MAX);
const _: () = assert!(SEARCH_HITS_MAX <= SEARCH_RANKED_MAX);
