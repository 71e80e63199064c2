//! Time as the engine lived it, for leases.

use umbra_core::ids::Millis;

/// The longest gap between two looks at the clock that counts in full. The engine looks several times a
/// second; a longer gap means that it stood still (a slow disk, a stopped process) and could not hear what
/// workers said meanwhile, so no lease may run out for it.
const GAP_MS: u64 = 1_000;

/// A clock that stands still while the engine does.
#[derive(Debug)]
pub struct Lived {
    time: Millis,
    seen: Millis,
}

impl Lived {
    /// Begins with the clock's time.
    pub fn new(clock: Millis) -> Self {
        Self { time: clock, seen: clock }
    }

    /// The time now, when the clock says `clock`.
    pub fn at(&mut self, clock: Millis) -> Millis {
        let passed = clock.0.saturating_sub(self.seen.0).min(GAP_MS);
        self.seen = self.seen.max(clock);
        self.time = Millis(self.time.0.saturating_add(passed));
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_with_the_engine() {
        let mut lived = Lived::new(Millis(5_000));
        let looks = [5_250, 5_500, 5_400, 5_750, 65_750, 66_000].map(|clock| lived.at(Millis(clock)).0);
        assert_eq!(looks, [5_250, 5_500, 5_500, 5_750, 6_750, 7_000]);
    }
}
