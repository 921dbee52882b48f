"""The workstation's commands of `nand-edge`, each thin: it parses, calls the library and prints."""
