"""The graph's contract: names, types and meanings of its inputs and outputs."""

from __future__ import annotations

FRAMES = "frames"
"""uint8 [N, H, W, 3], BGR as OpenCV gives it, any H and W."""

THRESHOLD = "threshold"
"""float32 []; the CLIP branch runs for the frames whose base score is not below it.

Infinity keeps the gate shut for every finite score: so a runtime with no active normality skips the CLIP branch. NaN
opens it for every frame and makes no verdict certain, so that all taps run.
"""

NORMALITY_FEATURES = "normality_features"
"""float32 [K, L, 2, V, D]: K >= 1 normalities, L taps, side 0 for all else and side 1 for what is added, V vectors
a side in the text space of width D. In the paper's form V is 1: `f_nor` and `f_add`."""

NORMALITY_BIAS = "normality_bias"
"""float32 [K, L, 2, V], added to the vectors' logits; 0 in the paper's form, very low for vectors that pad a side."""

REGION = "region"
"""float32 [M, M], 1 where frames are inspected and 0 where they are not; the base map is multiplied by it."""

SCORE = "score"
"""float32 [N], maximum of the final map; NaN when anything in the base map is NaN."""

ANOMALY_MAP = "anomaly_map"
"""float32 [N, M, M], final map."""

BASE_SCORE = "base_score"
"""float32 [N], maximum of the base map."""

BASE_MAP = "base_map"
"""float32 [N, M, M], the base detector's map within the region, 0 outside."""

SUPPRESSION_MAP = "suppression_map"
"""float32 [N, M, M], `1 - product over normalities of (1 - A_sup)`; zeros when the CLIP branch did not run."""

CLIP_RAN = "clip_ran"
"""bool [N], whether the frame went through the CLIP branch."""

TAPS_RUN = "taps_run"
"""int32 [N], how many taps of the CLIP branch the frame went through: 0 when it did not enter, and fewer than all when
an early exit knew the verdict. Then score, final map and suppression map are bounds: the highest that the taps left out
allow for a frame that passes, the lowest for one that is rejected."""

INPUTS = (FRAMES, THRESHOLD, NORMALITY_FEATURES, NORMALITY_BIAS, REGION)
SCORES = (SCORE, BASE_SCORE, CLIP_RAN, TAPS_RUN)
"""What a graph without maps gives."""

MAPS = (ANOMALY_MAP, BASE_MAP, SUPPRESSION_MAP)
OUTPUTS = (SCORE, ANOMALY_MAP, BASE_SCORE, BASE_MAP, SUPPRESSION_MAP, CLIP_RAN, TAPS_RUN)
MAP_SIZE = 256
