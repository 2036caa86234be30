//! Rules about what chats do not keep: up to a chat's mark nothing is left of what was said, and everything else is.

/// Rules and the questions that answer what breaks them.
pub(super) const QUESTIONS: [(&str, &str); 2] = [
    (
        "what was purged is gone",
        "SELECT 'chat ' || chat_id || ': it is purged up to entry ' || purged_seq || ' of ' || last_seq || ', message '
                || purged_number || ' of ' || last_number
         FROM Chats WHERE purged_seq NOT BETWEEN 0 AND last_seq OR purged_number NOT BETWEEN 0 AND last_number
                       OR purged_number > purged_seq
         UNION ALL
         SELECT 'chat ' || c.chat_id || ': message ' || min(m.seq) || ' is there, and purged' FROM Chats c
         JOIN Messages m ON m.chat_id = c.chat_id AND m.seq <= c.purged_seq GROUP BY c.chat_id
         UNION ALL
         SELECT 'chat ' || c.chat_id || ': entry ' || min(e.seq) || ' says something of a message, and is purged'
         FROM Chats c JOIN Changes e ON e.chat_id = c.chat_id AND e.seq <= c.purged_seq
         WHERE e.target_seq IS NOT NULL GROUP BY c.chat_id
         UNION ALL
         SELECT 'chat ' || c.chat_id || ': entry ' || e.seq || ' tells the text of message ' || e.target_seq
                || ', which is purged'
         FROM Chats c JOIN Changes e ON e.chat_id = c.chat_id AND e.target_seq <= c.purged_seq
         WHERE e.kind = 'edited' AND e.details IS NOT NULL
         UNION ALL
         SELECT 'chat ' || c.chat_id || ': message number ' || min(n.number) || ' calls somebody, and is purged'
         FROM Chats c JOIN Mentions n ON n.chat_id = c.chat_id AND n.number <= c.purged_number GROUP BY c.chat_id",
    ),
    (
        "keys of purged messages are kept as keys are",
        "SELECT 'chat ' || k.chat_id || ': the key of entry ' || k.seq || ' is kept, and the chat is purged up to '
                || c.purged_seq
         FROM PurgedKeys k JOIN Chats c ON c.chat_id = k.chat_id
         WHERE k.seq NOT BETWEEN 1 AND c.purged_seq OR k.number NOT BETWEEN 1 AND c.purged_number
         UNION ALL
         SELECT 'chat ' || k.chat_id || ': the key of the purged entry ' || k.seq || ' is also that of entry ' || m.seq
                || ' of chat ' || m.chat_id
         FROM PurgedKeys k JOIN Messages m ON m.client_message_id = k.client_message_id AND m.user_id = k.user_id
         UNION ALL
         SELECT 'chat ' || chat_id || ': the key of the purged entry ' || seq || ' is not stored as keys are'
         FROM PurgedKeys WHERE CASE typeof(client_message_id)
             WHEN 'blob' THEN length(client_message_id) <> 16
             WHEN 'text' THEN length(client_message_id) = 26 AND octet_length(client_message_id) = 26
                              AND client_message_id GLOB '[0-7]*'
                              AND client_message_id NOT GLOB '*[^0-9A-HJKMNP-TV-Z]*'
             ELSE TRUE END",
    ),
];
