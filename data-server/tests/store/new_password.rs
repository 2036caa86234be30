//! A password that an operator sets in the file: for whom, what ends with the old one, and who owns the server then.

use data_server::store::{Admission, Store};
use data_server::{Error, set_password};
use ttp::model::Role;
use ttp::secret::Secret;

use crate::house::*;
use crate::lodgers::*;

#[test]
fn an_operator_sets_passwords_in_the_file() {
    let house = House::new();
    let store = house.open();
    let password = Secret::new("a new password");
    let set = |name: &str| set_password(&house.path(), name, &password);
    // From before there were accounts: found in any case of letters, and the owner as the first who can log in.
    let old = store.user("Ada");
    let found = set("ADA").unwrap();
    assert_eq!((found.user_id, found.user_name.as_str()), (old, "Ada"));
    assert_eq!((found.sessions_ended, found.is_new_owner), (0, true));
    assert_eq!(store.server_role(old), Ok(Role::Owner));
    // While a store is open on the file, which sees it at once.
    let mut new = account("Grace", Admission::Open);
    // By the clock of this machine, which the operator's command goes by.
    new.session.expires_ts = i64::MAX;
    let grace = store.ask(|store, done| store.register(new, done)).unwrap().user.user_id;
    let before = store.ask(|store, done| store.credentials("Grace".into(), done)).unwrap().unwrap();
    let found = set("Grace").unwrap();
    assert_eq!((found.sessions_ended, found.is_new_owner), (1, false));
    let after = store.ask(|store, done| store.credentials("Grace".into(), done)).unwrap().unwrap();
    assert_ne!(before.password_hash, after.password_hash);
    assert!(after.password_hash.unwrap().0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(store.live(grace).is_empty());
    assert_eq!(store.server_role(grace), Ok(Role::Member));

    store.deactivate(old, grace).unwrap();
    assert!(matches!(set("Grace"), Err(Error::ClosedAccount { .. })));
    assert!(matches!(set("Lin"), Err(Error::NoSuchPerson { .. })));
    let short = set_password(&house.path(), "Ada", &Secret::new("short"));
    assert!(matches!(short, Err(Error::WrongPassword(_))));
    let missing = house.folder.path().join("missing.db");
    assert!(set_password(&missing, "Ada", &password).is_err() && !missing.exists(), "nothing is made");
    store.0.close();
    assert_eq!(
        data_server::store::sqlite::check(&house.path()).unwrap().faults().collect::<Vec<_>>(),
        [""; 0]
    );
}
