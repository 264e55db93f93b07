"""From the measures of every prediction to tables with intervals, comparisons and tests."""
