"""From the measures of every cell to tables with intervals."""
