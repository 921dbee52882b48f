"""What the benchmark scripts share: subjects, the processes that run them, tables, charts and fits."""
