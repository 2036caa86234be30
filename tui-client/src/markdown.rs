//! What Markdown means in a message, as pieces of text with a look each. What is no Markdown stays as it was typed; line
//! breaks are kept, since people mean them.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::links;

/// How a piece looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Look {
    pub(crate) is_bold: bool,
    pub(crate) is_italic: bool,
    pub(crate) is_struck: bool,
    pub(crate) is_code: bool,
    /// The number of a link that a terminal may open; 0 when there is none.
    pub(crate) link: u32,
    pub(crate) is_link: bool,
    pub(crate) is_quote: bool,
}

/// A piece of text, line breaks included.
pub(crate) type Piece = (Look, String);

/// The pieces of a text, and where their links lead.
pub(crate) type Read = (Vec<Piece>, Vec<(u32, String)>);

/// Longer texts are shown as they were typed: nobody formats so much by hand.
const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Reads a message.
pub(crate) fn read(text: &str) -> Read {
    if text.len() > TEXT_BYTES_MAX
        || !text.contains(['*', '_', '`', '~', '>', '#', '[', '-', '+', '.', ')', '/', ':'])
    {
        return (vec![(Look::default(), text.to_owned())], Vec::new());
    }
    let mut reader = Reader::default();
    for (event, place) in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        match event {
            // Three marks are seldom meant as a line across the screen.
            Event::Rule => reader.block(text[place].trim_end()),
            event => reader.take(event),
        }
    }
    let mut pieces = reader.pieces;
    trim_end(&mut pieces);
    if pieces.is_empty() {
        // A text of marks alone, such as `***`.
        return (vec![(Look::default(), text.to_owned())], Vec::new());
    }
    (pieces, reader.links)
}

#[derive(Default)]
struct Reader {
    pieces: Vec<Piece>,
    bold: usize,
    italic: usize,
    struck: usize,
    code: usize,
    link: Option<String>,
    links: Vec<(u32, String)>,
    quotes: usize,
    /// The number of the next item of each list; none in lists of points.
    lists: Vec<Option<u64>>,
    /// Whether a block ended, so that the next one begins a line.
    needs_break: bool,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.write_text(&text),
            Event::Code(code) => self.write_as(&code, |look| look.is_code = true),
            Event::Html(html) | Event::InlineHtml(html) => self.write(&html),
            Event::SoftBreak | Event::HardBreak => self.line(),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.begin_block(),
            Tag::Heading { .. } => {
                self.begin_block();
                self.bold += 1;
            }
            Tag::BlockQuote(_) => {
                self.begin_block();
                self.quotes += 1;
                self.write("▎ ");
            }
            Tag::CodeBlock(kind) => {
                self.begin_block();
                self.code += 1;
                if let CodeBlockKind::Indented = kind {
                    self.write("    ");
                }
            }
            Tag::List(first) => {
                self.needs_break |= !self.lists.is_empty();
                self.begin_block();
                self.lists.push(first);
            }
            Tag::Item => {
                self.begin_block();
                let indent = "  ".repeat(self.lists.len().saturating_sub(1));
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{indent}{}. ", *number - 1)
                    }
                    _ => format!("{indent}• "),
                };
                self.write(&mark);
            }
            Tag::Emphasis => self.italic += 1,
            Tag::Strong => self.bold += 1,
            Tag::Strikethrough => self.struck += 1,
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.into_string()),
            Tag::Image { dest_url, .. } => self.link = Some(dest_url.into_string()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.bold = self.bold.saturating_sub(1);
                self.needs_break = true;
            }
            TagEnd::BlockQuote(_) => {
                self.quotes = self.quotes.saturating_sub(1);
                self.needs_break = true;
            }
            TagEnd::CodeBlock => {
                self.code = self.code.saturating_sub(1);
                trim_end(&mut self.pieces);
                self.needs_break = true;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.needs_break = true;
            }
            TagEnd::Paragraph | TagEnd::Item => self.needs_break = true,
            TagEnd::Emphasis => self.italic = self.italic.saturating_sub(1),
            TagEnd::Strong => self.bold = self.bold.saturating_sub(1),
            TagEnd::Strikethrough => self.struck = self.struck.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    /// Where a link leads is always seen: what it is called may be a lie.
    fn end_link(&mut self) {
        let Some(address) = self.link.take() else { return };
        let is_named = self.pieces.last().is_none_or(|(_, text)| !text.ends_with(address.as_str()));
        if is_named {
            self.write(" (");
            self.write_link(&address, &address);
            self.write(")");
        }
    }

    /// A block as it was typed.
    fn block(&mut self, text: &str) {
        self.begin_block();
        self.write(text);
        self.needs_break = true;
    }

    fn begin_block(&mut self) {
        if std::mem::take(&mut self.needs_break) {
            self.line();
        }
    }

    fn line(&mut self) {
        self.write("\n");
        if self.quotes > 0 {
            self.write("▎ ");
        }
    }

    /// Addresses are links, also without any mark.
    fn write_text(&mut self, text: &str) {
        if self.code > 0 || self.link.is_some() {
            return self.write(text);
        }
        let mut rest = text;
        for link in links::in_text(text) {
            let begin = link.as_ptr().addr() - rest.as_ptr().addr();
            self.write(&rest[..begin]);
            self.write_link(link, link);
            rest = &rest[begin + link.len()..];
        }
        self.write(rest);
    }

    fn write(&mut self, text: &str) {
        match self.link.clone() {
            Some(address) => self.write_link(text, &address),
            None => self.write_as(text, |_| {}),
        }
    }

    fn write_link(&mut self, text: &str, address: &str) {
        let number = links::number(address);
        if number > 0 && !self.links.iter().any(|(known, _)| *known == number) {
            self.links.push((number, address.to_owned()));
        }
        self.write_as(text, |look| (look.is_link, look.link) = (true, number));
    }

    fn write_as(&mut self, text: &str, change: impl FnOnce(&mut Look)) {
        if text.is_empty() {
            return;
        }
        let mut look = Look {
            is_bold: self.bold > 0,
            is_italic: self.italic > 0,
            is_struck: self.struck > 0,
            is_code: self.code > 0,
            link: 0,
            is_link: self.link.is_some(),
            is_quote: self.quotes > 0,
        };
        change(&mut look);
        match self.pieces.last_mut() {
            Some((last, piece)) if *last == look => piece.push_str(text),
            _ => self.pieces.push((look, text.to_owned())),
        }
    }
}

fn trim_end(pieces: &mut Vec<Piece>) {
    while let Some((_, last)) = pieces.last_mut() {
        last.truncate(last.trim_end_matches('\n').len());
        if !last.is_empty() {
            return;
        }
        pieces.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks as letters before their pieces.
    fn shown(text: &str) -> String {
        let name = |look: Look| {
            let marks = [
                (look.is_bold, 'b'),
                (look.is_italic, 'i'),
                (look.is_struck, 's'),
                (look.is_code, 'c'),
                (look.is_link, 'l'),
                (look.is_quote, 'q'),
            ];
            marks.iter().filter(|(is, _)| *is).map(|(_, letter)| letter).collect::<String>()
        };
        read(text).0.iter().map(|(look, text)| format!("<{}>{text}", name(*look))).collect()
    }

    #[test]
    fn marks_become_looks() {
        assert_eq!(
            shown("a **bold** and *soft* `code` ~~not~~"),
            "<>a <b>bold<> and <i>soft<> <c>code<> <s>not"
        );
        assert_eq!(shown("# Title\ntext"), "<b>Title<>\ntext");
        assert_eq!(shown("> said\n> twice\n\nso"), "<q>▎ said\n▎ twice<>\nso");
        assert_eq!(shown("- one\n- two\n  - three"), "<>• one\n• two\n  • three");
        assert_eq!(shown("3. one\n4. two"), "<>3. one\n4. two");
        assert_eq!(shown("```rust\nfn x() {}\n  y\n```\nend"), "<c>fn x() {}\n  y<>\nend");
    }

    #[test]
    fn where_a_link_leads_is_always_seen() {
        assert_eq!(shown("see https://a.example, ok"), "<>see <l>https://a.example<>, ok");
        assert_eq!(shown("[bank](http://evil.example)"), "<l>bank<> (<l>http://evil.example<>)");
        assert_eq!(shown("<https://a.example>"), "<l>https://a.example");
    }

    #[test]
    fn what_is_no_markdown_stays_as_it_was_typed() {
        for text in
            ["plain", "2 * 3 * 4", "a\nb\nc", "snake_case_name", "***", "<b>x</b>", "5 > 3", "¯\\_(ツ)_/¯ x"]
        {
            let all: String = read(text).0.into_iter().map(|(_, text)| text).collect();
            assert_eq!(all.replace('\\', ""), text.replace('\\', ""), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,60}|[*_`~>#\\[\\]() \n\\-0-9.a]{0,60}") {
            proptest::prop_assert!(read(&text).0.iter().all(|(_, piece)| !piece.is_empty()) || text.is_empty());
        }
    }
}
