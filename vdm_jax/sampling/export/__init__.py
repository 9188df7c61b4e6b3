"""What `vdm-jax export` writes beside weights: model cards, StableHLO programs, SavedModels."""
