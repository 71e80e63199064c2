//! The layers of every architecture.

use umbra_core::spec::Model;

use super::Network;
use crate::layers::{Activation, Conv, Dropout, Extent, GroupNorm, Layer, Linear, MaxPool, MeanPool};

use Activation::{None as Plain, Relu};

/// Adds the layers of `model`; hidden units are left out with probability `dropout`.
pub(super) fn build(network: &mut Network, model: &Model, dropout: f32, outputs: usize) {
    match *model {
        Model::Logistic => {}
        Model::Mlp { ref widths } => {
            for &width in widths {
                network.push(linear(width as usize, Relu));
                drop_out(network, dropout);
            }
        }
        Model::TabResnet { width, depth } => tab_resnet(network, dropout, width as usize, depth),
        Model::Cnn { width } => cnn(network, dropout, width as usize),
        Model::Wrn { depth, width } => wrn(network, dropout, depth, width as usize),
        Model::Resnet1d { width, depth } => resnet1d(network, dropout, width as usize, depth),
    }
    network.push(linear(outputs, Plain));
}

fn linear(outputs: usize, activation: Activation) -> impl FnOnce(Extent) -> Layer {
    move |input| Layer::Linear(Linear { input, outputs, activation })
}

/// Leaves out some of the latest value, if any are to be, and answers what the next layer reads.
fn drop_out(network: &mut Network, rate: f32) -> usize {
    let layer = network.nodes().len();
    match rate {
        0.0 => layer,
        rate => network.push(|input| Layer::Dropout(Dropout { input, rate, layer: layer as u32 })),
    }
}

fn norm(activation: Activation) -> impl FnOnce(Extent) -> Layer {
    move |input| Layer::GroupNorm(GroupNorm::new(input, activation))
}

/// A convolution without bias, padded so that stride 1 keeps the size.
fn conv(outputs: usize, kernel: (usize, usize), stride: (usize, usize)) -> impl FnOnce(Extent) -> Layer {
    let padding = ((kernel.0 - 1) / 2, (kernel.1 - 1) / 2);
    move |input| Layer::Conv(Conv { input, outputs, kernel, stride, padding, bias: false, activation: Plain })
}

/// `x + Linear(ReLU(Linear(Norm(x))))` a block, then `ReLU(Norm(x))`.
fn tab_resnet(network: &mut Network, dropout: f32, width: usize, depth: u32) {
    let mut value = network.push(linear(width, Plain));
    for _ in 0..depth {
        network.push(norm(Plain));
        network.push(linear(width, Relu));
        let hidden = drop_out(network, dropout);
        value = network.push_from(hidden, Some(value), linear(width, Plain));
    }
    network.push(norm(Relu));
}

fn cnn(network: &mut Network, dropout: f32, width: usize) {
    for outputs in [width, 2 * width] {
        network.push(|input| {
            let (kernel, stride, padding) = ((3, 3), (1, 1), (1, 1));
            Layer::Conv(Conv { input, outputs, kernel, stride, padding, bias: true, activation: Relu })
        });
        network.push(|input| Layer::MaxPool(MaxPool { input }));
    }
    network.push(linear(4 * width, Relu));
    drop_out(network, dropout);
}

/// Pre-activation blocks `x + conv(relu(norm(conv(relu(norm(x))))))`, with dropout before the second convolution
/// (Zagoruyko and Komodakis 2016, arXiv 1605.07146, section 2.4); where the shape changes, `x` becomes a 1 x 1
/// convolution of `relu(norm(x))`.
fn wrn(network: &mut Network, dropout: f32, depth: u32, width: usize) {
    let mut value = network.push(conv(16, (3, 3), (1, 1)));
    for (stage, channels) in [16 * width, 32 * width, 64 * width].into_iter().enumerate() {
        for block in 0..(depth - 4) / 6 {
            let stride = if stage > 0 && block == 0 { (2, 2) } else { (1, 1) };
            let normed = network.push_from(value, None, norm(Relu));
            let same = stride == (1, 1) && network.extent(value).channels == channels;
            network.push_from(normed, None, conv(channels, (3, 3), stride));
            network.push(norm(Relu));
            let hidden = drop_out(network, dropout);
            let skip =
                if same { value } else { network.push_from(normed, None, conv(channels, (1, 1), stride)) };
            value = network.push_from(hidden, Some(skip), conv(channels, (3, 3), (1, 1)));
        }
    }
    network.push(norm(Relu));
    network.push(|input| Layer::MeanPool(MeanPool { input }));
}

/// A stem of 7 points, then blocks `relu(norm(conv3(relu(norm(conv5(x))))) + x)`; where the points halve, `x`
/// becomes the norm of a strided 1-point convolution.
fn resnet1d(network: &mut Network, dropout: f32, width: usize, depth: u32) {
    network.push(conv(width, (1, 7), (1, 1)));
    let mut value = network.push(norm(Relu));
    for block in 0..depth {
        let stride = if block > 0 { (1, 2) } else { (1, 1) };
        network.push_from(value, None, conv(width, (1, 5), stride));
        network.push(norm(Relu));
        drop_out(network, dropout);
        let hidden = network.push(conv(width, (1, 3), (1, 1)));
        let skip = if block > 0 {
            network.push_from(value, None, conv(width, (1, 1), stride));
            network.push(norm(Plain))
        } else {
            value
        };
        value = network.push_from(hidden, Some(skip), norm(Relu));
    }
    network.push(|input| Layer::MeanPool(MeanPool { input }));
}
