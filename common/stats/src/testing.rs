//! What several unit tests draw.

use umbra_core::seed::Stream;

use crate::membership::MembershipMatrix;

/// Membership by blocks: each unit alone, exactly half of every block.
pub(crate) fn blocked(shadows: usize, units: usize, block: usize, stream: &mut Stream) -> MembershipMatrix {
    let mut columns = vec![false; shadows * units];
    for column in columns.chunks_exact_mut(shadows) {
        for half in column.chunks_exact_mut(block) {
            half[..block / 2].fill(true);
            stream.shuffle(half);
        }
    }
    MembershipMatrix::from_fn(shadows, units, |shadow, unit| columns[unit * shadows + shadow])
}
