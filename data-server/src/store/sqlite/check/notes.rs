//! The rules about what a person's devices share, and about bots.

/// Rules and the questions that answer what breaks them.
pub(super) const QUESTIONS: [(&str, &str); 2] = [
    (
        "notes are numbered, and of chats that the person is in",
        "WITH Notes AS (SELECT user_id, chat_id, version, 'mark' AS kind FROM Marks
                        UNION ALL SELECT user_id, chat_id, version, 'draft' FROM Drafts)
         SELECT 'user ' || n.user_id || ': the ' || n.kind || ' of chat ' || n.chat_id || ' has the number ' || n.version
                || ' of ' || ifnull(b.version, 0)
         FROM Notes n LEFT JOIN Notebooks b ON b.user_id = n.user_id
         WHERE (n.version BETWEEN 1 AND b.version) IS NOT TRUE
         UNION ALL
         SELECT 'user ' || user_id || ': ' || count(*) || ' notes have the number ' || version
         FROM Notes GROUP BY user_id, version HAVING count(*) > 1
         UNION ALL
         SELECT 'user ' || n.user_id || ': there is a ' || n.kind || ' of chat ' || n.chat_id || ', where the person is not'
         FROM Notes n LEFT JOIN Participants p ON p.chat_id = n.chat_id AND p.user_id = n.user_id
         WHERE p.user_id IS NULL",
    ),
    (
        "bots belong to people",
        "SELECT 'bot ' || b.user_id || ': it has a password, or a role above a member''s'
         FROM Bots b JOIN Users u ON u.user_id = b.user_id
         WHERE u.password_hash IS NOT NULL OR u.server_role NOT IN ('guest', 'member')
         UNION ALL
         SELECT 'bot ' || b.user_id || ': its owner is a bot' FROM Bots b JOIN Bots o ON o.user_id = b.owner_id
         UNION ALL
         SELECT 'bot ' || b.user_id || ': its owner''s account is closed, and it is not'
         FROM Bots b JOIN Users u ON u.user_id = b.user_id JOIN Users o ON o.user_id = b.owner_id
         WHERE u.deactivated_ts IS NULL AND o.deactivated_ts IS NOT NULL
         UNION ALL
         SELECT 'bot ' || b.user_id || ': ' || count(*) || ' of its tokens hold'
         FROM Bots b JOIN Sessions s ON s.user_id = b.user_id AND s.ended_ts IS NULL
         GROUP BY b.user_id HAVING count(*) > 1",
    ),
];
