//! A model's parameters: their order, their place in a backend's memory, their start values.
//!
//! On the host, parameters are one run of floats in PyTorch's order and shapes: layer by layer, the weight
//! `[outputs][inputs]` or `[outputs][channels][height][width]`, then the bias. On a backend outputs come last,
//! `[inputs][pitch(outputs)]`, so that the forward product reads it along its rows, and channels come after
//! pixels, as in the data; the padding is zero and stays zero.

use umbra_core::seed::{Purpose, Seed};

/// One tensor of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: TensorShape,
    /// Its start values.
    pub start: Start,
}

/// The shape of a tensor of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorShape {
    /// A linear map of windows: on the host `[outputs][channels][taps]`, on a backend
    /// `[taps][channels][pitch(outputs)]` with channels padded like the pixels it reads.
    Kernel {
        /// Numbers it maps to.
        outputs: usize,
        /// Numbers of a pixel.
        channels: usize,
        /// Pixels of a window; 1 for a plain matrix.
        taps: usize,
        /// Whether pixels are not padded.
        dense: bool,
    },
    /// One number per output.
    Vector {
        /// How many.
        outputs: usize,
    },
}

/// What a tensor starts at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// Uniform in `[-bound, bound)`.
    Uniform {
        /// The bound.
        bound: f32,
    },
    /// All 1.
    Ones,
    /// All 0.
    Zeros,
}

impl Tensor {
    /// A linear map of windows, zero at first.
    pub fn kernel(outputs: usize, channels: usize, taps: usize, dense: bool) -> Self {
        Self { shape: TensorShape::Kernel { outputs, channels, taps, dense }, start: Start::Zeros }
    }

    /// One number per output, zero at first.
    pub fn vector(outputs: usize) -> Self {
        Self { shape: TensorShape::Vector { outputs }, start: Start::Zeros }
    }

    /// The same, started as PyTorch starts the weight and bias of a linear layer or convolution
    /// (`reset_parameters`): uniform within `1 / sqrt(fan_in)`.
    #[must_use]
    pub fn uniform(self, fan_in: usize) -> Self {
        Self { start: Start::Uniform { bound: 1.0 / (fan_in as f32).sqrt() }, ..self }
    }

    /// The same, started at 1.
    #[must_use]
    pub fn ones(self) -> Self {
        Self { start: Start::Ones, ..self }
    }

    /// Parameters in it.
    pub fn len(&self) -> usize {
        match self.shape {
            TensorShape::Kernel { outputs, channels, taps, .. } => outputs * channels * taps,
            TensorShape::Vector { outputs } => outputs,
        }
    }

    /// Whether it holds no parameter.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn outputs(&self) -> usize {
        let (TensorShape::Kernel { outputs, .. } | TensorShape::Vector { outputs }) = self.shape;
        outputs
    }

    /// Rows from tap to tap on a backend.
    fn channel_rows(&self, pitch: impl Fn(usize) -> usize) -> usize {
        match self.shape {
            TensorShape::Kernel { channels, dense, .. } => {
                if dense {
                    channels
                } else {
                    pitch(channels)
                }
            }
            TensorShape::Vector { .. } => 1,
        }
    }

    fn device_len(&self, pitch: impl Fn(usize) -> usize) -> usize {
        let taps = match self.shape {
            TensorShape::Kernel { taps, .. } => taps,
            TensorShape::Vector { .. } => 1,
        };
        taps * self.channel_rows(&pitch) * pitch(self.outputs())
    }
}

/// A tensor and where it starts.
#[derive(Debug, Clone, Copy)]
struct Placed {
    tensor: Tensor,
    pitch: usize,
    rows: usize,
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
            let placed = Placed {
                tensor,
                pitch: pitch(tensor.outputs()),
                rows: tensor.channel_rows(&pitch),
                host: layout.host_len,
                device: layout.device_len,
            };
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
                TensorShape::Kernel { outputs, channels, taps, .. } => {
                    for (output, channel) in (0..outputs).flat_map(|o| (0..channels).map(move |c| (o, c))) {
                        let host = placed.host + (output * channels + channel) * taps;
                        let device = placed.device + channel * placed.pitch + output;
                        (0..taps)
                            .for_each(|tap| visit(host + tap, device + tap * placed.rows * placed.pitch));
                    }
                }
                TensorShape::Vector { outputs } => {
                    (0..outputs).for_each(|output| visit(placed.host + output, placed.device + output));
                }
            }
        }
    }

    /// The start values of one attempt at a shadow, in the host's order: what each tensor says, from
    /// `(Init, [shadow, attempt])`.
    pub fn init(&self, seed: &Seed, shadow: u32, attempt: u32, host: &mut [f32]) {
        let mut stream = seed.stream(Purpose::Init, &[u64::from(shadow), u64::from(attempt)]);
        for placed in &self.tensors {
            let values = &mut host[placed.host..][..placed.tensor.len()];
            match placed.tensor.start {
                Start::Uniform { bound } => {
                    values.iter_mut().for_each(|value| *value = (2.0 * stream.uniform_f32() - 1.0) * bound);
                }
                Start::Ones => values.fill(1.0),
                Start::Zeros => values.fill(0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_transposes_and_pads_and_export_undoes_it() {
        let tensors = [Tensor::kernel(3, 2, 1, true).uniform(4), Tensor::vector(3)];
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
    fn windows_turn_with_channels_last() {
        // One output, two channels, three taps, channels padded to four as rows are.
        let tensors = [Tensor::kernel(1, 2, 3, false), Tensor::vector(1).ones()];
        let layout = ParamLayout::new(tensors.into_iter(), |n| n.next_multiple_of(4));
        let mut host = vec![0.0; layout.host_len()];
        layout.init(&Seed::new(1), 0, 0, &mut host);
        assert_eq!(host, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let host = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let mut device = vec![9.0; layout.device_len()];
        layout.import(&host, &mut device);
        let outputs: Vec<f32> = device.iter().copied().step_by(4).collect();
        assert_eq!(outputs, [1.0, 4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.0, 3.0, 6.0, 0.0, 0.0, 7.0]);
        let dense = ParamLayout::new([Tensor::kernel(1, 2, 3, true)].into_iter(), |n| n);
        let mut device = vec![9.0; 6];
        dense.import(&host[..6], &mut device);
        assert_eq!(device, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn start_values_fill_their_bounds_and_depend_on_shadow_and_attempt() {
        let tensor = Tensor::kernel(100, 100, 1, true).uniform(100);
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
