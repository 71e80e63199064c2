//! Small changes to bytes.

use umbra_core::seed::Stream;

/// Values at which readers go wrong.
const TELLING: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];

/// Changes bytes in one to four ways; `other` lends some of its own.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], stream: &mut Stream) {
    for _ in 0..1 + stream.below(4) {
        let mut place = |length: usize| stream.below(length as u64 + 1) as usize;
        let (a, b) = (place(bytes.len()), place(bytes.len()));
        let (start, end) = (a.min(b), a.max(b).min(a.min(b) + 64));
        let lent = place(other.len());
        let lent = &other[lent..other.len().min(lent + 64)];
        match stream.below(7) {
            0 => drop(bytes.drain(start..end)),
            1 => drop(bytes.splice(start..start, lent.iter().copied())),
            2 => drop(bytes.splice(start..end, lent.iter().copied())),
            3 => bytes.truncate(a),
            4 => {
                let value = TELLING[stream.below(TELLING.len() as u64) as usize];
                let width = 1 << stream.below(4);
                let target = bytes[start..].iter_mut().take(width);
                target.zip(value.to_le_bytes()).for_each(|(byte, new)| *byte = new);
            }
            5 => bytes[start..end].iter_mut().for_each(|byte| *byte = stream.next_u32() as u8),
            _ => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte ^= 1 << stream.below(8);
                }
            }
        }
    }
}
