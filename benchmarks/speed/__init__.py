"""Speed measurements: ratios and scale, measured side by side in one run; never a timed test."""
