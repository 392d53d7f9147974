"""Communities of images that are alike, and searching by growing a region among them.

Haq, Moradi and Wang: A Deep Community Based Approach for Large Scale Content Based X-Ray Image
Retrieval, Medical Image Analysis 2020. Images whose cosine reaches a threshold are joined
(``graph``), the graph is divided into communities (``partition``), and the answer to a query grows
from it by the gain in weighted modularity (``modularity``, ``growing``; ``searching`` is the door).
"""
