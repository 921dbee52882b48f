"""The station: cameras, one engine, the reject gate, history and the live page, for months beside the conveyor."""
