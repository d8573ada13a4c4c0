//! How the kernel's request becomes a question for `tree`, and the answer a reply.
//!
//! [`mount`] puts a tree at a folder and returns when it can be used; [`Live::wait`] returns when it is gone. `fs` has
//! the requests, `answer` what they are answered, [`table`] tells what is mounted where. What fuser 0.18 gets wrong is
//! put right in `session`.

mod answer;
mod attr;
mod errno;
mod fs;
mod handles;
mod refusal;
mod session;
mod shown;
pub mod table;

pub use attr::{Masks, Owner};
pub use session::{Live, Settings, detach, mount, unmount};
