//! The devices that are there.

use cudarc::driver::{result, sys};
use sys::CUdevice_attribute as Attribute;

use super::error::{OpenError, refused};
use crate::cuda::driver::Properties;

/// The oldest generation that the kernels are compiled for.
const OLDEST: (u32, u32) = (8, 0);
/// The CUDA that the kernels are compiled with, as CUDA writes it: 13000 is 13.0.
const RELEASE: &str = env!("UMBRA_CUDA_RELEASE");
/// The first CUDA whose driver tells what a kernel takes.
const TELLING: i32 = 12040;

/// A device, as others call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its number among those that are visible, for [`super::CudaDriver::open`].
    pub ordinal: u32,
    /// What it is called everywhere, whatever is visible; a slice of a GPU (MIG) has one of its own.
    pub uuid: String,
    /// What it says of itself.
    pub properties: Properties,
    /// Why it cannot run the kernels, if it cannot.
    pub unfit: Option<String>,
}

/// All devices that are visible, none where there is a driver but no device.
///
/// # Errors
/// Where there is no driver, or an old one, or it refuses.
pub fn devices() -> Result<Vec<Device>, OpenError> {
    (0..count()?)
        .map(|ordinal| {
            let device = device(ordinal)?;
            let uuid = result::device::get_uuid(device).map_err(refused("asking a device for its UUID"))?;
            let properties = properties(device)?;
            let unfit = match suffices(device, &properties) {
                Err(OpenError::Unfit { reason, .. }) => Some(reason),
                fit => fit.map(|()| None)?,
            };
            Ok(Device { ordinal, uuid: written(&uuid), properties, unfit })
        })
        .collect()
}

/// The handle of a device.
pub fn device(ordinal: u32) -> Result<sys::CUdevice, OpenError> {
    let visible = count()?;
    match i32::try_from(ordinal) {
        Ok(number) if ordinal < visible => {
            result::device::get(number).map_err(refused("asking for a device"))
        }
        _ => Err(OpenError::NoDevice { ordinal, visible }),
    }
}

/// Starts the driver, and counts its devices.
fn count() -> Result<u32, OpenError> {
    // SAFETY: loads NVIDIA's library, whose start and end have no effects of their own. Asked first, since every
    // other call panics where there is no library.
    if !unsafe { sys::is_culib_present() } {
        return Err(OpenError::NoDriver);
    }
    let mut found = 0;
    // SAFETY: writes one number; it may be called before the driver is started.
    unsafe { sys::cuDriverGetVersion(&raw mut found) }
        .result()
        .map_err(refused("asking the NVIDIA driver for its version"))?;
    let built: i32 = RELEASE.parse().expect("build.rs writes a number");
    // Machine code goes with every driver of the same major version.
    if found < TELLING || found / 1000 < built / 1000 {
        let release = |version: i32| format!("{}.{}", version / 1000, version % 1000 / 10);
        let needed = release(TELLING.max(built / 1000 * 1000));
        return Err(OpenError::OldDriver { found: release(found), needed });
    }
    match result::init() {
        Err(error) if error.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE => return Ok(0),
        done => done.map_err(refused("starting the NVIDIA driver"))?,
    }
    let count = result::device::get_count().map_err(refused("counting devices"))?;
    Ok(u32::try_from(count).unwrap_or(0))
}

/// What a device says of itself.
pub fn properties(device: sys::CUdevice) -> Result<Properties, OpenError> {
    let failed = refused("asking a device for its properties");
    let number = |attribute| attribute_of(device, attribute).map(|value| u32::try_from(value).unwrap_or(0));
    Ok(Properties {
        name: result::device::get_name(device).map_err(&failed)?,
        capability: (
            number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        multiprocessors: number(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        // SAFETY: the handle is the driver's.
        memory: unsafe { result::device::total_mem(device) }.map_err(&failed)? as u64,
    })
}

/// Whether a device can run the kernels.
pub fn suffices(device: sys::CUdevice, properties: &Properties) -> Result<(), OpenError> {
    let (major, minor) = properties.capability;
    let unfit = |reason| Err(OpenError::Unfit { name: properties.name.clone(), reason });
    if properties.capability < OLDEST {
        return unfit(format!("its compute capability is {major}.{minor}, and at least 8.0 is needed"));
    }
    if attribute_of(device, Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)? == 0 {
        return unfit("it has no memory pools".into());
    }
    Ok(())
}

fn attribute_of(device: sys::CUdevice, attribute: Attribute) -> Result<i32, OpenError> {
    // SAFETY: the handle is the driver's.
    unsafe { result::device::get_attribute(device, attribute) }
        .map_err(refused("asking a device for its properties"))
}

fn written(uuid: &sys::CUuuid) -> String {
    let mut text = String::new();
    for (at, byte) in uuid.bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", byte.cast_unsigned()));
    }
    text
}
