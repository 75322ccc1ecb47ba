"""How much of anything is taken: a limit stands before what it would cost is spent. docs/limits.md
says of each what it is for, and what to do beyond it."""

# a parameter file
FILE_BYTES = 256_000
"""Of the file."""
NODES = 10_000
"""Keys and values, those that aliases and merges repeat counted each time."""
DEPTH = 20
"""Mappings and lists within each other."""
TEXT = 4_096
"""Characters of a key or a value: as many as Linux allows a path."""
DIGITS = 100
"""Characters of a number."""

# what is trained
SEEDS = 1_000
EPOCHS = 100_000
"""Of a trial."""
STUDIES = 100
ARMS = 1_000
"""Of all studies together, profiles among them."""
RATES = 100
"""Learning rates of a stage."""
LABEL_COUNTS = 100
TRIALS = 100_000
"""Of a study, or of a stage that has none, if all its rounds are run."""
TRIAL_EPOCHS = 10_000_000
"""As TRIALS: their epochs together, each a row of the records."""
LAYERS = 1_000
"""Hidden ones of a network."""
UNITS = 100_000
"""Of a layer."""
KERNEL = 31
"""Pixels a side of a convolution."""
AUGMENTED = 64
"""Pixels by which an image is shifted or cropped at most: each is an operation of a program."""
WEIGHTS = 100_000_000
"""Of a network between its layers: 400 MB, and as much again for each moment of its optimizer."""
WORKERS = 1_000
COUNT = 1_000_000_000
"""What any other whole number may be."""

# data
GIGABYTES = 20.0
"""Of a data set once it is unpacked; less where the machine has less memory."""
RATIO = 100
"""Times its size that a packed file may have once it is unpacked, beyond RATIO_BYTES."""
RATIO_BYTES = 256_000_000
LINE = 1_000_000
"""Characters of a line of text that is looked at as a whole, such as the names of columns, and of
all that an ARFF file has before its rows."""
COLUMNS = 50_000
"""Of a table."""
COLUMN_NAME = 1_000
"""Characters."""
CLASSES = 1_000
CLASS_NAME = 250
"""Characters."""
CATEGORY = 1_000
"""Characters of a text that is a category; what is longer is free text."""
PIXELS = 50_000_000
"""Of an image, before it is resized."""
ENTRIES = 100_000
"""Files and folders in one folder."""
AXES = 8
"""Of an array."""
