//! What one stream's socket did not take yet: a queue of blocks that are shared with other streams.
//!
//! An empty outlet is one null pointer, so an idle stream owns no buffer. Every block begins and ends at a frame's
//! border; the first one is kept whole with the place up to which it was sent, so that [`Outlet::cut`] can find
//! the end of the frame that is half sent. Nothing here knows sockets: a writer that may refuse is enough.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use bytes::Bytes;
use ttp::frame::parse_header;
use ttp::limits::HEADER_BYTES;

use crate::budget::{Budget, Share};

/// Blocks given to one vectored write.
const BLOCKS_PER_WRITE_MAX: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    blocks: VecDeque<Bytes>,
    /// Bytes of the first block that were sent.
    first_sent: usize,
    /// Bytes that wait, over all blocks.
    bytes: usize,
    /// When the socket last took something.
    progress_ms: u64,
    /// For the queue's own memory; the blocks have theirs.
    share: Share,
}

impl Outlet {
    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// How long the socket has taken nothing of what waits.
    pub(crate) fn stalled_ms(&self, now_ms: u64) -> u64 {
        self.waiting.as_ref().map_or(0, |waiting| now_ms.saturating_sub(waiting.progress_ms))
    }

    /// Sends blocks after everything that waits already. What the writer does not take now waits.
    ///
    /// # Errors
    /// The writer's, except that it would block.
    #[inline(always)] // As the stream's `send`.
    pub(crate) fn send(
        &mut self,
        writer: &mut impl Write,
        blocks: &[impl Borrow<Bytes>],
        now_ms: u64,
        budget: &Arc<Budget>,
    ) -> io::Result<()> {
        if let Some(waiting) = &mut self.waiting {
            // The socket is full: it tells when it takes more, and asking it for each block would cost a call.
            waiting.push(blocks);
            return Ok(());
        }
        for (index, group) in blocks.chunks(BLOCKS_PER_WRITE_MAX).enumerate() {
            let group_bytes: usize = group.iter().map(|block| block.borrow().len()).sum();
            if group_bytes == 0 {
                continue;
            }
            let sent = write_once(writer, group, 0)?;
            if sent < group_bytes {
                self.keep(&blocks[index * BLOCKS_PER_WRITE_MAX..], sent, now_ms, budget);
                // The socket promises to tell about room only after it has said that there is none.
                return self.flush(writer, now_ms);
            }
        }
        Ok(())
    }

    /// Sends what waits, as far as the writer takes it.
    ///
    /// # Errors
    /// The writer's, except that it would block.
    pub(crate) fn flush(&mut self, writer: &mut impl Write, now_ms: u64) -> io::Result<()> {
        while let Some(waiting) = &mut self.waiting {
            let sent = write_once(writer, waiting.blocks.as_slices().0, waiting.first_sent)?;
            if sent == 0 {
                break;
            }
            waiting.progress_ms = now_ms;
            waiting.advance(sent);
            if waiting.bytes == 0 {
                self.waiting = None;
            }
        }
        Ok(())
    }

    /// Forgets everything but the rest of the frame that is half sent, so that the peer can read what is sent next. The
    /// rest is copied, because a part of a block would hold all of it.
    pub(crate) fn cut(&mut self) {
        let Some(waiting) = &mut self.waiting else { return };
        let end = waiting.blocks.front().map_or(0, |first| frame_end(first, waiting.first_sent));
        waiting.blocks.truncate(1);
        waiting.bytes = end - waiting.first_sent;
        if let Some(first) = waiting.blocks.front_mut() {
            *first = Bytes::copy_from_slice(&first[waiting.first_sent..end]);
        }
        waiting.first_sent = 0;
        waiting.blocks.shrink_to_fit();
        waiting.share.resize(waiting.memory() + waiting.bytes);
        if waiting.bytes == 0 {
            self.waiting = None;
        }
    }

    fn keep(&mut self, blocks: &[impl Borrow<Bytes>], sent: usize, now_ms: u64, budget: &Arc<Budget>) {
        let mut waiting = Box::new(Waiting {
            blocks: VecDeque::with_capacity(blocks.len()),
            first_sent: 0,
            bytes: 0,
            progress_ms: now_ms,
            share: budget.share(),
        });
        waiting.push(blocks);
        waiting.advance(sent);
        self.waiting = Some(waiting);
    }
}

impl Waiting {
    fn push(&mut self, blocks: &[impl Borrow<Bytes>]) {
        for block in blocks.iter().map(Borrow::borrow).filter(|block| !block.is_empty()) {
            self.bytes += block.len();
            self.blocks.push_back(block.clone());
        }
        self.share.resize(self.memory());
    }

    /// Bytes of the queue itself.
    fn memory(&self) -> usize {
        size_of::<Self>() + self.blocks.capacity() * size_of::<Bytes>()
    }

    fn advance(&mut self, sent: usize) {
        self.bytes -= sent;
        self.first_sent += sent;
        while let Some(first) = self.blocks.front()
            && first.len() <= self.first_sent
        {
            self.first_sent -= first.len();
            self.blocks.pop_front();
        }
    }
}

/// One write of several blocks, the first from `skip` on. Zero when the writer would block.
fn write_once(writer: &mut impl Write, blocks: &[impl Borrow<Bytes>], skip: usize) -> io::Result<usize> {
    loop {
        let result = match blocks {
            [] => return Ok(0),
            [only] => writer.write(&only.borrow()[skip..]),
            [first, rest @ ..] => {
                let mut slices = [IoSlice::new(&[]); BLOCKS_PER_WRITE_MAX];
                slices[0] = IoSlice::new(&first.borrow()[skip..]);
                for (slice, block) in slices[1..].iter_mut().zip(rest) {
                    *slice = IoSlice::new(block.borrow());
                }
                let count = blocks.len().min(BLOCKS_PER_WRITE_MAX);
                writer.write_vectored(&slices[..count])
            }
        };
        return match result {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other,
        };
    }
}

/// The end of the frame that byte `sent` stands in; `sent` itself when it is a border.
fn frame_end(block: &[u8], sent: usize) -> usize {
    let mut end = 0;
    while end < sent {
        let header = block.get(end..).and_then(|rest| rest.first_chunk::<HEADER_BYTES>());
        let Some(payload_bytes) = header.and_then(|header| parse_header(*header).ok()) else {
            return block.len();
        };
        end += HEADER_BYTES + payload_bytes as usize;
    }
    end.min(block.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A socket that takes so many bytes at each call, then would block once, and so on.
    #[derive(Default)]
    struct Portions {
        taken: Vec<u8>,
        portions: VecDeque<usize>,
    }

    impl Portions {
        fn new(portions: impl IntoIterator<Item = usize>) -> Self {
            Self { taken: Vec::new(), portions: portions.into_iter().collect() }
        }
    }

    impl Write for Portions {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let room = self.portions.pop_front().unwrap_or(0);
            if room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let offered: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let taken = offered.len().min(room);
            self.taken.extend_from_slice(&offered[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn budget() -> Arc<Budget> {
        Budget::new(usize::MAX)
    }

    fn frame(text: &str) -> Bytes {
        ttp::frame::encode(text.as_bytes()).into()
    }

    fn two(first: &str, second: &str) -> Bytes {
        [frame(first), frame(second)].concat().into()
    }

    #[test]
    fn an_empty_outlet_is_a_pointer_and_is_empty_again_after_the_last_byte() {
        assert_eq!(size_of::<Outlet>(), size_of::<usize>());
        let mut outlet = Outlet::default();
        let mut socket = Portions::new([5]);
        outlet.send(&mut socket, &[frame("hello")], 100, &budget()).unwrap();
        assert_eq!(outlet.bytes(), 10);
        assert_eq!(outlet.stalled_ms(350), 250);
        socket.portions.extend([4]);
        outlet.flush(&mut socket, 400).unwrap();
        assert_eq!(outlet.stalled_ms(450), 50);
        socket.portions.extend([100]);
        outlet.flush(&mut socket, 500).unwrap();
        assert!(outlet.is_empty());
        assert_eq!(socket.taken, frame("hello"));
    }

    #[test]
    fn a_cut_keeps_the_rest_of_the_half_sent_frame_alone() {
        // Sent bytes of a block of frames of 15 and 16 bytes, and what the peer has in the end.
        for (sent, whole) in [
            (1, frame("hello")),
            (14, frame("hello")),
            (15, frame("hello")),
            (16, two("hello", "world!")),
            (30, two("hello", "world!")),
        ] {
            let mut outlet = Outlet::default();
            let mut socket = Portions::new([sent]);
            let blocks = [two("hello", "world!"), frame("more")];
            outlet.send(&mut socket, &blocks, 0, &budget()).unwrap();
            outlet.cut();
            outlet.send(&mut Portions::default(), &[frame("end")], 0, &budget()).unwrap();
            socket.portions.extend([1000, 1000, 1000]);
            outlet.flush(&mut socket, 0).unwrap();
            assert_eq!(socket.taken, [whole, frame("end")].concat(), "{sent} bytes were sent");
        }
    }

    #[test]
    fn a_broken_writer_is_an_error() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let failed = Outlet::default().send(&mut Broken, &[frame("hello")], 0, &budget());
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    proptest! {
        /// Bytes out are bytes in, in order, however the blocks are sliced and whatever the socket takes.
        #[test]
        fn bytes_out_are_bytes_in(
            turns in prop::collection::vec(
                (prop::collection::vec(0usize..40, 0..40), prop::collection::vec(0usize..200, 0..6)),
                0..12,
            ),
        ) {
            let mut outlet = Outlet::default();
            let mut socket = Portions::default();
            let mut given = Vec::new();
            let mut next = 0u8;
            for (lengths, portions) in turns {
                let blocks: Vec<Bytes> = lengths.into_iter().map(|length| {
                    (0..length).map(|_| { next = next.wrapping_add(1); next }).collect::<Vec<u8>>().into()
                }).collect();
                given.extend(blocks.iter().flat_map(|block| block.iter().copied()));
                socket.portions = portions.into();
                outlet.send(&mut socket, &blocks, 0, &budget()).unwrap();
                outlet.flush(&mut socket, 0).unwrap();
                prop_assert_eq!(given.len() - socket.taken.len(), outlet.bytes());
                prop_assert!(given.starts_with(&socket.taken));
            }
            socket.portions = vec![usize::MAX; 1000].into();
            outlet.flush(&mut socket, 0).unwrap();
            prop_assert!(outlet.is_empty());
            prop_assert_eq!(given, socket.taken);
        }

        /// After a cut the peer reads whole frames, the last of which is the farewell.
        #[test]
        fn a_cut_never_tears_a_frame(
            payloads in prop::collection::vec("[a-z]{0,30}", 1..20),
            per_block in 1usize..5,
            sent in 0usize..600,
        ) {
            let blocks: Vec<Bytes> = payloads
                .chunks(per_block)
                .map(|texts| texts.iter().flat_map(|text| frame(text)).collect::<Vec<u8>>().into())
                .collect();
            let mut outlet = Outlet::default();
            let mut socket = Portions::new([sent]);
            outlet.send(&mut socket, &blocks, 0, &budget()).unwrap();
            outlet.cut();
            socket.portions = vec![usize::MAX; 10].into();
            outlet.flush(&mut socket, 0).unwrap();
            outlet.send(&mut socket, &[frame("end")], 0, &budget()).unwrap();
            let mut decoder = ttp::frame::Decoder::new(1000);
            decoder.push(&socket.taken);
            let mut read = Vec::new();
            while let Some(payload) = decoder.next_payload().unwrap() {
                read.push(String::from_utf8(payload.to_vec()).unwrap());
            }
            prop_assert!(decoder.is_between_frames());
            prop_assert_eq!(read.pop(), Some(String::from("end")));
            prop_assert!(payloads.starts_with(&read));
        }
    }
}
