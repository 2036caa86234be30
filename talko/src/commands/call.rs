//! `talko call`: any method with any params, and its raw result; and `talko ping`, which asks both servers.

use client_lib::RawConnection;
use serde_json::value::{RawValue, to_raw_value};
use ttp::call::{Authenticate, Call, Empty, Ping};

use crate::failure::Misuse;
use crate::output::say_json;
use crate::settings::Settings;
use crate::{account, person, token};

/// Calls, as the person of the settings if there is one, and prints the result.
pub(crate) async fn run(
    method: &str,
    params: &str,
    broadcast: bool,
    settings: &Settings,
) -> anyhow::Result<()> {
    // The name goes into the request as it is, so it must need no escapes.
    if !method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.') {
        return Err(Misuse(format!("`{method}` is not the name of a method")).into());
    }
    let params: &RawValue =
        serde_json::from_str(params).map_err(|error| Misuse(format!("the params are not JSON: {error}")))?;
    let server = if broadcast { &settings.broadcast_address } else { &settings.data_address };
    let mut connection = open(&server.value, settings).await?;
    if !broadcast && let Some(identity) = identity(settings).await? {
        connection.call(Authenticate::METHOD, &to_raw_value(&identity)?).await?;
    }
    say_json(connection.call(method, params).await?.get())
}

/// How the person of the settings, or the one that is logged in here, proves itself.
async fn identity(settings: &Settings) -> anyhow::Result<Option<Authenticate>> {
    if let Some(token) = token::given(settings)? {
        return Ok(Some(Authenticate { token: Some(token), user_id: None }));
    }
    let user = settings.user.value.as_deref();
    match (settings.trust_user_ids.value, user) {
        (true, None) => Ok(None),
        (true, Some(name)) => {
            let client = person::connect(settings).await?;
            let user_id = person::become_trusted(&client, name).await?.user_id;
            Ok(Some(Authenticate { user_id: Some(user_id), token: None }))
        }
        (false, _) => {
            let kept = account::sessions(settings).find(&settings.data_address.value, user)?;
            Ok(kept.map(|kept| Authenticate { token: Some(kept.token), user_id: None }))
        }
    }
}

/// Succeeds when both servers answer.
pub(crate) async fn ping(settings: &Settings) -> anyhow::Result<()> {
    let nothing = to_raw_value(&Empty {})?;
    for server in [&settings.data_address.value, &settings.broadcast_address.value] {
        open(server, settings).await?.call(Ping::METHOD, &nothing).await?;
    }
    Ok(())
}

/// The life of the database behind the data-server that runs.
pub(crate) async fn epoch(settings: &Settings) -> anyhow::Result<Option<String>> {
    Ok(open(&settings.data_address.value, settings).await?.welcome().epoch.clone())
}

async fn open(server: &str, settings: &Settings) -> Result<RawConnection, client_lib::Error> {
    RawConnection::open(server, &person::options(server.to_owned(), settings)).await
}
