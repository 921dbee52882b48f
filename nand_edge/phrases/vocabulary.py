"""Words that English has no rule for: which name a state, a part, a stuff or a position, and how odd ones are said."""

from __future__ import annotations

from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = "a|an|the|any|some|all|every|each|this|these|that|those|its|my|our|such|single|his|their|more|many|few"
PLACES = "on|in|at|near|along|across|around|over|under|inside|within|through|between|above|below|beside|beneath|behind"
COMPARISONS = "shorter|longer|smaller|larger|bigger|thinner|thicker|wider|narrower|deeper|darker|lighter|less|fewer|up"
RELATIVES = "caused|made|due|from|with|without|like|that|which|not"
"""First words of what is said after a noun to describe it ("stains from oil", "scratches shorter than 2 mm")."""

# Participles without -ed, and adjectives that people name a defect by.
STATES = _words(
    "torn broken bent worn burnt missing dirty rusty dusty oily greasy wet rough loose blown frozen sunken swollen "
    "bitten shrunken crooked uneven blurry dull cloudy brittle damp sticky moldy mouldy open upside-down "
    "shut stuck lost molten faulty defective wrong incomplete unreadable illegible absent askew "
    "matt local global melted shiny warped skewed smooth soft hard hollow empty hairy fuzzy wavy off-centre off-center"
)
LOOKS = _words(
    "black white grey gray red green blue yellow brown orange purple pink beige silver golden dark bright light pale "
    "small large big tiny thin thick long short fine deep shallow minor slight faint wide narrow round little"
)
"""Colours, brightness and sizes; joined by "and" they describe one thing."""

STATES_OF_PARTS = _words("cut split slit")
"""Before a part they are states ("cut lead"); alone they name a defect ("deep cut")."""

DEGREES = _words("very too slightly quite rather partly fully badly heavily somewhat strongly severely lightly")
NOUNS_IN_ED = _words("bed reed seed speed weed shed lead thread bead need feed breed deed creed")

# Stuff that is not counted: no article, no plural.
UNCOUNTED = _words(
    "dirt dust oil glue rust contamination discoloration discolouration damage corrosion water liquid metal paint "
    "grease ink wear mold mould lint residue moisture debris solder flux color colour soot sand powder foam resin wax "
    "tape delamination oxidation fraying pilling peeling flaking staining fouling erosion haze fog fluff fuzz plastic "
    "rubber adhesive lubricant coolant silicone lacquer varnish insulation fabric plating coating padding stitching "
    "veneer lettering text printing packaging wood leather glass paper steel aluminium aluminum brass copper wool "
    "cotton cloth felt foil concrete porcelain denim silk velvet foliage rubble scale slag swarf fluid mud mildew salt "
    "chalk clay gravel grime gunk sediment sawdust bread rice meat chocolate "
    "dough shrinkage porosity misalignment deformation roughness wetness mesh"
)
# Stuff whose portions have a name of their own.
PORTIONS = MappingProxyType(
    dict.fromkeys(
        "oil glue water liquid paint grease ink resin wax adhesive lubricant coolant silicone lacquer varnish fluid "
        "mud rust solder flux mold mould mildew".split(),
        "spot",
    )
    | dict.fromkeys(
        "metal plastic rubber wood glass paper steel aluminium aluminum brass copper foil tape foam".split(), "piece"
    )
    | dict.fromkeys("dirt dust soot sand powder lint debris fluff residue sawdust salt chalk".split(), "trace")
)
# How an object is that has the stuff or the mark.
STATE_OF = MappingProxyType(
    {
        "contamination": "contaminated", "damage": "damaged", "rust": "rusty", "dirt": "dirty", "dust": "dusty",
        "oil": "oily", "grease": "greasy", "corrosion": "corroded", "wear": "worn", "mold": "moldy",
        "mould": "mouldy", "discoloration": "discolored", "discolouration": "discoloured", "oxidation": "oxidized",
        "delamination": "delaminated", "staining": "stained", "fraying": "frayed", "pilling": "pilled",
        "deformation": "deformed", "fold": "folded", "print": "printed", "poke mark": "poked",
        "squeeze mark": "squeezed", "burn mark": "burnt",
        "misalignment": "misaligned",
    }
)  # fmt: skip
# A defect's noun, or a verb, before a part means that the part is so: "scratch head", "poke insulation".
PARTICIPLE_OF = MappingProxyType(
    {
        "scratch": "scratched", "poke": "poked", "squeeze": "squeezed", "crack": "cracked", "dent": "dented",
        "bend": "bent", "break": "broken", "breakage": "broken", "fold": "folded", "burn": "burnt", "tear": "torn",
        "stain": "stained", "swap": "swapped", "damage": "damaged", "chip": "chipped", "contamination": "contaminated",
    }
)  # fmt: skip
# Nouns that fit no sentence as they are.
NOUN_FOR = MappingProxyType({"poke": "poke mark", "squeeze": "squeeze mark", "burn": "burn mark"})

# What goes into the material, or is a change of it, is "in" the object; what lies on it is "on" it.
IN_THE_OBJECT = _words(
    "crack cut hole fold tear dent crease wrinkle gap rip slit fracture fissure split bubble void pinhole puncture "
    "notch bend break inclusion cavity dimple gash knot kink indentation pore blister perforation incision microcrack"
)

# Parts that an object may have. Named without a state, such a part is taken to be damaged.
PARTS = _words(
    "head neck tip case casing housing body lid cap base rim tooth lead pin leg terminal contact connector edge corner "
    "border side surface front back top bottom end interior insulation coating plating handle shaft shell hinge seam "
    "spout flange collar"
)
# Parts of some objects only, where the same word elsewhere means a foreign thing.
PARTS_OF = MappingProxyType(
    {
        "screw": _words("thread"), "bolt": _words("thread"), "nut": _words("thread"), "zipper": _words("fabric slider"),
        "zip": _words("fabric slider"), "cable": _words("wire core strand"), "harness": _words("wire"),
        "transistor": _words("wire"), "bottle": _words("thread mouth"),
    }
)  # fmt: skip
# They belong to the object as well, but without a state they are just there: "label".
MARKINGS = _words("imprint print printing label logo marking lettering text barcode code sticker inscription engraving")
# One of each: no plural.
SINGLE = MARKINGS | _words(
    "head neck tip case casing housing body lid cap base rim surface front back top bottom interior collar flange "
    "spout thread slider border shaft shell handle mouth"
)
ATTRIBUTES = _words("inner outer upper lower left right front back top bottom rear middle outermost innermost")
SIDES = MappingProxyType({"top": "at the top", "side": "on the side", "bottom": "at the bottom", "end": "at the end"})

# How the whole object lies; it has no rotated area.
POSITIONS = _words(
    "rotated tilted shifted turned inverted reversed misaligned skewed askew crooked upside-down displaced off-centre "
    "off-center slanted"
)
SIZES = _words("small large big tiny thin thick long short wide narrow little")
# Words that stand for a defect without naming it.
VAGUE = _words("everything anything something nothing things thing stuff it they them this that one ones")

# Singular nouns that end as plurals do, and plurals that need help.
SINGULAR_IN_S = _words(
    "lens gas bus pus canvas axis iris bias debris chassis circus basis species series stylus status cmos asbestos"
)
NOUNS_IN_ISH = _words("finish polish varnish blemish rubbish tarnish radish dish fish")

# States and nouns that say of the whole object where, how or what it is; {one} has its article.
OF_THE_WHOLE = MappingProxyType(
    {
        "missing": (
            "missing {name}", "{name} that is missing", "{name} missing from its place",
            "empty place where {one} is missing",
        ),
        "misplaced": (
            "misplaced {name}", "{name} that is misplaced", "{name} in the wrong place", "{name} out of place",
        ),
        "flip": (
            "flipped {name}", "{name} that is flipped", "{name} flipped over", "{name} flipped upside down",
            "{name} lying on the wrong side",
        ),
        "upside down": (
            "{name} upside down", "upside-down {name}", "{name} that is upside down", "{name} turned upside down",
        ),
        "swap": (
            "swapped {name}", "{name} that is swapped", "{name} swapped for another one", "{name} with swapped parts",
        ),
        "type": (
            "{name} of a different type", "{name} of the wrong type", "{name} of another type",
            "wrong type of {name}", "different type of {name}",
        ),
        "size": (
            "{name} of a different size", "{name} of the wrong size", "wrong size of {name}", "{name} of unusual size",
        ),
        "shape": (
            "{name} of a different shape", "{name} of the wrong shape", "{name} with an unusual shape",
            "wrong shape of {name}",
        ),
        "color": (
            "{name} with discoloration", "discolored {name}", "discoloration on {one}", "{name} with a discolored spot",
            "{name} with a spot of another color",
        ),
        "colour": (
            "{name} with discolouration", "discoloured {name}", "discolouration on {one}",
            "{name} with a discoloured spot", "{name} with a spot of another colour",
        ),
    }
)  # fmt: skip
SAME_AS = MappingProxyType(
    {
        "flipped": "flip", "flipped over": "flip", "flipping": "flip", "upside-down": "upside down",
        "turned over": "flip", "swapped": "swap", "wrong type": "type", "different type": "type", "other type": "type",
        "wrong size": "size", "wrong shape": "shape", "wrong color": "color", "wrong colour": "colour",
        "color defect": "color", "colour defect": "colour", "misplacement": "misplaced", "displaced": "misplaced",
        "wrong place": "misplaced", "absent": "missing", "lost": "missing",
        "melt": "melted", "discolor": "color", "discolour": "colour",
        "color change": "color", "colour change": "colour", "in the wrong place": "misplaced",
        "off-color": "color", "off-colour": "colour", "off color": "color", "off colour": "colour",
    }
)  # fmt: skip


def parts_of(object_name: str) -> frozenset[str]:
    """The parts that an object may have, in the singular."""
    return PARTS | PARTS_OF.get(object_name.rpartition(" ")[2], frozenset())
