"""Training of encoders by declared recipes; needs ``likeness-node[train]``."""
