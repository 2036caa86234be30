//! The situation that each cell of the matrix begins in: people, a group, a private chat, invitations, over real servers.
//! It is made once, by calls, and put back into the database after each call that has changed something.

use std::collections::BTreeMap;

use broadcast_server::TicketKeys;
use data_server::{Rates, SharedTicketKey};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};
use tests::{DEADLINE, Form, Installation, Setup, Wire};
use ttp::model::{SessionId, UserId};
use ttp::net::clock;
use ttp::ticket::TicketKey;

use crate::cells::Actor;
use crate::effects::CANARY;
use crate::files;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Everybody, in the order of their numbers. See the table for who is what.
const PEOPLE: [&str; 17] = [
    "landlord",
    "fallen",
    "steward",
    "visitor",
    "owner",
    "moderator",
    "member",
    "guest",
    "stranger",
    "remus",
    "thea",
    "tilda",
    "tony",
    "otto",
    "clara",
    "bert",
    "last",
];

/// With whom Remus founded the group, in the words of its call.
const FOUNDED_WITH: [&str; 8] = ["owner", "moderator", "member", "guest", "fallen", "thea", "tilda", "tony"];

/// A person's account, with two sessions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) user_id: UserId,
    pub(crate) token: String,
    pub(crate) session_id: i64,
    phone_token: String,
    phone_id: i64,
}

/// All rows of all tables.
pub(crate) type Dump = BTreeMap<String, Vec<Vec<Cell>>>;

/// Servers with everybody in them.
pub(crate) struct World {
    pub(crate) installation: Installation,
    people: BTreeMap<&'static str, Person>,
    names: BTreeMap<String, String>,
    tables: Connection,
    first: Dump,
}

/// Servers that believe nobody, where accounts are made by invitation. One person after the other asks from one address,
/// faster than any people do.
async fn guarded(form: Form) -> Installation {
    let mut setup = Setup::guarded();
    setup.data.rates = Rates::OFF;
    setup.data.ticket_key = SharedTicketKey::new(ticket_key());
    setup.broadcast.ticket_keys = TicketKeys::new([ticket_key()]);
    Installation::start_with(form, setup).await
}

fn ticket_key() -> TicketKey {
    TicketKey::new([9; 32])
}

impl World {
    /// Makes it.
    pub(crate) async fn make(form: Form) -> Self {
        let installation = guarded(form).await;
        let tables = Connection::open(installation.database()).unwrap();
        tables.busy_timeout(DEADLINE).unwrap();
        tables.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF").unwrap();
        let (people, names) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self { installation, people, names, tables, first: Dump::new() };
        world.name("password", PASSWORD);
        world.make_people().await;
        world.make_chats().await;
        world.make_tickets();
        world.first = world.dump();
        world
    }

    async fn make_people(&mut self) {
        let mut landlord = self.register("landlord", None).await;
        let invite = async |wire: &mut Wire, params: Value| {
            wire.result("InsertInvitation", params).await["code"].as_str().unwrap().to_owned()
        };
        let code = invite(&mut landlord, json!({"uses_max": 100, "role": "member"})).await;
        let used = invite(&mut landlord, json!({"uses_max": 1})).await;
        let over = invite(&mut landlord, json!({"lifetime_ms": 1})).await;
        let ended = landlord.result("InsertInvitation", json!({})).await;
        let invitation_id = &ended["invitation"]["invitation_id"];
        landlord.result("RevokeInvitation", json!({"invitation_id": invitation_id})).await;
        for name in &PEOPLE[1..] {
            let code = if *name == "last" { &used } else { &code };
            self.register(name, Some(code)).await;
        }
        let give = async |wire: &mut Wire, person: &Person, role: &str| {
            wire.result("SetServerRole", json!({"user_id": person.user_id, "role": role})).await;
        };
        give(&mut landlord, &self.people["visitor"], "moderator").await;
        let unbacked = invite(&mut self.log_in("visitor").await, json!({})).await;
        for (name, role) in [
            ("fallen", "owner"),
            ("steward", "moderator"),
            ("thea", "moderator"),
            ("visitor", "guest"),
            ("tony", "guest"),
        ] {
            give(&mut landlord, &self.people[name], role).await;
        }
        landlord.result("DeactivateUser", json!({"user_id": self.people["clara"].user_id})).await;
        let ended = ended["code"].as_str().unwrap();
        for (name, code) in
            [("code", &*code), ("used_code", &used), ("over_code", &over), ("ended_code", ended)]
        {
            self.name(name, code);
        }
        self.name("unbacked_code", &unbacked);
        self.plant_invitations();
        self.plant_bots();
    }

    /// Everybody has a bot, made when their role was higher perhaps.
    fn plant_bots(&mut self) {
        for name in PEOPLE {
            let sql = "INSERT INTO Users (user_name, created_ts, server_role)
                       SELECT ?1, 0, iif(server_role = 'guest', 'guest', 'member') FROM Users WHERE user_id = ?2
                       RETURNING user_id";
            let params = (format!("{name}_bot"), self.people[name].user_id.0);
            let bot: i64 = self.tables.query_row(sql, params, |row| row.get(0)).unwrap();
            let sql = "INSERT INTO Bots (user_id, owner_id, created_ts) VALUES (?1, ?2, 0)";
            self.tables.execute(sql, (bot, self.people[name].user_id.0)).unwrap();
            self.name(&format!("{name}_bot"), &bot.to_string());
        }
    }

    /// Everybody has made an invitation, when their role was higher perhaps.
    fn plant_invitations(&mut self) {
        for name in PEOPLE {
            let sql =
                "INSERT INTO Invitations (code_hash, creator_id, role, uses_left, created_ts, expires_ts)
                       VALUES (randomblob(32), ?1, 'guest', 7, ?2, ?2 + 3600000) RETURNING invitation_id";
            let params = (self.people[name].user_id.0, clock::now_ms());
            let number: i64 = self.tables.query_row(sql, params, |row| row.get(0)).unwrap();
            self.name(&format!("{name}_invitation"), &number.to_string());
        }
    }

    async fn make_chats(&mut self) {
        let mut remus = self.log_in("remus").await;
        let with: Vec<UserId> = FOUNDED_WITH.iter().map(|name| self.people[name].user_id).collect();
        let numbers: Vec<String> = with.iter().map(ToString::to_string).collect();
        let new = json!({"chat_name": "team", "user_ids": with, "client_chat_id": "team-1"});
        let team = remus.result("InsertChat", new).await["chat"]["chat_id"].clone();
        let say =
            |text: &str, key: &str| json!({"chat_id": team, "message_text": text, "client_message_id": key});
        remus.result("InsertMessage", say("words of Remus", "remus-1")).await;
        for (name, role) in [
            ("owner", "owner"),
            ("fallen", "owner"),
            ("moderator", "moderator"),
            ("thea", "moderator"),
            ("guest", "guest"),
            ("tony", "guest"),
        ] {
            let user_id = self.people[name].user_id;
            remus.result("SetRole", json!({"chat_id": team, "user_id": user_id, "role": role})).await;
        }
        self.log_in("tilda").await.result("InsertMessage", say(CANARY, "tilda-1")).await;
        let leaver = json!({"chat_id": team, "user_id": self.people["remus"].user_id});
        self.log_in("owner").await.result("RemoveParticipant", leaver).await;
        let mut otto = self.log_in("otto").await;
        let private = json!({"user_ids": [self.people["member"].user_id]});
        let private = otto.result("InsertChat", private).await["chat"]["chat_id"].clone();
        let said = json!({"chat_id": private, "message_text": "the canary sings to one"});
        otto.result("InsertMessage", said).await;
        self.make_messages(&team).await;
        let lounge = json!({"chat_name": "Lounge", "user_ids": [self.people["otto"].user_id],
                            "room_name": "Lounge", "is_public": true});
        let lounge = otto.result("InsertChat", lounge).await["chat"]["chat_id"].clone();
        let ban = json!({"chat_id": team, "user_id": self.people["bert"].user_id, "penalty": "ban"});
        self.log_in("owner").await.result("Restrict", ban).await;
        self.name("lounge", &lounge.to_string());
        self.name("team", &team.to_string());
        self.name("private", &private.to_string());
        self.name("people", &numbers.join(","));
    }

    /// Everybody in the group has said something, some in the thread of Tilda's message, which is pinned and has signs.
    async fn make_messages(&mut self, team: &Value) {
        let canary = json!({"chat_id": team, "seq": 9});
        self.name("remus_message", "2");
        self.name("tilda_message", "9");
        for name in ["owner", "moderator", "member", "guest", "thea", "fallen", "tony"] {
            let mut wire = self.log_in(name).await;
            let mut said = json!({"chat_id": team, "message_text": format!("words of {name}")});
            if name == "thea" {
                said["thread"] = json!(9);
            }
            let stored = wire.result("InsertMessage", said).await;
            self.name(&format!("{name}_message"), &stored["message"]["seq"].to_string());
            let sign = json!({"chat_id": team, "seq": 9, "emoji": "👍"});
            wire.result("AddReaction", sign).await;
        }
        self.log_in("thea").await.result("PinMessage", canary).await;
        let with_file = files::say(&mut self.log_in("tony").await, team).await;
        self.name("file_message", &with_file);
        for (name, text) in [("file", CANARY), ("hello", "hello")] {
            self.name(name, &files::hash(text).to_string());
        }
        for name in PEOPLE.iter().filter(|name| **name != "clara") {
            files::begin(&mut self.log_in(name).await).await;
        }
    }

    fn make_tickets(&mut self) {
        let now = clock::now_ms();
        for (name, key, person, session, at) in [
            ("forged", TicketKey::new([8; 32]), "tilda", Some("tilda"), now),
            ("late", ticket_key(), "tilda", Some("tilda"), now - 70_000),
            ("trusted", ticket_key(), "tilda", None, now),
            ("closed", ticket_key(), "clara", Some("clara"), now),
        ] {
            let session = session.map(|name| SessionId(self.people[name].session_id));
            let (ticket, _) = key.sign(self.people[person].user_id, session, at);
            self.name(&format!("{name}_ticket"), ticket.expose());
        }
    }

    /// Makes an account, with one more session.
    async fn register(&mut self, name: &'static str, code: Option<&str>) -> Wire {
        let mut wire = greeted(self.installation.data_wire().await).await;
        let mut account = json!({"user_name": name, "password": PASSWORD});
        if let Some(code) = code {
            account["invitation"] = json!(code);
        }
        let begun = wire.result("Register", account).await;
        let mut phone = greeted(self.installation.data_wire().await).await;
        let other = phone.result("Login", json!({"user_name": name, "password": PASSWORD})).await;
        let person = Person {
            user_id: UserId(begun["user"]["user_id"].as_i64().unwrap()),
            token: begun["token"].as_str().unwrap().into(),
            session_id: begun["session_id"].as_i64().unwrap(),
            phone_token: other["token"].as_str().unwrap().into(),
            phone_id: other["session_id"].as_i64().unwrap(),
        };
        self.name(name, &person.user_id.to_string());
        self.name(&format!("{name}_token"), &person.token);
        self.name(&format!("{name}_session"), &person.session_id.to_string());
        self.people.insert(name, person);
        wire
    }

    fn name(&mut self, name: &str, value: &str) {
        self.names.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn person(&self, name: &str) -> &Person {
        &self.people[name]
    }

    /// What stands for this name in the table.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.names[name].parse().unwrap()
    }

    /// The params of a row as this actor says them.
    pub(crate) fn params(&self, template: &str, actor: Actor, ticket: &str) -> Value {
        let name = actor.person();
        let me = &self.people[name];
        let number = me.user_id.to_string();
        let said = |word: &str| match word {
            "me" => number.clone(),
            "my_token" => me.token.clone(),
            "my_phone_token" => me.phone_token.clone(),
            "my_session" => me.session_id.to_string(),
            "my_phone" => me.phone_id.to_string(),
            "my_invitation" => self.names[&format!("{name}_invitation")].clone(),
            "my_bot" => self.names[&format!("{name}_bot")].clone(),
            "my_ticket" => ticket.to_owned(),
            "my_message" => self.names.get(&format!("{name}_message")).cloned().unwrap_or("999".into()),
            word => self.names.get(word).unwrap_or_else(|| panic!("${word} is nobody")).clone(),
        };
        let mut parts = template.split('$');
        let mut text = parts.next().unwrap().to_owned();
        for part in parts {
            let end = part.find(|c: char| c != '_' && !c.is_ascii_lowercase()).unwrap_or(part.len());
            text += &said(&part[..end]);
            text += &part[end..];
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// A connection to the data-server that speaks for this person.
    pub(crate) async fn log_in(&self, name: &str) -> Wire {
        self.speak(&self.people[name].token).await
    }

    /// The same in the second session of this person.
    pub(crate) async fn log_in_elsewhere(&self, name: &str) -> Wire {
        self.speak(&self.people[name].phone_token).await
    }

    async fn speak(&self, token: &str) -> Wire {
        let mut wire = greeted(self.installation.data_wire().await).await;
        wire.result("Authenticate", json!({"token": token})).await;
        wire
    }

    /// A connection as this actor has it, before the session ends.
    pub(crate) async fn enter(&self, actor: Actor) -> Wire {
        match actor {
            Actor::Version1 => self.installation.data_wire().await,
            Actor::Nobody => greeted(self.installation.data_wire().await).await,
            _ => self.log_in(actor.person()).await,
        }
    }

    /// Ends what this actor has lost.
    pub(crate) async fn fall(&self, actor: Actor) {
        let person = &self.people[actor.person()];
        match actor {
            Actor::Revoked => {
                let mut phone = self.log_in_elsewhere(actor.person()).await;
                phone.result("RevokeSession", json!({"session_id": person.session_id})).await;
            }
            Actor::Expired => {
                self.expire(person);
            }
            Actor::Closed => {
                let mut landlord = self.log_in("landlord").await;
                landlord.result("DeactivateUser", json!({"user_id": person.user_id})).await;
            }
            _ => {}
        }
    }

    /// Lets the time of a person's first session be over.
    pub(crate) fn expire(&self, person: &Person) {
        let sql = "UPDATE Sessions SET expires_ts = ?2 WHERE session_id = ?1";
        assert_eq!(self.tables.execute(sql, (person.session_id, clock::now_ms())).unwrap(), 1);
    }

    /// Everything that is stored.
    pub(crate) fn dump(&self) -> Dump {
        // What messages are found by follows the messages, and is brought up to date behind the answers.
        let sql = "SELECT name FROM sqlite_master
                   WHERE type = 'table' AND name NOT GLOB 'MessagesText*' AND name <> 'TextMarks' ORDER BY name";
        let mut statement = self.tables.prepare_cached(sql).unwrap();
        let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        tables.map(|table| self.rows(table.unwrap())).collect()
    }

    fn rows(&self, table: String) -> (String, Vec<Vec<Cell>>) {
        let mut statement = self.tables.prepare_cached(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        let rows = statement.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap();
        (table, rows)
    }

    /// Whether this is so.
    pub(crate) fn is_so(&self, question: &str) -> bool {
        use rusqlite::OptionalExtension;
        // What compares with nothing is neither so nor not so.
        let answer = self.tables.query_row(question, [], |row| row.get::<_, Option<bool>>(0)).optional();
        answer.unwrap_or_else(|error| panic!("{question}: {error}")).flatten().unwrap_or(false)
    }

    /// What was stored when the world was made.
    pub(crate) fn first(&self) -> &Dump {
        &self.first
    }

    /// Makes the tables what they were, when `now` is what they are.
    pub(crate) fn restore(&self, now: &Dump) {
        self.tables.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (table, rows) in self.first.iter().filter(|(table, rows)| now[*table] != **rows) {
            self.tables.execute(&format!("DELETE FROM {table}"), []).unwrap();
            let Some(columns) = rows.first().map(Vec::len) else { continue };
            let places = vec!["?"; columns].join(",");
            let sql = format!("INSERT INTO {table} VALUES ({places})");
            let mut insert = self.tables.prepare_cached(&sql).unwrap();
            for row in rows {
                insert.execute(rusqlite::params_from_iter(row)).unwrap();
            }
        }
        self.tables.execute_batch("COMMIT").unwrap();
    }
}

/// A connection that has begun in version 2.
pub(crate) async fn greeted(mut wire: Wire) -> Wire {
    wire.result("Hello", json!({"protocol": [2], "client": "rights"})).await;
    wire
}
