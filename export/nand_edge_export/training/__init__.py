"""Training the linear projections of a CLIP's taps on masked frames, by the recipe of APRIL-GAN's official release."""
