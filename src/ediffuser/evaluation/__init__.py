"""What a model is worth: distances, classical baselines, and the tables made of them."""
