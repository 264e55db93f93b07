"""The Laplace posterior of the last layer: curvature, fit, and the file that it is kept in."""
