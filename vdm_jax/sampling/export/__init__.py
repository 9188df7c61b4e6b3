"""Files that `vdm-jax export` writes beside weights: model cards, programs, SavedModels."""
