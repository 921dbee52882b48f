"""One probe a target: each a function of the machine that runs in a process of its own."""
