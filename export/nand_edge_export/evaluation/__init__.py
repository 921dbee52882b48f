"""Running the protocol: detectors and bundles on the frames of a data set, resumable, and the report about it."""
