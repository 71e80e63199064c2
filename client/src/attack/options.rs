//! What is to be computed, checked as a whole.

use umbra_stats::{AttackKind, Center, Config, Counts, Design, Variance};

use crate::exit::Failure;

/// Mistakes of a command line, collected so that all of them can be told at once.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

impl Mistakes {
    /// Notes a mistake, a sentence with its remedy.
    pub fn push(&mut self, sentence: impl Into<String>) {
        self.0.push(sentence.into());
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// A failure with all of them, a line each; none if there are none.
    pub fn finish(self) -> Result<(), Failure> {
        if self.0.is_empty() { Ok(()) } else { Err(Failure::usage(self.0.join("\n"))) }
    }
}

/// What the command line says about the statistics, unchecked.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How membership was drawn; none means that it is found out.
    pub design: Option<String>,
    /// The attacks; none means the usual ones.
    pub attacks: Vec<String>,
    /// The spread of the references.
    pub variance: Option<String>,
    /// The middle of the references.
    pub center: Option<String>,
    /// The choice of the references.
    pub counts: Option<String>,
    /// Whether several queries are one vector.
    pub multivariate: bool,
    /// Whether `base` and RMIA use OUT references alone.
    pub offline: bool,
    /// How RMIA guesses the IN mean; given, it uses OUT references alone.
    pub rmia_a: Option<f64>,
    /// RMIA's gamma.
    pub gamma: Option<f64>,
    /// The temperature of `base`.
    pub temperature: Option<f64>,
    /// The false discovery rate.
    pub fdr: Option<f64>,
    /// Planned looks.
    pub looks: u32,
    /// Replicates of the bootstrap.
    pub bootstrap: Option<u32>,
    /// The delta of the lower bounds of epsilon.
    pub delta: Option<f64>,
    /// Whether there is a population.
    pub has_population: bool,
}

/// Checked options.
#[derive(Debug, Clone)]
pub struct Options {
    /// For the statistics.
    pub config: Config,
    /// How membership was drawn, if that was said.
    pub design: Option<Design>,
}

impl Options {
    /// Checks the settings; all mistakes go to `wrong`.
    pub fn check(settings: &Settings, wrong: &mut Mistakes) -> Self {
        let default = Config::default();
        let mut config = Config {
            attacks: attacks(settings, wrong),
            center: named("--center", settings.center.as_deref(), Center::Mean, wrong),
            variance: named("--variance", settings.variance.as_deref(), Variance::Shrunk, wrong),
            counts: named("--counts", settings.counts.as_deref(), Counts::Equal, wrong),
            multivariate: settings.multivariate,
            base_offline: settings.offline,
            ..default
        };
        let mut number = |name: &str,
                          value: Option<f64>,
                          into: &mut f64,
                          range: &str,
                          fits: fn(f64) -> bool| {
            match value {
                Some(value) if fits(value) => *into = value,
                Some(value) => wrong.push(format!("{name}: {value} is out of range; give {range}")),
                None => {}
            }
        };
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let mut a = Config::RMIA_A;
        number("--rmia-a", settings.rmia_a, &mut a, "a number from 0 to 1", |a| (0.0..=1.0).contains(&a));
        number("--gamma", settings.gamma, &mut config.gamma, "a positive number", positive);
        number("--temperature", settings.temperature, &mut config.temperature, "a positive number", positive);
        number("--fdr", settings.fdr, &mut config.fdr, "a rate between 0 and 1", |rate| {
            rate > 0.0 && rate < 1.0
        });
        number("--delta", settings.delta, &mut config.delta, "a number from 0 to below 1", |delta| {
            (0.0..1.0).contains(&delta)
        });
        // A guess of the IN mean asks for the attack that makes do without one, and says nothing of base.
        config.rmia_a = (settings.offline || settings.rmia_a.is_some()).then_some(a);
        config.looks = settings.looks.max(1);
        config.bootstrap = settings.bootstrap.map_or(config.bootstrap, |replicates| replicates as usize);
        let has_rmia = config.attacks.contains(&AttackKind::Rmia);
        if has_rmia && !settings.has_population {
            wrong.push(
                "--attack: rmia compares with records that no shadow was trained on; give them by \
                 --population-logits and --population-labels, or leave rmia out",
            );
        }
        let unused = [("--rmia-a", settings.rmia_a.is_some()), ("--gamma", settings.gamma.is_some())];
        for (name, _) in unused.iter().filter(|(_, given)| *given && !has_rmia) {
            wrong.push(format!(
                "{name}: it says how rmia works, which is not among the attacks; add it or leave {name} out"
            ));
        }
        let design = settings
            .design
            .as_ref()
            .and_then(|name| name.parse().map_err(|error| wrong.push(format!("--design: {error}"))).ok());
        Self { config, design }
    }
}

/// The attacks asked for, in that order; by default all that can be computed.
fn attacks(settings: &Settings, wrong: &mut Mistakes) -> Vec<AttackKind> {
    if settings.attacks.is_empty() {
        let possible = |kind: &AttackKind| *kind != AttackKind::Rmia || settings.has_population;
        return AttackKind::ALL.into_iter().filter(possible).collect();
    }
    let mut kinds = Vec::new();
    for name in &settings.attacks {
        match name.parse::<AttackKind>() {
            Ok(kind) if kinds.contains(&kind) => wrong.push(format!("--attack: '{kind}' is named twice")),
            Ok(kind) => kinds.push(kind),
            Err(error) => wrong.push(format!("--attack: {error}")),
        }
    }
    kinds
}

fn named<T: std::str::FromStr>(name: &str, given: Option<&str>, default: T, wrong: &mut Mistakes) -> T
where
    T::Err: std::fmt::Display,
{
    match given.map(str::parse) {
        None => default,
        Some(Ok(value)) => value,
        Some(Err(error)) => {
            wrong.push(format!("{name}: {error}"));
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &Settings) -> (Config, String) {
        let mut wrong = Mistakes::default();
        let options = Options::check(settings, &mut wrong);
        (options.config, wrong.finish().err().map(|failure| failure.to_string()).unwrap_or_default())
    }

    #[test]
    fn the_usual_attacks_need_no_population_and_use_one_that_is_there() {
        let (config, wrong) = check(&Settings::default());
        let names: Vec<_> = config.attacks.iter().map(|attack| attack.name()).collect();
        assert_eq!(
            (names.as_slice(), wrong.as_str()),
            (&["lira-online", "lira-offline", "base", "global"][..], "")
        );
        assert_eq!(
            (config.variance, config.counts, config.center),
            (Variance::Shrunk, Counts::Equal, Center::Mean)
        );
        let with = Settings { has_population: true, rmia_a: Some(0.5), ..Settings::default() };
        let (config, wrong) = check(&with);
        assert!(config.attacks.contains(&AttackKind::Rmia) && wrong.is_empty());
        assert_eq!((config.rmia_a, config.base_offline), (Some(0.5), false), "its guess is rmia's alone");
        let (config, _) = check(&Settings { offline: true, ..with.clone() });
        assert_eq!((config.rmia_a, config.base_offline), (Some(0.5), true));
        let (config, _) = check(&Settings { offline: true, rmia_a: None, ..with });
        assert_eq!((config.rmia_a, config.base_offline), (Some(0.3), true));
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let settings = Settings {
            attacks: vec!["lira".into(), "rmia".into(), "rmia".into()],
            variance: Some("none".into()),
            gamma: Some(f64::NAN),
            fdr: Some(1.0),
            ..Settings::default()
        };
        let (_, wrong) = check(&settings);
        let expected = "\
            --attack: attack 'lira' does not exist; choose among lira-online, lira-offline, rmia, base, global\n\
            --attack: 'rmia' is named twice\n\
            --variance: variance 'none' does not exist; choose among per-record, pooled, shrunk, reference\n\
            --gamma: NaN is out of range; give a positive number\n\
            --fdr: 1 is out of range; give a rate between 0 and 1\n\
            --attack: rmia compares with records that no shadow was trained on; give them by \
            --population-logits and --population-labels, or leave rmia out";
        assert_eq!(wrong, expected);
    }
}
