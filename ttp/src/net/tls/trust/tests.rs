//! The file of known servers: what is read, what is kept, and what two writers do.
