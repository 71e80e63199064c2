//! What a step asks of a device: launches, bytes and operations, from which its time can be estimated.

use std::collections::BTreeMap;

use super::launch::Work;

/// What launches ask of a device's memory and arithmetic: every operand read or written once, and the operations of
/// products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Launches.
    pub launches: u64,
    /// Bytes read and written.
    pub bytes: u64,
    /// Floating-point operations; a multiply-add counts two, and only products count.
    pub flops: u64,
    /// Multiply-adds that one thread does one after the other in each product, summed over the products: what no number
    /// of multiprocessors makes shorter.
    pub chain: u64,
}

/// The costs of every kernel so far, by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    by_kernel: BTreeMap<&'static str, Cost>,
}

impl Tally {
    pub(super) fn add(&mut self, kernel: &'static str, work: &Work) {
        let cost = self.by_kernel.entry(kernel).or_default();
        cost.launches += 1;
        cost.bytes += super::buffer::bytes(work.floats);
        cost.flops += work.flops as u64;
        cost.chain += work.chain as u64;
    }

    /// By kernel.
    pub fn by_kernel(&self) -> &BTreeMap<&'static str, Cost> {
        &self.by_kernel
    }

    /// Of all kernels.
    pub fn total(&self) -> Cost {
        self.by_kernel.values().fold(Cost::default(), |sum, cost| Cost {
            launches: sum.launches + cost.launches,
            bytes: sum.bytes + cost.bytes,
            flops: sum.flops + cost.flops,
            chain: sum.chain + cost.chain,
        })
    }
}
