"""How the answers grow with the number of samples of each class (paper 2, figure 3)."""
