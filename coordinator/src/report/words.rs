//! Recipes in words, and names from the data made fit for a page.

use umbra_core::spec::{AuditSpec, AugmentDraft, Model, Objective, Optimizer, Queries, Schedule, Training};
use umbra_stats::AttackKind;

use super::numbers::{count, rate};

/// A name from the data for a page: what would hide or turn around its neighbours is made visible, and
/// what is too long is cut. (Escaping for HTML comes on top, by the templates and the charts.)
pub(super) fn shown(name: &str, longest: usize) -> String {
    let mut text: String =
        name.chars().take(longest).map(|c| if hides(c) { '\u{fffd}' } else { c }).collect();
    if name.chars().nth(longest).is_some() {
        text.pop();
        text.push('…');
    }
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    text
}

/// Control characters, invisible ones, and those that change the direction of writing.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What every figure must be read with, for files without a page around them.
pub(super) const CAVEATS: &[&str] = &[
    "Recognised means membership, nothing more: whoever already holds a patient's record could tell that it was \
     used in training; no value of the record can be read out of the model.",
    "The attacker is a strong one: they hold the whole record with its label, see the model's full confidence, and \
     know the recipe and data like these.",
    "Shadow models train on half of the data; a model trained on all of it is another one.",
    "Shadow models share one pool of data, so their scatter is at most 1/sqrt(2) too small: on fresh data an AUC of \
     A is at least Phi(Phi^-1(A)/sqrt(2)), as .82 for .9.",
    "Encoders and other preparation that was fitted on all patients is outside the audit.",
    "Shadow models lost for a reason that has to do with their data void the p values.",
    "Not detected is not safe: traces below the detection limit stay unseen.",
];

/// The model in words.
pub(super) fn model(model: &Model) -> String {
    match model {
        Model::Logistic => "Logistic regression: one linear layer".to_owned(),
        Model::Mlp { widths } => {
            let layers = match widths.len() {
                1 => "one hidden layer".to_owned(),
                n => format!("{n} hidden layers"),
            };
            let widths: Vec<_> = widths.iter().map(|&width| count(u64::from(width))).collect();
            format!("Multi-layer perceptron with {layers} of {} units", list(&widths))
        }
        Model::TabResnet { width, depth } => {
            format!(
                "Residual network over features: {depth} blocks of {} units, group norm",
                count((*width).into())
            )
        }
        Model::Cnn { width } => {
            let [second, hidden] = [2, 4].map(|times| count(times * u64::from(*width)));
            format!("Convolutional network: {width} and {second} channels, {hidden} hidden units")
        }
        Model::Wrn { depth, width } => format!("Wide residual network WRN-{depth}-{width}, group norm"),
        Model::Resnet1d { width, depth } => {
            format!(
                "Residual network over time: {depth} blocks of {} channels, group norm",
                count((*width).into())
            )
        }
    }
}

/// `a, b and c`.
fn list(items: &[String]) -> String {
    match items {
        [head @ .., last] if !head.is_empty() => format!("{} and {last}", head.join(", ")),
        _ => items.join(""),
    }
}

/// The training recipe in words.
pub(super) fn training(training: &Training, queries: &Queries, steps: u64) -> String {
    let optimizer = match training.optimizer() {
        Optimizer::Sgd { momentum, nesterov } => {
            let kind = if nesterov { "Nesterov momentum" } else { "momentum" };
            format!("stochastic gradient descent with {kind} {momentum}")
        }
        Optimizer::AdamW { beta1, beta2, .. } => format!("AdamW with decays {beta1} and {beta2}"),
    };
    let warmup = match training.warmup_epochs() {
        0.0 => String::new(),
        epochs => format!(", reached after {epochs} passes of warm-up"),
    };
    let schedule = match training.schedule() {
        Schedule::Constant => "held constant".to_owned(),
        Schedule::Cosine => "falling along half a cosine to 0".to_owned(),
        Schedule::Step { epochs, factor } => format!("multiplied by {factor} every {epochs} passes"),
    };
    let mut more = String::new();
    if let Some(loss) = training.loss() {
        more.push_str(match loss {
            Objective::CrossEntropy => "; softmax cross-entropy",
            Objective::Bce => "; binary cross-entropy",
        });
    }
    if training.dropout() > 0.0 {
        more.push_str(&format!("; hidden units left out with probability {}", training.dropout()));
    }
    if training.label_smoothing() > 0.0 {
        more.push_str(&format!("; labels smoothed by {}", training.label_smoothing()));
    }
    if !training.class_weights().is_empty() {
        more.push_str("; classes weighted");
    }
    if let Some(norm) = training.clip_norm() {
        more.push_str(&format!("; gradients clipped to a norm of {norm}"));
    }
    if !training.augment().is_none() {
        let all: Vec<_> = training.augment().settings().map(|(name, by)| format!("{name} {by}")).collect();
        more.push_str(&format!("; records varied by {}", list(&all)));
        if queries.views() > 1 {
            more.push_str(&format!(
                "; queried in {} views, all but the first varied likewise",
                queries.views()
            ));
        }
    }
    if let Some(decay) = training.ema() {
        more.push_str(&format!("; queries go to a moving average of the weights with decay {decay}"));
    }
    let decay = match training.weight_decay() {
        0.0 => "no weight decay".to_owned(),
        decay => format!("weight decay {decay}"),
    };
    format!(
        "{} passes over the training half in batches of {} ({} steps): {optimizer}, learning rate {}{warmup}, \
         {schedule}; {decay}{more}",
        count(u64::from(training.epochs())),
        count(u64::from(training.batch())),
        count(steps),
        training.learning_rate(),
    )
}

/// An attack in words.
pub(super) fn attack(attack: AttackKind) -> &'static str {
    match attack {
        AttackKind::LiraOnline => "Likelihood ratio (LiRA, online)",
        AttackKind::LiraOffline => "Likelihood ratio, one side (LiRA, offline)",
        AttackKind::Rmia => "Against a population (RMIA)",
        AttackKind::Base => "Gain over the references (base)",
        AttackKind::Global => "One threshold for all (global)",
    }
}

/// What an attack needs, in words.
pub(super) fn attacker(attack: AttackKind) -> &'static str {
    match attack {
        AttackKind::LiraOnline => {
            "knows how models with and without a record respond to it, from shadow models of their own"
        }
        AttackKind::LiraOffline => {
            "knows how models without a record respond to it, from shadow models of their own"
        }
        AttackKind::Rmia => "has shadow models of their own and a population of records that are no members",
        AttackKind::Base => "knows how probable the label of a record is under other models on average",
        AttackKind::Global => "has the model’s response to a record and nothing to compare it with",
    }
}

/// The audit file that asks for the same audit, its seed left out.
pub(super) fn audit_file(spec: &AuditSpec) -> String {
    let draft = spec.to_draft();
    let (t, s) = (&draft.training, &draft.statistics);
    let mut text = format!("name = \"{}\"\nseed = SEED\n", draft.name);
    let mut section = |name: &str, entries: &[(&str, Option<String>)]| {
        text.push_str(&format!("\n[{name}]\n"));
        for (key, value) in entries {
            if let Some(value) = value {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
    };
    let quoted = |value: &Option<String>| value.as_ref().map(|text| format!("\"{text}\""));
    let float = |value: Option<f64>| value.map(|value| format!("{value:?}"));
    section("dataset", &[("name", Some(format!("\"{}\"", draft.dataset)))]);
    let widths = (!draft.model.widths.is_empty()).then(|| format!("{:?}", draft.model.widths));
    section(
        "model",
        &[
            ("architecture", quoted(&Some(draft.model.architecture.clone()))),
            ("widths", widths),
            ("width", draft.model.width.map(|width| width.to_string())),
            ("depth", draft.model.depth.map(|depth| depth.to_string())),
        ],
    );
    section(
        "training",
        &[
            ("optimizer", quoted(&t.optimizer)),
            ("learning_rate", float(t.learning_rate)),
            ("momentum", float(t.momentum)),
            ("nesterov", t.nesterov.map(|on| on.to_string())),
            ("beta1", float(t.beta1)),
            ("beta2", float(t.beta2)),
            ("epsilon", float(t.epsilon)),
            ("weight_decay", float(t.weight_decay)),
            ("schedule", quoted(&t.schedule)),
            ("warmup_epochs", float(t.warmup_epochs)),
            ("batch", t.batch.map(|batch| batch.to_string())),
            ("epochs", t.epochs.map(|epochs| epochs.to_string())),
            ("step_epochs", float(t.step_epochs)),
            ("step_factor", float(t.step_factor)),
            ("loss", quoted(&t.loss)),
            ("dropout", float(t.dropout)),
            ("label_smoothing", float(t.label_smoothing)),
            ("class_weights", t.class_weights.as_ref().map(|weights| format!("{weights:?}"))),
            ("clip_norm", float(t.clip_norm)),
            ("ema", float(t.ema)),
        ],
    );
    let a = &draft.augment;
    if *a != AugmentDraft::default() {
        section(
            "augment",
            &[
                ("rotate", float(a.rotate)),
                ("flip", a.flip.map(|on| on.to_string())),
                ("shift", a.shift.map(|most| most.to_string())),
                ("brightness", float(a.brightness)),
                ("contrast", float(a.contrast)),
                ("scale", float(a.scale)),
                ("noise", float(a.noise)),
                ("drop", float(a.drop)),
            ],
        );
    }
    let shadows = &draft.shadows;
    section(
        "shadows",
        &[
            ("count", shadows.count.map(|count| count.to_string())),
            ("block", shadows.block.map(|block| block.to_string())),
            ("population", float(shadows.population)),
        ],
    );
    let crossed = s.intersections.as_ref().filter(|pairs| !pairs.is_empty());
    let crossed = crossed.map(|pairs| {
        let quoted =
            |names: &Vec<String>| names.iter().map(|name| toml_text(name)).collect::<Vec<_>>().join(", ");
        let pairs: Vec<_> = pairs.iter().map(|names| format!("[{}]", quoted(names))).collect();
        format!("[{}]", pairs.join(", "))
    });
    section("queries", &[("views", draft.queries.views.map(|views| views.to_string()))]);
    section(
        "statistics",
        &[
            ("attacks", s.attacks.as_ref().map(|attacks| format!("{attacks:?}"))),
            ("variance", quoted(&s.variance)),
            ("center", quoted(&s.center)),
            ("counts", quoted(&s.counts)),
            ("offline", s.offline.map(|on| on.to_string())),
            ("temperature", float(s.temperature)),
            ("fdr", float(s.fdr)),
            ("looks", s.looks.map(|looks| looks.to_string())),
            ("bootstrap", s.bootstrap.map(|replicates| replicates.to_string())),
            ("delta", float(s.delta)),
            ("intersections", crossed),
        ],
    );
    text
}

/// A text as a basic string of TOML (toml.io/en/v1.0.0#string).
fn toml_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if hides(c) => quoted.push_str(&format!("\\U{:08X}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The statistics in words.
pub(super) fn statistics(spec: &AuditSpec) -> String {
    let statistics = spec.statistics();
    let names: Vec<_> = statistics.attacks().iter().map(|attack| attack.name()).collect();
    let looks = match statistics.looks() {
        1 => "one look".to_owned(),
        looks => format!("{looks} looks"),
    };
    format!(
        "attacks {}; variance {}, {}, counts {}; false discovery rate {}, {looks}; {} replicates of the bootstrap",
        names.join(", "),
        statistics.variance().name(),
        statistics.center().name(),
        statistics.counts().name(),
        rate(statistics.fdr()),
        statistics.bootstrap(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_toml_reads_it() {
        assert_eq!(toml_text("a \"b\" \\ c\u{202e}\n"), r#""a \"b\" \\ c\U0000202E\U0000000A""#);
    }

    #[test]
    fn names_cannot_hide_or_turn_text() {
        assert_eq!(shown("Müller 12", 20), "Müller 12");
        assert_eq!(shown("a\u{202e}b\nc\u{200b}d", 20), "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(shown("abcdef", 4), "abc…");
        assert_eq!(shown("abcd", 4), "abcd");
        assert_eq!(shown(" ", 4), "(empty)");
    }
}
