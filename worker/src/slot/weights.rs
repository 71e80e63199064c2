//! Weights of trained shadows, kept as files.

use std::path::{Path, PathBuf};

use umbra_core::fault::Fault;
use umbra_data::Dataset;
use umbra_runtime::files::{self, Privacy};
use umbra_train::network::Network;
use umbra_train::{TrainError, Weights};

use super::task::Task;
use crate::faults;

/// Writes the weights of an audit's shadows to a folder. Workers may share it: whoever trains a shadow writes the
/// same bytes.
pub(super) struct Keep {
    folder: PathBuf,
    network: Network,
}

impl Keep {
    /// Makes the folder.
    pub(super) fn begin(folder: &Path, task: &Task, data: &Dataset) -> Result<Self, Fault> {
        files::create_private_folder(folder).map_err(|error| failed(folder, &error))?;
        let network = Network::new(task.spec.model(), task.spec.training(), &data.shape());
        Ok(Self { folder: folder.to_owned(), network: network.map_err(|error: TrainError| error.fault())? })
    }

    /// Writes `shadow-0007.safetensors` and the like.
    pub(super) fn write(&self, weights: Vec<Weights>) -> Result<(), Fault> {
        for weights in weights {
            let path = self.folder.join(format!("shadow-{:04}.safetensors", weights.shadow()));
            let bytes = weights.encode(&self.network);
            let bytes = bytes.map_err(|error| faults::spec(format!("weights cannot be written: {error}")))?;
            files::write_atomic(&path, &bytes, Privacy::Private)
                .map_err(|error| failed(&self.folder, &error))?;
        }
        Ok(())
    }
}

fn failed(folder: &Path, error: &files::FileError) -> Fault {
    faults::worker(format!("weights cannot be kept in {}: {error}; see its disk", folder.display()))
}
