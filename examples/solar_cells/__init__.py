"""The demo: words for a detector of faulty solar cells, from photographs to verdicts, with the numbers that prove it."""
