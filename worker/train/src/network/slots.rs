//! Which buffer holds which value's gradient: a few buffers taking turns.

use super::Network;
use crate::layers::{Activation, InputGradient};

/// What one node does in the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The buffer with the gradient of its output.
    pub d_output: usize,
    /// The buffer for the gradient of its input, and how it is written; none where no gradient is wanted.
    pub d_input: Option<(usize, InputGradient)>,
}

/// The backward pass of a network: what each node reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gradients {
    /// By node.
    pub steps: Vec<Step>,
    /// Floats per record of each buffer.
    pub buffers: Vec<usize>,
}

impl Gradients {
    /// Plans the backward pass; rows are padded by `pitch`.
    ///
    /// A value that is added to a node's sums has the gradient of those sums, so that it takes over the node's
    /// buffer when the node is done.
    pub fn plan(network: &Network, pitch: &dyn Fn(usize) -> usize) -> Self {
        let nodes = network.nodes();
        let mut buffers: Vec<usize> = Vec::new();
        let mut free: Vec<usize> = Vec::new();
        let mut holds: Vec<Option<usize>> = vec![None; nodes.len() + 1];
        let mut take = |value: usize, free: &mut Vec<usize>| {
            let slot = free.pop().unwrap_or_else(|| {
                buffers.push(0);
                buffers.len() - 1
            });
            buffers[slot] = buffers[slot].max(network.extent(value).record(pitch));
            slot
        };
        let mut steps = Vec::new();
        holds[nodes.len()] = Some(take(nodes.len(), &mut free));
        // Whether a value's activation has been applied to its gradient since that was last added to.
        let mut taken_back = vec![true; nodes.len() + 1];
        for (index, node) in nodes.iter().enumerate().rev() {
            let d_output = holds[index + 1].expect("every value is read by a later node");
            assert!(taken_back[index + 1], "a value's own activation is part of its gradient");
            let d_input = (node.input > 0).then(|| {
                let add = holds[node.input].is_some();
                let slot = *holds[node.input].get_or_insert_with(|| take(node.input, &mut free));
                taken_back[node.input] = true;
                (slot, InputGradient { through: network.activation(node.input), add })
            });
            match node.skip {
                Some(skip) => {
                    assert!(skip > 0 && holds[skip].is_none(), "what is added is read by no later node");
                    holds[skip] = Some(d_output);
                    taken_back[skip] = network.activation(skip) == Activation::None;
                }
                None => free.push(d_output),
            }
            steps.push(Step { d_output, d_input });
        }
        steps.reverse();
        Self { steps, buffers }
    }
}

#[cfg(test)]
mod tests {
    use umbra_core::shape::DataShape;
    use umbra_core::spec::{AuditSpec, Model, SpecDraft, TrainingDraft};

    use super::*;

    fn network(model: &Model) -> Network {
        let mut draft = SpecDraft { name: "a".into(), dataset: "d".into(), ..SpecDraft::default() };
        draft.model.architecture = "logistic".into();
        draft.training = TrainingDraft {
            learning_rate: Some(0.1),
            batch: Some(1),
            epochs: Some(1),
            ..TrainingDraft::default()
        };
        let spec = AuditSpec::try_new(&draft).expect("the recipe is valid");
        Network::new(model, spec.training(), &DataShape::table(1, 1, 5, 2)).expect("it fits")
    }

    #[test]
    fn a_chain_takes_turns_and_a_residual_block_adds() {
        let mlp = network(&Model::Mlp { widths: vec![7, 8, 9] });
        let plan = Gradients::plan(&mlp, &|n| n);
        assert_eq!(plan.buffers, [8, 9]);
        assert_eq!(plan.steps[0].d_input, None);

        let resnet = network(&Model::TabResnet { width: 6, depth: 2 });
        let plan = Gradients::plan(&resnet, &|n| n);
        // Beside the value that is added there are the two of a chain.
        assert_eq!(plan.buffers, [6, 6, 6]);
        let adds: Vec<usize> = (0..plan.steps.len())
            .filter(|&node| plan.steps[node].d_input.is_some_and(|(_, into)| into.add))
            .collect();
        // The norms at the head of the two blocks.
        assert_eq!(adds, [1, 4]);
    }
}
