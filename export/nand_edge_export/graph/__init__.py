"""The single graph: resize, both branches, the gate and the maximum, put together as ONNX."""
