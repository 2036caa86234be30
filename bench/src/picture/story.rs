//! What the people of the picture say: a walk is planned, in the languages that they speak.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::peer::Peer;

/// Who sits before the terminal.
pub(super) const VIEWER: &str = "Ann";

/// What must be seen: the connection, the newest message, and a chat with something unread.
pub(super) const SIGHTS: [&str; 3] = ["online", "Rain coats", "kitchen"];

/// What is being typed.
pub(super) const DRAFT: &str = "And I take the dog";

const PEOPLE: [&str; 5] = [VIEWER, "Bob", "Мария", "王芳", "Zoé"];

/// A room of everybody, or of the viewer and one other person if it has no name; and what is said in it.
struct Place {
    name: &'static str,
    people: &'static [&'static str],
    said: &'static [(&'static str, &'static str)],
    /// Messages that the viewer has not read.
    unread: usize,
}

/// The last of them is the most recent one, which is open in the picture.
const PLACES: [Place; 5] = [
    Place {
        name: "book club",
        people: &["Bob", "Zoé"],
        said: &[("Zoé", "On lit le chapitre neuf pour mardi ?"), ("Bob", "Oui! Nine it is.")],
        unread: 0,
    },
    Place {
        name: "release",
        people: &["Bob", "王芳"],
        said: &[("王芳", "All tests are green ✅"), ("Bob", "Then I tag it tonight.")],
        unread: 1,
    },
    Place {
        name: "kitchen",
        people: &["Мария", "Zoé"],
        said: &[
            ("Zoé", "Who took the last coffee?"),
            ("Мария", "Не я! Но я куплю новый."),
            ("Zoé", "Merci ☕"),
        ],
        unread: 3,
    },
    Place { name: "", people: &["王芳"], said: &[("王芳", "周六见 👋")], unread: 1 },
    Place {
        name: "lighthouse walk",
        people: &["Bob", "Мария", "王芳", "Zoé"],
        said: &[
            ("Bob", "Who comes to the lighthouse on Saturday?"),
            ("Мария", "Я с вами! Во сколько встречаемся?"),
            ("Bob", "Nine, at the station clock. I bring tea 🍵"),
            ("王芳", "我也去，带上相机 📷"),
            ("Zoé", "À samedi ! J'apporte un gâteau."),
            (VIEWER, "Then we are five. Trains: `talko send trains 9:12`"),
            ("Bob", "The path is 12 km, and half of it is sand."),
            ("王芳", "潮水几点退？"),
        ],
        unread: 0,
    },
];

/// What becomes of messages of the last place: an answer, an edit, signs, and the last word. Messages are named by their places.
const ANSWER: (&str, usize, &str) = ("Мария", 2, "Тогда в девять у часов");
const EDIT: (&str, usize, &str) = ("Bob", 6, "The path is 14 km, and half of it is sand.");
const SIGNS: [(&str, usize, &str); 4] =
    [("Мария", 2, "👍"), ("王芳", 2, "👍"), (VIEWER, 4, "🎉"), ("Bob", 3, "👍")];
const LAST: (&str, &str) = ("Bob", "Low tide is at noon. Rain coats, everybody ☔");

/// Lets them talk.
///
/// # Errors
/// The servers refuse something.
pub(super) fn tell(data_address: SocketAddr) -> Result<()> {
    let mut cast = Cast::gather(data_address)?;
    for place in &PLACES {
        let (chat, seqs) = cast.talk(place)?;
        if !std::ptr::eq(place, &PLACES[PLACES.len() - 1]) {
            let read = place.said.len() - place.unread;
            cast.call(VIEWER, "MarkRead", &json!({"chat_id": chat, "number": read}))?;
            continue;
        }
        let (who, answered, text) = ANSWER;
        cast.say(who, &json!({"chat_id": chat, "message_text": text, "reply_to": seqs[answered]}))?;
        let (who, edited, text) = EDIT;
        let edit = json!({"chat_id": chat, "seq": seqs[edited], "message_text": text});
        cast.call(who, "UpdateMessage", &edit)?;
        for (who, place, emoji) in SIGNS {
            let sign = json!({"chat_id": chat, "seq": seqs[place], "emoji": emoji});
            cast.call(who, "AddReaction", &sign)?;
        }
        cast.say(LAST.0, &json!({"chat_id": chat, "message_text": LAST.1}))?;
    }
    Ok(())
}

/// Everybody, by name.
struct Cast {
    people: BTreeMap<&'static str, (Value, Peer)>,
}

impl Cast {
    fn gather(data_address: SocketAddr) -> Result<Self> {
        let mut people = BTreeMap::new();
        let mut nobody = Peer::connect(data_address)?;
        for name in PEOPLE {
            let user = nobody.call("InsertUser", &json!({"user_name": name}))?["user"]["user_id"].take();
            let number = user.as_i64().context("a new person has no number")?;
            people.insert(name, (user, Peer::person(data_address, number)?));
        }
        Ok(Self { people })
    }

    /// The chat, and where its messages stand in it.
    fn talk(&mut self, place: &Place) -> Result<(Value, Vec<Value>)> {
        let people = std::iter::once(VIEWER).chain(place.people.iter().copied());
        let people: Vec<Value> =
            people.filter_map(|name| self.people.get(name)).map(|(user, _)| user.clone()).collect();
        let chat = json!({"chat_name": place.name, "user_ids": people});
        let chat = self.call(VIEWER, "InsertChat", &chat)?["chat"]["chat_id"].take();
        let say = |(who, text): &(&str, &str)| self.say(who, &json!({"chat_id": chat, "message_text": text}));
        let seqs = place.said.iter().map(say).collect::<Result<_>>()?;
        Ok((chat, seqs))
    }

    /// Where the message stands in its chat.
    fn say(&mut self, who: &str, message: &Value) -> Result<Value> {
        Ok(self.call(who, "InsertMessage", message)?["message"]["seq"].take())
    }

    fn call(&mut self, who: &str, method: &str, params: &Value) -> Result<Value> {
        let (_, peer) = self.people.get_mut(who).with_context(|| format!("there is no {who}"))?;
        peer.call(method, params)
    }
}
