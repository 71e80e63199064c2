//! Which devices slots train on.

use std::fmt;
use std::str::FromStr;

use umbra_train::Device;
use umbra_train::device::Found;

use crate::host;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// CUDA devices where there are any, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA devices: all that are visible, or those of these numbers.
    Cuda(Option<Vec<u32>>),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no device: use auto, cpu, cuda, or some of them, such as cuda:0,1");
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(None)),
            _ => {
                let numbers = text.strip_prefix("cuda:").ok_or_else(wrong)?;
                let mut all: Vec<u32> = Vec::new();
                for number in numbers.split(',') {
                    let number = number.parse().map_err(|_| wrong())?;
                    if all.contains(&number) {
                        return Err(format!(
                            "{text:?} names device {number} twice: one slot a device is enough"
                        ));
                    }
                    all.push(number);
                }
                Ok(Self::Cuda(Some(all)))
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(None) => f.write_str("cuda"),
            Self::Cuda(Some(numbers)) => {
                let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                write!(f, "cuda:{}", numbers.join(","))
            }
        }
    }
}

impl Choice {
    /// A slot's device each: `slots` threads of the CPU (else one a core), or one a CUDA device.
    ///
    /// # Errors
    /// Why there is no such device, or that CUDA devices take no number of slots.
    pub fn slots(&self, slots: Option<u32>) -> Result<Vec<Device>, String> {
        self.among(&Device::cuda(), slots)
    }

    fn among(&self, found: &Result<Vec<Found>, String>, slots: Option<u32>) -> Result<Vec<Device>, String> {
        let cpu = || Ok(vec![Device::Cpu; slots.unwrap_or_else(host::cores) as usize]);
        let numbers = match (self, found) {
            (Self::Cpu, _) | (Self::Auto, Err(_)) => return cpu(),
            (Self::Cuda(_), Err(reason)) => return Err(format!("{reason}; --device cpu trains on the CPU")),
            (Self::Auto | Self::Cuda(None), Ok(found)) => {
                let fit = found.iter().filter(|device| device.unfit.is_none());
                let fit: Vec<u32> = fit.map(|device| device.ordinal).collect();
                match self {
                    _ if !fit.is_empty() => fit,
                    Self::Auto => return cpu(),
                    _ => {
                        let reasons: Vec<_> = found.iter().filter_map(unfit).collect();
                        return Err(format!("{}; --device cpu trains on the CPU", reasons.join("; ")));
                    }
                }
            }
            (Self::Cuda(Some(numbers)), Ok(found)) => {
                for number in numbers {
                    let Some(device) = found.iter().find(|device| device.ordinal == *number) else {
                        let visible = found.len();
                        return Err(format!(
                            "there is no CUDA device {number}: {visible} are visible, from 0 on \
                             (CUDA_VISIBLE_DEVICES)"
                        ));
                    };
                    if let Some(reason) = unfit(device) {
                        return Err(reason);
                    }
                }
                numbers.clone()
            }
        };
        if slots.is_some_and(|slots| slots as usize != numbers.len()) {
            return Err(format!(
                "there is one slot a CUDA device, {} here: leave the number of slots out, or use --device cpu",
                numbers.len()
            ));
        }
        Ok(numbers.into_iter().map(Device::Cuda).collect())
    }
}

/// Why a device cannot be used, if it cannot.
fn unfit(device: &Found) -> Option<String> {
    let reason = device.unfit.as_ref()?;
    Some(format!("CUDA device {} ({}) cannot be used: {reason}", device.ordinal, device.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(count: u32) -> Result<Vec<Found>, String> {
        let one = |ordinal| Found {
            ordinal,
            name: "a device".into(),
            uuid: ordinal.to_string(),
            capability: (9, 0),
            memory: 1 << 36,
            unfit: None,
        };
        Ok((0..count).map(one).collect())
    }

    #[test]
    fn a_slot_is_a_device_or_a_thread() {
        let slots = |text: &str, found: Result<Vec<Found>, String>, slots| {
            text.parse::<Choice>().and_then(|choice| choice.among(&found, slots))
        };
        let none = || Err("no driver".to_owned());
        let cuda = |numbers: &[u32]| Ok(numbers.iter().copied().map(Device::Cuda).collect::<Vec<_>>());
        assert_eq!(slots("auto", none(), Some(3)), Ok(vec![Device::Cpu; 3]));
        assert_eq!(slots("cpu", found(2), None), Ok(vec![Device::Cpu; host::cores() as usize]));
        assert_eq!(slots("auto", found(2), None), cuda(&[0, 1]));
        assert_eq!(slots("cuda", found(2), Some(2)), cuda(&[0, 1]));
        assert_eq!(slots("cuda:2,0", found(3), None), cuda(&[2, 0]));
        let says = |text: &str, found, number, what: &str| {
            let error = slots(text, found, number).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        };
        says("cuda", none(), None, "no driver; --device cpu trains on the CPU");
        says("cuda:2", found(2), None, "there is no CUDA device 2: 2 are visible");
        says("cuda", found(2), Some(8), "one slot a CUDA device, 2 here");
        says("cuda:0,0", found(2), None, "twice");
        let old = |count| {
            let mut all = found(count).unwrap();
            all[0].unfit = Some("it is too old".to_owned());
            Ok(all)
        };
        assert_eq!(slots("auto", old(2), None), cuda(&[1]));
        assert_eq!(slots("auto", old(1), Some(1)), Ok(vec![Device::Cpu]));
        says("cuda", old(1), None, "CUDA device 0 (a device) cannot be used: it is too old; --device cpu");
        says("cuda:1,0", old(2), None, "CUDA device 0 (a device) cannot be used: it is too old");
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cuda:0,"] {
            says(wrong, found(2), None, "is no device");
        }
    }

    #[test]
    fn a_choice_is_written_as_it_is_read() {
        for text in ["auto", "cpu", "cuda", "cuda:0,3"] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
    }
}
