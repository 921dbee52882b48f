"""The demo: words for a detector of faulty solar cells, from photographs to verdicts and the numbers behind them."""
