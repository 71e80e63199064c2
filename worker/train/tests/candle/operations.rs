//! Operations whose backward pass candle 0.11.1 has wrong, made anew: `relu`, whose derivative at 0 it takes to
//! be 1, and the maximum of 2 x 2 pixels, whose gradient it divides by 4. In double precision, on the CPU.

use candle_core::{CpuStorage, CustomOp1, Error, Layout, Result, Shape, Tensor};

/// `max(x, 0)`, with derivative 0 at 0.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Relu)
}

/// The maximum of every 2 x 2 pixels of `[records][channels][height][width]`; a last odd row or column is left
/// out, and of equal numbers the first one takes the gradient.
pub fn max_pool(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(MaxPool)
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu with derivative 0 at 0"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = numbers(storage, layout)?.iter().map(|x| x.max(0.0)).collect();
        Ok((CpuStorage::F64(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, slope: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((x.gt(0.0)?.to_dtype(x.dtype())? * slope)?))
    }
}

struct MaxPool;

impl MaxPool {
    /// For every window, in order, where its maximum is.
    fn places(values: &[f64], shape: &Shape) -> Result<(Vec<usize>, Shape)> {
        let (records, channels, height, width) = shape.dims4()?;
        let mut places = Vec::new();
        for plane in 0..records * channels {
            for (y, x) in (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (y, x))) {
                let first = (plane * height + 2 * y) * width + 2 * x;
                let better = |best, place| if values[place] > values[best] { place } else { best };
                places.push([first + 1, first + width, first + width + 1].into_iter().fold(first, better));
            }
        }
        Ok((places, Shape::from((records, channels, height / 2, width / 2))))
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "maximum of 2 x 2"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = numbers(storage, layout)?;
        let (places, shape) = Self::places(values, layout.shape())?;
        Ok((CpuStorage::F64(places.into_iter().map(|place| values[place]).collect()), shape))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, slope: &Tensor) -> Result<Option<Tensor>> {
        let mut slopes = vec![0.0; x.elem_count()];
        let (places, _) = Self::places(&x.flatten_all()?.to_vec1()?, x.shape())?;
        for (place, slope) in places.into_iter().zip(slope.flatten_all()?.to_vec1::<f64>()?) {
            slopes[place] += slope;
        }
        Ok(Some(Tensor::from_vec(slopes, x.shape(), x.device())?))
    }
}

fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f64]> {
    let (CpuStorage::F64(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
        return Err(Error::Msg("doubles that follow each other are expected".into()));
    };
    Ok(&values[start..end])
}
