"""Studies: models x samplers x figures, each with its report."""
