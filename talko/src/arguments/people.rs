//! What can be typed behind `talko user` and `talko bot`.

use clap::Subcommand;

use super::{AddressArguments, ConfigArguments, DatabaseArguments, PasswordArguments, UserArguments};
use crate::choices::RoleName;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a person without a password, on servers that trust user ids.
    Add {
        /// The new person's name.
        name: String,
        #[command(flatten)]
        _addresses: AddressArguments,
    },
    /// Find a person by name.
    Show {
        /// The person's name.
        name: String,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Give yourself another name.
    Rename {
        /// The name from now on.
        name: String,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Give somebody another role on the server.
    Role {
        /// Whom.
        name: String,
        /// The role from now on.
        role: RoleName,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Set the password of a person in a database, on the machine that has it: one that was forgotten, or the first of
    /// somebody from before there were accounts. All the person's devices are logged out.
    Password {
        /// Whose.
        name: String,
        #[command(flatten)]
        _config: ConfigArguments,
        #[command(flatten)]
        _database: DatabaseArguments,
        #[command(flatten)]
        _password: PasswordArguments,
    },
    /// Close an account for good: somebody's, or your own.
    Deactivate {
        /// Whose.
        name: String,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BotCommand {
    /// Make a bot and print its token, once.
    New {
        /// What others will see and find.
        name: String,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// List your bots.
    List {
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// Give a bot another token and print it, once; the former one holds no longer.
    Token {
        /// Its name or number.
        name: String,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
    /// End a bot for good.
    End {
        /// Its name or number.
        name: String,
        #[command(flatten)]
        _addresses: AddressArguments,
        #[command(flatten)]
        _user: UserArguments,
    },
}
