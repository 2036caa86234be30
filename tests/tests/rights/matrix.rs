//! Runs the lines of the table, cell by cell: the call as bytes on a connection of its own, its answer, and what has
//! become of the tables.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tests::{Form, Wire};
use ttp::call::{BroadcastCall, DataCall, Dialect};
use ttp::code::ErrorCode;

use crate::cells::{Actor, Row, Verdict};
use crate::effects::{self, CANARY, Effect};
use crate::world::{World, greeted};

/// Which server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Data,
    Broadcast,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// By method and actor: how many calls were accepted and refused as they should be.
    pub(crate) cells: BTreeMap<(&'static str, Actor), Counts>,
    /// What is wrong, a line for each cell.
    pub(crate) faults: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
    pub(crate) wrong: usize,
}

impl Outcome {
    /// Both together.
    pub(crate) fn add(&mut self, other: Self) {
        for (cell, counts) in other.cells {
            let sum = self.cells.entry(cell).or_default();
            sum.accepted += counts.accepted;
            sum.refused += counts.refused;
            sum.wrong += counts.wrong;
        }
        self.faults.extend(other.faults);
    }

    fn note(&mut self, row: &Row, actor: Actor, fault: Option<String>) {
        let counts = self.cells.entry((row.method, actor)).or_default();
        match fault {
            Some(fault) => {
                counts.wrong += 1;
                self.faults.push(format!("{actor}: {} {}: {fault}", row.method, row.params));
            }
            None if row.verdict(actor).is_refusal() => counts.refused += 1,
            None => counts.accepted += 1,
        }
    }
}

/// Runs rows in a world of their own.
pub(crate) async fn run(server: Server, rows: Vec<Row>) -> Outcome {
    let world = World::make(Form::Together).await;
    let mut outcome = Outcome::default();
    for row in &rows {
        for actor in Actor::ALL {
            let fault = try_cell(&world, server, row, actor).await.err();
            outcome.note(row, actor, fault);
        }
    }
    world.installation.stop().await;
    outcome
}

/// Makes one call, and compares what becomes of it with what shall.
async fn try_cell(world: &World, server: Server, row: &Row, actor: Actor) -> Result<(), String> {
    let mut wire = world.enter(actor).await;
    let mut ticket = String::new();
    if server == Server::Broadcast {
        if actor.has_logged_in() {
            let reply = wire.result("GetStreamTicket", serde_json::json!({})).await;
            ticket = reply["ticket"].as_str().unwrap().to_owned();
        }
        wire = world.installation.broadcast_wire().await;
        if actor != Actor::Version1 {
            wire = greeted(wire).await;
        }
    }
    world.fall(actor).await;
    let params = world.params(row.params, actor, &ticket);
    let effect = effect(world, server, row, actor, &params);
    let before = world.dump();
    let was_so = matches!(&effect, Some(Effect::Change(question)) if world.is_so(question));
    let reply = patiently(&mut wire, row.method, params).await;
    let after = world.dump();
    let judged = judge(row.verdict(actor), actor, &reply, effect.as_ref(), before != after);
    let shown = match &effect {
        Some(Effect::Change(question)) if row.verdict(actor) == Verdict::Accepted => {
            if was_so {
                Err(format!("it was so before: {question}"))
            } else if !world.is_so(question) {
                Err(format!("it was answered, and is not so: {question}"))
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    };
    if after != *world.first() {
        world.restore(&after);
    }
    judged.and(shown)
}

/// What shall be seen of the call when it is accepted. A call that cannot be read is refused by all.
fn effect(world: &World, server: Server, row: &Row, actor: Actor, params: &Value) -> Option<Effect> {
    let raw = RawValue::from_string(params.to_string()).unwrap();
    let me = world.person(actor.person());
    match server {
        Server::Data => {
            let call = DataCall::parse(row.method, Some(&raw), Dialect::Version2).ok()?;
            Some(effects::of_data(&call, me, actor.is_in_the_group()))
        }
        Server::Broadcast => {
            let call = BroadcastCall::parse(row.method, Some(&raw), Dialect::Version1).ok()?;
            Some(effects::of_broadcast(&call))
        }
    }
}

/// Asks again where a server is busy: that is no refusal for want of a right.
pub(crate) async fn patiently(wire: &mut Wire, method: &str, params: Value) -> Value {
    for _ in 0..50 {
        let reply = wire.call(method, params.clone()).await;
        let busy = [ErrorCode::Overloaded, ErrorCode::RateLimited].map(|code| i64::from(code.number()));
        match reply["error"]["code"].as_i64() {
            Some(code) if busy.contains(&code) => {
                let wait_ms = reply["error"]["data"]["retry_after_ms"].as_u64().unwrap_or(100);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            _ => return reply,
        }
    }
    panic!("{method} was never served")
}

fn judge(
    verdict: Verdict,
    actor: Actor,
    reply: &Value,
    effect: Option<&Effect>,
    has_changed: bool,
) -> Result<(), String> {
    let code = reply["error"]["code"].as_i64();
    let text = reply.to_string();
    let fits = match verdict {
        Verdict::Refused(expected) => code == Some(i64::from(expected)),
        Verdict::Accepted | Verdict::NothingToDo => reply.get("result").is_some(),
    };
    if !fits {
        return Err(format!("expected {verdict}, got {text}"));
    }
    if text.contains(CANARY) && !actor.is_in_the_group() {
        return Err(format!("what is said in the group is told outside: {text}"));
    }
    if text.contains("the canary sings to one") && actor != Actor::Member {
        return Err(format!("what is said in private is told to others: {text}"));
    }
    let changes = verdict == Verdict::Accepted && matches!(effect, Some(Effect::Change(_)));
    if has_changed != changes {
        return Err(format!("expected {verdict}, and the tables have changed: {has_changed}; {text}"));
    }
    match effect {
        Some(Effect::Answer(said)) if !verdict.is_refusal() && !text.contains(said) => {
            Err(format!("the answer has no {said:?}: {text}"))
        }
        _ => Ok(()),
    }
}
