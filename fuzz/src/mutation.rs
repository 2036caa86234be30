//! Seeded mutations of a corpus: the same seed gives the same inputs.

/// Longest input that is made.
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// Pieces that parsers stumble over.
const TOKENS: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b" ",
    b"          ",
    b"0",
    b"-",
    b"+",
    b"_",
    b"e",
    b".",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\\u0000",
    b"null",
    b"true",
    b"NaN",
    b"-0",
    b"1e999",
    b"0.1",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"340282366920938463463374607431768211455",
    b"4294967296",
    b"9999999999",
    b"0x10",
    b"1_0",
    b"\"jsonrpc\":\"2.0\",",
    b"\"id\":1,",
    b"\"id\":null,",
    b"\"method\":\"GetUser\",",
    b"\"params\":{},",
    b"\"user_id\":",
    b"\"chat_id\":",
    b"\"x\":[[[[[[[[",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"\xef\xbb\xbf",
];

/// A random sequence: SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`; zero when `end` is zero.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.bits() % end as u64) as usize }
    }

    /// One of several.
    pub fn choose<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }
}

/// A new input: one of the corpus, changed once or several times. The corpus is not empty.
pub fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.choose(corpus).clone();
    // One change most often, each further one half as often.
    for _ in 0..=random.bits().trailing_zeros().min(16) {
        change(&mut input, corpus, random);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let place = random.below(input.len() + 1);
    match random.below(8) {
        // A bit flips, or a byte becomes another.
        0 | 1 if place < input.len() => input[place] ^= 1 << random.below(8),
        2 if place < input.len() => input[place] = random.bits() as u8,
        // Something is inserted.
        3 | 4 => {
            let token = random.choose(TOKENS);
            input.splice(place..place, token.iter().copied());
        }
        // Something is repeated elsewhere.
        5 => {
            let end = place + random.below(input.len() - place + 1).min(256);
            let piece = input[place..end].to_vec();
            let target = random.below(input.len() + 1);
            input.splice(target..target, piece);
        }
        // It ends early, or goes on as another input does.
        6 => input.truncate(place),
        7 => {
            let other = random.choose(corpus);
            let from = random.below(other.len() + 1);
            input.truncate(place);
            input.extend_from_slice(&other[from..]);
        }
        // A piece is lost.
        _ => {
            let end = place + random.below(input.len() - place + 1).min(32);
            input.drain(place..end);
        }
    }
}
