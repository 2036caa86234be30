//! Who may do what: one table for chats, one for the server. Each is a match without a default, so that a new act
//! without a row does not compile.
//!
//! A role may do what the roles below it may. So a row names the least role that may, and what everybody below it is
//! told. Who is not in a chat has no role in it, and is refused before any of this; whose account is closed has no
//! session.
//!
//! In a chat a guest reads, writes, changes what it wrote, reacts and leaves. A member also adds people, pins messages and
//! calls all of a small chat. A moderator keeps order among guests and members, also in what they write, calls all, and says
//! what the group is called and about. An owner may do everything, also to other owners, who are banned and muted by nobody
//! as long as they are owners. The last owner who leaves or is removed hands the group
//! on: see `store`. A private chat's two people are members for ever, and nobody is added or removed.
//!
//! On the server a guest talks in private chats, in public rooms and where it was added, and creates no group. A member
//! creates groups and makes bots. A moderator invites members and guests, and closes their accounts. An owner may do everything.
//! Everybody may give up what the role allows: step down, leave, take back an own invitation, close the own account.

use ttp::model::Role;

/// What somebody does in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChatAct {
    /// Reads messages and other entries.
    Read,
    /// Sends a message.
    Write,
    /// Writes an own message anew.
    EditMessage,
    /// Deletes an own message.
    DeleteMessage,
    /// Deletes a message of somebody who has this role, or the least one when not in the chat any more.
    DeleteMessageOf(Role),
    /// Puts signs on messages, and takes the own ones off.
    React,
    /// Pins messages, and ends that.
    Pin,
    /// Calls everybody in a chat of few people with `@all`.
    CallAll,
    /// The same where there are more than `ttp::limits::CALL_ALL_USERS_MAX`.
    CallAllOfMany,
    /// Moves the own mark.
    MarkRead,
    /// Lists who is in it.
    ListPeople,
    /// Leaves.
    Leave,
    /// Takes a lower role.
    StepDown,
    /// Adds somebody, who becomes a member.
    AddPerson,
    /// Removes somebody who has this role.
    RemovePerson(Role),
    /// Gives somebody another role.
    SetRole {
        /// The role until now.
        from: Role,
        /// The role from now on.
        to: Role,
    },
    /// Says what it is called, or about.
    Describe,
    /// Gives it another rule: how it is found, who may join, how many, whether it is archived.
    Govern,
    /// Bans or mutes somebody who has this role, or ends that. Who is not in the group counts as a guest.
    Restrict(Role),
    /// Lists who is banned or muted.
    ListRestrictions,
}

/// What somebody does on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerAct {
    /// Creates a private chat.
    CreatePrivateChat,
    /// Creates a group.
    CreateGroup,
    /// Makes a bot.
    InsertBot,
    /// Lists public rooms.
    ListRooms,
    /// Joins a public room.
    JoinRoom,
    /// Closes the own account.
    Resign,
    /// Takes a lower role.
    StepDown,
    /// Makes an invitation for accounts of this role.
    Invite(Role),
    /// Lists the invitations that hold.
    ListInvitations,
    /// Takes back an own invitation.
    EndOwnInvitation,
    /// Takes back somebody else's invitation.
    EndInvitation,
    /// Closes the account of somebody who has this role.
    Deactivate(Role),
    /// Gives somebody another role.
    SetRole {
        /// The role until now.
        from: Role,
        /// The role from now on.
        to: Role,
    },
}

/// A row: who may, and what the others are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The least role that may; nobody may when there is none.
    pub least: Option<Role>,
    /// Why not.
    pub refusal: &'static str,
}

/// What is told to who writes somebody else's message anew: no role may.
pub const NOT_THE_AUTHOR: &str = "only who wrote a message writes it anew";

/// What is told to who writes anew what somebody else has said first.
pub const FORWARDED_STAYS: &str = "a forwarded message stays as it was said";

const EVERYBODY: Rule = Rule { least: Some(Role::Guest), refusal: "everybody may do this" };

const fn from(least: Role, refusal: &'static str) -> Rule {
    Rule { least: Some(least), refusal }
}

const fn nobody(refusal: &'static str) -> Rule {
    Rule { least: None, refusal }
}

impl ChatAct {
    /// Every act.
    pub const ALL: [Self; 44] = {
        let mut all = [Self::Read; 44];
        (all[1], all[2], all[3], all[4]) = (Self::Write, Self::MarkRead, Self::ListPeople, Self::Leave);
        (all[5], all[6]) = (Self::StepDown, Self::AddPerson);
        (all[27], all[28], all[29]) = (Self::EditMessage, Self::DeleteMessage, Self::React);
        (all[30], all[31], all[32]) = (Self::Pin, Self::CallAll, Self::CallAllOfMany);
        (all[37], all[38], all[39]) = (Self::Describe, Self::Govern, Self::ListRestrictions);
        let mut place = 0;
        while place < 16 {
            let (from, to) = (Role::ALL[place / 4], Role::ALL[place % 4]);
            all[11 + place] = Self::SetRole { from, to };
            if place < 4 {
                all[7 + place] = Self::RemovePerson(Role::ALL[place]);
                all[33 + place] = Self::DeleteMessageOf(Role::ALL[place]);
                all[40 + place] = Self::Restrict(Role::ALL[place]);
            }
            place += 1;
        }
        all
    };

    /// The table.
    pub fn rule(self) -> Rule {
        use Role::{Guest, Member, Moderator, Owner};
        match self {
            Self::Read | Self::Write | Self::MarkRead | Self::ListPeople => EVERYBODY,
            Self::Leave | Self::StepDown => EVERYBODY,
            Self::EditMessage | Self::DeleteMessage | Self::React => EVERYBODY,
            Self::DeleteMessageOf(Guest | Member) => {
                from(Moderator, "moderators and owners delete messages of others")
            }
            Self::DeleteMessageOf(Moderator | Owner) => {
                from(Owner, "owners delete messages of moderators and owners")
            }
            Self::Pin => from(Member, "guests of a group do not pin messages"),
            Self::CallAll => from(Member, "guests of a group do not call all"),
            Self::CallAllOfMany => from(Moderator, "moderators and owners call all of a large group"),
            Self::AddPerson => from(Member, "guests of a group do not add people to it"),
            Self::RemovePerson(Guest | Member) => from(Moderator, "moderators and owners remove people"),
            Self::RemovePerson(Moderator | Owner) => from(Owner, "owners remove moderators and owners"),
            Self::SetRole { from: Guest | Member, to: Guest | Member } => {
                from(Moderator, "moderators and owners give roles")
            }
            Self::SetRole { from: Moderator | Owner, .. } | Self::SetRole { to: Moderator | Owner, .. } => {
                from(Owner, "owners make and unmake moderators and owners")
            }
            Self::Describe => from(Moderator, "moderators and owners change the name and the topic"),
            Self::Govern => from(Owner, "owners change the rules of a group"),
            Self::Restrict(Guest | Member) => from(Moderator, "moderators and owners ban and mute people"),
            Self::Restrict(Moderator) => from(Owner, "owners ban and mute moderators"),
            Self::Restrict(Owner) => nobody("owners are not banned or muted: take the role away first"),
            Self::ListRestrictions => from(Moderator, "moderators and owners see who is banned or muted"),
        }
    }

    /// Refuses when the role does not allow it.
    ///
    /// # Errors
    /// The sentence of the table.
    pub fn check(self, role: Role) -> Result<(), &'static str> {
        #[cfg(feature = "mutants")]
        if matches!(self, Self::RemovePerson(_)) && ttp::net::mutant::is("anybody_removes") {
            return Ok(());
        }
        self.rule().check(role)
    }
}

impl ServerAct {
    /// Every act.
    pub const ALL: [Self; 34] = {
        let mut all = [Self::CreatePrivateChat; 34];
        (all[1], all[2], all[3]) = (Self::CreateGroup, Self::Resign, Self::StepDown);
        (all[4], all[5], all[6]) = (Self::ListInvitations, Self::EndOwnInvitation, Self::EndInvitation);
        (all[31], all[32], all[33]) = (Self::ListRooms, Self::JoinRoom, Self::InsertBot);
        let mut place = 0;
        while place < 16 {
            let (from, to) = (Role::ALL[place / 4], Role::ALL[place % 4]);
            all[15 + place] = Self::SetRole { from, to };
            if place < 4 {
                all[7 + place] = Self::Invite(Role::ALL[place]);
                all[11 + place] = Self::Deactivate(Role::ALL[place]);
            }
            place += 1;
        }
        all
    };

    /// The table.
    pub fn rule(self) -> Rule {
        use Role::{Guest, Member, Moderator, Owner};
        match self {
            Self::CreatePrivateChat | Self::Resign | Self::StepDown | Self::EndOwnInvitation => EVERYBODY,
            Self::ListRooms | Self::JoinRoom => EVERYBODY,
            Self::CreateGroup => from(Member, "guests of this server do not create groups"),
            Self::InsertBot => from(Member, "guests of this server make no bots"),
            Self::Invite(Guest | Member) => {
                from(Moderator, "moderators and owners of this server invite people")
            }
            Self::Invite(Moderator | Owner) => {
                from(Owner, "owners of this server invite moderators and owners")
            }
            Self::ListInvitations => from(Moderator, "moderators and owners of this server see invitations"),
            Self::EndInvitation => from(Owner, "owners of this server take back invitations of others"),
            Self::Deactivate(Guest | Member) => {
                from(Moderator, "moderators and owners of this server close accounts of others")
            }
            Self::Deactivate(Moderator | Owner) => {
                from(Owner, "owners of this server close accounts of moderators and owners")
            }
            Self::SetRole { from: Guest | Member, to: Guest | Member } => {
                from(Moderator, "moderators and owners of this server give roles")
            }
            Self::SetRole { from: Moderator | Owner, .. } | Self::SetRole { to: Moderator | Owner, .. } => {
                from(Owner, "owners of this server make and unmake moderators and owners")
            }
        }
    }

    /// Refuses when the role does not allow it.
    ///
    /// # Errors
    /// The sentence of the table.
    pub fn check(self, role: Role) -> Result<(), &'static str> {
        self.rule().check(role)
    }
}

impl Rule {
    fn check(self, role: Role) -> Result<(), &'static str> {
        if self.least.is_some_and(|least| role >= least) { Ok(()) } else { Err(self.refusal) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_act_is_listed_once() {
        assert_eq!(HashSet::from(ChatAct::ALL).len(), ChatAct::ALL.len());
        assert_eq!(HashSet::from(ServerAct::ALL).len(), ServerAct::ALL.len());
    }

    /// The tables as they are meant: who may, of how many.
    #[test]
    fn the_tables_are_these() {
        let chats = Role::ALL.map(|role| ChatAct::ALL.iter().filter(|act| act.check(role).is_ok()).count());
        assert_eq!(chats, [9, 12, 25, 43]);
        let server =
            Role::ALL.map(|role| ServerAct::ALL.iter().filter(|act| act.check(role).is_ok()).count());
        assert_eq!(server, [6, 8, 17, 34]);
    }

    /// Nobody makes somebody more than they are themselves, or touches who is more.
    #[test]
    fn no_role_reaches_above_itself() {
        for role in Role::ALL {
            for above in Role::ALL.into_iter().filter(|above| *above > role) {
                assert!(ChatAct::RemovePerson(above).check(role).is_err());
                assert!(ChatAct::DeleteMessageOf(above).check(role).is_err());
                assert!(ChatAct::Restrict(above).check(role).is_err());
                assert!(ServerAct::Deactivate(above).check(role).is_err());
                assert!(ServerAct::Invite(above).check(role).is_err());
                for other in Role::ALL {
                    for (from, to) in [(above, other), (other, above)] {
                        assert!(ChatAct::SetRole { from, to }.check(role).is_err());
                        assert!(ServerAct::SetRole { from, to }.check(role).is_err());
                    }
                }
            }
        }
    }
}
