"""The words people use for each kind of defect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vocabulary:
    """Adjectives to put before nouns, ready phrases, phrases kept for testing, and words for a damaged object."""

    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    phrases: tuple[str, ...]
    held_out: tuple[str, ...]
    states: tuple[str, ...]


# Word lists are read in lines, not in columns.
# fmt: off
VOCABULARY: dict[str, Vocabulary] = {
    "crack": Vocabulary(
        ("thin", "long", "dark", "jagged", "branching", "fine", "diagonal"),
        ("crack", "cracks", "crack line", "fracture", "fissure"),
        ("hairline crack", "a hairline fracture", "a cracked area", "a crack running across the surface",
         "several cracks", "forked crack", "micro crack", "microcracks", "zigzag fracture line",
         "broken along a line", "cell crack", "a straight crack from edge to edge", "cracked glass",
         "split with side branches"),
        ("thin dark crack", "a long jagged fracture", "hairline cracks", "a crack through the cell",
         "network of cracks", "cracked surface", "fractured region"),
        ("cracked", "fractured", "with cracks"),
    ),
    "scratch": Vocabulary(
        ("thin", "long", "shallow", "straight", "light", "fine", "parallel"),
        ("scratch", "scratches", "scratch mark", "scrape", "scratch lines"),
        ("several parallel scratches", "a scratched area", "scratched surface", "scuff lines", "scraped streak",
         "a surface scratch", "a fine bright scratch", "abrasion lines", "key scratch", "a hairline scratch",
         "scored by something sharp", "graze marks"),
        ("a long thin scratch", "bright scratch", "deep scratches", "scratched spot on the surface",
         "several fine scratch marks", "scraped lines"),
        ("scratched", "scraped", "with scratches"),
    ),
    "cut": Vocabulary(
        ("short", "deep", "clean", "gaping", "open"),
        ("cut", "slit", "cuts", "knife cut", "gash"),
        ("a slit in the surface", "an open cut", "knife slash", "slashed area", "a cut made by a blade",
         "cut open material", "sliced surface", "a gash with raised lips", "slice", "incision", "torn slit",
         "a rip", "tear"),
        ("a long deep cut", "a gaping slit in the material", "cut by a knife", "slashed material", "an open gash",
         "a short slice"),
        ("cut open", "slashed", "slit"),
    ),
    "stain": Vocabulary(
        ("dark", "large", "small", "brown", "irregular", "blurry", "dirty", "faint"),
        ("stain", "stains", "blob", "blotch", "dirty mark", "patch of dirt"),
        ("smudgy patch", "oil stain", "coffee stain", "water spot mark", "dried drop of liquid", "a stained area",
         "stained region", "dark cloudy patch", "a dark blob", "grease mark", "soiled area", "wet patch",
         "liquid residue with a rim", "ink blot", "blackened blob", "a spill", "dark shadowy blob",
         "a dark soft blotch", "dark area with soft edges", "oil stains"),
        ("dark staining", "stain on the surface", "an irregular dark patch", "oil blotch", "a small dirty blob",
         "water stain", "stained spot", "dark blotches"),
        ("stained", "soiled", "with a stain"),
    ),
    "discoloration": Vocabulary(
        ("wide", "pale", "uneven", "large", "slight"),
        ("discoloration", "discoloured area", "colour change", "faded area", "tone difference"),
        ("discolored region", "a wrong colour", "color variation over a large area", "bleached area",
         "yellowed area", "a band of another shade", "tinted region", "off-colour zone", "colour deviation",
         "uneven dye", "a zone of different shade", "faded colour", "brightness shift over a wide region",
         "colour defect"),
        ("a large discoloured zone", "faded region", "different colour tone", "a pale discolored band",
         "colour fading", "wide area of wrong shade"),
        ("discoloured", "faded", "off-colour"),
    ),
    "smear": Vocabulary(
        ("long", "wiped", "streaky", "broad", "dirty"),
        ("smear", "smears", "wipe mark", "streaks", "swipe"),
        ("a smeared streak", "smeared area", "brush-like streaks", "drag mark", "finger wipe", "streaky wipe trail",
         "paint smear", "rubbed streak", "smudged streaks", "smeared liquid", "a wiping trace", "grease swipe"),
        ("a broad smear", "smeared streaks", "dirty wipe trail", "a streaky smear", "wiped paint",
         "a long swipe mark"),
        ("smeared", "streaked", "with smears"),
    ),
    "burn": Vocabulary(
        ("black", "charred", "brown", "round"),
        ("burn", "burn mark", "scorch mark", "burnt area", "singe"),
        ("scorched area", "charred spot", "a burnt patch", "heat damage", "burned material",
         "burn with a brown halo", "overheated zone", "carbonized area", "scorching", "fire damage",
         "a cigarette burn", "soot and charring"),
        ("a black burn mark", "scorched patch", "charred area", "burned region", "brown scorch mark",
         "singed material"),
        ("burnt", "scorched", "charred"),
    ),
    "spot": Vocabulary(
        ("small", "tiny", "black", "round", "scattered"),
        ("spot", "spots", "speck", "specks", "dot", "dots"),
        ("pinhead dots", "tiny speckles", "several small specks", "a few dots", "black dot", "point-like marks",
         "pin-sized spots", "freckles", "a speckled area", "splash dots", "fly specks"),
        ("tiny dark specks", "a small round dot", "scattered tiny spots", "several dots", "small speckle",
         "pinpoint mark"),
        ("speckled", "spotted", "with small dots"),
    ),
    "contamination": Vocabulary(
        ("loose", "small", "foreign", "scattered"),
        ("particles", "debris", "crumbs", "contamination", "foreign matter", "dust"),
        ("dust particles", "metal shavings", "a foreign object", "a pile of debris", "grit", "sand grains",
         "grains of dirt", "flakes lying on the surface", "contaminated area", "foreign bodies", "loose crumbs",
         "sawdust", "litter", "a cluster of particles", "debris fragments"),
        ("foreign particles", "scattered debris", "contamination by dust", "a cluster of crumbs", "loose grit",
         "small foreign bodies"),
        ("contaminated", "covered with debris", "dusty"),
    ),
    "thread": Vocabulary(
        ("loose", "long", "curly", "thin", "stray"),
        ("thread", "threads", "fibre", "hair", "strand", "yarn"),
        ("a loose thread", "a hair on the surface", "several loose threads", "lint fibre", "fuzzy filament",
         "a curled fiber", "pulled thread", "piece of string", "dangling yarn", "filaments", "fraying threads",
         "a cat hair", "looped thread"),
        ("a stray thread", "curled hair", "loose fibres", "a long strand of yarn", "thin filament",
         "string lying on the surface"),
        ("with loose threads", "frayed", "with a hair on it"),
    ),
    "glue": Vocabulary(
        ("clear", "shiny", "dried", "thick", "milky"),
        ("glue", "glue strip", "glue residue", "adhesive", "glue drop"),
        ("a blob of glue", "excess glue", "adhesive bead", "hardened glue", "silicone bead", "a strip of glue",
         "resin drop", "sealant", "epoxy residue", "sticky glossy strip", "hot glue", "lacquer drop"),
        ("dried adhesive", "shiny glue residue", "a bead of glue", "excess adhesive", "thick drop of glue",
         "resin residue"),
        ("with glue on it", "with adhesive residue", "with excess glue"),
    ),
    "dent": Vocabulary(
        ("round", "shallow", "deep", "small"),
        ("dent", "dents", "dimple", "impression", "depression"),
        ("pressed-in area", "a dented spot", "indentation", "dinted metal", "an impact mark",
         "hollow in the surface", "pushed-in surface", "hammer mark", "a ding", "dented surface", "concave bump",
         "knock mark"),
        ("a shallow dent", "small dimple", "dented region", "deep indentation", "round depression", "impact dent"),
        ("dented", "dimpled", "knocked in"),
    ),
    "bubble": Vocabulary(
        ("small", "round", "trapped", "several"),
        ("bubbles", "air bubbles", "blisters", "gas bubbles"),
        ("bubble", "an air bubble", "a blister", "blistering", "blistered coating", "foam bubbles", "bubbly area",
         "air pocket", "raised round blister", "trapped air", "bubbling paint", "gas inclusion", "void bubble",
         "air inclusions"),
        ("trapped air bubble", "a round blister", "several small air pockets", "bubbled coating", "big bubble",
         "blisters in the paint"),
        ("blistered", "with bubbles", "with trapped air"),
    ),
    "wrinkle": Vocabulary(
        ("long", "soft", "parallel", "deep"),
        ("wrinkle", "wrinkles", "fold", "crease", "creases"),
        ("folded material", "a fold line", "creased area", "wrinkled surface", "rumpled region", "puckering",
         "ripples", "crinkled foil", "crumpled area", "waviness from folding", "pleat", "a buckle in the sheet"),
        ("a deep crease", "long wrinkles", "folded area", "wrinkled fabric", "soft folds", "crumpled surface"),
        ("wrinkled", "creased", "folded"),
    ),
    "hole": Vocabulary(
        ("round", "small", "large", "dark", "ragged"),
        ("hole", "holes", "puncture", "opening", "pit"),
        ("a hole in the surface", "punched hole", "pierced material", "drilled hole", "perforation",
         "a punctured area", "moth hole", "missing material inside", "hole going through", "cavity", "pinhole",
         "a gap in the middle"),
        ("a small round hole", "large puncture", "pierced hole", "ragged opening", "dark cavity", "punctured surface"),
        ("punctured", "pierced", "with a hole"),
    ),
    "chip": Vocabulary(
        ("broken", "missing", "chipped", "snapped-off"),
        ("corner", "edge piece", "piece at the edge", "border piece"),
        ("chipped edge", "chipped corner", "a chip at the border", "broken off corner",
         "a piece broken out of the edge", "edge breakage", "damaged rim", "edge chipping", "flaked-off edge",
         "bite out of the edge", "splintered edge", "broken away piece", "chipped off part", "a nick in the edge"),
        ("a chipped off corner", "edge broken away", "missing piece of the corner", "chips along the edge",
         "damaged border", "broken rim"),
        ("chipped", "broken at the edge", "with a missing corner"),
    ),
    "broken line": Vocabulary(
        ("broken", "interrupted", "dark", "disconnected", "missing"),
        ("finger", "finger lines", "grid line", "grid fingers", "conductor lines", "printed lines", "traces"),
        ("finger interruption", "finger interruptions", "missing conductor segment", "a gap in a printed line",
         "open circuit in a trace", "line break", "an incomplete line", "dark stripes along the fingers",
         "short dark strokes along the grid", "interrupted fingers", "defective gridline",
         "cut-off conductor track", "failed finger contact", "several dark vertical finger strokes", "broken line",
         "broken lines", "interrupted line", "broken grid lines", "interrupted grid lines",
         "short dark vertical strokes", "dark vertical lines between the bars", "line interruption",
         "dark strokes along the fingers"),
        ("broken contact fingers", "grid lines that stop short", "missing line segment", "interrupted conductor",
         "dead fingers", "dark finger strokes", "gaps in the traces"),
        ("with broken lines", "with interrupted fingers", "with a disconnected line"),
    ),
    "bent": Vocabulary(
        ("bent", "distorted", "warped", "crooked"),
        ("wire", "wires", "line", "lines", "rib"),
        ("bent grid", "a bend in the wires", "deformed pattern", "shifted lines", "kinked wire",
         "pushed aside lines", "deformed mesh", "misaligned pattern", "curving lines that should be straight",
         "buckled grid", "deflected wires", "twisted pattern"),
        ("kinked wires", "deformed lines", "a kink in the line", "distorted grid", "warped pattern", "crooked wire"),
        ("bent", "deformed", "with bent wires"),
    ),
    "print": Vocabulary(
        ("wrong", "misplaced", "unwanted", "stamped"),
        ("print", "letters", "text", "lettering", "imprint"),
        ("printed letters", "a stamped number", "printed digits", "stray print", "handwritten characters",
         "ink stamp", "a printed mark", "writing on the surface", "printed code", "label text", "a symbol",
         "marker writing", "printing error"),
        ("misplaced letters", "a printed number", "stamped text", "wrong print on the surface", "written digits",
         "unwanted lettering"),
        ("with print on it", "with letters on it", "misprinted"),
    ),
}
# fmt: on
