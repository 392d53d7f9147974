"""The encoders that Likeness declares, one module for each family; none imports torch."""
