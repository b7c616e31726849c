//! Complete bodies: in memory, on disk, and on their way from the server.

mod body;
mod budget;
mod contents;
mod disk;
mod format;
mod incoming;
mod limits;
mod line_ends;
mod memory;
mod reader;
mod record;
mod segment_files;
mod segments;
mod writer;

pub use body::Body;
pub use disk::{Disk, Usage};
pub use format::BodyKey;
pub use incoming::Incoming;
pub use line_ends::Eol;
pub use memory::{Bodies, FoundBody};
pub use reader::BodyReader;
pub use record::READ_WHOLE;
