"""What every side of NAND Edge shares: bundles, normalities, the method's arithmetic and the command line."""

__version__ = "0.1.0"
