//! The bounds of what is read, written and opened: absurd sizes are refused, not tried.

/// The most records of a data set.
pub const MAX_RECORDS: u64 = 100_000_000;
/// The most columns of a table.
pub const MAX_COLUMNS: usize = 20_000;
/// The most cells (records x columns) of a table that is imported.
pub const MAX_CELLS: u64 = 1 << 30;
/// The most levels of a categorical column, of a group, and of the label.
pub const MAX_LEVELS: usize = 1000;
/// The most numbers per record.
pub const MAX_FEATURES: u32 = 1 << 22;
/// The most bytes of a table's features, which are encoded in memory.
pub const MAX_FEATURE_BYTES: u64 = 1 << 34;
/// The most bytes of all records' numbers in an encoded file.
pub const MAX_VALUE_BYTES: u64 = 1 << 40;
/// The most channels of an image or leads of a signal.
pub const MAX_CHANNELS: u32 = 4096;
/// The most attributes of units.
pub const MAX_ATTRIBUTES: u32 = 256;
/// The longest text of one cell that is used, in bytes.
pub const MAX_TEXT: usize = 1024;
/// The longest table file that is imported, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 36;
/// The longest description within an encoded file, in bytes.
pub const MAX_DESCRIPTION: u64 = 1 << 28;
