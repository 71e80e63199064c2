//! A model's parameters: their order, their place in a backend's memory, their start values.
//!
//! On the host, parameters are one run of floats in PyTorch's order and shapes: layer by layer, the weight
//! `[outputs][inputs]`, then the bias. On a backend the weight is `[inputs][pitch(outputs)]`, so that the
//! forward product reads it along its rows; the padding is zero and stays zero.

use umbra_core::seed::{Purpose, Seed};

/// One tensor of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: TensorShape,
    /// Start values are uniform in `[-bound, bound)`.
    pub bound: f32,
}

/// The shape of a tensor of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorShape {
    /// A linear map.
    Matrix {
        /// Numbers it maps from.
        inputs: usize,
        /// Numbers it maps to.
        outputs: usize,
    },
    /// One number per output.
    Vector {
        /// How many.
        outputs: usize,
    },
}

impl Tensor {
    /// Parameters in it.
    pub fn len(&self) -> usize {
        match self.shape {
            TensorShape::Matrix { inputs, outputs } => inputs * outputs,
            TensorShape::Vector { outputs } => outputs,
        }
    }

    /// Whether it holds no parameter.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn device_len(&self, pitch: impl Fn(usize) -> usize) -> usize {
        match self.shape {
            TensorShape::Matrix { inputs, outputs } => inputs * pitch(outputs),
            TensorShape::Vector { outputs } => pitch(outputs),
        }
    }
}

/// A tensor and where it starts.
#[derive(Debug, Clone, Copy)]
struct Placed {
    tensor: Tensor,
    pitch: usize,
    host: usize,
    device: usize,
}

/// All tensors of a model in one run of floats per lane.
#[derive(Debug, Clone)]
pub struct ParamLayout {
    tensors: Vec<Placed>,
    host_len: usize,
    device_len: usize,
}

impl ParamLayout {
    /// Places `tensors` one after the other, rows padded by `pitch`.
    pub fn new(tensors: impl Iterator<Item = Tensor>, pitch: impl Fn(usize) -> usize) -> Self {
        let mut layout = Self { tensors: Vec::new(), host_len: 0, device_len: 0 };
        for tensor in tensors {
            let (TensorShape::Matrix { outputs, .. } | TensorShape::Vector { outputs }) = tensor.shape;
            let placed =
                Placed { tensor, pitch: pitch(outputs), host: layout.host_len, device: layout.device_len };
            layout.host_len += tensor.len();
            layout.device_len += tensor.device_len(&pitch);
            layout.tensors.push(placed);
        }
        layout
    }

    /// Parameters of one shadow.
    pub fn host_len(&self) -> usize {
        self.host_len
    }

    /// Floats of one shadow in the backend's memory.
    pub fn device_len(&self) -> usize {
        self.device_len
    }

    /// Where tensor `index` starts in the backend's memory.
    pub fn offset(&self, index: usize) -> usize {
        self.tensors[index].device
    }

    /// Copies parameters from the host's order into the backend's; padding becomes zero.
    pub fn import(&self, host: &[f32], device: &mut [f32]) {
        device.fill(0.0);
        self.for_each(|h, d| device[d] = host[h]);
    }

    /// Copies parameters from the backend's order into the host's.
    pub fn export(&self, device: &[f32], host: &mut [f32]) {
        self.for_each(|h, d| host[h] = device[d]);
    }

    fn for_each(&self, mut visit: impl FnMut(usize, usize)) {
        for placed in &self.tensors {
            match placed.tensor.shape {
                TensorShape::Matrix { inputs, outputs } => {
                    for output in 0..outputs {
                        for input in 0..inputs {
                            let device = placed.device + input * placed.pitch + output;
                            visit(placed.host + output * inputs + input, device);
                        }
                    }
                }
                TensorShape::Vector { outputs } => {
                    (0..outputs).for_each(|output| visit(placed.host + output, placed.device + output));
                }
            }
        }
    }

    /// The start values of one attempt at a shadow, in the host's order: PyTorch's default for `nn.Linear`
    /// (`reset_parameters`: weight and bias uniform within `1 / sqrt(fan_in)`), from `(Init, [shadow,
    /// attempt])`.
    pub fn init(&self, seed: &Seed, shadow: u32, attempt: u32, host: &mut [f32]) {
        let mut stream = seed.stream(Purpose::Init, &[u64::from(shadow), u64::from(attempt)]);
        for placed in &self.tensors {
            for value in &mut host[placed.host..][..placed.tensor.len()] {
                *value = (2.0 * stream.uniform_f32() - 1.0) * placed.tensor.bound;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_transposes_and_pads_and_export_undoes_it() {
        let tensors = [
            Tensor { shape: TensorShape::Matrix { inputs: 2, outputs: 3 }, bound: 0.5 },
            Tensor { shape: TensorShape::Vector { outputs: 3 }, bound: 0.25 },
        ];
        let layout = ParamLayout::new(tensors.into_iter(), |n| n.next_multiple_of(4));
        assert_eq!((layout.host_len(), layout.device_len(), layout.offset(1)), (9, 12, 8));
        let host: Vec<f32> = (1..10).map(|i| i as f32).collect();
        let mut device = vec![9.0; 12];
        layout.import(&host, &mut device);
        assert_eq!(device, [1.0, 3.0, 5.0, 0.0, 2.0, 4.0, 6.0, 0.0, 7.0, 8.0, 9.0, 0.0]);
        let mut back = vec![0.0; 9];
        layout.export(&device, &mut back);
        assert_eq!(back, host);
    }

    #[test]
    fn start_values_fill_their_bounds_and_depend_on_shadow_and_attempt() {
        let tensor = Tensor { shape: TensorShape::Matrix { inputs: 100, outputs: 100 }, bound: 0.1 };
        let layout = ParamLayout::new([tensor].into_iter(), |n| n);
        let draw = |shadow, attempt| {
            let mut host = vec![0.0; layout.host_len()];
            layout.init(&Seed::new(1), shadow, attempt, &mut host);
            host
        };
        let values = draw(0, 0);
        let mean = values.iter().sum::<f32>() / 1e4;
        let square = values.iter().map(|x| x * x).sum::<f32>() / 1e4;
        // Uniform on [-b, b): mean 0, variance b^2 / 3; five standard errors.
        assert!(mean.abs() < 5.0 * 0.1 / 3f32.sqrt() / 100.0);
        assert!((square / (0.01 / 3.0) - 1.0).abs() < 0.05);
        assert!(values.iter().all(|x| x.abs() <= 0.1));
        assert_ne!(values, draw(1, 0));
        assert_ne!(values, draw(0, 1));
    }
}
