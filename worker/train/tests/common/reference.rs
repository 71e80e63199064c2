//! A network in f64, layer by layer from its definition: slow, and sharing nothing with the engine but the list of
//! layers and which units a step leaves out. Records are `[pixels][channels]`.

use umbra_train::dropout::stays;
use umbra_train::layers::{Activation, Conv, Dropout, Extent, GroupNorm, Layer, Linear};
use umbra_train::network::Network;

/// The mean softmax cross-entropy of the records of a batch; parameters in PyTorch's order, units left out by a key.
pub fn loss(network: &Network, params: &[f64], records: &[(&[f32], u32)], masks: Option<[u32; 2]>) -> f64 {
    let one = |(place, &(record, label)): (u32, &(&[f32], u32))| {
        let logits = logits(network, params, record, masks.map(|key| (key, place)));
        let sum: f64 = logits.iter().map(|&z| libm::exp(z)).sum();
        libm::log(sum) - logits[label as usize]
    };
    (0..).zip(records).map(one).sum::<f64>() / records.len() as f64
}

fn logits(network: &Network, params: &[f64], record: &[f32], masks: Option<([u32; 2], u32)>) -> Vec<f64> {
    let mut values: Vec<Vec<f64>> = vec![record.iter().map(|&x| f64::from(x)).collect()];
    let mut rest = params;
    for node in network.nodes() {
        let mut take = || {
            let lens: Vec<usize> = node.layer.described().tensors().iter().map(|t| t.len()).collect();
            let mut tensors = Vec::new();
            for len in lens {
                let (tensor, after) = rest.split_at(len);
                tensors.push(tensor);
                rest = after;
            }
            tensors
        };
        let x = &values[node.input];
        let extent = network.extent(node.input);
        let mut y = match &node.layer {
            Layer::Linear(layer) => linear(layer, &take(), x),
            Layer::Conv(layer) => conv(layer, &take(), x),
            Layer::GroupNorm(layer) => group_norm(layer, &take(), x),
            Layer::Dropout(layer) => masks.map_or_else(|| x.clone(), |masks| dropout(layer, masks, x)),
            Layer::MaxPool(_) => max_pool(extent, x),
            Layer::MeanPool(_) => (0..extent.channels)
                .map(|c| x.iter().skip(c).step_by(extent.channels).sum::<f64>() / extent.pixels() as f64)
                .collect(),
        };
        if let Some(skip) = node.skip {
            y.iter_mut().zip(&values[skip]).for_each(|(y, skip)| *y += skip);
        }
        if node.layer.described().activation() == Activation::Relu {
            y.iter_mut().for_each(|y| *y = y.max(0.0));
        }
        values.push(y);
    }
    assert!(rest.is_empty());
    values.pop().unwrap()
}

/// The weight is `[outputs][channels][pixels]`.
fn linear(layer: &Linear, tensors: &[&[f64]], x: &[f64]) -> Vec<f64> {
    let (pixels, channels) = (layer.input.pixels(), layer.input.channels);
    let weight = |o: usize, i: usize| tensors[0][(o * channels + i % channels) * pixels + i / channels];
    (0..layer.outputs)
        .map(|o| tensors[1][o] + (0..x.len()).map(|i| weight(o, i) * x[i]).sum::<f64>())
        .collect()
}

/// The weight is `[outputs][channels][height][width]`.
fn conv(layer: &Conv, tensors: &[&[f64]], x: &[f64]) -> Vec<f64> {
    use umbra_train::layers::Described;
    let (input, output) = (layer.input, layer.output());
    let mut y = Vec::new();
    for (oy, ox, o) in places(output) {
        let mut sum = if layer.bias { tensors[1][o] } else { 0.0 };
        for (ky, kx) in (0..layer.kernel.0).flat_map(|ky| (0..layer.kernel.1).map(move |kx| (ky, kx))) {
            let iy = (oy * layer.stride.0 + ky).wrapping_sub(layer.padding.0);
            let ix = (ox * layer.stride.1 + kx).wrapping_sub(layer.padding.1);
            if iy >= input.height || ix >= input.width {
                continue;
            }
            for c in 0..input.channels {
                let w = ((o * input.channels + c) * layer.kernel.0 + ky) * layer.kernel.1 + kx;
                sum += tensors[0][w] * x[(iy * input.width + ix) * input.channels + c];
            }
        }
        y.push(sum);
    }
    y
}

fn group_norm(layer: &GroupNorm, tensors: &[&[f64]], x: &[f64]) -> Vec<f64> {
    let channels = layer.input.channels;
    let wide = channels / layer.groups;
    let mut y = x.to_vec();
    for group in 0..layer.groups {
        let of = |i: &usize| (i % channels) / wide == group;
        let members: Vec<usize> = (0..x.len()).filter(of).collect();
        let count = members.len() as f64;
        let mean = members.iter().map(|&i| x[i]).sum::<f64>() / count;
        let variance = members.iter().map(|&i| (x[i] - mean) * (x[i] - mean)).sum::<f64>() / count;
        for i in members {
            y[i] = (x[i] - mean) / (variance + 1e-5).sqrt() * tensors[0][i % channels]
                + tensors[1][i % channels];
        }
    }
    y
}

fn dropout(layer: &Dropout, (key, place): ([u32; 2], u32), x: &[f64]) -> Vec<f64> {
    let rate = f64::from(layer.rate);
    let stays = |unit| stays(key, layer.layer, place, unit, layer.rate);
    (0..).zip(x).map(|(unit, x)| if stays(unit) { x / (1.0 - rate) } else { 0.0 }).collect()
}

fn max_pool(input: Extent, x: &[f64]) -> Vec<f64> {
    let output = Extent::space(input.height / 2, input.width / 2, input.channels);
    let at = |y: usize, x_: usize, c: usize| x[(y * input.width + x_) * input.channels + c];
    places(output)
        .map(|(y, x, c)| {
            let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| at(2 * y + dy, 2 * x + dx, c));
            four.into_iter().fold(f64::NEG_INFINITY, f64::max)
        })
        .collect()
}

fn places(extent: Extent) -> impl Iterator<Item = (usize, usize, usize)> {
    let Extent { height, width, channels, .. } = extent;
    (0..height).flat_map(move |y| (0..width).flat_map(move |x| (0..channels).map(move |c| (y, x, c))))
}
