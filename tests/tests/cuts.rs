//! F10: connections are cut at every byte of a request, its reply, an event, a publish, and of every exchange by which
//! a connection opens. Each time the client library recovers by itself, the message is stored once and answered with
//! its number, and both people hear it once and in order.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use tests::figures;
use tests::proxy::{Aim, End, Proxy, Shot, Way};
use tests::roads::{Roads, Scene};
use tests::until;
use tokio::task::LocalSet;

/// Scenes that cut side by side, each at its share of the bytes.
const LANES: usize = 4;

/// Which bytes the short form takes of exchanges by which connections open. `TALKO_CHAOS_OFFSETS=all` takes every
/// one, and ends connections also in good order.
const OPENING_STRIDE: usize = 7;

/// Cuts in one scene. A link that was cut again and again waits longer and longer before it opens.
const CUTS_PER_SCENE: usize = 25;
const LINK_CUTS_PER_SCENE: usize = 3;

/// Times that a frame may take another road before the test gives up.
const ATTEMPTS_MAX: usize = 50;

/// A frame to be cut.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    road: Road,
    way: Way,
    /// What stands in the frame; the text of the message when empty.
    mark: &'static str,
    /// The connection is broken first, because the frame belongs to its opening.
    opens: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Road {
    SpeakerToData,
    ListenerToData,
    ListenerToBroadcast,
    DataToBroadcast,
}

impl Road {
    fn proxy(self, scene: &Scene) -> &Proxy {
        match self {
            Self::SpeakerToData => &scene.speaker.data,
            Self::ListenerToData => &scene.listener.data,
            Self::ListenerToBroadcast => &scene.listener.stream,
            Self::DataToBroadcast => &scene.roads.link,
        }
    }
}

const fn message(name: &'static str, road: Road, way: Way) -> Kind {
    Kind { name, road, way, mark: "", opens: false }
}

const fn opening(name: &'static str, road: Road, way: Way, mark: &'static str) -> Kind {
    Kind { name, road, way, mark, opens: true }
}

fn every_offset() -> bool {
    std::env::var("TALKO_CHAOS_OFFSETS").is_ok_and(|which| which == "all")
}

/// F10, G2, G6, G9: the frame that carries a message to the data-server, and the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f10_a_cut_at_every_byte_of_a_send_and_its_answer() {
    sweep(message("InsertMessage", Road::SpeakerToData, Way::Up), 1).await;
    sweep(message("its reply", Road::SpeakerToData, Way::Down), 1).await;
}

/// F10, G6: the frame that carries a message to a reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f10_a_cut_at_every_byte_of_an_event() {
    sweep(message("Event", Road::ListenerToBroadcast, Way::Down), 1).await;
}

/// F10, G8: the frame that carries a message from one server to the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f10_a_cut_at_every_byte_of_a_publish() {
    sweep(message("Publish", Road::DataToBroadcast, Way::Up), 1).await;
}

/// F10: how a connection to the data-server opens, and how a stream catches up.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f10_cuts_while_a_connection_opens() {
    use Road::{ListenerToBroadcast, ListenerToData, SpeakerToData};
    let stride = if every_offset() { 1 } else { OPENING_STRIDE };
    for kind in [
        opening("Hello", SpeakerToData, Way::Up, "\"Hello\""),
        opening("reply to Hello", SpeakerToData, Way::Down, "\"max_frame_bytes\""),
        opening("Authenticate", SpeakerToData, Way::Up, "\"Authenticate\""),
        opening("reply to Authenticate", SpeakerToData, Way::Down, "\"user_name\""),
        opening("OpenStream", ListenerToBroadcast, Way::Up, "\"OpenStreamRequest\""),
        opening("reply to OpenStream", ListenerToBroadcast, Way::Down, "\"result\":{}"),
    ] {
        sweep(kind, stride).await;
    }
    // The stream is broken, and the data-server is asked what was missed.
    sweep(Kind { opens: false, ..opening("Sync", ListenerToData, Way::Up, "\"Sync\"") }, stride).await;
    sweep(
        Kind { opens: false, ..opening("reply to Sync", ListenerToData, Way::Down, "\"entries\"") },
        stride,
    )
    .await;
}

/// F10: how the two servers find each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f10_cuts_while_the_link_opens() {
    use Road::DataToBroadcast;
    let stride = if every_offset() { 1 } else { 4 * OPENING_STRIDE };
    for kind in [
        opening("Link", DataToBroadcast, Way::Up, "\"Link\""),
        opening("reply to Link", DataToBroadcast, Way::Down, "\"nonce\""),
        opening("Prove", DataToBroadcast, Way::Up, "\"Prove\""),
        opening("reply to Prove", DataToBroadcast, Way::Down, "\"result\":{}"),
    ] {
        sweep(kind, stride).await;
    }
}

/// Cuts at every `stride`th byte of a frame, before the first and after the last one too.
async fn sweep(kind: Kind, stride: usize) {
    let ends: &[End] = if every_offset() { &[End::Reset, End::Finish] } else { &[End::Reset] };
    for end in ends {
        let side_by_side = LocalSet::new();
        let lane = |lane| run_lane(kind, *end, lane * stride, LANES * stride);
        let lanes: Vec<_> = (0..LANES).map(|number| side_by_side.spawn_local(lane(number))).collect();
        side_by_side.await;
        let (mut passed, mut frame_bytes) = (0, usize::MAX);
        for lane in lanes {
            let (cuts, bytes) = lane.await.unwrap();
            passed += cuts;
            // A frame whose length changes is compared with its shortest.
            frame_bytes = bytes.min(frame_bytes);
        }
        let all = frame_bytes + 1;
        figures::keep(&format!("cuts.{} {end:?}", kind.name), &format!("offsets={}/{all}", passed.min(all)));
        assert!(passed >= all / stride, "{}: {passed} of {all} cuts", kind.name);
    }
}

/// Cuts at every `step`th byte from one on, until the frame has no more. How many cuts, and how long the frame is.
async fn run_lane(kind: Kind, end: End, first: usize, step: usize) -> (usize, usize) {
    let per_scene = if kind.road == Road::DataToBroadcast { LINK_CUTS_PER_SCENE } else { CUTS_PER_SCENE };
    let mut offsets = (first..).step_by(step);
    let mut cuts = 0;
    loop {
        let mut scene = Scene::open(Roads::start().await).await;
        let mut frame_bytes = None;
        for offset in offsets.by_ref().take(per_scene) {
            match cut(&mut scene, kind, end, offset).await {
                Aim::Short { frame_bytes: bytes } => {
                    frame_bytes = Some(bytes);
                    break;
                }
                _ => cuts += 1,
            }
        }
        let verdict = scene.judge().await;
        assert!(verdict.violations.is_empty(), "{}: {:#?}", kind.name, verdict.violations);
        if let Some(frame_bytes) = frame_bytes {
            return (cuts, frame_bytes);
        }
    }
}

/// One message, and a cut at this byte of the frame on its way.
async fn cut(scene: &mut Scene, kind: Kind, end: End, bytes: usize) -> Aim {
    for attempt in 0..ATTEMPTS_MAX {
        let text = format!("cut {bytes:04} of {} for the {attempt:02}. time", kind.name);
        let mark = if kind.mark.is_empty() { text.clone() } else { kind.mark.to_owned() };
        let proxy = kind.road.proxy(scene);
        proxy.arm(Shot { way: kind.way, mark, bytes, end });
        if kind.opens {
            proxy.cut(End::Reset);
        } else if kind.road == Road::ListenerToData {
            scene.listener.stream.cut(End::Reset);
        }
        scene.say(&text).await;
        scene.all_hear().await;
        let proxy = kind.road.proxy(scene);
        if kind.mark.is_empty() {
            // The message may have come by a sync, because the connection was still being opened again.
            match proxy.disarm() {
                Aim::Waits => continue,
                done => return done,
            }
        }
        until("the connection opens", async || proxy.aim() != Aim::Waits).await;
        return proxy.disarm();
    }
    panic!("{}: no frame came this way", kind.name);
}
