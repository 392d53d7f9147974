"""From one vector space to another while the node answers: filled beside, then taken into use.

``start`` says with which encoder a worker starts, ``watch`` runs the process that fills a wanted
space, ``process`` is that process: ``sources`` finds pixels, ``filling`` makes vectors of them,
``finishing`` compares the two spaces and switches, ``progress`` is what is told of it all.
"""
