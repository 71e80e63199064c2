use super::*;
use umbra_core::seed::{Purpose, Seed};

fn matrix(seed: u64, len: usize) -> Vec<f32> {
    let mut stream = Seed::new(seed).stream(Purpose::Simulation, &[]);
    (0..len).map(|_| stream.normal_f64() as f32).collect()
}

const LEVELS: [IsaLevel; 3] = [IsaLevel::Portable, IsaLevel::Avx2, IsaLevel::Avx512];

/// Shapes below, at and beyond every tile, panel and pass.
const SHAPES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (3, 2, 5),
    (12, 16, 7),
    (13, 17, 8),
    (25, 33, 256),
    (7, 48, 257),
    (64, 50, 600),
    (5, 32, 1),
    (24, 31, 16),
];

#[test]
fn products_are_those_of_f64_and_the_same_chain_everywhere() {
    for (rows, columns, depth) in SHAPES {
        let pitch = columns.next_multiple_of(LANES);
        let left = matrix(1, rows * depth);
        // The padding of the right matrix is zero, as buffers keep it.
        let mut right = matrix(2, depth * pitch);
        right.chunks_mut(pitch).for_each(|row| row[columns..].fill(0.0));
        let mut bias = matrix(3, pitch);
        bias[columns..].fill(0.0);
        let transpose = |from: &[f32], rows: usize, columns: usize, pitch: usize| -> Vec<f32> {
            (0..columns).flat_map(|j| (0..rows).map(move |i| from[i * pitch + j])).collect()
        };
        let left_t = transpose(&left, rows, depth, depth);
        let right_t = transpose(&right, depth, columns, pitch);
        let lefts = [Matrix::as_is(&left, depth), Matrix::transposed(&left_t, rows)];
        let rights = [Matrix::as_is(&right, pitch), Matrix::transposed(&right_t, depth)];
        for level in LEVELS {
            let mut gemm = Gemm::new(Isa::at_most(level));
            for (left_matrix, right_matrix) in lefts.iter().flat_map(|l| rights.iter().map(move |r| (*l, *r)))
            {
                let product = Product {
                    rows,
                    columns,
                    depth,
                    left: left_matrix,
                    right: right_matrix,
                    start: Start::Row(&bias),
                    finish: Finish::Keep,
                };
                let mut output = vec![f32::NAN; rows * pitch];
                gemm.run(&product, &mut output, pitch);
                for (i, j) in (0..rows).flat_map(|i| (0..pitch).map(move |j| (i, j))) {
                    let got = output[i * pitch + j];
                    if j >= columns {
                        assert_eq!(got, 0.0, "padding");
                        continue;
                    }
                    let terms = || (0..depth).map(|p| (left[i * depth + p], right[p * pitch + j]));
                    let exact =
                        terms().fold(f64::from(bias[j]), |sum, (a, b)| sum + f64::from(a) * f64::from(b));
                    assert!((f64::from(got) - exact).abs() < 1e-5 * depth as f64, "{level:?}");
                    let chain = terms().fold(bias[j], |sum, (a, b)| a.mul_add(b, sum));
                    assert_eq!(
                        got.to_bits(),
                        chain.to_bits(),
                        "{level:?} {rows}x{columns}x{depth} at {i},{j}"
                    );
                }
            }
        }
    }
}

#[test]
fn finishes_clip_at_zero_and_mask_where_not_positive() {
    let (rows, columns, depth) = (14, 20, 300);
    let (left, right, mask) = (matrix(4, rows * depth), matrix(5, depth * 32), matrix(6, rows * 32));
    let mut mask = mask;
    mask[3] = 0.0;
    mask[4] = f32::NAN;
    for level in LEVELS {
        let mut gemm = Gemm::new(Isa::at_most(level));
        let mut run = |finish| {
            let mut output = vec![0.0; rows * 32];
            let (left, right) = (Matrix::as_is(&left, depth), Matrix::as_is(&right, 32));
            gemm.run(
                &Product { rows, columns, depth, left, right, start: Start::Zero, finish },
                &mut output,
                32,
            );
            output
        };
        let kept = run(Finish::Keep);
        let relu = run(Finish::Relu);
        let masked = run(Finish::WherePositive { mask: &mask, pitch: 32 });
        for i in 0..rows * 32 {
            assert_eq!(relu[i], kept[i].max(0.0));
            assert_eq!(masked[i], if mask[i] > 0.0 { kept[i] } else { 0.0 });
        }
        assert!(kept.iter().any(|&x| x < 0.0));
    }
}

#[test]
fn not_a_number_passes_through() {
    let left = [f32::NAN, 1.0];
    let right = vec![1.0f32; 32];
    for level in LEVELS {
        let mut output = vec![0.0; 32];
        let product = Product {
            rows: 2,
            columns: 16,
            depth: 1,
            left: Matrix::as_is(&left, 1),
            right: Matrix::as_is(&right, 16),
            start: Start::Zero,
            finish: Finish::Relu,
        };
        Gemm::new(Isa::at_most(level)).run(&product, &mut output, 16);
        assert!(output[..16].iter().all(|x| x.is_nan()) && output[16..].iter().all(|&x| x == 1.0));
    }
}

#[test]
#[should_panic(expected = "too short")]
fn a_short_slice_is_no_undefined_behaviour() {
    let (left, right) = ([0.0; 5], [0.0; 64]);
    let product = Product {
        rows: 2,
        columns: 16,
        depth: 4,
        left: Matrix::as_is(&left, 4),
        right: Matrix::as_is(&right, 16),
        start: Start::Zero,
        finish: Finish::Keep,
    };
    Gemm::new(Isa::best()).run(&product, &mut [0.0; 32], 16);
}
