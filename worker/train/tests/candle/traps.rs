//! What candle 0.11.1 differentiates wrongly, or silently not at all, and what stands in for it. Should one of these
//! tests fail with a later candle, the stand-in may go.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::{max_pool, relu};

fn slopes(x: &Var, of: &Tensor) -> Result<Option<Vec<f64>>> {
    let found = of.sum_all()?.backward()?;
    found.get(x).map(|slopes| slopes.to_dtype(DType::F64)?.flatten_all()?.to_vec1()).transpose()
}

/// Four windows of 2 x 2, the maximum of each another pixel; by hand: 1 there, 0 elsewhere.
#[test]
fn the_gradient_of_a_maximum_is_not_divided_by_its_window() -> Result<()> {
    let values = [4.0f64, 1.0, 2.0, 8.0, 3.0, 0.0, 5.0, 6.0, 1.0, 2.0, 7.0, 5.0, 9.0, 4.0, 0.0, 11.0];
    let x = Var::from_slice(&values, (1, 1, 4, 4), &Device::Cpu)?;
    let right = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    assert_eq!(slopes(&x, &max_pool(&x)?)?, Some(right.to_vec()));
    assert_eq!(slopes(&x, &x.max_pool2d(2)?)?, Some(right.map(|slope| slope / 4.0).to_vec()));
    assert_eq!(max_pool(&x)?.flatten_all()?.to_vec1::<f64>()?, [4.0, 8.0, 9.0, 11.0]);
    // Windows of 3 that lie 2 apart, as in many networks: not differentiated at all.
    assert!(slopes(&x, &x.max_pool2d_with_stride(3, 1)?).is_err());
    Ok(())
}

/// Equal numbers: the first takes all of it, as in PyTorch; an odd row and column have none.
#[test]
fn the_first_of_equal_maxima_takes_the_gradient() -> Result<()> {
    let x = Var::from_slice(&[2.0f64, 2.0, 9.0, 1.0, 2.0, 9.0, 9.0, 9.0, 9.0], (1, 1, 3, 3), &Device::Cpu)?;
    let right = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(slopes(&x, &max_pool(&x)?)?, Some(right.to_vec()));
    Ok(())
}

/// A window every other pixel of an odd height and an even width: the gradient gets the shape of another image.
#[test]
fn strides_over_pixels_that_are_not_square_fail() -> Result<()> {
    let numbers = |shape: (usize, usize, usize, usize)| {
        let count = shape.0 * shape.1 * shape.2 * shape.3;
        Var::from_tensor(&Tensor::arange(0.0f64, count as f64, &Device::Cpu)?.reshape(shape)?)
    };
    let (image, kernel) = (numbers((1, 1, 5, 4))?, numbers((1, 1, 1, 1))?);
    let sums = (image.as_tensor() + 1.0)?.conv2d(&kernel, 0, 2, 1, 1)?;
    assert_eq!(sums.dims(), [1, 1, 3, 2]);
    let found = slopes(&image, &sums);
    assert!(found.is_err() || found?.is_some_and(|slopes| slopes.len() != 20));
    Ok(())
}

/// Several records of several channels: what conv1d says of its kernel is not the slope of what it computes, which is
/// exact from differences as the sum is a square of the kernel; conv2d on one row of pixels has it.
#[test]
fn the_gradient_of_a_kernel_over_time_is_that_of_another() -> Result<()> {
    let numbers = |shape: (usize, usize, usize)| {
        let values = (0..shape.0 * shape.1 * shape.2).map(|i| ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0);
        Tensor::from_vec(values.collect(), shape, &Device::Cpu)
    };
    let (signal, kernel) = (numbers((2, 2, 6))?, numbers((2, 2, 3))?);
    let over_time = |kernel: &Tensor| signal.conv1d(kernel, 0, 1, 1, 1)?.sqr();
    let in_a_row = |kernel: &Tensor| signal.unsqueeze(2)?.conv2d(&kernel.unsqueeze(2)?, 0, 1, 1, 1)?.sqr();
    let values: Vec<f64> = kernel.flatten_all()?.to_vec1()?;
    let moved = |index: usize, by: f64| {
        let mut values = values.clone();
        values[index] += by;
        let kernel = Tensor::from_vec(values, kernel.shape(), &Device::Cpu)?;
        over_time(&kernel)?.sum_all()?.to_scalar::<f64>()
    };
    let right = (0..values.len()).map(|index| Ok(moved(index, 0.5)? - moved(index, -0.5)?));
    let right = right.collect::<Result<Vec<f64>>>()?;
    let kernel = Var::from_tensor(&kernel)?;
    let away = |found: Option<Vec<f64>>| {
        let pairs = found.unwrap().into_iter().zip(&right);
        pairs.map(|(found, right)| (found - right).abs()).fold(0.0, f64::max)
    };
    assert!(away(slopes(&kernel, &in_a_row(&kernel)?)?) < 1e-9);
    assert!(away(slopes(&kernel, &over_time(&kernel)?)?) > 1.0);
    Ok(())
}

#[test]
fn the_derivative_of_relu_is_0_at_0() -> Result<()> {
    let x = Var::from_slice(&[-1.0f64, 0.0, 2.0], 3, &Device::Cpu)?;
    assert_eq!(slopes(&x, &relu(&x)?)?, Some(vec![0.0, 0.0, 1.0]));
    assert_eq!(slopes(&x, &x.relu()?)?, Some(vec![0.0, 1.0, 1.0]));
    Ok(())
}

/// The fused operations have no gradient and say nothing; written out they have one.
#[test]
fn fused_operations_hide_what_they_are_made_of() -> Result<()> {
    let x = Var::from_slice(&[0.5f32, -1.0, 2.0], (1, 3), &Device::Cpu)?;
    let first = |y: Tensor| y.narrow(1, 0, 1);
    assert_eq!(slopes(&x, &first(candle_nn::ops::softmax_last_dim(&x)?)?)?, None);
    let one = Tensor::ones(3, DType::F32, &Device::Cpu)?;
    let fused = candle_nn::ops::layer_norm(&x, &one, &one.zeros_like()?, 1e-5)?;
    assert_eq!(slopes(&x, &first(fused)?)?, None);
    assert!(slopes(&x, &first(candle_nn::ops::log_softmax(&x, 1)?)?)?.is_some());
    let slow = candle_nn::ops::layer_norm_slow(&x, &one, &one.zeros_like()?, 1e-5)?;
    assert!(slopes(&x, &first(slow)?)?.is_some());
    Ok(())
}
