//! The figures of the targets one by one, summarised.

use crate::analysis::{FPRS, Figures, PerTarget};

/// Mean and standard deviation (divisor n - 1) over the targets that have figures.
pub(crate) fn per_target(figures: &[Figures]) -> PerTarget {
    let over = |read: &dyn Fn(&Figures) -> f64| {
        let values: Vec<f64> = figures.iter().map(read).filter(|value| value.is_finite()).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { f64::NAN })
    };
    let (auc, accuracy) = (over(&|f| f.auc), over(&|f| f.balanced_accuracy));
    let tpr: [(f64, f64); FPRS.len()] = std::array::from_fn(|i| over(&|f| f.tpr_at_fpr[i]));
    PerTarget {
        mean: Figures { auc: auc.0, balanced_accuracy: accuracy.0, tpr_at_fpr: tpr.map(|t| t.0) },
        sd: Figures { auc: auc.1, balanced_accuracy: accuracy.1, tpr_at_fpr: tpr.map(|t| t.1) },
        auc: figures.iter().map(|f| f.auc).collect(),
    }
}
