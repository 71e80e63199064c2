//! What can go wrong, told apart by what the caller can do about it.

use std::error::Error;

/// A tile of logits could not be read, a tile of scores not be written, or scratch room not be used.
///
/// The statistics pass it on untouched: whoever implements the source, the sink or the room knows whether a retry
/// helps, and finds its own error by [`SourceError::get`].
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SourceError(Box<dyn Error + Send + Sync + 'static>);

impl SourceError {
    /// Wraps the error of a source, a sink or a scratch region.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> Self {
        Self(error.into())
    }

    /// The wrapped error, for a downcast.
    pub fn get(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum StatsError {
    /// The inputs contradict each other or the design; the sentence names what, where and the remedy.
    #[error("{0}")]
    Inputs(String),
    /// The configuration asks for something that does not exist; the sentence names it.
    #[error("{0}")]
    Config(String),
    /// The logits could not be read.
    #[error("the logits of records {start} to {end} could not be read: {source}")]
    Source {
        /// First record of the tile.
        start: usize,
        /// One past the last record of the tile.
        end: usize,
        /// The source's own error.
        source: SourceError,
    },
    /// What does not fit in memory could not be kept in scratch room, or not be read back.
    #[error("scratch room failed: {0}")]
    Scratch(SourceError),
    /// The logits of the population could not be read.
    #[error("the logits of the population records {start} to {end} could not be read: {source}")]
    Population {
        /// First record of the tile.
        start: usize,
        /// One past the last record of the tile.
        end: usize,
        /// The source's own error.
        source: SourceError,
    },
    /// The scores could not be handed on.
    #[error("the scores of records {start} to {end} could not be written: {source}")]
    Sink {
        /// First record of the tile.
        start: usize,
        /// One past the last record of the tile.
        end: usize,
        /// The sink's own error.
        source: SourceError,
    },
    /// The caller asked to stop, through the progress callback.
    #[error("the analysis was stopped before it was done")]
    Stopped,
}
