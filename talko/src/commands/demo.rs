//! `talko demo`: from nothing to a chat of two people in one command (T44), on a database of its own.

use std::sync::Arc;

use crate::arguments::ChatArguments;
use crate::chat;
use crate::failure::Misuse;
use crate::output::note;
use crate::person;
use crate::seed::{self, DEMO_PEOPLE};
use crate::servers;
use crate::settings::Settings;

/// Starts on a fresh demo database and opens the chat.
pub(crate) async fn run(arguments: ChatArguments, mut settings: Settings) -> anyhow::Result<()> {
    chat::prepare(&arguments, &settings)?;
    settings.db.value = settings.data_directory.join("demo.db");
    // Two people who never chose a password: the demo believes whoever says who it is.
    settings.trust_user_ids.value = true;
    settings.user.value.get_or_insert_with(|| DEMO_PEOPLE[0].into());
    if person::connect(&settings).await.is_ok() {
        let message = format!(
            "servers run on {} already and the demo wants its own: stop them, or choose other ports with \
             --data-address and --broadcast-address",
            settings.data_address.value
        );
        return Err(Misuse(message).into());
    }
    servers::set_database_aside(&settings)?;
    let is_serving = Arc::default();
    let (client, keeper) = chat::join_or_start(&settings, &is_serving).await?;
    seed::insert_demo_chat(&client).await?;
    note(format_args!(
        "In another terminal: talko --trust-user-ids --user \"{}\"{}",
        DEMO_PEOPLE[1],
        settings.address_flags()
    ));
    let chatted = chat::converse(&client, arguments.line, &settings, &is_serving).await;
    keeper.stop().await.and(chatted.map(drop))
}
