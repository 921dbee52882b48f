"""The workstation's side of NAND Edge: fits detectors, embeds words, exports bundles and builds engines."""
