//! The kernels, as the device has them.

use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

use cudarc::driver::{result, sys};

use super::error::{OpenError, refused};
use super::stream::Stream;

/// On a boundary that suits whatever the driver reads.
#[repr(C, align(64))]
struct Aligned<Bytes: ?Sized>(Bytes);

/// What build.rs compiled.
static KERNELS: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin")));

/// A kernel, and the bytes of each of its parameters.
#[derive(Clone)]
pub struct Function {
    pub raw: sys::CUfunction,
    pub sizes: Rc<[usize]>,
}

/// All kernels, on one device.
pub struct Module {
    stream: Rc<Stream>,
    module: sys::CUmodule,
    found: HashMap<&'static str, Function>,
}

impl Module {
    pub fn load(stream: Rc<Stream>) -> Result<Self, OpenError> {
        // SAFETY: the image is a fat binary of nvcc, and stays.
        let module = unsafe { result::module::load_data(KERNELS.0.as_ptr().cast()) }
            .map_err(refused("loading the kernels"))?;
        Ok(Self { stream, module, found: HashMap::new() })
    }

    /// Looks a kernel up, once.
    pub fn function(&mut self, name: &'static str) -> Result<Function, result::DriverError> {
        if let Some(function) = self.found.get(name) {
            return Ok(function.clone());
        }
        let text = CString::new(name).expect("names of kernels have no zeros");
        // SAFETY: the module is loaded.
        let raw = unsafe { result::module::get_function(self.module, text) }?;
        let function = Function { raw, sizes: sizes(raw)? };
        self.found.insert(name, function.clone());
        Ok(function)
    }
}

/// Asks for one parameter after another until there is none.
fn sizes(function: sys::CUfunction) -> Result<Rc<[usize]>, result::DriverError> {
    let mut sizes = Vec::new();
    loop {
        let (mut offset, mut bytes) = (0, 0);
        // SAFETY: the function is of a loaded module; two numbers are written.
        match unsafe { sys::cuFuncGetParamInfo(function, sizes.len(), &raw mut offset, &raw mut bytes) } {
            sys::CUresult::CUDA_ERROR_INVALID_VALUE => return Ok(sizes.into()),
            done => done.result()?,
        }
        sizes.push(bytes);
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // Kernels may be queued. What fails here fails on a device that is lost.
        let _ = self.stream.bind();
        let _ = self.stream.wait();
        // SAFETY: loaded in `load`, and nothing of it runs any more.
        let _ = unsafe { result::module::unload(self.module) };
    }
}
