"""The graph's contract: names, types and meanings of its inputs and outputs."""

from __future__ import annotations

FRAMES = "frames"
"""uint8 [N, H, W, 3], BGR as OpenCV gives it, any H and W."""

THRESHOLD = "threshold"
"""float32 []; the CLIP branch runs when a frame of the batch has a base score that is not below it.

Infinity keeps the gate shut for every finite score: so a runtime with no active normality skips the CLIP branch.
"""

TEXT_FEATURES = "text_features"
"""float32 [K, 2, D], K >= 1 normalities, each `f_nor` and `f_add` as unit vectors."""

SCORE = "score"
"""float32 [N], maximum of the final map; NaN when anything in the base map is NaN."""

ANOMALY_MAP = "anomaly_map"
"""float32 [N, M, M], final map."""

BASE_SCORE = "base_score"
"""float32 [N], maximum of the base map."""

BASE_MAP = "base_map"
"""float32 [N, M, M]."""

SUPPRESSION_MAP = "suppression_map"
"""float32 [N, M, M], `1 - product over normalities of (1 - A_sup)`; zeros when the CLIP branch did not run."""

CLIP_RAN = "clip_ran"
"""bool [N], whether the frame went through the CLIP branch."""

INPUTS = (FRAMES, THRESHOLD, TEXT_FEATURES)
OUTPUTS = (SCORE, ANOMALY_MAP, BASE_SCORE, BASE_MAP, SUPPRESSION_MAP, CLIP_RAN)
MAP_SIZE = 256
