"""Predictors: latent and commands -> next latent. One a file, chosen by `ModelSpec.predictor`."""
