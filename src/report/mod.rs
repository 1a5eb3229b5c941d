//! Events and results on their way to people and programs.
//!
//! Promises: on a terminal progress bars, elsewhere plain lines, with `--events` JSON lines; all three are renderings of
//! the one stream of [`crate::engine::Event`]s. Results are the documents of [`documents`], as text or as JSON. Decides nothing.

mod bars;
pub mod documents;
mod json_lines;
mod lines;
pub mod secrets;
pub mod text;

pub use bars::Bars;
pub use json_lines::JsonLines;
pub use lines::Lines;
