"""Training of the tiny text-image model: procedural photographs, wordings, model and training run."""
