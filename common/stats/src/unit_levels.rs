//! The level of every unit, in as few bytes as the levels need.

/// The level of every unit, an index into an attribute's levels, or none where it is missing: one byte a
/// unit while all levels are below 255, two while they are below 65,535, else four.
#[derive(Clone, PartialEq, Eq)]
pub struct UnitLevels(Width);

/// The highest number of a width stands for "missing".
#[derive(Clone, PartialEq, Eq)]
enum Width {
    Byte(Vec<u8>),
    Short(Vec<u16>),
    Word(Vec<u32>),
}

impl UnitLevels {
    /// How many units.
    pub fn len(&self) -> usize {
        match &self.0 {
            Width::Byte(levels) => levels.len(),
            Width::Short(levels) => levels.len(),
            Width::Word(levels) => levels.len(),
        }
    }

    /// Whether there are no units.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The level of a unit; `None` if it is missing.
    ///
    /// # Panics
    /// If there is no such unit.
    pub fn get(&self, unit: usize) -> Option<u32> {
        match &self.0 {
            Width::Byte(levels) => Some(levels[unit]).filter(|&level| level < u8::MAX).map(u32::from),
            Width::Short(levels) => Some(levels[unit]).filter(|&level| level < u16::MAX).map(u32::from),
            Width::Word(levels) => Some(levels[unit]).filter(|&level| level < u32::MAX),
        }
    }

    /// The levels of all units, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<u32>> {
        (0..self.len()).map(|unit| self.get(unit))
    }

    /// Adds a unit, in more bytes where its level needs them.
    fn push(&mut self, level: Option<u32>) {
        match (&mut self.0, level) {
            (Width::Byte(levels), None) => levels.push(u8::MAX),
            (Width::Byte(levels), Some(level @ ..0xff)) => levels.push(level as u8),
            (Width::Byte(_), Some(_)) => {
                let wide = |level: Option<u32>| level.map_or(u16::MAX, |level| level as u16);
                self.0 = Width::Short(self.iter().map(wide).collect());
                self.push(level);
            }
            (Width::Short(levels), None) => levels.push(u16::MAX),
            (Width::Short(levels), Some(level @ ..0xffff)) => levels.push(level as u16),
            (Width::Short(_), Some(_)) => {
                self.0 = Width::Word(self.iter().map(|level| level.unwrap_or(u32::MAX)).collect());
                self.push(level);
            }
            (Width::Word(levels), level) => levels.push(level.unwrap_or(u32::MAX)),
        }
    }
}

impl FromIterator<Option<u32>> for UnitLevels {
    fn from_iter<I: IntoIterator<Item = Option<u32>>>(levels: I) -> Self {
        let levels = levels.into_iter();
        let mut all = Self(Width::Byte(Vec::with_capacity(levels.size_hint().0)));
        levels.for_each(|level| all.push(level));
        all
    }
}

impl From<Vec<Option<u32>>> for UnitLevels {
    fn from(levels: Vec<Option<u32>>) -> Self {
        levels.into_iter().collect()
    }
}

impl std::fmt::Debug for UnitLevels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_read_back_at_every_width() {
        for (highest, bytes) in [(254, 1), (255, 2), (65_534, 2), (65_535, 4), (u32::MAX - 1, 4)] {
            let given = vec![Some(0), None, Some(highest), Some(7), None, Some(highest / 2)];
            let levels = UnitLevels::from(given.clone());
            assert_eq!(levels.iter().collect::<Vec<_>>(), given);
            let found = match &levels.0 {
                Width::Byte(_) => 1,
                Width::Short(_) => 2,
                Width::Word(_) => 4,
            };
            assert_eq!((found, levels.len()), (bytes, 6), "{highest}");
        }
    }
}
