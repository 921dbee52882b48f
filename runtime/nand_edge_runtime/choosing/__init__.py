"""`--target auto`: the engine that is fastest on this device, found by measuring and remembered."""

from nand_edge_runtime.choosing.candidates import Candidate
from nand_edge_runtime.choosing.choice import AUTO, USUAL_LOSS, USUAL_REJECT_RATE, Automatic, Choice, choose
from nand_edge_runtime.choosing.engine import ChosenEngine, open_engine
from nand_edge_runtime.choosing.trial import Measurement, Trial

__all__ = [
    "AUTO",
    "USUAL_LOSS",
    "USUAL_REJECT_RATE",
    "Automatic",
    "Candidate",
    "Choice",
    "ChosenEngine",
    "Measurement",
    "Trial",
    "choose",
    "open_engine",
]
