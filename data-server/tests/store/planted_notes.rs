//! Faults of notes and of bots, for the check to find.

/// As in `check`.
pub(crate) const PLANTED: &[(&str, &str, &str)] = &[
    (
        "notes are numbered, and of chats that the person is in",
        "INSERT INTO Marks (user_id, chat_id, version) SELECT user_id, chat_id, 7000 FROM Participants LIMIT 1",
        "7000 of",
    ),
    (
        "notes are numbered, and of chats that the person is in",
        "INSERT INTO Drafts (user_id, chat_id, version, draft_text) VALUES (1, 99, 1, 'half')",
        "there is a draft of chat 99, where the person is not",
    ),
    (
        "bots belong to people",
        "INSERT INTO Bots (user_id, owner_id, created_ts) SELECT user_id, user_id, 0 FROM Users LIMIT 1",
        "its owner is a bot",
    ),
];
