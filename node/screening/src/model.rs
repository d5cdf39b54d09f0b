//! The risk model as a file: a weight for each factor by name, and the score from which a payment is held.

use std::collections::BTreeMap;

use hansa_types::model::{FACTORS, Model, Score};
use serde::Deserialize;

use crate::factors::Factor;

/// A model with the bank's own threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskModel {
    /// Version and weights, as registered.
    pub model: Model,
    /// From which score a payment is held.
    pub hold_threshold: Score,
}

/// Why a model is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Not the form of a model file.
    #[error("the model file cannot be read: {0}")]
    Form(String),
    /// A weight for something that is no factor.
    #[error("weights.{0}: no such factor; the factors are {1}")]
    UnknownFactor(String, String),
    /// Other banks' signals would be weighed, and rumours go in circles.
    #[error(
        "weights.{0}: other banks' signals are not weighed; they raise a payment to INVESTIGATE by a rule"
    )]
    WeighsSignals(String),
    /// A threshold that everything reaches.
    #[error("hold_threshold = {0}: it must be positive, or every payment is held")]
    Threshold(i64),
    /// No factor weighs anything.
    #[error("all weights are 0: nothing would ever be held")]
    AllZero,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    hold_threshold: i64,
    weights: BTreeMap<String, i16>,
}

/// The model that a node starts with.
pub const DEFAULT: &str = include_str!("../data/model-default.toml");

impl RiskModel {
    /// Reads a model file (TOML: `version`, `hold_threshold`, and under `weights` one number for each factor; those
    /// left out weigh nothing).
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let file: File = toml::from_str(text).map_err(|e| ModelError::Form(e.to_string()))?;
        let mut weights = [0; FACTORS];
        for (name, weight) in &file.weights {
            let Some(factor) = Factor::ALL.iter().find(|f| f.name() == name) else {
                return Err(unknown(name));
            };
            weights[factor.slot()] = *weight;
        }
        let model = Self {
            model: Model { version: file.version, weights },
            hold_threshold: Score(file.hold_threshold),
        };
        model.validate()?;
        Ok(model)
    }

    /// The model in the package.
    pub fn default_model() -> Self {
        Self::parse(DEFAULT).expect("the packaged model is read by a test")
    }

    /// Checks a model however it came about.
    pub fn validate(&self) -> Result<(), ModelError> {
        if self.hold_threshold.0 <= 0 {
            return Err(ModelError::Threshold(self.hold_threshold.0));
        }
        if self.model.weights.iter().all(|w| *w == 0) {
            return Err(ModelError::AllZero);
        }
        Ok(())
    }
}

fn unknown(name: &str) -> ModelError {
    if name.contains("signal") || name.contains("consortium") {
        return ModelError::WeighsSignals(name.to_owned());
    }
    let names: Vec<_> = Factor::ALL.iter().map(|f| f.name()).collect();
    ModelError::UnknownFactor(name.to_owned(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use hansa_types::model::Factors;

    use super::*;

    #[test]
    fn the_packaged_model_is_read_and_sums() {
        let model = RiskModel::default_model();
        let mut factors = Factors::default();
        factors.0[Factor::Structuring.slot()] = 3;
        factors.0[Factor::NewCounterparty.slot()] = 1;
        assert_eq!(model.model.score(&factors), Score(510));
        assert_eq!(model.model.contributions(&factors).iter().sum::<i64>(), 510);
    }

    #[test]
    fn bad_models_are_refused_with_the_reason() {
        let parse = |weights: &str, threshold: i64| {
            RiskModel::parse(&format!("version = 1\nhold_threshold = {threshold}\n[weights]\n{weights}"))
        };
        assert!(matches!(parse("consortium_signal = 5", 9), Err(ModelError::WeighsSignals(_))));
        assert!(matches!(parse("moon_phase = 5", 9), Err(ModelError::UnknownFactor(..))));
        assert_eq!(parse("fan_in = 5", 0), Err(ModelError::Threshold(0)));
        assert_eq!(parse("fan_in = 0", 9), Err(ModelError::AllZero));
        assert!(matches!(parse("fan_in = 70000", 9), Err(ModelError::Form(_))));
        assert!(matches!(RiskModel::parse("version = 1\ncolour = 2"), Err(ModelError::Form(_))));
    }
}
