//! Files of messages: sent and fetched in parts. What was lost on the way is sent again from where it broke off, over lost
//! connections and restarts of the server and, since both sides ask what is there, of the program.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use ttp::attachment::{FileBytes, FileHash, safe_file_name};
use ttp::call::{BeginUpload, Call, DownloadChunk, InsertMessage, MessagePlace, NewAttachment, UploadChunk};
use ttp::code::ErrorCode;
use ttp::limits::FILE_CHUNK_BYTES_MAX;
use ttp::model::{ChatId, Message};
use ttp::net::backoff::{Backoff, random};
use ttp::net::clock;

use crate::client::Client;
use crate::error::Error;

/// Bytes that are hashed at a time.
const READ_BYTES: usize = 64 * 1024;

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes that the other side has.
    pub done: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Client {
    /// Sends a file, and answers what a message needs to carry it: see [`Client::insert_file`]. `progress` hears how far it is.
    /// Attempts are made again as for a message, for [`Options::send_timeout`](crate::Options::send_timeout) after the last
    /// part that arrived. Calling again, also after a restart, goes on where it broke off.
    ///
    /// # Errors
    /// As [`Client::call`]: `TooLarge` when it is longer than the server takes; `File` when it cannot be read.
    pub async fn upload(
        &self,
        path: impl Into<PathBuf>,
        progress: impl FnMut(Transfer),
    ) -> Result<NewAttachment, Error> {
        let path = path.into();
        let file_name = safe_file_name(&path.file_name().unwrap_or_default().to_string_lossy());
        let opened = path.clone();
        let file = off_the_runtime(path.clone(), move || File::open(opened)).await?;
        self.send_file(file, path, file_name, progress).await
    }

    /// The same of anything that can be read from its beginning, under this name.
    ///
    /// # Errors
    /// As [`Client::upload`].
    pub async fn upload_from(
        &self,
        reader: impl Read + Seek + Send + 'static,
        file_name: &str,
        progress: impl FnMut(Transfer),
    ) -> Result<NewAttachment, Error> {
        self.send_file(reader, file_name.into(), safe_file_name(file_name), progress).await
    }

    /// Says something with files that were sent before. The text may be empty.
    ///
    /// # Errors
    /// As [`Client::insert_message`]: `NotFound` when a file was sent more than a day ago and is in no message.
    pub async fn insert_file(
        &self,
        chat_id: ChatId,
        attachments: Vec<NewAttachment>,
        text: &str,
    ) -> Result<Message, Error> {
        let message_text = text.to_owned();
        self.send_message(InsertMessage { chat_id, message_text, attachments, ..InsertMessage::default() })
            .await
    }

    /// Fetches a file of a message to `path`, where none may be. It has its name when all of it is there and is what the hash
    /// says; until then it lies beside it as `NAME.part`, and calling again goes on with that. Attempts are made again as in
    /// [`Client::upload`]. Answers how long it is.
    ///
    /// # Errors
    /// As [`Client::call`]: `Forbidden` to who is not in the chat (any more), `NotFound` when the message has no such file
    /// (any more); `File` when something is there or cannot be written; `WrongFile` when the server gave something else.
    pub async fn download(
        &self,
        from: MessagePlace,
        sha256: FileHash,
        path: impl Into<PathBuf>,
        mut progress: impl FnMut(Transfer),
    ) -> Result<u64, Error> {
        let path = path.into();
        let mut part_name = path.clone().into_os_string();
        part_name.push(".part");
        let part = PathBuf::from(part_name);
        let (opened, free) = (part.clone(), path.clone());
        let file = off_the_runtime(path.clone(), move || open_part(&opened, &free)).await?;
        let (file, offset, hasher) = file;
        let fetched = self.fetch(from, sha256, (file, part.clone()), (offset, hasher), &mut progress).await;
        let (file, bytes) = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                // What is not the file is of no use to the next attempt, and what is nothing is in the way.
                if matches!(error, Error::WrongFile) || fs::metadata(&part).is_ok_and(|part| part.len() == 0)
                {
                    let _ = fs::remove_file(&part);
                }
                return Err(error);
            }
        };
        off_the_runtime(path.clone(), move || {
            file.sync_all()?;
            // Unlike a renaming this never takes the place of a file that came meanwhile.
            fs::hard_link(&part, &path)?;
            fs::remove_file(&part)
        })
        .await?;
        Ok(bytes)
    }

    /// Fetches a file of a message from its beginning into a writer, which has all of it when this succeeds.
    ///
    /// # Errors
    /// As [`Client::download`].
    pub async fn download_into<W: Write + Send + 'static>(
        &self,
        from: MessagePlace,
        sha256: FileHash,
        writer: W,
        mut progress: impl FnMut(Transfer),
    ) -> Result<W, Error> {
        let name = PathBuf::from(sha256.to_string());
        let start = (0, Sha256::new());
        self.fetch(from, sha256, (writer, name), start, &mut progress).await.map(|(writer, _)| writer)
    }

    async fn send_file(
        &self,
        reader: impl Read + Seek + Send + 'static,
        path: PathBuf,
        file_name: String,
        mut progress: impl FnMut(Transfer),
    ) -> Result<NewAttachment, Error> {
        let (mut reader, sha256, bytes) = off_the_runtime(path.clone(), move || hash(reader)).await?;
        let mut have = self.call_again(&BeginUpload { sha256, bytes }).await?.have;
        progress(Transfer { done: have.min(bytes), bytes });
        while have < bytes {
            let offset = have;
            let read = off_the_runtime(path.clone(), move || read_at(reader, offset)).await?;
            let data;
            (reader, data) = read;
            let sent = self.call_again(&UploadChunk { sha256, bytes, offset, data: FileBytes(data) }).await;
            have = match sent {
                Ok(reply) => reply.have,
                // The server has forgotten it: after a day, or after a restore.
                Err(Error::Call(refused)) if refused.code == ErrorCode::NotFound && offset > 0 => {
                    self.call_again(&BeginUpload { sha256, bytes }).await?.have
                }
                Err(error) => return Err(error),
            };
            progress(Transfer { done: have.min(bytes), bytes });
        }
        Ok(NewAttachment { sha256, file_name, media_type: None })
    }

    async fn fetch<W: Write + Send + 'static>(
        &self,
        from: MessagePlace,
        sha256: FileHash,
        (mut writer, path): (W, PathBuf),
        (mut offset, mut hasher): (u64, Sha256),
        progress: &mut impl FnMut(Transfer),
    ) -> Result<(W, u64), Error> {
        loop {
            let MessagePlace { chat_id, seq } = from;
            let call = DownloadChunk { chat_id, seq, sha256, offset, length: None };
            let reply = self.call_again(&call).await?;
            let data = reply.data.0;
            if data.is_empty() {
                let found = FileHash(hasher.finalize().into());
                let is_whole = found == sha256 && offset == reply.bytes;
                return if is_whole { Ok((writer, offset)) } else { Err(Error::WrongFile) };
            }
            hasher.update(&data);
            offset += data.len() as u64;
            writer = off_the_runtime(path.clone(), move || {
                writer.write_all(&data)?;
                writer.flush()?;
                Ok(writer)
            })
            .await?;
            progress(Transfer { done: offset, bytes: reply.bytes });
        }
    }

    /// A call that may be made any number of times, made until it is answered.
    async fn call_again<C: Call>(&self, call: &C) -> Result<C::Reply, Error> {
        let options = &self.session.profile.options;
        let give_up_at = clock::now() + options.send_timeout;
        let mut backoff = Backoff::new(options.backoff_first, options.backoff_max);
        loop {
            let error = match self.session.call(call, options.call_timeout).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let wait = backoff.next_wait(random()).max(error.retry_after().unwrap_or_default());
            if !error.is_temporary() || clock::now() + wait > give_up_at {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// Does something with a file where nothing else waits for it.
async fn off_the_runtime<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?;
    done.map_err(|source| Error::File { path, source: Arc::new(source) })
}

fn hash<R: Read + Seek>(mut reader: R) -> std::io::Result<(R, FileHash, u64)> {
    reader.seek(SeekFrom::Start(0))?;
    let (hasher, bytes) = hash_rest(&mut reader)?;
    Ok((reader, FileHash(hasher.finalize().into()), bytes))
}

fn hash_rest(reader: &mut impl Read) -> std::io::Result<(Sha256, u64)> {
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok((hasher, bytes)),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

fn read_at<R: Read + Seek>(mut reader: R, offset: u64) -> std::io::Result<(R, Vec<u8>)> {
    reader.seek(SeekFrom::Start(offset))?;
    let mut data = Vec::with_capacity(FILE_CHUNK_BYTES_MAX);
    (&mut reader).take(FILE_CHUNK_BYTES_MAX as u64).read_to_end(&mut data)?;
    if data.is_empty() {
        return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "the file became shorter meanwhile"));
    }
    Ok((reader, data))
}

/// Opens what an earlier attempt has fetched, or begins; and how far that is.
fn open_part(part: &Path, path: &Path) -> std::io::Result<(File, u64, Sha256)> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(std::io::Error::new(ErrorKind::AlreadyExists, "there is a file of this name already"));
    }
    let mut file = match OpenOptions::new().read(true).append(true).create_new(true).open(part) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // A link would lead somewhere that nobody has named.
            if !fs::symlink_metadata(part)?.is_file() {
                return Err(error);
            }
            OpenOptions::new().read(true).append(true).open(part)?
        }
        opened => opened?,
    };
    let (hasher, offset) = hash_rest(&mut file)?;
    Ok((file, offset, hasher))
}
