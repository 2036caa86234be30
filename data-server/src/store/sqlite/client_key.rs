//! How the key that a client gave a message stands in a column. The client library's keys are ULIDs, 26 characters that
//! sort by time: they take 16 bytes that sort the same. Every other key is a text.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};

/// Crockford's base 32: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a ULID: 130 bits, of which the first two are zero.
const ULID_CHARS: usize = 26;

/// A key on its way into a column, or out of one. It comes out as it went in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientKey<S>(pub S);

impl<S: AsRef<str>> ToSql for ClientKey<S> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = self.0.as_ref();
        Ok(match read(text) {
            Some(bits) => ToSqlOutput::Owned(Value::Blob(bits.to_be_bytes().to_vec())),
            None => ToSqlOutput::from(text),
        })
    }
}

impl FromSql for ClientKey<String> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = match value {
            ValueRef::Blob(bytes) => {
                let bytes = <[u8; 16]>::try_from(bytes);
                let bits = bytes.map_err(|error| FromSqlError::Other(Box::new(error)))?;
                write(u128::from_be_bytes(bits))
            }
            other => other.as_str()?.to_owned(),
        };
        Ok(Self(text))
    }
}

/// Gives `connection` the function `stored_key`: of a key as a text, what stands in a column.
pub(super) fn teach_to_store(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_scalar_function("stored_key", 1, FLAGS, |arguments| {
        let key: Option<String> = arguments.get(0)?;
        Ok(match key.as_deref().map(|text| (read(text), text)) {
            None => Value::Null,
            Some((Some(bits), _)) => Value::Blob(bits.to_be_bytes().to_vec()),
            Some((None, text)) => Value::Text(text.to_owned()),
        })
    })
}

/// Gives `connection` the function `told_key`: of what stands in a column, the key as a text.
pub(super) fn teach_to_tell(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_scalar_function("told_key", 1, FLAGS, |arguments| {
        let key: Option<ClientKey<String>> = arguments.get(0)?;
        Ok(key.map(|ClientKey(text)| text))
    })
}

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_DIRECTONLY);

/// The bits of a ULID that is written as they are written here: in no other way, so that every text is read back.
fn read(text: &str) -> Option<u128> {
    if text.len() != ULID_CHARS || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0, |bits, digit| {
        let value = VALUES[usize::from(digit)];
        (value != NO_DIGIT).then(|| bits << 5 | u128::from(value))
    })
}

fn write(bits: u128) -> String {
    (0..ULID_CHARS).rev().map(|place| char::from(DIGITS[(bits >> (5 * place) & 31) as usize])).collect()
}

/// What stands for a character that is no digit.
const NO_DIGIT: u8 = u8::MAX;

/// The value of each digit.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What stands in the column of a table that takes anything, and what is read from it.
    fn stored(keys: &[&str]) -> Vec<(Value, String)> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE Keys (key ANY) STRICT").unwrap();
        let mut found = Vec::new();
        for key in keys {
            connection.execute("INSERT INTO Keys VALUES (?1)", [ClientKey(key)]).unwrap();
            let last = "SELECT key, key FROM Keys WHERE key = ?1 ORDER BY rowid DESC LIMIT 1";
            let read = connection.query_row(last, [ClientKey(key)], |row| {
                Ok((row.get(0)?, row.get::<_, ClientKey<String>>(1)?.0))
            });
            found.push(read.unwrap());
        }
        found
    }

    #[test]
    fn ulids_alone_are_bytes() {
        let ulid = "01HZX3KQ5WABCDEFGHJKMNPQRS";
        let lower = ulid.to_lowercase();
        let too_large = format!("8{}", &ulid[1..]);
        let texts = [
            "",
            "k",
            &lower,
            &too_large,
            "01HZX3KQ5WABCDEFGHJKMNPQRI",
            "01HZX3KQ5WABCDEFGHJKMNPQR",
            "жжжжжжжжжжжжж",
        ];
        for (text, (value, told)) in texts.iter().zip(stored(&texts)) {
            assert_eq!((value, told.as_str()), (Value::Text((*text).into()), *text));
        }
        let (highest, lowest) = ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "00000000000000000000000000");
        let found = stored(&[ulid, highest, lowest]);
        let bytes = |place: usize| match &found[place].0 {
            Value::Blob(bytes) => bytes.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((bytes(1), bytes(2)), (vec![0xff; 16], vec![0; 16]));
        assert_eq!(bytes(0)[..6], [0x01, 0x8f, 0xfa, 0x39, 0xdc, 0xbc], "milliseconds since 1970");
        assert_eq!(found.iter().map(|(_, told)| told.as_str()).collect::<Vec<_>>(), [ulid, highest, lowest]);
    }

    /// Bytes that no key is stored as are no key.
    #[test]
    fn other_bytes_are_refused() {
        let connection = Connection::open_in_memory().unwrap();
        for wrong in ["x''", "zeroblob(15)", "zeroblob(17)", "7", "0.5"] {
            let read = connection
                .query_row(&format!("SELECT {wrong}"), [], |row| row.get::<_, ClientKey<String>>(0));
            assert!(read.is_err(), "{wrong}: {read:?}");
        }
    }

    /// The functions say what the column says.
    #[test]
    fn functions_agree_with_columns() {
        let connection = Connection::open_in_memory().unwrap();
        teach_to_store(&connection).unwrap();
        teach_to_tell(&connection).unwrap();
        for key in [Some("k"), Some("01HZX3KQ5WABCDEFGHJKMNPQRS"), None] {
            let both = "SELECT stored_key(?1) IS ?2, told_key(stored_key(?1)) IS ?1";
            let read =
                connection.query_row(both, (key, key.map(ClientKey)), |row| Ok((row.get(0)?, row.get(1)?)));
            assert_eq!(read.unwrap(), (true, true), "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in prop_oneof![any::<String>(), "[0-9A-HJKMNP-TV-Z]{26}", "[0-9a-zA-Z]{26}"]) {
            prop_assert_eq!(&stored(&[&key])[0].1, &key);
        }

        #[test]
        fn bytes_sort_as_their_texts_do(one: u128, other: u128) {
            prop_assert_eq!(read(&write(one)), Some(one));
            prop_assert_eq!(one.to_be_bytes().cmp(&other.to_be_bytes()), write(one).cmp(&write(other)));
        }
    }
}
