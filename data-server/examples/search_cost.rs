//! Temporary.
#![allow(clippy::all, clippy::unwrap_used, missing_docs)]
use data_server::search::Query;
use data_server::store::sqlite::SqliteStore;
use data_server::store::*;
use rusqlite::Connection;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use ttp::call::SearchOrder;
use ttp::model::*;
struct Deaf;
impl CommitSink for Deaf {
    fn committed(&mut self, _: Vec<Committed>) {}
    fn ended(&mut self, _: Vec<SessionId>) {}

    fn noted(&mut self, _: Vec<data_server::store::Noted>) {}
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn mixed(n: u64) -> u64 {
    let mut b = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    b = (b ^ (b >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    b = (b ^ (b >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    b ^ (b >> 31)
}
fn word(rank: u64) -> String {
    // pronounceable, length grows with rank
    let c = b"tnshrdlcmfpgwybvk";
    let v = b"eaoiu";
    let mut r = rank + 3;
    let mut w = String::new();
    while r > 0 {
        w.push(c[(r % 17) as usize] as char);
        r /= 17;
        w.push(v[(r % 5) as usize] as char);
        r /= 5;
    }
    w
}
fn text(n: u64) -> String {
    let mut t = String::new();
    let mut k = 0;
    while t.len() < 60 {
        let u = (mixed(n * 31 + k) >> 11) as f64 / (1u64 << 53) as f64;
        let rank = (20000f64.powf(u) - 1.0) as u64;
        t.push_str(&word(rank));
        t.push(' ');
        k += 1;
    }
    t.truncate(60);
    t
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let path = std::path::PathBuf::from(&a[1]);
    let messages: u64 = a[2].parse().unwrap();
    let chats: u64 = a[3].parse().unwrap();
    let kind = a[4].as_str();
    if !path.exists() {
        let mut c = Connection::open(&path).unwrap();
        c.execute_batch(include_str!("../../schema.sql")).unwrap();
        c.execute_batch("PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF; PRAGMA cache_size=-1000000")
            .unwrap();
        let t = c.transaction().unwrap();
        t.execute("INSERT INTO Meta VALUES (1,'x',1,?1)", [messages]).unwrap();
        for u in 1..=chats + 1 {
            t.execute(
                "INSERT INTO Users (user_id,user_name,name_key,created_ts) VALUES (?1,?2,?2,0)",
                (u, format!("person {u}")),
            )
            .unwrap();
        }
        let per = messages / chats;
        for ch in 1..=chats {
            t.execute("INSERT INTO Chats (chat_id,chat_name,is_private,last_seq,last_number,activity_ts,created_ts,user_count) VALUES (?1,?2,0,?3,?4,?5,0,2)", (ch, format!("room {ch}"), per+1, per, (per*chats+ch))).unwrap();
            t.execute("INSERT INTO Changes (chat_id,seq,kind,change_ts,by_user_id,chat_name) VALUES (?1,1,'created',0,1,'r')", [ch]).unwrap();
            // person 1 is in 1000 chats, person 2 in 100, person 3 in 10.
            for (u, every) in
                [(1, (chats / 1000).max(1)), (2, (chats / 100).max(1)), (3, (chats / 10).max(1))]
            {
                if ch % every == 0 {
                    t.execute("INSERT INTO Participants (chat_id,user_id,joined_seq,read_number) VALUES (?1,?2,1,0)", (ch,u)).unwrap();
                }
            }
        }
        {
            let mut i = t.prepare("INSERT INTO Messages VALUES (?1,?2,?3,?4,?5,?6,?7,NULL)").unwrap();
            for ch in 1..=chats {
                for n in 1..=per {
                    let g = (n - 1) * chats + ch;
                    let tx = if kind == "zipf" {
                        text(g)
                    } else {
                        let mut s =
                            format!("message {n} of room {ch} and so on, and so on, and so forth, and more");
                        s.truncate(60);
                        s
                    };
                    i.execute((ch, n + 1, g, 1 + g % 8, tx, n * chats + ch, n)).unwrap();
                }
            }
        }
        t.commit().unwrap();
    }
    let size = |what: &str| {
        let c = Connection::open(&path).unwrap();
        c.query_row(what, [], |r| r.get::<_, i64>(0)).unwrap()
    };
    let before = cpu();
    let wall = Instant::now();
    let store = SqliteStore::open(&path, 2, Arc::new(|| 1_000_000_000_000), Box::new(Deaf)).unwrap();
    while size(
        "SELECT count(*) FROM Chats c LEFT JOIN TextMarks t USING (chat_id) WHERE c.last_seq > ifnull(t.indexed_seq,0)",
    ) > 0
    {
        std::thread::sleep(Duration::from_millis(500));
    }
    let took = cpu() - before;
    println!(
        "indexed: cpu {:.2} us per message, wall {:.1} s",
        took * 1e6 / messages as f64,
        wall.elapsed().as_secs_f64()
    );
    for t in ["MessagesText_data", "MessagesText_idx", "TextMarks", "Messages"] {
        println!(
            "{t}: {:.1} B per message",
            size(&format!("SELECT pgsize FROM dbstat WHERE aggregate=TRUE AND name='{t}'")) as f64
                / messages as f64
        );
    }
    println!("segments: {}", size("SELECT count(DISTINCT segid) FROM MessagesText_idx"));
    let asks: Vec<String> = if kind == "zipf" {
        let w = word;
        vec![
            w(0),
            w(5),
            w(100),
            w(1000),
            w(5000),
            w(15000),
            format!("{} {}", w(0), w(5)),
            format!("{} {}", w(100), w(1000)),
            format!("{} {}", w(1000), w(3000)),
            format!("\"{} {}\"", w(0), w(1)),
            "zzzz".into(),
            format!("from:me {}", w(50)),
            "\"person 7\"".into(),
        ]
    } else {
        vec![
            "message".into(),
            "\"room 17\"".into(),
            "\"message 500\"".into(),
            "\"so forth\"".into(),
            "\"message 500 of room 70\"".into(),
            "\"room 77\" forth".into(),
            "zzzz".into(),
            "from:me forth".into(),
        ]
    };
    for person in [1, 2, 3] {
        for order in [SearchOrder::Newest, SearchOrder::Relevance] {
            for typed in &asks {
                let mut times = Vec::new();
                let mut n = 0;
                for _ in 0..15 {
                    let q = SearchQuery {
                        user_id: UserId(person),
                        chat_id: None,
                        query: Query::read(typed, 0).unwrap(),
                        order,
                        cursor: None,
                        rows_max: 20,
                        bytes_max: 1 << 19,
                        context: 0,
                    };
                    let (s, r) = mpsc::channel();
                    let t = Instant::now();
                    store.search(By::Trust, q, Box::new(move |a| s.send(a).unwrap()));
                    match r.recv().unwrap() {
                        Ok(p) => n = p.hits.len(),
                        Err(e) => {
                            println!("{typed}: {e}");
                        }
                    }
                    times.push(t.elapsed());
                }
                times.sort();
                println!(
                    "person {person} {order:?} {typed:40} {n:3} hits  min {:.2} ms  p50 {:.2} ms  max {:.2} ms",
                    times[0].as_secs_f64() * 1e3,
                    times[7].as_secs_f64() * 1e3,
                    times[14].as_secs_f64() * 1e3
                );
            }
        }
    }
    store.close();
}
