//! The service key is changed while messages flow, on one server after the other.

use bus::Publisher;
use bus::link::{Caller, Carrier, KeyRing, ServiceKey, ServiceKeys};

use crate::event;
use crate::tls::Side;

fn keys(of: &[&ServiceKey]) -> ServiceKeys {
    let lines: Vec<String> = of.iter().map(|key| key.to_hex()).collect();
    lines.join("\n").parse().unwrap()
}

/// From one key to another in the three steps of docs/OPERATIONS.md: the link that is open never closes and loses
/// nothing, and a new one opens at every moment, also while one server is a step ahead.
#[tokio::test(flavor = "multi_thread")]
async fn t34_a_new_service_key_cuts_no_link() {
    let [old, new] = [ServiceKey::generate().unwrap(), ServiceKey::generate().unwrap()];
    let (here, there) = (KeyRing::new(old.clone().into()), KeyRing::new(old.clone().into()));
    let side = Side::new(there.clone()).await;
    let newcomers = Side::new(there.clone()).await;
    let caller = Caller::start_over(Carrier::Tls, side.address.to_string(), here.clone());
    side.recorder.wait("the link", |heard| heard.resyncs == 2);
    let mut seq = 0;
    let mut moment = |links: usize| {
        for _ in 0..50 {
            seq += 1;
            caller.publish(vec![event(1, seq)]);
        }
        let newcomer = Caller::start_over(Carrier::Tls, newcomers.address.to_string(), here.keys());
        // A link that ends is announced too: two at its opening, one at its end.
        newcomers.recorder.wait("a new link", |heard| heard.resyncs >= 3 * links - 1);
        newcomer.publish(vec![event(2, links as u64)]);
        let arrives = event(2, links as u64);
        newcomers.recorder.wait("a newcomer's hint", |heard| heard.hints.contains(&arrives));
        drop(newcomer);
        newcomers.recorder.wait("its end", |heard| heard.resyncs == 3 * links);
        seq
    };
    moment(1);
    let steps = [keys(&[&old, &new]), keys(&[&new, &old]), keys(&[&new])];
    for (index, step) in steps.iter().enumerate() {
        // Now the one goes ahead and now the other.
        let order = if index % 2 == 0 { [&there, &here] } else { [&here, &there] };
        order[0].replace(step.clone());
        moment(2 * index + 2);
        order[1].replace(step.clone());
        moment(2 * index + 3);
    }
    let last = moment(2 * steps.len() + 2);
    let heard = side.recorder.wait("every hint", |heard| heard.hints.len() as u64 == last);
    assert_eq!(heard.hints, (1..=last).map(|seq| event(1, seq)).collect::<Vec<_>>());
    assert_eq!((heard.resyncs, side.links.count()), (2, 1), "the first link was never cut");
    // The old key opens nothing any more.
    let late = Caller::start_over(Carrier::Tls, newcomers.address.to_string(), old);
    late.publish(vec![event(3, 1)]);
    let count = newcomers.recorder.wait("nothing", |_| true).resyncs;
    let honest = Caller::start_over(Carrier::Tls, newcomers.address.to_string(), new);
    newcomers.recorder.wait("the new key's link", |heard| heard.resyncs == count + 2);
    honest.publish(vec![event(2, 99)]);
    let heard = newcomers.recorder.wait("its hint", |heard| heard.hints.contains(&event(2, 99)));
    assert!(!heard.hints.contains(&event(3, 1)));
    assert_eq!(newcomers.links.count(), 1);
}
