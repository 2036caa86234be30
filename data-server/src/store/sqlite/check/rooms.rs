//! The rules about groups and rooms that a check asks for: what is stored beside a log is what the log says last.

/// As those of the others.
pub(super) const QUESTIONS: [(&str, &str); 3] = [
    (
        "groups are what their logs say",
        "WITH said AS (
             SELECT e.chat_id, s.key AS what, s.value, max(e.seq) FROM Changes e, json_each(e.details) s
             WHERE e.kind = 'updated' GROUP BY e.chat_id, s.key),
         told AS (
             SELECT c.chat_id, c.chat_name AS found, said.value AS told, e.details AS first, 'chat_name' AS what
             FROM Chats c JOIN Changes e ON e.chat_id = c.chat_id AND e.seq = 1
             LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'chat_name' WHERE NOT c.is_private
             UNION ALL
             SELECT c.chat_id, c.topic, said.value, '', 'topic'
             FROM Chats c LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'topic'
             UNION ALL
             SELECT c.chat_id, ifnull(c.room_name, ''), said.value, '', 'room_name'
             FROM Chats c LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'room_name'
             UNION ALL
             SELECT c.chat_id, c.is_public, said.value, 0, 'is_public'
             FROM Chats c LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'is_public'
             UNION ALL
             SELECT c.chat_id, c.is_archived, said.value, 0, 'is_archived'
             FROM Chats c LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'is_archived'
             UNION ALL
             SELECT c.chat_id, c.users_max, said.value, 0, 'users_max'
             FROM Chats c LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'users_max'
             UNION ALL
             SELECT c.chat_id, c.keep_ms, said.value, 0, 'keep_ms'
             FROM Chats c LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'keep_ms'
             UNION ALL
             SELECT c.chat_id, c.keep_messages, said.value, 0, 'keep_messages'
             FROM Chats c LEFT JOIN said ON said.chat_id = c.chat_id AND said.what = 'keep_messages')
         SELECT 'chat ' || chat_id || ': ' || what || ' is ' || quote(found) || ' instead of '
                || quote(ifnull(told, first))
         FROM told WHERE found IS NOT ifnull(told, first)",
    ),
    (
        "a room's name is one room's",
        "SELECT 'chat ' || chat_id || ': its room name is not told from names that look like it' FROM Chats
         WHERE (room_name IS NULL) <> (room_skeleton IS NULL)
         UNION ALL
         SELECT count(*) || ' rooms have the name ' || quote(room_name) FROM Chats
         WHERE room_name IS NOT NULL GROUP BY room_name HAVING count(*) > 1
         UNION ALL
         SELECT count(*) || ' rooms have names that look like ' || quote(room_skeleton) FROM Chats
         WHERE room_skeleton IS NOT NULL GROUP BY room_skeleton HAVING count(*) > 1
         UNION ALL
         SELECT 'chat ' || chat_id || ': a private chat has rules' FROM Chats
         WHERE is_private AND (room_name IS NOT NULL OR is_public OR is_archived OR users_max <> 0
                             OR keep_ms <> 0 OR keep_messages <> 0)",
    ),
    (
        "bans and mutes stand in the log",
        "SELECT 'chat ' || r.chat_id || ': the ' || r.penalty || ' of user ' || r.user_id || ' is not what the log says'
         FROM Restrictions r LEFT JOIN (
             SELECT chat_id, user_id, details ->> 'penalty' AS penalty, details ->> 'until_ts' AS until_ts,
                    details ->> 'is_lifted' AS is_lifted, max(seq)
             FROM Changes WHERE kind = 'restricted' GROUP BY chat_id, user_id, details ->> 'penalty') e
             ON e.chat_id = r.chat_id AND e.user_id = r.user_id AND e.penalty = r.penalty
         WHERE e.chat_id IS NULL OR e.is_lifted OR e.until_ts IS NOT r.until_ts",
    ),
];
