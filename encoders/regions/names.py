"""The regions that Chest ImaGenome, AnaXNet and CheXtriev know (paper 4, section 2.1).

Right and left are the patient's: on a frontal radiograph as it is shown, right lies to the left.
"""

ZONES = (
    "lung",
    "apical zone",
    "upper lung zone",
    "mid lung zone",
    "lower lung zone",
    "hilar structures",
    "costophrenic angle",
)
"""Of each lung."""
BETWEEN_LUNGS = ("mediastinum", "upper mediastinum", "cardiac silhouette", "trachea")

REGIONS = (
    *(f"right {zone}" for zone in ZONES),
    *(f"left {zone}" for zone in ZONES),
    *BETWEEN_LUNGS,
)
"""In the order of the published lists' category_id, which is that of every array of regions."""
