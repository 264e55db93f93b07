"""What methods are made of: the algebra, measures of uncertainty, ensembles, and the cells that they fill."""
