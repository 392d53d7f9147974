"""What is evaluated: encoders and ways to compare that stand beside them, and their vectors."""
