//! Calls about the files of messages. The store says who may; the threads of the files take and give what is in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use ttp::attachment::{FileBytes, FileHash, check_file_name, check_media_type};
use ttp::call::{BeginUpload, Call, DownloadChunk, FileReply, NewAttachment, UploadChunk, UploadReply};
use ttp::code::{CallError, ErrorCode};
use ttp::limits::{ATTACHMENTS_PER_MESSAGE_MAX, FILE_CHUNK_BYTES_MAX};

use super::session::Session;
use super::{Refusal, Reply, Service, overloaded};
use crate::files::{Desk, FileFault, Files, Upload};
use crate::store::{AttachmentQuery, FileQuery, StoreError};

pub(super) fn begin(service: &Service, session: &Session, call: BeginUpload, reply: Reply<BeginUpload>) {
    let upload = upload(service, session, call.sha256, call.bytes);
    go_on(service, upload, reply, |desk, upload| desk.begin(upload));
}

pub(super) fn append(service: &Service, session: &Session, call: UploadChunk, reply: Reply<UploadChunk>) {
    let UploadChunk { sha256, bytes, offset, data: FileBytes(data) } = call;
    let checked = upload(service, session, sha256, bytes).and_then(|upload| match data.len() {
        0..=FILE_CHUNK_BYTES_MAX => Ok(upload),
        _ => {
            let message = format!("a part of a file has at most {FILE_CHUNK_BYTES_MAX} bytes");
            Err(CallError::new(ErrorCode::TooLarge, message))
        }
    });
    go_on(service, checked, reply, move |desk, upload| desk.append(upload, offset, &data));
}

/// Does something about a file that somebody sends. Who could put it into a message already has sent it; whether anybody else
/// has is not told.
fn go_on<C: Call<Reply = UploadReply> + 'static>(
    service: &Service,
    upload: Result<Upload, CallError>,
    reply: Reply<C>,
    work: impl FnOnce(&Desk, Upload) -> Result<u64, FileFault> + Send + 'static,
) {
    let upload = match upload {
        Ok(upload) => upload,
        Err(refused) => return reply.send(Err(refused.not_stored())),
    };
    let files = Arc::clone(&service.files);
    let query = FileQuery { user_id: upload.user_id, sha256: upload.sha256 };
    let done = Box::new(move |found: Result<Option<u64>, StoreError>| match found {
        Ok(Some(have)) if have == upload.bytes => reply.send(Ok(UploadReply { have })),
        Ok(Some(_)) => answer_upload(reply, Err(FileFault::WrongHash)),
        Ok(None) => {
            let done = |have| answer_upload(reply, have);
            files.hand_in(upload.sha256, done, move |desk| work(desk, upload));
        }
        Err(refused) => reply.refuse(Refusal::Change(refused)),
    });
    service.store.file(upload.by, query, done);
}

pub(super) fn read(service: &Service, session: &Session, call: &DownloadChunk, reply: Reply<DownloadChunk>) {
    let viewer = match session.identity() {
        Ok(me) => me,
        Err(refused) => return reply.send(Err(refused)),
    };
    let DownloadChunk { chat_id, seq, sha256, offset, length } = *call;
    let asked = length.map_or(FILE_CHUNK_BYTES_MAX, |asked| usize::try_from(asked).unwrap_or(usize::MAX));
    let length = asked.min(FILE_CHUNK_BYTES_MAX);
    let files = Arc::clone(&service.files);
    let done = Box::new(move |found: Result<ttp::attachment::Attachment, StoreError>| match found {
        Ok(file) => give(&files, sha256, (offset.min(file.bytes), length), file.bytes, reply),
        Err(refused) => reply.refuse(Refusal::Question(refused)),
    });
    service.store.attachment(session.by(), AttachmentQuery { viewer, chat_id, seq, sha256 }, done);
}

fn give(
    files: &Files,
    sha256: FileHash,
    (offset, length): (u64, usize),
    bytes: u64,
    reply: Reply<DownloadChunk>,
) {
    let done = move |data: Result<Vec<u8>, FileFault>| match data {
        Ok(data) => reply.send(Ok(FileReply { data: FileBytes(data), bytes })),
        Err(FileFault::Store(refused)) => reply.refuse(Refusal::Question(refused)),
        Err(fault) => reply.send(Err(CallError::new(ErrorCode::InternalError, fault.to_string()))),
    };
    files.hand_in(sha256, done, move |desk| desk.read(sha256, offset, length));
}

/// Refuses files of a new message that cannot be any.
pub(super) fn check(attachments: &[NewAttachment]) -> Result<(), CallError> {
    if attachments.len() > ATTACHMENTS_PER_MESSAGE_MAX {
        let message = format!("a message has at most {ATTACHMENTS_PER_MESSAGE_MAX} files");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    let mut seen = BTreeSet::new();
    for new in attachments {
        check_file_name(&new.file_name)?;
        new.media_type.as_deref().map_or(Ok(()), check_media_type)?;
        if !seen.insert(new.sha256) {
            let message = format!("file {} is named more than once", new.sha256);
            return Err(CallError::new(ErrorCode::InvalidParams, message));
        }
    }
    Ok(())
}

fn upload(service: &Service, session: &Session, sha256: FileHash, bytes: u64) -> Result<Upload, CallError> {
    let user_id = session.identity()?;
    let bytes_max = service.files.bytes_max;
    if bytes == 0 {
        return Err(CallError::new(ErrorCode::InvalidParams, "the file is empty"));
    }
    if bytes > bytes_max {
        let message = format!("a file has at most {bytes_max} bytes on this server");
        return Err(CallError::new(ErrorCode::TooLarge, message));
    }
    Ok(Upload { by: session.by(), user_id, sha256, bytes })
}

/// What becomes of a part. After a failure of the disk it may come again: it is not there, and nothing behind it.
fn answer_upload<C: Call<Reply = UploadReply> + 'static>(reply: Reply<C>, have: Result<u64, FileFault>) {
    let code = match have {
        Ok(have) => return reply.send(Ok(UploadReply { have })),
        Err(FileFault::Store(refused)) => return reply.refuse(Refusal::Change(refused)),
        Err(FileFault::Disk(failed)) => {
            tracing::warn!(error = %failed, "a file could not be stored");
            let message = FileFault::Disk(failed).to_string();
            return reply.send(Err(overloaded(message).not_stored()));
        }
        Err(fault) => (fault.to_string(), code_of(&fault)),
    };
    reply.send(Err(CallError::new(code.1, code.0).not_stored()));
}

fn code_of(fault: &FileFault) -> ErrorCode {
    match fault {
        FileFault::NotBegun => ErrorCode::NotFound,
        FileFault::TooManyBegun => ErrorCode::Conflict,
        FileFault::TooMuch | FileFault::WrongHash => ErrorCode::InvalidParams,
        FileFault::Store(_) | FileFault::Disk(_) => ErrorCode::InternalError,
    }
}
