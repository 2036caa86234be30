//! What readers ask of an archive, with the answers that are right.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::archive::{Archive, CHATS_OF_READER, CHATS_OF_WEEK, DEPTH, MESSAGES_OF_WEEK, mixed};
use crate::asker::Asker;
use crate::house::Talko;
use crate::words::{WORDS, word};

/// Messages of a page that fills a screen.
const SCREEN: i64 = 50;

/// Messages or chats of the longest page.
const PAGE: i64 = 500;

/// No ending of a form is longer.
const ENDING_CHARS: usize = 4;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The newest messages of a chat, a screen of them.
    Newest,
    /// A screen of messages in the middle.
    Middle,
    /// The newest messages of a chat, as many as one answer can have.
    NewestPage,
    /// The first page of a person's chats, each with its last message.
    Chats,
    /// What is unread in all chats of a person, without people and messages, in pages as long as can be.
    Unread,
    /// What is new in all chats of a person after a week.
    Week,
    /// The same when nothing is new.
    Nothing,
    /// The newest messages with a word that hardly anybody says.
    RareWord,
    /// The newest messages with a word that is said all the time.
    CommonWord,
    /// The newest messages with two words that are said now and then.
    TwoWords,
    /// The newest messages in which a word that is said now and then follows a common one.
    Phrase,
    /// The newest messages of one chat with a common word.
    WordInChat,
    /// The best messages with a word that is said now and then.
    Best,
}

/// All questions, in the order of tables.
pub(crate) const QUESTIONS: [Question; 13] = [
    Question::Newest,
    Question::Middle,
    Question::NewestPage,
    Question::Chats,
    Question::Unread,
    Question::Week,
    Question::Nothing,
    Question::RareWord,
    Question::CommonWord,
    Question::TwoWords,
    Question::Phrase,
    Question::WordInChat,
    Question::Best,
];

/// Those that look for words.
pub(crate) const SEARCHES: [Question; 6] = [
    Question::RareWord,
    Question::CommonWord,
    Question::TwoWords,
    Question::Phrase,
    Question::WordInChat,
    Question::Best,
];

/// Ranks of words that are said all the time, now and then, and hardly ever.
const COMMON: Range<u64> = 1..20;
const MIDDLE: Range<u64> = 100..1_000;
const RARE: Range<u64> = 10_000..WORDS;

impl Question {
    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest 50 messages",
            Self::Middle => "50 messages in the middle",
            Self::NewestPage => "newest 500 messages",
            Self::Chats => "first 100 of 1 000 chats",
            Self::Unread => "unread of 1 000 chats",
            Self::Week => "`Sync` after a week",
            Self::Nothing => "`Sync`, nothing new",
            Self::RareWord => "search: a rare word",
            Self::CommonWord => "search: a common word",
            Self::TwoWords => "search: two words",
            Self::Phrase => "search: a common word and another in a row",
            Self::WordInChat => "search: a common word in a chat",
            Self::Best => "search: a word, best first",
        }
    }
}

/// Readers with a connection each.
#[derive(Debug)]
pub(crate) struct Readers {
    archive: Archive,
    deep_chats: Vec<i64>,
    askers: Vec<Asker>,
    chance: u64,
}

impl Readers {
    /// Connects everybody. The same seed asks for the same chats.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn connect(archive: Archive, talko: &Talko, seed: u64) -> Result<Self> {
        let address = talko.data_address()?;
        let askers =
            (1..=archive.readers()).map(|reader| Asker::person(address, reader)).collect::<Result<_>>()?;
        Ok(Self { archive, deep_chats: archive.deep_chats(), askers, chance: seed << 32 })
    }

    /// Asks by chance about one of the chats, or for one of the readers, and looks at the answer. How long it took.
    ///
    /// # Errors
    /// The answer is wrong.
    pub(crate) fn ask(&mut self, question: Question) -> Result<Duration> {
        self.chance += 1;
        let chance = mixed(self.chance);
        match question {
            Question::Newest => self.page(chance, None, SCREEN),
            Question::Middle => {
                let before = DEPTH / 4 + i64::try_from(chance >> 40)? % (DEPTH / 2);
                self.page(chance, Some(before), SCREEN)
            }
            Question::NewestPage => self.page(chance, None, PAGE),
            Question::Chats => {
                let (took, reply) = self.asker(chance).1.ask("GetChats", &json!({"messages_max": 1}))?;
                let chats = array(&reply["chats"]);
                let full = chats.iter().all(|chat| array(&chat["messages"]).len() == 1);
                ensure!(chats.len() == 100 && full, "GetChats: {} chats", chats.len());
                Ok(took)
            }
            Question::Unread => self.unread(chance),
            Question::Week => {
                let expected = CHATS_OF_WEEK * MESSAGES_OF_WEEK;
                self.sync(chance, Archive::head_before_the_week, expected)
            }
            Question::Nothing => self.sync(chance, |archive, chat| 1 + archive.messages_of(chat), 0),
            Question::RareWord => self.search(chance, &[RARE], "", &json!({})),
            Question::CommonWord => self.search(chance, &[COMMON], "", &json!({})),
            Question::TwoWords => self.search(chance, &[MIDDLE, MIDDLE], "", &json!({})),
            Question::Phrase => self.search(chance, &[COMMON, MIDDLE], "\"", &json!({})),
            Question::WordInChat => {
                let place = (mixed(chance) % self.deep_chats.len() as u64) as usize;
                let chat = self.deep_chats[place];
                let reader = u64::try_from(self.archive.reader_of(chat) - 1)?;
                // Who asks is told by the chance: it must be who is in the chat.
                let chance = chance - chance % self.askers.len() as u64 + reader;
                self.search(chance, &[COMMON], "", &json!({"chat_id": chat}))
            }
            Question::Best => self.search(chance, &[MIDDLE], "", &json!({"order": "relevance"})),
        }
    }

    fn asker(&mut self, chance: u64) -> (i64, &mut Asker) {
        let place = (chance % self.askers.len() as u64) as usize;
        (1 + place as i64, &mut self.askers[place])
    }

    fn page(&mut self, chance: u64, before: Option<i64>, limit: i64) -> Result<Duration> {
        let chat = self.deep_chats[(chance % self.deep_chats.len() as u64) as usize];
        let newest = before.map_or(self.archive.messages_of(chat), |before| before - 2);
        let params = match before {
            Some(before) => json!({"chat_id": chat, "limit": limit, "before_seq": before}),
            None => json!({"chat_id": chat, "limit": limit}),
        };
        let place = usize::try_from(self.archive.reader_of(chat) - 1)?;
        let (took, reply) = self.askers[place].ask("GetMessages", &params)?;
        let messages = array(&reply["messages"]);
        let numbers: Vec<i64> = messages.iter().filter_map(|message| message["number"].as_i64()).collect();
        let expected: Vec<i64> = (newest - limit + 1..=newest).collect();
        ensure!(numbers == expected, "GetMessages of chat {chat}: {numbers:?} instead of {expected:?}");
        Ok(took)
    }

    fn unread(&mut self, chance: u64) -> Result<Duration> {
        let (reader, asker) = self.asker(chance);
        let (mut total, mut unread) = (Duration::ZERO, BTreeMap::new());
        let mut params = json!({"limit": PAGE, "users_max": 0, "messages_max": 0});
        loop {
            let (took, reply) = asker.ask("GetChats", &params)?;
            total += took;
            for chat in array(&reply["chats"]) {
                unread.insert(chat["chat_id"].as_i64(), chat["unread"].as_i64().unwrap_or(0));
                params["before"] = json!({"activity_ts": chat["activity_ts"], "chat_id": chat["chat_id"]});
            }
            if reply["more"] != true {
                break;
            }
        }
        let archive = self.archive;
        for chat in archive.chats_of(reader) {
            let expected = archive.messages_of(chat) - archive.read_of(chat);
            let found = unread.get(&Some(chat)).copied();
            ensure!(found == Some(expected), "chat {chat} has {found:?} unread instead of {expected}");
        }
        Ok(total)
    }

    /// Looks for a word of each of these kinds. What is found must have all of them in it.
    fn search(&mut self, chance: u64, kinds: &[Range<u64>], quote: &str, more: &Value) -> Result<Duration> {
        let pick = |(place, kind): (usize, &Range<u64>)| {
            word(kind.start + mixed(chance.wrapping_add(place as u64)) % (kind.end - kind.start))
        };
        let words: Vec<String> = kinds.iter().enumerate().map(pick).collect();
        let sought = words.join(" ");
        let mut params = json!({"query": format!("{quote}{sought}{quote}")});
        for (name, value) in more.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        let (took, reply) = self.asker(chance).1.ask("SearchMessages", &params)?;
        ensure!(reply["indexing"].is_null(), "the index is not complete: {reply}");
        for hit in array(&reply["hits"]) {
            let text = hit["message"]["message_text"].as_str().unwrap_or_default();
            // A word is found in other forms, which begin as it does.
            let beginning = |word: &String| word[..word.len().saturating_sub(ENDING_CHARS).max(2)].to_owned();
            let has_all =
                words.iter().map(beginning).all(|word| text.split(' ').any(|said| said.starts_with(&word)));
            ensure!(has_all, "{sought:?} is not in {text:?}");
        }
        Ok(took)
    }

    fn sync(
        &mut self,
        chance: u64,
        cursor: impl Fn(&Archive, i64) -> i64,
        expected: i64,
    ) -> Result<Duration> {
        let archive = self.archive;
        let (reader, asker) = self.asker(chance);
        let chats = archive.chats_of(reader);
        let cursors: BTreeMap<String, i64> =
            chats.map(|chat| (chat.to_string(), cursor(&archive, chat))).collect();
        let (took, reply) = asker.ask("Sync", &json!({"cursors": cursors}))?;
        let entries = array(&reply["entries"]).len() as i64;
        let is_all = entries == expected && reply["more"] != true && reply["reset"] != true;
        ensure!(is_all && cursors.len() as i64 == CHATS_OF_READER, "Sync: {entries} entries of {expected}");
        Ok(took)
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
