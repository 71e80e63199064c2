//! A network as a candle graph, `[records][channels][height][width]`, in double precision.

use candle_core::{D, Result, Tensor};
use umbra_data::{Labels, UNKNOWN};
use umbra_train::dropout::stays;
use umbra_train::layers::{Activation, Conv, Dropout, GroupNorm, Layer};
use umbra_train::network::{Loss, Network};

use super::operations::{max_pool, relu};

/// The logits of records, `[records][channels][height][width]`, by parameters in PyTorch's order and shapes; with the
/// key of a step, hidden units are left out.
pub fn logits(
    network: &Network,
    params: &[Tensor],
    records: &Tensor,
    masks: Option<[u32; 2]>,
) -> Result<Tensor> {
    let (mut values, mut params) = (vec![records.clone()], params);
    for node in network.nodes() {
        let (own, rest) = params.split_at(node.layer.described().tensors().len());
        params = rest;
        let input = &values[node.input];
        let mut sums = match (&node.layer, masks) {
            (Layer::Dropout(layer), Some(key)) => leave_out(layer, key, input)?,
            (Layer::Dropout(_), None) => input.clone(),
            (layer, _) => sums(layer, own, input)?,
        };
        if let Some(skip) = node.skip {
            sums = (sums + &values[skip])?;
        }
        values.push(match node.layer.described().activation() {
            Activation::None => sums,
            Activation::Relu => relu(&sums)?,
        });
    }
    values.swap_remove(network.nodes().len()).flatten_from(1)
}

/// A layer's output before anything is added and its activation.
fn sums(layer: &Layer, params: &[Tensor], input: &Tensor) -> Result<Tensor> {
    match (layer, params) {
        (Layer::Linear(layer), [weight, bias]) => {
            let sums = input.flatten_from(1)?.matmul(&weight.t()?)?.broadcast_add(bias)?;
            sums.reshape(((), layer.outputs, 1, 1))
        }
        (Layer::Conv(layer), [weight, bias @ ..]) => {
            let sums = convolve(layer, weight, input)?;
            match bias {
                [bias] => sums.broadcast_add(&bias.reshape((1, (), 1, 1))?),
                _ => Ok(sums),
            }
        }
        (Layer::GroupNorm(layer), [gamma, beta]) => norm(layer, gamma, beta, input),
        (Layer::MaxPool(_), []) => max_pool(input),
        (Layer::MeanPool(_), []) => input.mean_keepdim((2, 3)),
        _ => unreachable!("a layer has the parameters that it says"),
    }
}

fn convolve(layer: &Conv, weight: &Tensor, input: &Tensor) -> Result<Tensor> {
    let (outputs, channels) = (layer.outputs, layer.input.channels);
    // Padded by hand: candle's conv2d has one number for both, and conv1d wrong gradients (see the traps).
    let padded = input.pad_with_zeros(2, layer.padding.0, layer.padding.0)?;
    let padded = padded.pad_with_zeros(3, layer.padding.1, layer.padding.1)?;
    let weight = weight.reshape((outputs, channels, layer.kernel.0, layer.kernel.1))?;
    // Every window, then every other one: candle takes the width of a gradient for its height (see the traps).
    let sums = padded.conv2d(&weight, 0, 1, 1, 1)?;
    every(&every(&sums, 2, layer.stride.0)?, 3, layer.stride.1)
}

/// Every `step`th entry along a dimension.
fn every(x: &Tensor, along: usize, step: usize) -> Result<Tensor> {
    let places: Vec<u32> = (0..x.dim(along)? as u32).step_by(step).collect();
    x.index_select(&Tensor::new(places, x.device())?, along)
}

fn norm(layer: &GroupNorm, gamma: &Tensor, beta: &Tensor, input: &Tensor) -> Result<Tensor> {
    let grouped = input.reshape((input.dim(0)?, layer.groups, ()))?;
    let centred = grouped.broadcast_sub(&grouped.mean_keepdim(2)?)?;
    let spread = (centred.sqr()?.mean_keepdim(2)? + 1e-5)?.sqrt()?;
    let normal = centred.broadcast_div(&spread)?.reshape(input.shape())?;
    let by_channel = |tensor: &Tensor| tensor.reshape((1, (), 1, 1));
    normal.broadcast_mul(&by_channel(gamma)?)?.broadcast_add(&by_channel(beta)?)
}

/// Units of a record are numbered channels last.
fn leave_out(layer: &Dropout, key: [u32; 2], input: &Tensor) -> Result<Tensor> {
    let (records, channels, height, width) = input.dims4()?;
    let units = (channels * height * width) as u32;
    let kept = 1.0 / (1.0 - f64::from(layer.rate));
    let of =
        |place: u32, unit: u32| if stays(key, layer.layer, place, unit, layer.rate) { kept } else { 0.0 };
    let masks = (0..records as u32).flat_map(|place| (0..units).map(move |unit| of(place, unit)));
    let masks = Tensor::from_vec(masks.collect(), (records, height, width, channels), input.device())?;
    input * masks.permute((0, 3, 1, 2))?
}

/// The mean loss of `logits` on the records `rows`, with a factor for each class or label.
pub fn loss(
    kind: Loss,
    logits: &Tensor,
    labels: Labels<'_>,
    rows: &[u32],
    smoothing: f64,
    factors: &[f64],
) -> Result<Tensor> {
    let (count, width) = logits.dims2()?;
    // What is told of each logit, and how much it counts.
    let mut told = Vec::new();
    let mut counts = Vec::new();
    for &row in rows {
        match labels {
            Labels::Class(labels) if kind == Loss::Binary => {
                let label = labels[row as usize];
                told.push(f64::from(label) * (1.0 - smoothing) + 0.5 * smoothing);
                counts.push(factors[label as usize]);
            }
            Labels::Class(labels) => {
                let label = labels[row as usize] as usize;
                told.extend((0..width).map(|class| {
                    smoothing / width as f64 + if class == label { 1.0 - smoothing } else { 0.0 }
                }));
                counts.extend(vec![factors[label]; width]);
            }
            Labels::Several { labels, count } => {
                for (&label, &factor) in labels[row as usize * count..][..count].iter().zip(factors) {
                    told.push(f64::from(label.min(1)) * (1.0 - smoothing) + 0.5 * smoothing);
                    counts.push(if label == UNKNOWN { 0.0 } else { factor });
                }
            }
        }
    }
    let tensor = |values: Vec<f64>| Tensor::from_vec(values, (count, width), logits.device());
    let (told, counts) = (tensor(told)?, tensor(counts)?);
    match kind {
        Loss::Softmax => {
            let below = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
            let ln = below.broadcast_sub(&below.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
            (((told * counts)? * ln)?.sum_all()? / -(count as f64))?.reshape(())
        }
        Loss::Binary => {
            // ln(1 + e^z) - z t.
            let softplus = (relu(logits)? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
            let losses = ((softplus - (logits * told)?)? * counts)?;
            (losses.sum_all()? / (count * width) as f64)?.reshape(())
        }
    }
}
