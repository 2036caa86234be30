//! Calls with a password in them: making an account, logging in, another password, and the end of an account.
//!
//! Each is a few questions to the store with an expensive hash between them, so each is a task of its own. They are
//! barriers: a connection has one of them under way at most.

use std::net::IpAddr;
use std::sync::Arc;

use tracing::{Instrument, info};
use ttp::call::{ChangePassword, DeactivateUser, EndedReply, Login, Register, SessionReply};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::{DEVICE_CHARS_MAX, NAME_CHARS_MAX, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use ttp::model::UserId;
use ttp::net::clock;
use ttp::secret::Secret;

use super::session::{Identity, Session, Speaks};
use super::users::check_account_name;
use super::{Refusal, Reply, Service, ask, too_often};
use crate::config::Registration;
use crate::passwords::{Failed, Verdict};
use crate::store::{
    AccountChange, Admission, By, Credentials, LiveSession, NewAccount, NewLogin, NewSession, PasswordChange,
    PasswordHash, StoreError,
};
use crate::throttle::{Account, Guess};
use crate::tokens;

/// One sentence for an unknown name and for a wrong password: neither tells which names exist.
const WRONG: &str = "wrong name or password";

pub(super) fn register(service: &Arc<Service>, session: &Session, call: Register, reply: Reply<Register>) {
    let checked = session.nobody_yet().and_then(|()| check_account(&call));
    if let Err(refused) = checked {
        return reply.send(Err(refused.not_stored()));
    }
    let (service, is_local, address) = (Arc::clone(service), session.is_local, session.address);
    let registered = async move {
        match make_account(&service, is_local, address, call).await {
            Ok(begun) => begun.answer(&service, reply),
            Err(refusal) => reply.refuse(refusal),
        }
    };
    tokio::spawn(registered.in_current_span());
}

pub(super) fn log_in(service: &Arc<Service>, session: &Session, call: Login, reply: Reply<Login>) {
    let checked = session.nobody_yet().and_then(|()| check_device(&call.device));
    if let Err(refused) = checked {
        return reply.send(Err(refused.not_stored()));
    }
    // Longer than any that was taken, and not to be kept in a queue.
    if call.user_name.len() > NAME_CHARS_MAX * 4 || call.password.expose().len() > PASSWORD_BYTES_MAX {
        return reply.send(Err(CallError::new(ErrorCode::Unauthenticated, WRONG)));
    }
    let (service, address) = (Arc::clone(service), session.address);
    let logged_in = async move {
        match begin_session(&service, address, call).await {
            Ok(begun) => begun.answer(&service, reply),
            Err(refusal) => reply.refuse(refusal),
        }
    };
    tokio::spawn(logged_in.in_current_span());
}

pub(super) fn change_password(
    service: &Arc<Service>,
    session: &Session,
    call: ChangePassword,
    reply: Reply<ChangePassword>,
) {
    let me = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    let (service, by, keep) = (Arc::clone(service), session.by(), session.session_id());
    let whose = (me, session.address);
    let changed = async move {
        let done = async {
            let (user_name, stored) = own_credentials(&service, by, me).await?;
            check_password(&call.new_password, &user_name)?;
            let message = "this account has no password that could be changed";
            let old_hash =
                stored.ok_or_else(|| CallError::new(ErrorCode::Forbidden, message).not_stored())?;
            prove(&service, whose, call.old_password, &old_hash).await?;
            let new_hash = service.passwords.hash(call.new_password).await?;
            let change = PasswordChange { user_id: me, old_hash, new_hash, keep };
            match ask(|done| service.store.change_password(by, change, done)).await {
                // Changed elsewhere since it was compared.
                Err(StoreError::WrongPassword) => Err(wrong_password()),
                changed => Ok(changed?),
            }
        };
        match done.await {
            Ok(sessions_ended) => reply.send(Ok(EndedReply { sessions_ended })),
            Err(refusal) => reply.refuse(refusal),
        }
    };
    tokio::spawn(changed.in_current_span());
}

/// One's own account is closed with its password, somebody's with the right to it.
pub(super) fn deactivate(
    service: &Arc<Service>,
    session: &Session,
    call: DeactivateUser,
    reply: Reply<DeactivateUser>,
) {
    let me = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    let (service, by, own_session) = (Arc::clone(service), session.by(), session.session_id());
    let whose = (me, session.address);
    let change = AccountChange { user_id: call.user_id.unwrap_or(me), by: me };
    let closed = async move {
        let done = async {
            if change.user_id == me {
                // An account that never had a password has nothing to prove it by.
                if let (_, Some(stored)) = own_credentials(&service, by, me).await? {
                    let message = "params of DeactivateUser: `password` is wanted for one's own account";
                    let missing = || CallError::new(ErrorCode::InvalidParams, message).not_stored();
                    prove(&service, whose, call.password.ok_or_else(missing)?, &stored).await?;
                }
            }
            Ok(ask(|done| service.store.deactivate_user(by, change, done)).await?)
        };
        match done.await {
            Ok(sessions_ended) => {
                let is_own = change.user_id == me;
                let speaks = if is_own { Speaks::NoMoreIn(own_session) } else { Speaks::AsBefore };
                reply.send_as(speaks, Ok(EndedReply { sessions_ended }));
            }
            Err(refusal) => reply.refuse(refusal),
        }
    };
    tokio::spawn(closed.in_current_span());
}

/// A session that has begun, with what proves it.
struct Begun {
    live: LiveSession,
    token: Secret,
}

impl Begun {
    /// The connection speaks for the session from now on.
    fn answer<C>(self, service: &Service, reply: Reply<C>)
    where
        C: ttp::call::Call<Reply = SessionReply> + 'static,
    {
        let Self { live, token } = self;
        info!(user_id = %live.user.user_id, session_id = %live.session_id, "a session began");
        let identity =
            Identity { user_id: live.user.user_id, session_id: Some(live.session_id), used_ts: live.used_ts };
        let told = SessionReply {
            user: live.user,
            server_role: live.server_role,
            session_id: live.session_id,
            token,
            expires_ts: live.expires_ts,
        };
        service.answers.count_login();
        reply.send_as(Speaks::For(identity), Ok(told));
    }
}

/// Tries one ground after the other: whoever comes from this machine may be the first.
async fn make_account(
    service: &Service,
    is_local: bool,
    address: IpAddr,
    call: Register,
) -> Result<Begun, Refusal> {
    let Register { user_name, password, invitation, device } = call;
    let registration = service.throttle.registration(address.into(), clock::now());
    let counting = registration
        .map_err(|wait_ms| too_often("too many accounts were made from this address", wait_ms))?;
    let by_invitation = invitation.as_ref().map(|code| Admission::Invited(tokens::hash_of(code)));
    let by_policy = match service.registration {
        Registration::Open => by_invitation.or(Some(Admission::Open)),
        Registration::Invitation => by_invitation,
        Registration::Closed => None,
    };
    let as_first = is_local.then_some(Admission::First);
    let mut password_hash = None;
    for admission in as_first.into_iter().chain(by_policy) {
        match ask(|done| service.store.may_register(user_name.clone(), admission, done)).await {
            Err(StoreError::NotInvited) => continue,
            looked => looked?,
        }
        let hash = match &password_hash {
            Some(hash) => PasswordHash::clone(hash),
            None => password_hash.insert(service.passwords.hash(password.clone()).await?).clone(),
        };
        let (token, session) = new_session(service, device.clone())?;
        let new = NewAccount {
            user_name: user_name.clone(),
            password_hash: hash,
            admission,
            joins_general_room: service.has_general_room,
            session,
        };
        match ask(|done| service.store.register(new, done)).await {
            Err(StoreError::NotInvited) => {}
            registered => {
                let live = registered?;
                counting.keep();
                service.throttle.note_use(live.user.user_id, address.into(), clock::now());
                return Ok(Begun { live, token });
            }
        }
    }
    Err(match service.registration {
        Registration::Open | Registration::Invitation => StoreError::NotInvited.into(),
        Registration::Closed => {
            let message = "this server takes no new accounts: ask its owner";
            CallError::new(ErrorCode::Forbidden, message).not_stored().into()
        }
    })
}

async fn begin_session(service: &Service, address: IpAddr, call: Login) -> Result<Begun, Refusal> {
    let Login { user_name, password, device } = call;
    let nobody = Account::nobody(&user_name);
    let found = ask(|done| service.store.credentials(user_name, done)).await?;
    let account = found.as_ref().map_or(nobody, |found| Account::Of(found.user_id));
    let guess = guess(service, account, address)?;
    let (user_id, stored) = match found {
        Some(Credentials { user_id, password_hash }) => (Some(user_id), password_hash),
        None => (None, None),
    };
    let verdict = service.passwords.check(password, stored.clone()).await?;
    let (Verdict::Right { better }, Some(user_id), Some(password_hash)) = (verdict, user_id, stored) else {
        guess.was_wrong();
        return Err(CallError::new(ErrorCode::Unauthenticated, WRONG).into());
    };
    let (token, session) = new_session(service, device)?;
    let new = NewLogin { user_id, password_hash, better_hash: better, session };
    let live = ask(|done| service.store.log_in(new, done)).await?;
    service.throttle.note_use(user_id, address.into(), clock::now());
    Ok(Begun { live, token })
}

/// Lets a password be looked at, before it costs a hash (G22).
fn guess(service: &Service, account: Account, address: IpAddr) -> Result<Guess, CallError> {
    let guess = service.throttle.guess(account, address.into(), clock::now());
    guess.map_err(|wait_ms| too_often("too many wrong passwords", wait_ms))
}

fn new_session(service: &Service, device: String) -> Result<(Secret, NewSession), Refusal> {
    let token = tokens::token().map_err(|_| Failed::Broken)?;
    let token_hash = tokens::hash_of(&token);
    Ok((token, NewSession { token_hash, device, expires_ts: service.session_expires_ts() }))
}

/// The caller's name, and what its password is compared with. Refused when the caller's session has ended.
async fn own_credentials(
    service: &Service,
    by: By,
    me: UserId,
) -> Result<(String, Option<PasswordHash>), Refusal> {
    let user_name = ask(|done| service.store.user(by, me, done)).await?.user_name;
    let found = ask(|done| service.store.credentials(user_name.clone(), done)).await?;
    // Somebody else's when the name has changed hands between the two questions.
    let mine = found.filter(|found| found.user_id == me);
    Ok((user_name, mine.and_then(|mine| mine.password_hash)))
}

/// Checks the password of somebody who has logged in.
async fn prove(
    service: &Service,
    (me, address): (UserId, IpAddr),
    password: Secret,
    stored: &PasswordHash,
) -> Result<(), Refusal> {
    let guess = guess(service, Account::Of(me), address)?;
    let is_short = password.expose().len() <= PASSWORD_BYTES_MAX;
    if is_short && let Verdict::Right { .. } = service.passwords.check(password, Some(stored.clone())).await?
    {
        return Ok(());
    }
    guess.was_wrong();
    Err(wrong_password())
}

/// Not `Unauthenticated`: the session holds.
fn wrong_password() -> Refusal {
    CallError::new(ErrorCode::Forbidden, "the password is wrong").not_stored().into()
}

fn check_account(call: &Register) -> Result<(), CallError> {
    check_account_name(&call.user_name)?;
    check_password(&call.password, &call.user_name)?;
    check_device(&call.device)
}

pub(crate) fn check_password(password: &Secret, user_name: &str) -> Result<(), CallError> {
    let password = password.expose();
    let invalid = |message: String| Err(CallError::new(ErrorCode::InvalidParams, message).not_stored());
    if password.len() > PASSWORD_BYTES_MAX {
        let message = format!("a password has at most {PASSWORD_BYTES_MAX} bytes");
        return Err(CallError::new(ErrorCode::TooLarge, message).not_stored());
    }
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return invalid(format!("a password has at least {PASSWORD_CHARS_MIN} characters"));
    }
    if password.trim().to_lowercase() == user_name.trim().to_lowercase() {
        return invalid("the password is the name: choose one that others do not know".into());
    }
    Ok(())
}

fn check_device(device: &str) -> Result<(), CallError> {
    if device.chars().count() > DEVICE_CHARS_MAX {
        let message = format!("`device` is longer than {DEVICE_CHARS_MAX} characters");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    Ok(())
}
