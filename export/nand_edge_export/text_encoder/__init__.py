"""The text encoder of a bundle: the CLIP's text tower as a graph of its own, and its tokenizer without torch."""

from nand_edge_export.text_encoder.write import write_text_encoder

__all__ = ["write_text_encoder"]
