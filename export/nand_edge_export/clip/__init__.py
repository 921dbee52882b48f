"""The CLIP side: models by name, their image encoder with taps and projections, and text features."""

from nand_edge_export.clip.encoder import ClipEncoder
from nand_edge_export.clip.loading import NAND_TINY, Clip, load_clip
from nand_edge_export.clip.projections import Projections, load_projections, trained_image_size

__all__ = ["NAND_TINY", "Clip", "ClipEncoder", "Projections", "load_clip", "load_projections", "trained_image_size"]
