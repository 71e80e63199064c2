//! Arrays as numpy saves them, and a simulated audit to fill them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use umbra_core::seed::{Purpose, Seed, Stream};
use umbra_tests::{Done, umbra};

/// The bytes of an NPY file of version 1: a header padded to 64 bytes, then the items.
pub fn npy(descr: &str, shape: &[usize], items: Vec<u8>) -> Vec<u8> {
    ordered(descr, false, shape, items)
}

/// The same, in Fortran order or not.
pub fn ordered(descr: &str, fortran: bool, shape: &[usize], items: Vec<u8>) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis},")).collect();
    let order = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({axes}), }}");
    text.push_str(&" ".repeat(64 - (text.len() + 11) % 64));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    bytes.extend(text.bytes());
    bytes.extend(items);
    bytes
}

/// How membership is drawn, and what is asked of whom.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub shadows: usize,
    /// Patients; every third has two records.
    pub units: usize,
    pub queries: usize,
    pub classes: usize,
    pub draw: Draw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    Blocks(usize),
    Pairs,
    /// Pairs with half of all shadows between the two.
    Halves,
    Exact,
    Bernoulli,
}

impl Default for Plan {
    fn default() -> Self {
        Self { shadows: 32, units: 150, queries: 1, classes: 2, draw: Draw::Blocks(16) }
    }
}

/// What a simulated audit gave. Records of members respond more strongly, those of every fifth patient by
/// far.
pub struct World {
    pub plan: Plan,
    pub folder: TempDir,
    pub labels: Vec<usize>,
    pub units: Vec<usize>,
    /// `[shadow][record]`.
    pub membership: Vec<Vec<bool>>,
    /// `[shadow][record][query][class]`.
    pub logits: Vec<f64>,
}

impl World {
    /// Draws an audit and saves logits (f32), labels (int64), membership (bool) and units (int64).
    pub fn new(plan: Plan) -> Self {
        let mut random = Seed::new(5).stream(Purpose::Simulation, &[]);
        let units: Vec<usize> = (0..plan.units)
            .flat_map(|unit| std::iter::repeat_n(unit, 1 + usize::from(unit.is_multiple_of(3))))
            .collect();
        let labels: Vec<usize> =
            units.iter().map(|_| random.below(plan.classes.max(2) as u64) as usize).collect();
        let columns: Vec<Vec<bool>> = (0..plan.units).map(|_| column(plan, &mut random)).collect();
        let membership: Vec<Vec<bool>> = (0..plan.shadows)
            .map(|shadow| units.iter().map(|&unit| columns[unit][shadow]).collect())
            .collect();
        // What a record is like to every model: one threshold for all is the worse for it.
        let likeness: Vec<f64> = units.iter().map(|_| 2.0 * random.normal_f64()).collect();
        let mut logits = Vec::new();
        for row in &membership {
            for (record, &inside) in row.iter().enumerate() {
                let strength = if units[record].is_multiple_of(5) { 2.0 } else { 0.3 };
                let lift = likeness[record] + if inside { strength } else { 0.0 };
                for (_, class) in (0..plan.queries).flat_map(|q| (0..plan.classes).map(move |c| (q, c))) {
                    let towards = if plan.classes == 1 {
                        2.0 * labels[record] as f64 - 1.0
                    } else {
                        f64::from(u8::from(class == labels[record]))
                    };
                    logits.push(f64::from((random.normal_f64() + lift * towards) as f32));
                }
            }
        }
        let world = Self { plan, folder: tempfile::tempdir().unwrap(), labels, units, membership, logits };
        world.save("L.npy", &npy("<f4", &world.shape(), world.singles()));
        world.save("Y.npy", &npy("<i8", &[world.records()], wide(&world.labels)));
        world.save("K.npy", &npy("|b1", &[plan.shadows, world.records()], world.bits()));
        world.save("U.npy", &npy("<i8", &[world.records()], wide(&world.units)));
        world
    }

    pub fn records(&self) -> usize {
        self.units.len()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The axes of the logits; those with one query have no axis for it.
    pub fn shape(&self) -> Vec<usize> {
        match self.plan.queries {
            1 => vec![self.plan.shadows, self.records(), self.plan.classes],
            queries => vec![self.plan.shadows, self.records(), queries, self.plan.classes],
        }
    }

    pub fn singles(&self) -> Vec<u8> {
        self.logits.iter().flat_map(|&logit| (logit as f32).to_le_bytes()).collect()
    }

    pub fn doubles(&self) -> Vec<u8> {
        self.logits.iter().flat_map(|logit| logit.to_le_bytes()).collect()
    }

    /// The logits with the first axis running fastest.
    pub fn fortran(&self) -> Vec<u8> {
        let shape = self.shape();
        let mut items = vec![0f32; self.logits.len()];
        for (place, &logit) in self.logits.iter().enumerate() {
            let (mut rest, mut index) = (place, Vec::new());
            for &axis in shape.iter().rev() {
                index.push(rest % axis);
                rest /= axis;
            }
            let stored = index.iter().zip(shape.iter().rev()).fold(0, |stored, (i, axis)| stored * axis + i);
            items[stored] = logit as f32;
        }
        items.iter().flat_map(|item| item.to_le_bytes()).collect()
    }

    pub fn bits(&self) -> Vec<u8> {
        self.membership.iter().flatten().map(|&inside| u8::from(inside)).collect()
    }

    pub fn save(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `umbra attack` on the saved arrays, with more arguments, findings in `out`.
    pub fn attack(&self, out: &str, more: &[&str]) -> Done {
        umbra(self.path(), &arguments(out, more))
    }

    /// The whole of a file of the findings.
    pub fn found(&self, out: &str, name: &str) -> Vec<u8> {
        let path = self.path().join(out).join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn summary(&self, out: &str) -> serde_json::Value {
        serde_json::from_slice(&self.found(out, "summary.json")).unwrap()
    }

    /// The scores of an attack, `[shadow][record]`.
    pub fn scores(&self, out: &str, attack: &str) -> Vec<f64> {
        let bytes = self.found(out, &format!("scores-{attack}.npy"));
        let items = &bytes[bytes.len() - 8 * self.plan.shadows * self.records()..];
        items.chunks_exact(8).map(|item| f64::from_le_bytes(item.try_into().unwrap())).collect()
    }
}

/// The command's arguments. What comes again overrides what came before.
pub fn arguments<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["attack"];
    for (name, value) in
        [("--logits", "L.npy"), ("--labels", "Y.npy"), ("--membership", "K.npy"), ("--units", "U.npy")]
    {
        if !more.contains(&name) {
            all.extend([name, value]);
        }
    }
    all.extend(["--out", out]);
    all.extend(more);
    all
}

fn column(plan: Plan, random: &mut Stream) -> Vec<bool> {
    let block = match plan.draw {
        Draw::Blocks(size) => size,
        Draw::Pairs => 2,
        Draw::Halves => {
            let first: Vec<bool> = (0..plan.shadows / 2).map(|_| random.below(2) == 1).collect();
            return first.iter().copied().chain(first.iter().map(|inside| !inside)).collect();
        }
        Draw::Exact => plan.shadows,
        Draw::Bernoulli => return (0..plan.shadows).map(|_| random.below(2) == 1).collect(),
    };
    let mut column = Vec::new();
    for _ in 0..plan.shadows / block {
        let mut half: Vec<bool> = (0..block).map(|i| i < block / 2).collect();
        random.shuffle(&mut half);
        column.extend(half);
    }
    column
}

pub fn wide(numbers: &[usize]) -> Vec<u8> {
    numbers.iter().flat_map(|&number| (number as i64).to_le_bytes()).collect()
}
