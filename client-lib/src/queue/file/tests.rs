//! Every cut of the last line, damage elsewhere, and the bounds.

use std::os::unix::fs::PermissionsExt;

use ttp::model::ChatId;

use super::*;

const ME: UserId = UserId(1);

fn message(number: usize) -> QueuedMessage {
    QueuedMessage { key: format!("key {number}"), chat_id: ChatId(1), text: format!("says\n{number}") }
}

fn open(path: &Path) -> Result<QueueFile, Error> {
    QueueFile::open(path, ME)
}

fn keys(file: &QueueFile) -> Vec<String> {
    file.waiting().map(|message| message.key.clone()).collect()
}

/// A queue of three, of which the first is done, and its file's bytes before it was closed.
fn three(path: &Path) -> Vec<u8> {
    let mut file = open(path).unwrap();
    for number in 1..=3 {
        file.push(&message(number)).unwrap();
    }
    file.strike_out("key 1").unwrap();
    file.strike_out("key 3").unwrap();
    file.belong_to("a").unwrap();
    assert_eq!(keys(&file), ["key 2", "key 3"]);
    std::fs::read(path).unwrap()
}

#[test]
fn what_waits_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    three(&path);
    let mut file = open(&path).unwrap();
    assert_eq!(file.waiting().cloned().collect::<Vec<_>>(), [message(2), message(3)]);
    file.belong_to("a").unwrap();
    let error = file.belong_to("b").unwrap_err();
    assert!(matches!(error, Error::Queue(QueueError::OtherHistory)), "{error}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// F3, G1: whatever a crash leaves of the last line, everything before it is there, and the file goes on.
#[test]
fn a_torn_last_line_costs_that_line_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    three(&path);
    let mut file = open(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    file.push(&message(4)).unwrap();
    drop(file);
    let after = std::fs::read(&path).unwrap();
    for cut in (before.len()..after.len()).step_by(3) {
        for rest in [0, 40] {
            let mut bytes = after[..cut].to_vec();
            bytes.extend(std::iter::repeat_n(0, rest));
            std::fs::write(&path, bytes).unwrap();
            let mut file = open(&path).unwrap();
            assert_eq!(keys(&file), ["key 2", "key 3"], "cut at {cut}");
            file.push(&message(5)).unwrap();
            drop(file);
            assert_eq!(keys(&open(&path).unwrap()), ["key 2", "key 3", "key 5"], "cut at {cut}");
        }
    }
}

#[test]
fn damage_in_the_middle_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    let sound = three(&path);
    let ends: Vec<usize> = (0..sound.len()).filter(|index| sound[*index] == b'\n').collect();
    assert_eq!(ends.len(), 6);
    for (line, end) in ends[..5].iter().enumerate() {
        let mut bytes = sound.clone();
        bytes[end - 3] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err();
        let expected = line + 1;
        assert!(matches!(error, Error::Queue(QueueError::Damaged { line }) if line == expected), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was touched");
    }
    std::fs::write(&path, "").unwrap();
    assert!(matches!(open(&path), Err(Error::Queue(QueueError::Damaged { line: 1 }))));
}

#[test]
fn one_queue_one_program_one_person() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    let file = open(&path).unwrap();
    assert!(matches!(open(&path), Err(Error::Queue(QueueError::InUse))));
    drop(file);
    let other = QueueFile::open(&path, UserId(2));
    assert!(matches!(other, Err(Error::Queue(QueueError::OtherPerson { owner: ME }))), "{other:?}");
    open(&path).unwrap();
}

/// The bounds hold, and the file does not grow with what was said in its life.
#[test]
fn the_file_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue");
    let mut file = open(&path).unwrap();
    let long = QueuedMessage { text: "x".repeat(16_000), ..message(0) };
    for number in 0..100 {
        file.push(&QueuedMessage { key: number.to_string(), ..long.clone() }).unwrap();
        file.strike_out(&number.to_string()).unwrap();
    }
    assert!(std::fs::metadata(&path).unwrap().len() < 2 * USELESS_BYTES_MAX as u64);
    assert_eq!(file.contents.waiting_bytes, 0);
    file.contents.waiting_bytes = BYTES_MAX - 16_000;
    assert!(matches!(file.push(&long), Err(Error::Queue(QueueError::Full))));
    file.contents.waiting_bytes = 0;
    file.contents.waiting.extend((0..MESSAGES_MAX).map(message));
    assert!(matches!(file.push(&message(0)), Err(Error::Queue(QueueError::Full))));
}
