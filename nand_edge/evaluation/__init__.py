"""The evaluation: data set layouts, groups of defects with their words, and the protocol's figures with intervals."""
