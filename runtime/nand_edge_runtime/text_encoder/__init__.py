"""Sentences read on the device: the bundle's text encoder, where it has one."""

from nand_edge_runtime.text_encoder.encoder import TextEncoder

__all__ = ["TextEncoder"]
