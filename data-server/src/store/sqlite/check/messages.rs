//! Rules about what became of messages: what stands beside the log is what the log says, and of a deleted message no text
//! is left. A message that has nothing but a text is not looked at.

/// Rules and the questions that answer what breaks them.
pub(super) const QUESTIONS: [(&str, &str); 6] = [
    (
        "messages are as they were edited last",
        "SELECT 'chat ' || chat_id || ': message ' || seq || ' says to be of edit ' || ifnull(edited, 'none')
                || ', the last one is ' || ifnull(last, 'none')
         FROM (SELECT m.chat_id, m.seq, m.details ->> '$.edited' AS edited,
                      (SELECT max(e.seq) FROM Changes e
                       WHERE e.chat_id = m.chat_id AND e.target_seq = m.seq AND e.kind = 'edited') AS last
               FROM Messages m WHERE m.details IS NOT NULL AND m.details ->> '$.deleted' IS NULL)
         WHERE edited IS NOT last
         UNION ALL
         SELECT 'chat ' || e.chat_id || ': entry ' || e.seq || ' changes message ' || e.target_seq || ', which does not say so'
         FROM Changes e LEFT JOIN Messages m ON m.chat_id = e.chat_id AND m.seq = e.target_seq
         JOIN Chats c ON c.chat_id = e.chat_id
         WHERE e.kind IN ('edited', 'deleted') AND m.details IS NULL AND e.target_seq > c.purged_seq
         UNION ALL
         SELECT 'chat ' || m.chat_id || ': message ' || m.seq || ' has not the text of its last edit'
         FROM Messages m JOIN Changes e ON e.chat_id = m.chat_id AND e.seq = m.details ->> '$.edited'
         WHERE m.details ->> '$.edited' IS NOT NULL AND m.message_text IS NOT e.details ->> '$.message_text'
         UNION ALL
         SELECT 'chat ' || m.chat_id || ': the first text of message ' || m.seq || ' is missing' FROM Messages m
         WHERE m.details ->> '$.edited' IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM Originals o WHERE o.chat_id = m.chat_id AND o.seq = m.seq)
         UNION ALL
         SELECT 'chat ' || o.chat_id || ': message ' || o.seq || ' was not edited and has a first text'
         FROM Originals o LEFT JOIN Messages m ON m.chat_id = o.chat_id AND m.seq = o.seq
         WHERE m.details ->> '$.edited' IS NULL",
    ),
    (
        "deleted messages say nothing",
        "SELECT 'chat ' || chat_id || ': message ' || seq || ' says to be deleted by ' || ifnull(deleted, 'none')
                || ' instead of ' || ifnull(entry, 'none')
         FROM (SELECT m.chat_id, m.seq, m.details ->> '$.deleted' AS deleted,
                      (SELECT min(e.seq) FROM Changes e
                       WHERE e.chat_id = m.chat_id AND e.target_seq = m.seq AND e.kind = 'deleted') AS entry
               FROM Messages m WHERE m.details IS NOT NULL)
         WHERE deleted IS NOT entry
         UNION ALL
         SELECT 'chat ' || m.chat_id || ': the deleted message ' || m.seq || ' has a text' FROM Messages m
         WHERE m.details ->> '$.deleted' IS NOT NULL
           AND (m.message_text <> ''
                OR (m.details ->> '$.source') IS NOT NULL OR (m.details ->> '$.forwarded') IS NOT NULL
                OR EXISTS (SELECT 1 FROM Originals o WHERE o.chat_id = m.chat_id AND o.seq = m.seq)
                OR EXISTS (SELECT 1 FROM Changes e WHERE e.chat_id = m.chat_id AND e.target_seq = m.seq
                           AND e.kind = 'edited' AND e.details IS NOT NULL))",
    ),
    (
        "reactions are what the log says",
        "WITH Said AS (
             SELECT e.chat_id, e.target_seq, e.details AS emoji, e.by_user_id, e.kind, max(e.seq)
             FROM Changes e WHERE e.kind IN ('reacted', 'unreacted')
             GROUP BY e.chat_id, e.target_seq, e.details, e.by_user_id),
         Standing AS (
             SELECT s.chat_id, s.target_seq, s.emoji, s.by_user_id FROM Said s
             JOIN Messages m ON m.chat_id = s.chat_id AND m.seq = s.target_seq
             WHERE s.kind = 'reacted' AND m.details ->> '$.deleted' IS NULL)
         SELECT 'chat ' || chat_id || ': ' || quote(emoji) || ' of user ' || by_user_id || ' on message ' || target_seq
                || ' is missing'
         FROM (SELECT * FROM Standing EXCEPT SELECT chat_id, seq, emoji, user_id FROM Reactions)
         UNION ALL
         SELECT 'chat ' || chat_id || ': ' || quote(emoji) || ' of user ' || user_id || ' on message ' || seq
                || ' is not in the log'
         FROM (SELECT chat_id, seq, emoji, user_id FROM Reactions EXCEPT SELECT * FROM Standing)",
    ),
    (
        "pins are what the log says",
        "WITH Said AS (
             SELECT e.chat_id, e.target_seq, e.kind, max(e.seq)
             FROM Changes e JOIN Chats c ON c.chat_id = e.chat_id
             WHERE e.kind IN ('pinned', 'unpinned', 'deleted') AND e.target_seq > c.purged_seq
             GROUP BY e.chat_id, e.target_seq),
         Standing AS (SELECT chat_id, target_seq FROM Said WHERE kind = 'pinned')
         SELECT 'chat ' || chat_id || ': the pin of message ' || target_seq || ' is missing'
         FROM (SELECT * FROM Standing EXCEPT SELECT chat_id, seq FROM Pins)
         UNION ALL
         SELECT 'chat ' || chat_id || ': the pin of message ' || seq || ' is not in the log'
         FROM (SELECT chat_id, seq FROM Pins EXCEPT SELECT * FROM Standing)",
    ),
    (
        "threads are what messages say",
        "WITH Said AS (
             SELECT m.chat_id, m.details ->> '$.thread' AS thread_seq, m.seq FROM Messages m
             WHERE m.details IS NOT NULL AND m.details ->> '$.thread' IS NOT NULL)
         SELECT 'chat ' || chat_id || ': message ' || seq || ' is missing in the thread of ' || thread_seq
         FROM (SELECT * FROM Said EXCEPT SELECT chat_id, thread_seq, seq FROM Threads)
         UNION ALL
         SELECT 'chat ' || chat_id || ': message ' || seq || ' is not in the thread of ' || thread_seq
         FROM (SELECT chat_id, thread_seq, seq FROM Threads EXCEPT SELECT * FROM Said)",
    ),
    (
        "mentions are what messages say",
        "WITH Said AS (
             SELECT 0 AS user_id, m.chat_id, m.number FROM Messages m
             WHERE m.details IS NOT NULL AND m.details ->> '$.mentions.all'
             UNION ALL
             SELECT u.value, m.chat_id, m.number FROM Messages m, json_each(m.details, '$.mentions.user_ids') u
             WHERE m.details IS NOT NULL AND NOT ifnull(m.details ->> '$.mentions.all', 0))
         SELECT 'chat ' || chat_id || ': message number ' || number || ' calls user ' || user_id || ', who is not told'
         FROM (SELECT * FROM Said EXCEPT SELECT user_id, chat_id, number FROM Mentions)
         UNION ALL
         SELECT 'chat ' || chat_id || ': message number ' || number || ' does not call user ' || user_id
         FROM (SELECT user_id, chat_id, number FROM Mentions EXCEPT SELECT * FROM Said)",
    ),
];
