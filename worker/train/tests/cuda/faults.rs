//! A device that is lost ends its pack with a fault that sends it elsewhere, and no number of it is kept.

use umbra_core::fault::{Domain, Retry};
use umbra_train::cuda::{Cuda, Held};
use umbra_train::lockstep::Lockstep;
use umbra_train::{PackRun, Status, TrainError};

use super::emu::{EmuDriver, Options};
use super::{common, network, perceptron, recipe};
use common::Table;

fn run(lost_after: u64) -> Result<(), TrainError> {
    let (spec, table) = (common::spec_of(perceptron(&[20]), recipe("sgd")), Table::new(60, 7, 3));
    let job = common::job(&spec, &table, 0..2, 6);
    let driver = EmuDriver::new(Options { lost_after: Some(lost_after), ..Options::default() });
    let cuda = Cuda::new(driver, table.data(), Held::Resident, 2)?;
    let engine = Lockstep::new(cuda, network(&spec, table.data()), spec.training(), 6)?;
    let mut run = PackRun::with_engine(job, table.data(), Box::new(engine), None)?;
    while run.advance(2)? != Status::Done {
        run.checkpoint(&mut Vec::new())?;
    }
    Ok(())
}

#[test]
fn a_lost_device_is_a_fault_wherever_it_is_lost() {
    let mut last = 0;
    while let Err(error) = run(last) {
        assert!(matches!(error, TrainError::Device(_)), "{error}");
        let fault = error.fault();
        assert_eq!((fault.domain, fault.retry), (Domain::Device, Retry::Elsewhere));
        last += 13;
    }
    // Six steps of over ten launches, and queries.
    assert!(last > 60, "{last}");
}
