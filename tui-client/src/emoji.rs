//! Signs by the names that people type for them, `:thumbsup:` as in many chats. Names are those of Unicode's CLDR, shortened.

/// A name and its sign; the most used first.
pub(crate) const NAMED: &[(&str, &str)] = &[
    ("thumbsup", "👍"),
    ("heart", "❤️"),
    ("joy", "😂"),
    ("tada", "🎉"),
    ("eyes", "👀"),
    ("check", "✅"),
    ("thumbsdown", "👎"),
    ("smile", "😄"),
    ("grin", "😁"),
    ("wink", "😉"),
    ("thinking", "🤔"),
    ("sob", "😭"),
    ("cry", "😢"),
    ("angry", "😠"),
    ("scream", "😱"),
    ("sweat", "😅"),
    ("sunglasses", "😎"),
    ("shrug", "🤷"),
    ("facepalm", "🤦"),
    ("clap", "👏"),
    ("pray", "🙏"),
    ("wave", "👋"),
    ("muscle", "💪"),
    ("ok", "👌"),
    ("handshake", "🤝"),
    ("point", "👉"),
    ("fire", "🔥"),
    ("star", "⭐"),
    ("sparkles", "✨"),
    ("rocket", "🚀"),
    ("bug", "🐛"),
    ("bulb", "💡"),
    ("warning", "⚠️"),
    ("cross", "❌"),
    ("question", "❓"),
    ("exclamation", "❗"),
    ("plus", "➕"),
    ("minus", "➖"),
    ("hundred", "💯"),
    ("gift", "🎁"),
    ("cake", "🎂"),
    ("coffee", "☕"),
    ("tea", "🍵"),
    ("beer", "🍺"),
    ("pizza", "🍕"),
    ("taco", "🌮"),
    ("dumpling", "🥟"),
    ("apple", "🍎"),
    ("sun", "☀️"),
    ("rain", "🌧️"),
    ("snow", "❄️"),
    ("dog", "🐶"),
    ("cat", "🐱"),
    ("party", "🥳"),
    ("love", "😍"),
    ("kiss", "😘"),
    ("sleepy", "😴"),
    ("sick", "🤒"),
    ("ghost", "👻"),
    ("robot", "🤖"),
    ("lock", "🔒"),
    ("key", "🔑"),
    ("clock", "⏰"),
    ("calendar", "📅"),
    ("pin", "📌"),
    ("link", "🔗"),
    ("memo", "📝"),
    ("book", "📖"),
    ("music", "🎵"),
    ("soccer", "⚽"),
];

/// The sign of a name, with or without its colons; anything else is a sign itself.
pub(crate) fn sign(typed: &str) -> String {
    let name = typed.trim_matches(':');
    let named = NAMED.iter().find(|(known, _)| *known == name);
    named.map_or(typed, |(_, sign)| sign).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_sign_is_one_for_the_server() {
        for (place, (name, sign)) in NAMED.iter().enumerate() {
            assert!(NAMED[..place].iter().all(|(other, _)| other != name), "{name}");
            assert!(ttp::model::check_emoji(sign).is_ok(), "{name}");
        }
        assert_eq!((sign(":tada:"), sign("tada"), sign("🎈")), ("🎉".into(), "🎉".into(), "🎈".into()));
    }
}
